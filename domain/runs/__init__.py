"""The ledger of machine work. A message may be lost, doubled or late; a run is done once."""

from domain.runs.actions import cancel, enqueue, retry
from domain.runs.ledger import claim, heartbeat, perform, rescue, ring_ready
from domain.runs.models import ACTIVE, ENDED, WAITING, Run, RunState
from domain.runs.queries import is_active, page, unfinished
from domain.runs.sandbox import CLOCK_ADVANCE, advance_clock
from domain.runs.work import Cancelled, Fenced, Kind, Refused, Work, eta_seconds, kind, kinds, performs

__all__ = [
    "ACTIVE",
    "CLOCK_ADVANCE",
    "ENDED",
    "WAITING",
    "Cancelled",
    "Fenced",
    "Kind",
    "Refused",
    "Run",
    "RunState",
    "Work",
    "advance_clock",
    "cancel",
    "claim",
    "enqueue",
    "eta_seconds",
    "heartbeat",
    "is_active",
    "kind",
    "kinds",
    "page",
    "perform",
    "performs",
    "rescue",
    "retry",
    "ring_ready",
    "unfinished",
]
