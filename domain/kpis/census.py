"""How many customers stand where in the published segmentation, and how fresh that is."""

from dataclasses import dataclass

from domain import segments
from domain.segments import Freshness, LifecycleStage, RfmTier, ValueLevel

Cell = tuple[LifecycleStage, ValueLevel]


@dataclass(frozen=True)
class Census:
    """Counts for all fifteen cells and all three tiers."""

    cells: dict[Cell, int]
    tiers: dict[RfmTier, int]
    freshness: Freshness

    @property
    def customers(self) -> int:
        return sum(self.cells.values())

    def stage(self, lifecycle: LifecycleStage) -> int:
        return sum(count for (stage, _), count in self.cells.items() if stage is lifecycle)

    def level(self, value_level: ValueLevel) -> int:
        return sum(count for (_, level), count in self.cells.items() if level is value_level)


async def take(workspace_id: int) -> Census:
    """The census of the segmentation that readers see now."""
    return Census(
        cells=await segments.matrix(workspace_id),
        tiers=await segments.tier_counts(workspace_id),
        freshness=await segments.freshness(workspace_id),
    )
