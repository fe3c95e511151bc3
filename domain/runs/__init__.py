"""The ledger of machine work. A message may be lost, doubled or late; a run is done once."""

from domain.runs.actions import RunEnded, RunNotFailed, cancel, enqueue, retry, retry_all
from domain.runs.census import census, clock_seen
from domain.runs.claiming import QUEUES, claim, promote, pull, ring_ready
from domain.runs.heart import HEART, beating, renew
from domain.runs.leading import Leadership
from domain.runs.ledger import do, give_back, perform
from domain.runs.models import ACTIVE, ENDED, WAITING, Run, RunPause, RunQueue, RunState
from domain.runs.pauses import pause, pauses, resume
from domain.runs.queries import Depth, depths, is_active, page, unfinished
from domain.runs.rescue import rescue
from domain.runs.retention import prune
from domain.runs.sandbox import CLOCK_ADVANCE, advance_clock
from domain.runs.work import (
    Cancelled,
    Fenced,
    Kind,
    Overlap,
    Refused,
    Work,
    eta_seconds,
    kind,
    kinds,
    performs,
)

__all__ = [
    "ACTIVE",
    "CLOCK_ADVANCE",
    "ENDED",
    "HEART",
    "QUEUES",
    "WAITING",
    "Cancelled",
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
    "Work",
    "advance_clock",
    "beating",
    "cancel",
    "census",
    "claim",
    "clock_seen",
    "depths",
    "do",
    "enqueue",
    "eta_seconds",
    "give_back",
    "is_active",
    "kind",
    "kinds",
    "page",
    "pause",
    "pauses",
    "perform",
    "performs",
    "promote",
    "prune",
    "pull",
    "renew",
    "rescue",
    "resume",
    "retry",
    "retry_all",
    "ring_ready",
    "unfinished",
]
