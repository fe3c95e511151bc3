"""The schema's history. Each step is reviewed by hand and tested on both databases."""
