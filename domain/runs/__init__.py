"""The ledger of machine work. A message may be lost, doubled or late; a run is done once."""

from domain.runs.actions import RunEnded, RunNotFailed, cancel, enqueue, retry, retry_all
from domain.runs.census import census, clock_seen
from domain.runs.claiming import QUEUES, claim, promote, pull, pull_for, ring_ready
from domain.runs.endings import ENDINGS
from domain.runs.heart import HEART, beating, renew
from domain.runs.leading import Leadership
from domain.runs.ledger import do, give_back, perform
from domain.runs.models import (
    ACTIVE,
    ENDED,
    WAITING,
    CatchUp,
    Run,
    RunPause,
    RunQueue,
    RunState,
    Schedule,
)
from domain.runs.pauses import pause, pauses, resume
from domain.runs.presets import PRESETS, SchedulePreset, label_of
from domain.runs.queries import Depth, depths, is_active, page, unfinished
from domain.runs.rescue import rescue
from domain.runs.retention import prune
from domain.runs.sandbox import CLOCK_ADVANCE, advance_clock
from domain.runs.schedules import (
    create_schedule,
    fire_schedule,
    page_of_schedules,
    pause_schedule,
    resume_schedule,
    update_schedule,
)
from domain.runs.slots import (
    due_schedules,
    fire_slot,
    next_slot_due,
    note_failed_run,
    set_schedule_apart,
    upcoming,
)
from domain.runs.work import (
    Cancelled,
    Fenced,
    Kind,
    Overlap,
    Refused,
    Work,
    argument_place,
    eta_seconds,
    kind,
    kinds,
    no_arguments,
    per_second,
    performs,
    unknown,
)

__all__ = [
    "ACTIVE",
    "CLOCK_ADVANCE",
    "ENDED",
    "ENDINGS",
    "HEART",
    "PRESETS",
    "QUEUES",
    "WAITING",
    "Cancelled",
    "CatchUp",
    "Depth",
    "Fenced",
    "Kind",
    "Leadership",
    "Overlap",
    "Refused",
    "Run",
    "RunEnded",
    "RunNotFailed",
    "RunPause",
    "RunQueue",
    "RunState",
    "Schedule",
    "SchedulePreset",
    "Work",
    "advance_clock",
    "argument_place",
    "beating",
    "cancel",
    "census",
    "claim",
    "clock_seen",
    "create_schedule",
    "depths",
    "do",
    "due_schedules",
    "enqueue",
    "eta_seconds",
    "fire_schedule",
    "fire_slot",
    "give_back",
    "is_active",
    "kind",
    "kinds",
    "label_of",
    "next_slot_due",
    "no_arguments",
    "note_failed_run",
    "page",
    "page_of_schedules",
    "pause",
    "pause_schedule",
    "pauses",
    "per_second",
    "perform",
    "performs",
    "promote",
    "prune",
    "pull",
    "pull_for",
    "renew",
    "rescue",
    "resume",
    "resume_schedule",
    "retry",
    "retry_all",
    "ring_ready",
    "set_schedule_apart",
    "unfinished",
    "unknown",
    "upcoming",
    "update_schedule",
]
