"""Segments, the matrix and care tiers as clients see them."""

from api.segments.fields import SegmentMutations, SegmentQueries
from api.segments.types import Segment, StrategyCell

__all__ = ["Segment", "SegmentMutations", "SegmentQueries", "StrategyCell"]
