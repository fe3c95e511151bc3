"""Segments, the matrix and care tiers as clients see them."""

from api.segments.fields import SegmentMutations, SegmentQueries
from api.segments.placement import CustomerSegments, MembershipPeriod, Rfm
from api.segments.rules import SegmentRuleMutations, SegmentRuleQueries, SegmentRules
from api.segments.types import Segment, StrategyCell

__all__ = [
    "CustomerSegments",
    "MembershipPeriod",
    "Rfm",
    "Segment",
    "SegmentMutations",
    "SegmentQueries",
    "SegmentRuleMutations",
    "SegmentRuleQueries",
    "SegmentRules",
    "StrategyCell",
]
