"""The ledger of machine work. A message may be lost, doubled or late; a run is done once."""

from domain.runs.actions import cancel, enqueue, retry
from domain.runs.ledger import claim, heartbeat, perform, rescue, ring_ready
from domain.runs.models import ACTIVE, ENDED, WAITING, Run, RunState
from domain.runs.queries import page, unfinished
from domain.runs.work import Cancelled, Fenced, Kind, Refused, Work, eta_seconds, kind, kinds

__all__ = [
    "ACTIVE",
    "ENDED",
    "WAITING",
    "Cancelled",
    "Fenced",
    "Kind",
    "Refused",
    "Run",
    "RunState",
    "Work",
    "cancel",
    "claim",
    "enqueue",
    "eta_seconds",
    "heartbeat",
    "kind",
    "kinds",
    "page",
    "perform",
    "rescue",
    "retry",
    "ring_ready",
    "unfinished",
]
