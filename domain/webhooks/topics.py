"""Which lines of the journal belong to which topic."""

from collections.abc import Collection

from domain.feeds import TOPICS
from domain.journal import JournalLine

DELIVER = "webhook_deliver"
NEVER_TOLD = frozenset({"run.progressed"})
"""Each step of a run would be a message; a subscription shows it better."""


def subjects_of(topics: Collection[str]) -> list[str]:
    return sorted({subject for topic in topics for subject in TOPICS.get(topic, frozenset())})


def is_told(line: JournalLine) -> bool:
    """Whether a line is a message at all: the runs that deliver are none, or they would never end."""
    return line.name not in NEVER_TOLD and line.data.get("kind") != DELIVER
