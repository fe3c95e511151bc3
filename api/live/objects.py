"""The objects that lines of the journal are about, for a stream, the feed and webhooks alike."""

from api.ids import global_id
from domain.journal import JournalLine

TYPES = {
    "task": "Task",
    "run": "Run",
    "customer": "Customer",
    "lead": "Lead",
    "order": "Order",
    "event": "BehaviourEvent",
    "contact_preference": "ContactPreference",
    "consent": "Consent",
    "interaction": "Interaction",
    "campaign": "Campaign",
    "alert": "Alert",
    "segment": "Segment",
}
"""Subjects of the journal that are objects with an id, and their types."""


def object_id(line: JournalLine) -> str | None:
    """The global id of what a line is about; none where that is no object of its own."""
    name = TYPES.get(line.subject)
    return None if name is None else global_id(name, line.subject_id)
