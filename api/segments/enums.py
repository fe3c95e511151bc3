"""The closed sets of words of segments, published with their descriptions before any type uses them."""

from api.enums import publish
from domain import segments

publish(
    segments.LifecycleStage,
    "Where a customer stands in the relationship.",
    {
        "NEW": "Registered lately.",
        "GROWTH": "Active, neither new nor mature.",
        "MATURE": "Long with us and buying often.",
        "SILENT": "Without interaction for months.",
        "CHURNED": "Gone: cancelled, or silent for very long.",
    },
)
publish(
    segments.ValueLevel,
    "How much a customer spent in twelve months.",
    {"HIGH": "Above the high threshold.", "MEDIUM": "Above the medium threshold.", "ORDINARY": "The rest."},
)
publish(
    segments.RfmTier,
    "The care tier by recency, frequency and monetary value; not the membership tier.",
    {
        "GOLD": "Among the best by recency and by spend.",
        "SILVER": "Among the best by the composite rank, and not gold.",
        "BRONZE": "The rest, customers without purchase included.",
    },
)
publish(
    segments.SegmentKind,
    "How a segment is made.",
    {
        "CELL": "A cell of the lifecycle and value matrix.",
        "RFM_TIER": "A care tier.",
        "PRESET": "A named rule that every workspace has.",
        "RULE": "A rule of the workspace's own.",
        "STATIC": "A list made by hand.",
    },
)
publish(
    segments.RecomputeMode,
    "How much of the placements is decided anew, and from what.",
    {
        "QUICK": "Those who changed and those for whom a boundary has passed; tiers by the stored "
        "boundaries and quantiles. Ranks stay as they are.",
        "EXACT": "The same, and ranks and tiers of everybody from the running figures.",
        "FULL": "Everybody from the raw orders; what it finds otherwise than it should be is told as drift.",
    },
)
publish(
    segments.SilverRule,
    "By which rank the silver tier is taken.",
    {
        "COMPOSITE": "The sum of the three ranks.",
        "M_ONLY": "The monetary rank.",
        "R_AND_M": "Both the recency and the monetary rank.",
    },
)
publish(
    segments.StrategySource,
    "Where a cell's strategy comes from.",
    {"OWN": "Stated for this cell.", "INHERITED": "Taken from the nearest value level of the same stage."},
)
publish(
    segments.Decides,
    "What a condition of a placement decides.",
    {
        "LIFECYCLE": "The lifecycle stage.",
        "VALUE": "The value level.",
        "TIER": "The RFM tier.",
    },
)
publish(
    segments.CustomerField,
    "What may be known of a customer, or not.",
    {
        "NAME": "The name.",
        "COMPANY": "The company.",
        "PHONE": "A telephone number.",
        "EMAIL": "An e-mail address.",
        "OWNER": "Who looks after them.",
    },
)
publish(
    segments.CustomerDate,
    "An instant on a customer's record.",
    {
        "REGISTERED_AT": "When they became known.",
        "CANCELLED_AT": "When they said goodbye.",
        "LAST_INTERACTION_AT": "When they were last heard of; who never was, since they became known.",
    },
)
publish(
    segments.RfmRank,
    "A place among all customers.",
    {
        "RECENCY": "By the last order.",
        "FREQUENCY": "By the number of orders in twelve months.",
        "MONETARY": "By the spend in twelve months.",
        "COMPOSITE": "By the sum of the three ranks.",
    },
)
publish(
    segments.Outcome,
    "What would come of it if customers entered a segment.",
    {
        "CONTACTS_HELD": "The contact policy would refuse to reach them for marketing: they said no.",
        "TASKS_OPENED": "The active campaigns that work with the segment would open tasks for them, once "
        "activated again.",
    },
)
publish(
    segments.PickMode,
    "What a change of a list does with those it names.",
    {
        "ADD": "They are added.",
        "REPLACE": "They take the place of all others.",
        "REMOVE": "They are taken out.",
    },
)
