"""Segments, the matrix and care tiers as clients see them."""

from api.segments.fields import SegmentMutations, SegmentQueries
from api.segments.live import RunSegmentMoves, SegmentSubscriptions
from api.segments.placement import CustomerSegments, MembershipPeriod, Rfm
from api.segments.rules import SegmentRuleMutations, SegmentRuleQueries, SegmentRules
from api.segments.saved import SegmentHistory, SegmentVersion
from api.segments.standing import SegmentStandingMutations
from api.segments.types import Segment, StrategyCell

__all__ = [
    "CustomerSegments",
    "MembershipPeriod",
    "Rfm",
    "RunSegmentMoves",
    "Segment",
    "SegmentHistory",
    "SegmentMutations",
    "SegmentQueries",
    "SegmentRuleMutations",
    "SegmentRuleQueries",
    "SegmentRules",
    "SegmentStandingMutations",
    "SegmentSubscriptions",
    "SegmentVersion",
    "StrategyCell",
]
