"""Who is at risk of leaving, how urgently and why; and how long each customer has left us unanswered."""

from enum import StrEnum

from tortoise import fields

from domain.db import Document, Index, Instant, Reference, choice
from domain.records import Record


class AlertLevel(StrEnum):
    """How urgent an alert is (S4-68)."""

    BLUE = "BLUE"
    YELLOW = "YELLOW"
    RED = "RED"

    @property
    def rank(self) -> int:
        return list(AlertLevel).index(self)


class AlertState(StrEnum):
    """Whether anybody has to mind it."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"


class AlertReasonCode(StrEnum):
    """What is the matter; each has its level (S4-65, S4-66, S4-67)."""

    UNANSWERED = "UNANSWERED"
    ACTIVITY_DOWN = "ACTIVITY_DOWN"
    ORDERS_DOWN = "ORDERS_DOWN"


class AlertOutcome(StrEnum):
    """What became of the customer; no alert is closed without one."""

    REACTIVATED = "REACTIVATED"
    LOST = "LOST"
    MISTAKEN = "MISTAKEN"
    WITHDRAWN = "WITHDRAWN"


class Alert(Record):
    """A customer at risk. There is one open alert of each at most; its level only rises (S4-68).

    `reasons` has those that stand, each as `{"code", "since", "value", "before"}`; of a closed alert,
    those that stood last.
    """

    customer_id = Reference("customers")
    level = choice(AlertLevel)
    state = choice(AlertState, default=AlertState.OPEN)
    reasons = Document()
    owner_id = Reference("users", null=True)
    opened_at = Instant()
    raised_at = Instant()
    """When it came to its level."""
    closed_at = Instant(null=True)
    by_hand = fields.BooleanField(default=False)
    """Whether a person closed it: what they saw then is not raised again."""
    outcome = choice(AlertOutcome, null=True)
    note = fields.TextField(default="")
    updated_at = Instant()

    class Meta:
        table = "alerts"
        indexes = [
            Index(("workspace_id", "customer_id"), "alerts_open", unique=True, where="state = 'OPEN'"),
            Index(("workspace_id", "customer_id", "opened_at", "id"), "alerts_customer"),
            Index(("workspace_id", "opened_at", "id"), "alerts_opened"),
            Index(("workspace_id", "raised_at", "id"), "alerts_raised"),
            Index(("workspace_id", "state", "level", "opened_at", "id"), "alerts_level"),
            Index(("workspace_id", "owner_id", "state", "opened_at", "id"), "alerts_owner"),
        ]


class ContactStreak(Record):
    """How many personal contacts in a row a customer has left unanswered (S4-65, C-23).

    `next_at` is the timer: at that instant the latest of them counts, unless the customer answers
    before. A response resets the row.
    """

    customer_id = Reference("customers")
    unanswered = fields.IntField()
    next_at = Instant(null=True)
    attempts = fields.IntField(default=0)
    retry_at = Instant(null=True)

    class Meta:
        table = "contact_streaks"
        indexes = [
            Index(("workspace_id", "customer_id"), "contact_streaks_customer", unique=True),
            Index(("next_at",), "contact_streaks_next", where="next_at IS NOT NULL"),
        ]
