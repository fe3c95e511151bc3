"""Follow-up work for people: opened for a reason, done by a deadline, escalated when missed."""

import domain.tasks.merging  # noqa: F401
from domain.tasks.actions import Outcome, assign, cancel, complete, note_contact, snooze, start
from domain.tasks.cadence import Quota, QuotaState
from domain.tasks.capacity import CALLS_PER_WEEK, Served, TierCapacity, capacity_plan
from domain.tasks.care import Cadence, Care, Rung, policy, set_care
from domain.tasks.errors import ChannelRefused, OutcomeMissing, TaskClosed
from domain.tasks.models import (
    OPEN_STATES,
    Escalation,
    Priority,
    SlaState,
    Task,
    TaskKind,
    TaskResult,
    TaskState,
)
from domain.tasks.opening import Draft, create, open_callback, open_first_touch, open_many
from domain.tasks.planning import plan_visits, quotas
from domain.tasks.queries import (
    escalations_by_task,
    find,
    matching,
    overdue,
    overdue_at,
    page,
    sla_state,
    visible,
    visible_by_ids,
)
from domain.tasks.telling import told
from domain.tasks.timers import (
    due_escalations,
    due_snoozes,
    escalate,
    escalate_all,
    next_due,
    set_apart,
    wake,
)

__all__ = [
    "CALLS_PER_WEEK",
    "OPEN_STATES",
    "Cadence",
    "Care",
    "ChannelRefused",
    "Draft",
    "Escalation",
    "Outcome",
    "OutcomeMissing",
    "Priority",
    "Quota",
    "QuotaState",
    "Rung",
    "Served",
    "SlaState",
    "Task",
    "TaskClosed",
    "TaskKind",
    "TaskResult",
    "TaskState",
    "TierCapacity",
    "assign",
    "cancel",
    "capacity_plan",
    "complete",
    "create",
    "due_escalations",
    "due_snoozes",
    "escalate",
    "escalate_all",
    "escalations_by_task",
    "find",
    "matching",
    "next_due",
    "note_contact",
    "open_callback",
    "open_first_touch",
    "open_many",
    "overdue",
    "overdue_at",
    "page",
    "plan_visits",
    "policy",
    "quotas",
    "set_apart",
    "set_care",
    "sla_state",
    "snooze",
    "start",
    "told",
    "visible",
    "visible_by_ids",
    "wake",
]
