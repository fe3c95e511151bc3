"""The types of segments, the matrix and care tiers."""

from datetime import datetime
from typing import Annotated, Any, cast

import strawberry

import api.segments.enums  # noqa: F401
from api.connections import After, Before, Connection, First, Last, connection, part
from api.context import Info, load, who
from api.customers.types import Customer
from api.errors import bad_request
from api.filters import EnumFilter
from api.ids import global_id
from api.nodes import Node, extends, node_type, row_type
from api.runs.types import Run
from api.scalars import Money, money
from api.segments import reading
from domain import runs, segments, timekeeping
from domain.errors import DomainError
from domain.language import Label, Language
from domain.segments import (
    Decides,
    LifecycleStage,
    RfmTier,
    SegmentKind,
    SilverRule,
    StrategySource,
    ThresholdsVersion,
    ValueLevel,
)

InLanguage = Annotated[
    Language | None, strawberry.argument(description="In which language; the workspace's if left out.")
]


@node_type(segments.Segment, description="A named group of customers.")
class Segment(Node):
    key: str = strawberry.field(description="Its name for programs, such as `cell:MATURE:HIGH` or `VIP`.")
    kind: SegmentKind = strawberry.field(description="How it is made.")

    @strawberry.field(description="Its name for people.")
    async def name(self: Any, info: Info, language: InLanguage = None) -> str:
        return await reading.spoken(info, Label(self.name_en, self.name_zh), language)

    @strawberry.field(description="How many customers are in it now.")
    async def member_count(self: Any, info: Info) -> int:
        return await load(info, segments.member_counts, self.id) or 0

    @strawberry.field(description="The customers who are in it now, in the order in which they were added.")
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

    @strawberry.field(description="The KPIs by which it is measured.")
    def goal_kpis(self) -> list[str]:
        return list(self.strategy.goal_kpis)

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
    stale: bool = strawberry.field(description="Whether it is more than 36 hours old in business time.")
    thresholds_number: int = strawberry.field(description="The version of the thresholds it went by.")
    customers: int = strawberry.field(description="How many customers were placed.")
    changed: int = strawberry.field(description="How many placements it changed.")


@strawberry.type(description="Recency, frequency and monetary value, with the ranks and the care tier.")
class Rfm:
    recency_days: int | None = strawberry.field(
        description="Whole local days since the last order; null without one."
    )
    frequency: int = strawberry.field(description="Orders within twelve months.")
    monetary: Money = strawberry.field(description="Spent within twelve months.")
    r_rank: int = strawberry.field(description="Place by recency among all customers, from 1.")
    f_rank: int = strawberry.field(description="Place by frequency.")
    m_rank: int = strawberry.field(description="Place by spend.")
    tier: RfmTier = strawberry.field(description="The care tier; not the membership tier.")
    computed_at: datetime = strawberry.field(description="When it was last computed, in machine time.")
    as_of: datetime = strawberry.field(description="The instant for which it was computed.")
    run_id: strawberry.ID = strawberry.field(description="The run that computed it last.")
    stale: bool = strawberry.field(description="Whether that is more than 36 hours ago in business time.")


@strawberry.type(description="So many customers moved from one cell to another.")
class Transition:
    source: StrategyCell | None = strawberry.field(description="Where they were; null: not placed then.")
    target: StrategyCell | None = strawberry.field(description="Where they are; null: no longer placed.")
    customers: int = strawberry.field(description="How many.")


@row_type(segments.Membership, description="A customer's stay in a segment.")
class MembershipPeriod:
    entered_at: datetime = strawberry.field(description="When it began, in business time.")
    left_at: datetime | None = strawberry.field(description="When it ended; null while it lasts.")
    reason: str = strawberry.field(description="Why it began, such as `recompute`.")

    @strawberry.field(description="The segment.")
    async def segment(self: Any, info: Info) -> Segment:
        return cast(Segment, await load(info, segments.Segment.by_ids, self.segment_id))

    @strawberry.field(description="The run that began it.")
    async def entered_by(self: Any, info: Info) -> Run:
        return cast(Run, await load(info, runs.Run.by_ids, self.entered_run_id))

    @strawberry.field(description="The run that ended it; null while it lasts.")
    async def left_by(self: Any, info: Info) -> Run | None:
        return cast(Run | None, await load(info, runs.Run.by_ids, self.left_run_id))


@strawberry.type(
    description="One test behind a placement. Of each kind the first answer whose conditions all hold "
    "is the customer's; for CHURNED one of them is enough."
)
class PlacementCondition:
    decides: Decides = strawberry.field(description="What the test is about.")
    answer: str = strawberry.field(description="What is so if the condition holds, such as SILENT.")
    name: str = strawberry.field(description="The figure that is looked at.")
    value: str | None = strawberry.field(
        description="The figure; null where there is none, or the record has changed since the recompute."
    )
    threshold: str = strawberry.field(description="What it is held against.")
    holds: bool = strawberry.field(description="Whether the condition held.")


@strawberry.type(description="Where the lines between groups are drawn.")
class SegmentationThresholds:
    version: strawberry.Private[ThresholdsVersion]

    number: int = strawberry.field(description="The version; 0 before any was set.")
    preset: str = strawberry.field(description="The named set it started from.")
    new_days: int = strawberry.field(description="NEW: registered within so many days.")
    silent_months: int = strawberry.field(description="SILENT: so many calendar months without interaction.")
    churned_months: int = strawberry.field(
        description="CHURNED: so many calendar months without interaction."
    )
    mature_tenure_months: int = strawberry.field(description="MATURE: registered so many months ago.")
    mature_orders: int = strawberry.field(description="MATURE: and so many orders or more in twelve months.")
    high_above: Money = strawberry.field(description="HIGH: spent more than this in twelve months.")
    medium_above: Money = strawberry.field(description="MEDIUM: spent more than this in twelve months.")
    profit_key_above: Money = strawberry.field(description="PROFIT_KEY: spent more than this.")
    vip_above: Money = strawberry.field(description="VIP: spent more than this.")
    gold_r_percent: int = strawberry.field(description="GOLD: among the first so many percent by recency.")
    gold_m_percent: int = strawberry.field(description="GOLD: and among the first so many percent by spend.")
    silver_percent: int = strawberry.field(description="SILVER: among the first so many percent.")
    silver_rule: SilverRule = strawberry.field(description="SILVER: by which rank.")


def thresholds(version: ThresholdsVersion, currency: str) -> SegmentationThresholds:
    lines = version.thresholds
    return SegmentationThresholds(
        version=version,
        number=version.number,
        preset=version.preset,
        new_days=lines.new_days,
        silent_months=lines.silent_months,
        churned_months=lines.churned_months,
        mature_tenure_months=lines.mature_tenure_months,
        mature_orders=lines.mature_orders,
        high_above=money(lines.high_above_minor, currency),
        medium_above=money(lines.medium_above_minor, currency),
        profit_key_above=money(lines.profit_key_above_minor, currency),
        vip_above=money(lines.vip_above_minor, currency),
        gold_r_percent=lines.gold_r_percent,
        gold_m_percent=lines.gold_m_percent,
        silver_percent=lines.silver_percent,
        silver_rule=lines.silver_rule,
    )


@strawberry.input(description="Which segments.")
class SegmentWhere:
    kind: EnumFilter[SegmentKind] | None = strawberry.field(
        default=strawberry.UNSET, description="By how they are made."
    )


@extends(Customer)
class CustomerSegments:
    @strawberry.field(description="Where the customer stands; null until the first recompute.")
    async def lifecycle_stage(self: Any, info: Info) -> LifecycleStage | None:
        placed = await reading.placement(info, self.id)
        return placed.lifecycle if placed else None

    @strawberry.field(description="How much the customer spends; null until the first recompute.")
    async def value_level(self: Any, info: Info) -> ValueLevel | None:
        placed = await reading.placement(info, self.id)
        return placed.value_level if placed else None

    @strawberry.field(description="The customer's cell of the matrix; null until the first recompute.")
    async def strategy_cell(self: Any, info: Info) -> StrategyCell | None:
        placed = await reading.placement(info, self.id)
        return cell((placed.lifecycle, placed.value_level)) if placed else None

    @strawberry.field(
        description="Recency, frequency, monetary value and tier; null until the first recompute."
    )
    async def rfm(self: Any, info: Info) -> Rfm | None:
        placed, fresh = await reading.placement(info, self.id), await reading.freshness(info)
        if placed is None or fresh.latest is None:
            return None
        workspace = await reading.workspace(info)
        today = timekeeping.local_day(fresh.latest.as_of, timekeeping.zone(workspace.zone))
        return Rfm(
            recency_days=(today - placed.last_order_on).days if placed.last_order_on else None,
            frequency=placed.frequency,
            monetary=money(placed.monetary_minor, workspace.currency),
            r_rank=placed.r_rank,
            f_rank=placed.f_rank,
            m_rank=placed.m_rank,
            tier=placed.tier,
            computed_at=fresh.latest.computed_at,
            as_of=fresh.latest.as_of,
            run_id=strawberry.ID(global_id("Run", fresh.latest.run_id)),
            stale=fresh.stale,
        )

    @strawberry.field(description="The segments the customer is in now.")
    async def segments(self: Any, info: Info) -> list[Segment]:
        return cast(list[Segment], await load(info, segments.segments_by_customer, self.id) or [])

    @strawberry.field(description="Stays in segments, those that have ended too, the latest first.")
    async def memberships(
        self: Any,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[MembershipPeriod]:
        try:
            page = await segments.memberships_of(who(info), self.id, part(first, last, after, before))
        except DomainError as error:
            raise bad_request(error) from error
        return cast(Connection[MembershipPeriod], connection(page))

    @strawberry.field(
        description="Why the customer is placed so: each condition, its value and its threshold."
    )
    async def placement_explain(self: Any, info: Info) -> list[PlacementCondition]:
        return [
            PlacementCondition(
                decides=found.decides,
                answer=found.answer,
                name=found.name,
                value=found.value,
                threshold=found.threshold,
                holds=found.holds,
            )
            for found in await load(info, segments.explanations, self.id) or []
        ]
