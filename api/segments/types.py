"""The types of segments, the matrix and care tiers."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, cast

import strawberry

import api.segments.enums  # noqa: F401
from api.connections import After, Before, Connection, First, Last, connection, part
from api.context import Info, load, who
from api.customers.types import Customer
from api.errors import bad_request
from api.filters import EnumFilter
from api.mapping import reads
from api.nodes import Node, node_type
from api.runs.types import Run
from api.segments import reading
from domain import kpis, segments
from domain.errors import DomainError
from domain.language import Label, Language
from domain.segments import (
    LifecycleStage,
    RecomputeMode,
    SegmentKind,
    StrategySource,
    ValueLevel,
)

if TYPE_CHECKING:
    from api.kpis.types import Kpi

InLanguage = Annotated[
    Language | None, strawberry.argument(description="In which language; the workspace's if left out.")
]


@node_type(segments.Segment, description="A named group of customers.")
class Segment(Node):
    key: str = strawberry.field(description="Its name for programs, such as `cell:MATURE:HIGH` or `VIP`.")
    kind: SegmentKind = strawberry.field(description="How it is made.")
    archived_at: datetime | None = strawberry.field(
        description="Since when it is kept for its history only, with the members it had; null: it stands."
    )

    @strawberry.field(description="Its name for people.", metadata=reads("name_en", "name_zh"))
    async def name(self: Any, info: Info, language: InLanguage = None) -> str:
        return await reading.spoken(info, Label(self.name_en, self.name_zh), language)

    @strawberry.field(description="How many customers are in it now.", metadata=reads("id"))
    async def member_count(self: Any, info: Info) -> int:
        return await load(info, segments.member_counts, self.id) or 0

    @strawberry.field(
        description="The customers who are in it now, in the order in which they were added.",
        metadata=reads("id"),
    )
    async def customers(
        self: Any,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Customer]:
        try:
            page = await segments.members(who(info), self.id, part(first, last, after, before))
        except DomainError as error:
            raise bad_request(error) from error
        return cast(Connection[Customer], connection(page))


@strawberry.type(description="One of the fifteen cells of lifecycle and value, and what is done for it.")
class StrategyCell:
    strategy: strawberry.Private[segments.Strategy]

    @strawberry.field(description="The stage.")
    def lifecycle_stage(self) -> LifecycleStage:
        return self.strategy.lifecycle

    @strawberry.field(description="The value level.")
    def value_level(self) -> ValueLevel:
        return self.strategy.value_level

    @strawberry.field(description="How many customers are in this cell now.")
    async def count(self, info: Info) -> int:
        return await reading.count(info, (self.strategy.lifecycle, self.strategy.value_level))

    @strawberry.field(description="What is to be reached.")
    async def goal(self, info: Info, language: InLanguage = None) -> str:
        return await reading.spoken(info, self.strategy.goal, language)

    @strawberry.field(description="What is done to reach it.")
    async def components(self, info: Info, language: InLanguage = None) -> list[str]:
        return [await reading.spoken(info, each, language) for each in self.strategy.components]

    @strawberry.field(description="The KPIs by which it is measured, by their codes in the catalogue.")
    def goal_kpis(self) -> list[str]:
        return list(self.strategy.goal_kpis)

    @strawberry.field(description="The same KPIs as last measured, over all customers.")
    async def kpis(self, info: Info) -> list[Annotated["Kpi", strawberry.lazy("api.kpis.types")]]:
        found = [await load(info, kpis.by_codes, code) for code in self.strategy.goal_kpis]
        return cast("list[Kpi]", found)

    @strawberry.field(description="Whether the strategy is stated for this cell or taken over.")
    def source(self) -> StrategySource:
        return self.strategy.source

    @strawberry.field(description="The cell whose strategy this is; null when it is the cell's own.")
    def inherited_from(self) -> "StrategyCell | None":
        level = self.strategy.inherited_from
        return None if level is None else cell((self.strategy.lifecycle, level))


def cell(place: segments.Cell) -> StrategyCell:
    return StrategyCell(strategy=segments.strategy(*place))


@strawberry.type(description="A published recompute of all placements.")
class Segmentation:
    as_of: datetime = strawberry.field(description="The instant for which customers were placed.")
    computed_at: datetime = strawberry.field(description="When it was computed, in machine time.")
    run: Run = strawberry.field(description="The run that did it.")
    mode: RecomputeMode = strawberry.field(description="How much it decided anew.")
    stale: bool = strawberry.field(
        description="Whether it, or the ranking of all, is more than 36 hours old in business time."
    )
    thresholds_number: int = strawberry.field(description="The version of the thresholds it went by.")
    customers: int = strawberry.field(description="How many customers were placed.")
    changed: int = strawberry.field(description="How many placements it changed.")
    marked: int = strawberry.field(description="How many customers it looked at.")
    ranked_as_of: datetime = strawberry.field(
        description="As of when everybody was last ranked: by this pass, or by one before a QUICK one."
    )
    drift: int | None = strawberry.field(
        description="Of a FULL pass, how many customers it found otherwise than the passes before should "
        "have left them: 0 unless something is wrong. Null where nothing came before, and of other passes."
    )

    @strawberry.field(
        description="How many customers have changed since a pass last looked at them, and wait for the next."
    )
    async def waiting(self, info: Info) -> int:
        return await segments.waiting(who(info).workspace_id)


@strawberry.type(description="So many customers moved from one cell to another.")
class Transition:
    source: StrategyCell | None = strawberry.field(description="Where they were; null: not placed then.")
    target: StrategyCell | None = strawberry.field(description="Where they are; null: no longer placed.")
    customers: int = strawberry.field(description="How many.")


@strawberry.input(description="Which segments.")
class SegmentWhere:
    kind: EnumFilter[SegmentKind] | None = strawberry.field(
        default=strawberry.UNSET, description="By how they are made."
    )
    archived: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Only archived ones, or only those that stand."
    )
