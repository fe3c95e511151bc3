"""Machine work as clients see it."""

from api.runs.fields import RunMutations, RunQueries
from api.runs.live import RunSubscriptions
from api.runs.schedules import ScheduleMutations, ScheduleQueries
from api.runs.types import Progress, Run, RunError

__all__ = [
    "Progress",
    "Run",
    "RunError",
    "RunMutations",
    "RunQueries",
    "RunSubscriptions",
    "ScheduleMutations",
    "ScheduleQueries",
]
