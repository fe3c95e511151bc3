"""The ledger of machine work: imports, recomputes, launches, builds."""

from enum import StrEnum

from tortoise import fields

from domain.db import Document, Index, Instant, choice
from domain.records import Record


class RunState(StrEnum):
    """Where a run stands."""

    SCHEDULED = "SCHEDULED"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    RETRYING = "RETRYING"
    CANCELLING = "CANCELLING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


WAITING = (RunState.SCHEDULED, RunState.QUEUED, RunState.RETRYING)
ACTIVE = (RunState.RUNNING, RunState.CANCELLING)
ENDED = (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED)

_WAITING = "unique_key IS NOT NULL AND state IN ('SCHEDULED', 'QUEUED', 'RETRYING')"
_ACTIVE = "unique_key IS NOT NULL AND state IN ('RUNNING', 'CANCELLING')"


class Run(Record):
    """One piece of machine work, from being asked for to its result.

    `fence` is raised at every claim and never lowered; whatever an attempt writes is guarded by the
    fence it was given, so an attempt that was given up on cannot commit. `cursor` says where to go on.
    """

    kind = fields.CharField(max_length=32)
    queue = fields.CharField(max_length=32)
    priority = fields.IntField(default=100)
    state = choice(RunState)
    args = Document()
    unique_key = fields.CharField(max_length=128, null=True)
    run_at = Instant()
    attempt = fields.IntField(default=0)
    max_attempts = fields.IntField(default=8)
    fence = fields.BigIntField(default=0)
    lease_until = Instant(null=True)
    worker = fields.CharField(max_length=64, null=True)
    deadline_seconds = fields.IntField(default=3600)
    progress_done = fields.BigIntField(default=0)
    progress_total = fields.BigIntField(null=True)
    progress_unit = fields.CharField(max_length=32, default="")
    progress_message = fields.CharField(max_length=200, default="")
    cursor = Document(null=True)
    result = Document(null=True)
    errors = Document()
    error_code = fields.CharField(max_length=64, null=True)
    started_by = fields.CharField(max_length=64)
    rung_at = Instant(null=True)
    queued_at = Instant()
    started_at = Instant(null=True)
    finished_at = Instant(null=True)

    class Meta:
        table = "runs"
        indexes = [
            Index(("workspace_id", "kind", "unique_key"), "runs_one_waiting", unique=True, where=_WAITING),
            Index(("workspace_id", "kind", "unique_key"), "runs_one_active", unique=True, where=_ACTIVE),
            Index(
                ("priority", "run_at", "id"),
                "runs_ready",
                where="state IN ('SCHEDULED', 'QUEUED', 'RETRYING')",
            ),
            Index(("lease_until",), "runs_leased", where="state IN ('RUNNING', 'CANCELLING')"),
            Index(("workspace_id", "state", "id"), "runs_by_state"),
            Index(("workspace_id", "kind", "id"), "runs_by_kind"),
        ]
