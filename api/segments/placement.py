"""What the type Customer gains from segments: where the customer is placed, since when, and why."""

from datetime import datetime
from typing import Any, cast

import strawberry

from api.connections import After, Before, Connection, First, Last, nested, part
from api.context import Info, load, who
from api.customers.types import Customer
from api.errors import bad_request
from api.ids import global_id
from api.mapping import EACH, one, reads
from api.nodes import extends, row_type
from api.runs.types import Run
from api.scalars import Money, money
from api.segments import reading
from api.segments.types import Segment, StrategyCell, cell
from domain import customers, runs, segments, timekeeping
from domain.errors import DomainError
from domain.paging import Order
from domain.segments import Decides, LifecycleStage, RfmTier, ValueLevel


@strawberry.type(description="Recency, frequency and monetary value, with the ranks and the care tier.")
class Rfm:
    customer: strawberry.Private[int]
    old: strawberry.Private[bool]
    recency_days: int | None = strawberry.field(
        description="Whole local days since the last order; null without one."
    )
    frequency: int = strawberry.field(description="Orders within twelve months.")
    monetary: Money = strawberry.field(description="Spent within twelve months.")
    r_rank: int = strawberry.field(
        description="Place by recency among all customers, from 1; 0 until an exact pass ranks them."
    )
    f_rank: int = strawberry.field(description="Place by frequency.")
    m_rank: int = strawberry.field(description="Place by spend.")
    tier: RfmTier = strawberry.field(description="The care tier; not the membership tier.")
    computed_at: datetime = strawberry.field(description="When it was last computed, in machine time.")
    as_of: datetime = strawberry.field(description="The instant for which it was computed.")
    run_id: strawberry.ID = strawberry.field(description="The run that computed it last.")
    exact: bool = strawberry.field(
        description="Whether the tier is by ranks; else a quick pass decided it by the stored boundaries."
    )
    ranked_as_of: datetime = strawberry.field(description="The instant for which everybody was last ranked.")

    @strawberry.field(
        description="Whether that is more than 36 hours ago in business time, or something about the "
        "customer has changed since."
    )
    async def stale(self, info: Info) -> bool:
        return self.old or bool(await load(info, segments.marked, self.customer))


@row_type(segments.Membership, description="A customer's stay in a segment.")
class MembershipPeriod:
    entered_at: datetime = strawberry.field(description="When it began, in business time.")
    left_at: datetime | None = strawberry.field(description="When it ended; null while it lasts.")
    reason: str = strawberry.field(description="Why it began, such as `recompute`.")

    @strawberry.field(description="The segment.", metadata=one(segments.Segment, "segment_id"))
    async def segment(self: Any, info: Info) -> Segment:
        return cast(Segment, await load(info, segments.Segment.by_ids, self.segment_id))

    @strawberry.field(description="The customer.", metadata=one(customers.Customer, "customer_id"))
    async def customer(self: Any, info: Info) -> Customer:
        return cast(Customer, await load(info, customers.Customer.by_ids, self.customer_id))

    @strawberry.field(description="The run that began it.", metadata=one(runs.Run, "entered_run_id"))
    async def entered_by(self: Any, info: Info) -> Run:
        return cast(Run, await load(info, runs.Run.by_ids, self.entered_run_id))

    @strawberry.field(
        description="The run that ended it; null while it lasts.", metadata=one(runs.Run, "left_run_id")
    )
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
        description="The figure, money with its currency; null where there is none, or the record has "
        "changed since the recompute."
    )
    threshold: str = strawberry.field(description="What it is held against, money with its currency.")
    holds: bool = strawberry.field(description="Whether the condition held.")
    decisive: bool = strawberry.field(
        description="Whether it is what decided: it held, and its answer is the customer's."
    )


@extends(Customer)
class CustomerSegments:
    @strawberry.field(
        description="Where the customer stands; null until the first recompute.", metadata=reads("id")
    )
    async def lifecycle_stage(self: Any, info: Info) -> LifecycleStage | None:
        placed = await reading.placement(info, self.id)
        return placed.lifecycle if placed else None

    @strawberry.field(
        description="How much the customer spends; null until the first recompute.", metadata=reads("id")
    )
    async def value_level(self: Any, info: Info) -> ValueLevel | None:
        placed = await reading.placement(info, self.id)
        return placed.value_level if placed else None

    @strawberry.field(
        description="The customer's cell of the matrix; null until the first recompute.", metadata=reads("id")
    )
    async def strategy_cell(self: Any, info: Info) -> StrategyCell | None:
        placed = await reading.placement(info, self.id)
        return cell((placed.lifecycle, placed.value_level)) if placed else None

    @strawberry.field(
        description="Recency, frequency, monetary value and tier; null until the first recompute.",
        metadata=reads("id"),
    )
    async def rfm(self: Any, info: Info) -> Rfm | None:
        placed, fresh = await reading.placement(info, self.id), await reading.freshness(info)
        if placed is None or fresh.latest is None:
            return None
        workspace = await reading.workspace(info)
        today = timekeeping.local_day(fresh.latest.as_of, timekeeping.zone(workspace.zone))
        return Rfm(
            customer=self.id,
            old=fresh.stale,
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
            exact=placed.r_estimate is None,
            ranked_as_of=fresh.latest.ranked_as_of or fresh.latest.as_of,
        )

    @strawberry.field(description="The segments the customer is in now.", metadata=reads("id"))
    async def segments(self: Any, info: Info) -> list[Segment]:
        return cast(list[Segment], await load(info, segments.segments_by_customer, self.id) or [])

    @strawberry.field(
        description="Stays in segments, those that have ended too, the latest first.", metadata=EACH
    )
    async def memberships(
        self: Any,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[MembershipPeriod]:
        own = segments.Membership.filter(workspace_id=who(info).workspace_id)
        try:
            page = part(first, last, after, before)
            order = Order("id", descending=True)
            found = await nested(info, "memberships", own, "customer_id", self.id, order, page)
        except DomainError as error:
            raise bad_request(error) from error
        return cast(Connection[MembershipPeriod], found)

    @strawberry.field(
        description="Why the customer is placed so: each condition with its value and its threshold, and "
        "which of them decided.",
        metadata=reads("id"),
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
                decisive=found.decisive,
            )
            for found in await load(info, segments.explanations, self.id) or []
        ]
