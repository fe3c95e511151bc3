"""How many objects the lists without a size are taken to hold, when an operation is priced before it runs.

What they turn out to hold is charged in the end. A list that is fixed, or short by its nature, counts as
what it is; one that grows with the workspace as what is usual in a large one.
"""

SIZES: dict[tuple[str, str], int] = {
    ("Query", "staff"): 50,
    ("Query", "teams"): 20,
    ("Team", "members"): 20,
    ("User", "teams"): 3,
    ("Query", "apiKeys"): 20,
    ("Query", "queues"): 4,
    ("Query", "runPauses"): 4,
    ("Query", "schedulePresets"): 10,
    ("Query", "strategyMatrix"): 15,
    ("Query", "segmentTransitions"): 50,
    ("Query", "kpis"): 4,
    ("Query", "visitCapacity"): 3,
    ("Dashboard", "kpis"): 4,
    ("KpiChange", "kpis"): 4,
    ("StrategyCell", "kpis"): 2,
    ("Dashboard", "matrix"): 15,
    ("Dashboard", "tiers"): 3,
    ("Customer", "merges"): 1,
    ("Customer", "segments"): 3,
    ("CustomerMerge", "handedOver"): 6,
    ("CustomerMergePreview", "handedOver"): 6,
    ("CustomerMergePreview", "values"): 6,
    ("DuplicateGroup", "customers"): 2,
    ("Segment", "rule"): 6,
    ("SegmentExplanation", "lines"): 6,
    ("Query", "segmentPresets"): 15,
    ("PredictionHoldout", "calibration"): 8,
    ("PredictionHoldout", "warnings"): 3,
    ("Customer", "placementExplain"): 8,
    ("Customer", "currentConsents"): 4,
    ("ContactDecision", "reasons"): 6,
    ("ContactPreference", "windows"): 2,
    ("Report", "tables"): 3,
    ("Run", "errors"): 3,
    ("Run", "result"): 6,
    ("Task", "escalations"): 3,
    ("WebhookTestPayload", "headers"): 4,
    ("Refusal", "userErrors"): 1,
}
"""By type and field. A list of leaves (texts, enums) holds no objects, and needs no size."""
