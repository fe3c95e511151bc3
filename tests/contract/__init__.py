"""The schema as it was last released, and what may have changed since."""
