"""The states of machine work, published with their descriptions."""

from api.enums import publish
from domain import runs

publish(
    runs.RunState,
    "Where a run stands.",
    {
        "SCHEDULED": "Waits for its time.",
        "QUEUED": "Waits for a worker.",
        "RUNNING": "A worker is doing it.",
        "RETRYING": "Failed once or more; waits for its next try.",
        "CANCELLING": "Asked to end; ends at its next step.",
        "SUCCEEDED": "Done.",
        "FAILED": "Ended without its result; see its errors.",
        "CANCELLED": "Ended because somebody asked.",
    },
)
publish(
    runs.RunQueue,
    "Where runs wait, by urgency.",
    {
        "TIMERS": "What has a deadline; a share of every worker is kept for it.",
        "DEFAULT": "Imports, launches and what else was asked for.",
        "RECOMPUTE": "Segmentation and the planning that follows it.",
        "REPORTS": "Measurements and reports.",
    },
)
