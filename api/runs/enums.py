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
publish(
    runs.CatchUp,
    "What is done about times of a schedule that went by unseen, as while no worker lived.",
    {
        "NONE": "Nothing: what is not done within a minute is missed.",
        "LATEST": "The latest of them is done, if it is not too late.",
        "ALL": "Each that is not too late is done.",
    },
)
publish(
    runs.SchedulePreset,
    "A calendar ready to be taken on.",
    {
        "NIGHTLY_RECOMPUTE": "Everybody is placed anew at 02:00.",
        "NIGHTLY_RANKS": "Everybody is ranked anew at 01:00, from the running figures.",
        "FREQUENT_PLACEMENT": "Those who changed are placed anew every ten minutes.",
        "NIGHTLY_KPIS": "All KPIs are measured at 03:00.",
        "FRIDAY_REVIEW": "A report on Friday at 09:00, for the review of the week.",
        "MONTH_REPORT": "A report at 18:00 on the last day of each month.",
        "QUARTER_REPORT": "A report at 18:00 on the last day of each quarter.",
        "MONTHLY_REFIT": "The prediction models are fitted anew at 04:00 on the first day of each month.",
        "NIGHTLY_ALERTS": "All customers are looked at for signs that they leave at 03:30.",
        "NIGHTLY_HEALTH": "All customers' health scores are computed at 03:15.",
    },
)
