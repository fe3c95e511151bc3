"""The closed sets of words of kpis, published with their descriptions before any type uses them."""

from api.enums import publish
from domain import kpis

publish(
    kpis.Comparator,
    "Which side of its target a KPI should be on.",
    {"AT_LEAST": "At the target or above.", "AT_MOST": "At the target or below."},
)
publish(
    kpis.KpiStatus,
    "How a KPI stands against its target.",
    {
        "MET": "On the right side of the target.",
        "AT_RISK": "Not met, and the date is still to come.",
        "NOT_MET": "On the wrong side of the target.",
        "NO_DATA": "Not measured, or nothing to measure.",
    },
)
