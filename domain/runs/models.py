"""The ledger of machine work: imports, recomputes, launches, builds."""

from enum import StrEnum

from tortoise import Model, fields

from domain import tracing
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


class RunQueue(StrEnum):
    """Where runs wait, by urgency."""

    TIMERS = "timers"
    DEFAULT = "default"
    RECOMPUTE = "recompute"
    REPORTS = "reports"


WAITING = (RunState.SCHEDULED, RunState.QUEUED, RunState.RETRYING)
ACTIVE = (RunState.RUNNING, RunState.CANCELLING)
ENDED = (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED)

_WAITING = "state IN ('SCHEDULED', 'QUEUED', 'RETRYING')"
_ACTIVE = "state IN ('RUNNING', 'CANCELLING')"


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
    """How often it was claimed."""
    failures = fields.IntField(default=0, db_default=0)
    """How many attempts ended in an error; so many as `max_attempts` end the run."""
    deaths = fields.IntField(default=0, db_default=0)
    """How many workers in a row went away with it before it had come a step further."""
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
    merged_into = fields.BigIntField(null=True)
    """The waiting run of the same key that does this one's work, where this one ended for it."""
    schedule_id = fields.BigIntField(null=True)
    slot_at = Instant(null=True)
    """The schedule that asked for it, and for which of its times."""
    started_by = fields.CharField(max_length=64)
    rung_at = Instant(null=True)
    queued_at = Instant()
    started_at = Instant(null=True)
    finished_at = Instant(null=True)

    def span_ids(self, fence: int) -> tracing.Ids:
        """Of what is told of the attempt with this fence, known to whoever asks for the run beforehand."""
        return tracing.ids_of(f"run {self.workspace_id} {self.id} {self.queued_at.timestamp()}", str(fence))

    class Meta:
        table = "runs"
        indexes = [
            Index(
                ("workspace_id", "kind", "unique_key"),
                "runs_one_waiting",
                unique=True,
                where=f"unique_key IS NOT NULL AND {_WAITING}",
            ),
            Index(
                ("workspace_id", "kind", "unique_key"),
                "runs_one_active",
                unique=True,
                where=f"unique_key IS NOT NULL AND {_ACTIVE}",
            ),
            Index(
                ("workspace_id", "queue", "priority", "run_at", "id"),
                "runs_ready",
                where="state = 'QUEUED'",
            ),
            Index(("run_at",), "runs_later", where="state IN ('SCHEDULED', 'RETRYING')"),
            Index(("lease_until",), "runs_leased", where=_ACTIVE),
            Index(("workspace_id", "kind"), "runs_active", where=_ACTIVE),
            Index(("finished_at",), "runs_ended", where="finished_at IS NOT NULL"),
            Index(
                ("workspace_id", "schedule_id", "slot_at"),
                "runs_one_slot",
                unique=True,
                where="schedule_id IS NOT NULL",
            ),
            Index(("workspace_id", "state", "id"), "runs_by_state"),
            Index(("workspace_id", "kind", "id"), "runs_by_kind"),
        ]


class RunPause(Model):
    """A queue or a kind of run of which a workspace starts no more until it is resumed."""

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    queue = fields.CharField(max_length=32, null=True)
    kind = fields.CharField(max_length=32, null=True)
    reason = fields.CharField(max_length=200, default="")
    paused_by = fields.CharField(max_length=64)
    paused_at = Instant()

    class Meta:
        table = "run_pauses"
        indexes = [
            Index(("workspace_id", "queue"), "run_pauses_queue", unique=True, where="queue IS NOT NULL"),
            Index(("workspace_id", "kind"), "run_pauses_kind", unique=True, where="kind IS NOT NULL"),
        ]


class CatchUp(StrEnum):
    """Which of the times that went by unseen are still made up for."""

    NONE = "NONE"
    LATEST = "LATEST"
    ALL = "ALL"


class Schedule(Record):
    """When a kind of run is asked for again and again, by the wall clock of a zone."""

    name = fields.CharField(max_length=64)
    kind = fields.CharField(max_length=32)
    args = Document()
    cron = fields.CharField(max_length=100)
    zone = fields.CharField(max_length=64, null=True)
    """None: the workspace's own."""
    jitter_seconds = fields.IntField(default=0)
    catch_up = choice(CatchUp)
    catch_up_seconds = fields.IntField(default=86_400)
    """How long after its time a missed one is still worth doing."""
    pause_on_failure = fields.BooleanField(default=False)
    paused_at = Instant(null=True)
    pause_reason = fields.CharField(max_length=200, default="")
    next_at = Instant(null=True)
    """When it fires next, jitter included: the timer. None while it is paused."""
    next_slot_at = Instant(null=True)
    """The time by the cron expression that `next_at` belongs to."""
    last_slot_at = Instant(null=True)
    last_run_id = fields.BigIntField(null=True)
    missed = fields.IntField(default=0)
    """How many times went by without a run."""
    created_at = Instant()

    class Meta:
        table = "schedules"
        indexes = [
            Index(("workspace_id", "name"), "schedules_name", unique=True),
            Index(("next_at",), "schedules_due", where="next_at IS NOT NULL"),
        ]


class Lease(Model):
    """Who leads in something that one process should do at a time; the whole server's, no workspace's."""

    name = fields.CharField(max_length=32, primary_key=True)
    holder = fields.CharField(max_length=64)
    term = fields.BigIntField()
    """Rises with each change of the holder."""
    until = Instant()

    class Meta:
        table = "leases"
