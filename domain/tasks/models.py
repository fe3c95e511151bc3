"""Follow-up work for people, with a deadline and a ladder of escalation."""

from enum import StrEnum

from tortoise import Model, fields

from domain.access import Role
from domain.contacts.models import Channel
from domain.db import Document, Index, Instant, Reference, choice
from domain.records import Record


class TaskState(StrEnum):
    """Where a task stands. Overdue is not a state: it is an open task whose due instant has passed."""

    OPEN = "OPEN"
    IN_PROGRESS = "IN_PROGRESS"
    SNOOZED = "SNOOZED"
    DONE = "DONE"
    CANCELLED = "CANCELLED"


OPEN_STATES = (TaskState.OPEN, TaskState.IN_PROGRESS, TaskState.SNOOZED)


class TaskKind(StrEnum):
    """What the work is."""

    FIRST_TOUCH = "FIRST_TOUCH"
    POST_DELIVERY_CALLBACK = "POST_DELIVERY_CALLBACK"
    VISIT = "VISIT"
    CAMPAIGN = "CAMPAIGN"
    GENERAL = "GENERAL"


class Priority(StrEnum):
    """How urgent a task is; an inbox shows urgent work first."""

    URGENT = "URGENT"
    HIGH = "HIGH"
    NORMAL = "NORMAL"
    LOW = "LOW"


class TaskResult(StrEnum):
    """How the work ended."""

    REACHED = "REACHED"
    NO_ANSWER = "NO_ANSWER"
    REFUSED = "REFUSED"
    WRONG_ADDRESS = "WRONG_ADDRESS"


class SlaState(StrEnum):
    """How a task stands against its deadline."""

    RUNNING = "RUNNING"
    MET = "MET"
    BREACHED = "BREACHED"
    MET_LATE = "MET_LATE"
    CANCELLED = "CANCELLED"


class Task(Record):
    """One piece of human work.

    `next_escalation_at` is the escalation timer: the statement that closes a task clears it.
    `dedupe_key` is unique among open tasks, so a repeated reason finds the open task.
    """

    kind = choice(TaskKind)
    state = choice(TaskState, default=TaskState.OPEN)
    title = fields.CharField(max_length=200)
    script = fields.TextField(default="")
    channel = choice(Channel, null=True)
    priority = choice(Priority, default=Priority.NORMAL)
    customer_id = Reference("customers")
    assignee_id = Reference("users", null=True)
    team_id = Reference("teams", null=True)
    campaign_id = fields.BigIntField(null=True)
    decision_id = Reference("contact_decisions", null=True)
    dedupe_key = fields.CharField(max_length=128)
    period_key = fields.CharField(max_length=32, null=True)
    """For a visit: the tier and first day of the period whose quota it fills."""
    contact_at = Instant(null=True)
    """The first instant at which the customer may be contacted for this."""
    due_at = Instant()
    policy = fields.CharField(max_length=64)
    policy_number = fields.IntField()
    snoozed_until = Instant(null=True)
    next_escalation_at = Instant(null=True)
    rung = fields.IntField(default=0)
    satisfied_at = Instant(null=True)
    breached_at = Instant(null=True)
    outcome = Document(null=True)
    closed_at = Instant(null=True)
    attempts = fields.IntField(default=0)
    retry_at = Instant(null=True)
    created_at = Instant()
    updated_at = Instant()

    class Meta:
        table = "tasks"
        indexes = [
            Index(
                ("workspace_id", "dedupe_key"),
                "tasks_dedupe",
                unique=True,
                where="state IN ('OPEN', 'IN_PROGRESS', 'SNOOZED')",
            ),
            Index(("next_escalation_at",), "tasks_escalation", where="next_escalation_at IS NOT NULL"),
            Index(("snoozed_until",), "tasks_snoozed", where="state = 'SNOOZED'"),
            Index(("workspace_id", "state", "due_at", "id"), "tasks_queue"),
            Index(("workspace_id", "due_at", "id"), "tasks_due"),
            Index(("workspace_id", "assignee_id", "state", "due_at", "id"), "tasks_assignee"),
            Index(("workspace_id", "team_id", "state", "due_at", "id"), "tasks_team"),
            Index(("workspace_id", "customer_id", "due_at", "id"), "tasks_customer"),
            Index(("workspace_id", "kind", "state", "due_at", "id"), "tasks_kind"),
            Index(("workspace_id", "period_key", "state", "customer_id"), "tasks_period"),
            Index(("workspace_id", "campaign_id", "state", "id"), "tasks_campaign"),
        ]


class Escalation(Model):
    """One rung that was climbed. The key makes it happen once."""

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    task_id = Reference("tasks")
    rung = fields.IntField()
    due_at = Instant()
    acted_at = Instant()
    to_role = choice(Role)
    user_id = Reference("users", null=True)
    process_id = fields.IntField()
    """The operating system's number of the process that climbed it."""

    class Meta:
        table = "escalations"
        indexes = [Index(("workspace_id", "task_id", "rung"), "escalations_rung", unique=True)]
