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
        "MET": "On the target or on its good side.",
        "AT_RISK": "Not met; its day has not passed, and at least half the way from the baseline is done.",
        "NOT_MET": "On the wrong side of the target.",
        "NO_DATA": "Not measured, or nothing to measure.",
    },
)
publish(
    kpis.KpiDimension,
    "What a KPI tells about.",
    {"PROCESS": "How the work is done.", "RESULT": "What came of it."},
)
publish(kpis.KpiUnit, "What a KPI's value is counted in.", {"SHARE": "A share of 1: 0.95 is 95 %."})
