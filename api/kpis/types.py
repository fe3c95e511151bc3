"""The types of what is measured, and of what is aimed at."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, cast

import strawberry

import api.kpis.enums
import api.segments.enums  # noqa: F401
from api.context import Info, load, who
from api.ids import global_id
from api.nodes import Node, node_type, row_type
from api.runs import Run
from api.scalars import Money, money
from domain import kpis, runs, workspaces
from domain.kpis import Comparator, KpiDimension, KpiStatus, KpiUnit
from domain.language import Label, Language
from domain.segments import LifecycleStage, RfmTier, ValueLevel

Spoken = Annotated[
    Language | None, strawberry.argument(description="The language; the workspace's if left out.")
]


async def _own_workspace(workspace_id: int, _: list[int]) -> Mapping[int, workspaces.Workspace]:
    return {workspace_id: await workspaces.get(workspace_id)}


async def _said(info: Info, label: Label, language: Language | None) -> str:
    workspace_id = who(info).workspace_id
    workspace = await load(info, _own_workspace, workspace_id)
    assert workspace is not None
    return label(language or workspace.language)


async def _histories(
    workspace_id: int, keys: list[tuple[str, int]]
) -> Mapping[tuple[str, int], list[kpis.KpiSnapshot]]:
    found = {}
    for limit in {limit for _, limit in keys}:
        codes = [code for code, wanted in keys if wanted == limit]
        for code, measured in (await kpis.history(workspace_id, codes, limit)).items():
            found[code, limit] = measured
    return found


def run_id(row_id: int | None) -> strawberry.ID | None:
    return None if row_id is None else strawberry.ID(global_id("Run", row_id))


@row_type(kpis.KpiSnapshot, description="One measurement of a KPI, kept as its two counts.")
class KpiMeasurement:
    numerator: int = strawberry.field(description="What counted.")
    denominator: int = strawberry.field(description="Of how many.")
    period_start: datetime = strawberry.field(description="From when on was counted.")
    period_end: datetime = strawberry.field(
        description="When the period ends; nothing after `asOf` was counted."
    )
    as_of: datetime = strawberry.field(description="The business time that it tells of.")
    computed_at: datetime = strawberry.field(description="When it was computed, in machine time.")

    @strawberry.field(description="The share to six places; null when there was nothing to count.")
    def value(self: Any) -> Decimal | None:
        exact = kpis.share(self.numerator, self.denominator)
        return None if exact is None else kpis.as_decimal(exact)

    @strawberry.field(description="The id of the run that measured it.")
    def run_id(self: Any) -> strawberry.ID:
        return strawberry.ID(global_id("Run", self.run_id))


@row_type(kpis.Kpi, description="A KPI as last measured, against its target.")
class Kpi:
    code: str = strawberry.field(description="Its name in the catalogue, such as VISIT_COVERAGE.")
    value: Decimal | None = strawberry.field(
        description="The share to six places; null when there was nothing to count, or before the first "
        "measurement. The status compares the exact fraction."
    )
    numerator: int | None = strawberry.field(description="What counted.")
    denominator: int | None = strawberry.field(description="Of how many.")
    baseline: Decimal | None = strawberry.field(description="The share at the start, if there was one.")
    target: Decimal = strawberry.field(description="The share to reach, absolute.")
    comparator: Comparator = strawberry.field(description="Which side of the target is good.")
    gap: Decimal | None = strawberry.field(description="Value less target, as a share.")
    status: KpiStatus = strawberry.field(description="How the value stands against the target.")
    as_of: datetime | None = strawberry.field(description="The business time that the value tells of.")
    computed_at: datetime | None = strawberry.field(description="When it was computed, in machine time.")
    stale: bool = strawberry.field(
        description="Whether it was measured more than 36 hours ago in business time, or never."
    )

    @strawberry.field(description="Its name.")
    async def name(self: Any, info: Info, language: Spoken = None) -> str:
        return await _said(info, self.definition.name, language)

    @strawberry.field(description="What it tells.")
    async def meaning(self: Any, info: Info, language: Spoken = None) -> str:
        return await _said(info, self.definition.meaning, language)

    @strawberry.field(description="What its numerator counts.")
    async def numerator_meaning(self: Any, info: Info, language: Spoken = None) -> str:
        return await _said(info, self.definition.numerator, language)

    @strawberry.field(description="What its denominator counts.")
    async def denominator_meaning(self: Any, info: Info, language: Spoken = None) -> str:
        return await _said(info, self.definition.denominator, language)

    @strawberry.field(description="The time that one measurement looks at.")
    async def window(self: Any, info: Info, language: Spoken = None) -> str:
        return await _said(info, self.definition.window.label, language)

    @strawberry.field(description="How it is computed.")
    def formula(self: Any) -> str:
        return str(self.definition.formula)

    @strawberry.field(description="What its value is counted in.")
    def unit(self: Any) -> KpiUnit:
        return cast(KpiUnit, self.definition.unit)

    @strawberry.field(description="Whether it tells of the work or of its result.")
    def dimension(self: Any) -> KpiDimension:
        return cast(KpiDimension, self.definition.dimension)

    @strawberry.field(description="Rows of the requirements catalogue that ask for it.")
    def sources(self: Any) -> list[str]:
        return list(self.definition.sources)

    @strawberry.field(description="The day by which the target is to be reached.")
    def due_on(self: Any) -> date | None:
        return cast(date | None, self.aim.due_on)

    @strawberry.field(
        description="Version of the workspace's own target, as `expectedVersion` takes it; "
        "0 while the catalogue's aim holds."
    )
    def target_version(self: Any) -> int:
        return int(self.version)

    @strawberry.field(description="The id of the run that measured it.")
    def run_id(self: Any) -> strawberry.ID | None:
        return run_id(self.run_id)

    @strawberry.field(description="The run that measured it.")
    async def run(self: Any, info: Info) -> Run | None:
        return cast(Run | None, await load(info, runs.Run.by_ids, self.run_id))

    @strawberry.field(description="Its measurements, the latest first.")
    async def history(
        self: Any,
        info: Info,
        first: Annotated[int, strawberry.argument(description="How many, 1 to 100.")] = 20,
    ) -> list[KpiMeasurement]:
        found = await load(info, _histories, (self.code, first))
        return cast(list[KpiMeasurement], found)


@node_type(
    kpis.KpiTarget, description="What a workspace aims at with one KPI, in place of the catalogue's aim."
)
class KpiTarget(Node):
    baseline: Decimal | None = strawberry.field(description="The share at the start, if there was one.")
    target: Decimal = strawberry.field(description="The share to reach, absolute.")
    comparator: Comparator = strawberry.field(description="Which side of the target is good.")
    due_on: date | None = strawberry.field(description="The day by which it is to be reached.")
    updated_at: datetime = strawberry.field(description="When it was last set, in business time.")
    version: int = strawberry.field(description="Rises with each change.")

    @strawberry.field(description="The KPI against this target.")
    async def kpi(self: Any, info: Info) -> Kpi:
        return cast(Kpi, await kpis.get(who(info), self.kpi))


@strawberry.type(description="How many customers stand in one cell of the 5x3 matrix.")
class DashboardCell:
    lifecycle: LifecycleStage = strawberry.field(description="The lifecycle stage.")
    value_level: ValueLevel = strawberry.field(description="The value level.")
    customers: int = strawberry.field(description="How many customers.")


@strawberry.type(description="How many customers stand in one RFM tier.")
class DashboardTier:
    tier: RfmTier = strawberry.field(description="The RFM tier.")
    customers: int = strawberry.field(description="How many customers.")


@row_type(kpis.Dashboard, description="What a head of operations looks at each morning.")
class Dashboard:
    as_of: datetime = strawberry.field(description="Business time now: the task counts are live.")
    kpis: list[Kpi] = strawberry.field(description="Every KPI as last measured.")
    silent_share: Kpi = strawberry.field(description="The share of silent customers.")
    open_tasks: int = strawberry.field(description="Open tasks that the caller may see.")
    overdue_tasks: int = strawberry.field(description="Those of them whose deadline was missed.")

    @strawberry.field(description="All fifteen cells of the published segmentation.")
    def matrix(self: Any) -> list[DashboardCell]:
        return [
            DashboardCell(lifecycle=stage, value_level=level, customers=count)
            for (stage, level), count in self.census.cells.items()
        ]

    @strawberry.field(description="All three RFM tiers of the published segmentation.")
    def tiers(self: Any) -> list[DashboardTier]:
        return [DashboardTier(tier=tier, customers=count) for tier, count in self.census.tiers.items()]

    @strawberry.field(description="How many customers are known.")
    def customer_count(self: Any) -> int:
        return int(self.totals.customers)

    @strawberry.field(description="How many orders they placed, without refunded ones.")
    def order_count(self: Any) -> int:
        return int(self.totals.orders)

    @strawberry.field(description="What these orders come to.")
    async def order_total(self: Any, info: Info) -> Money:
        workspace = await load(info, _own_workspace, who(info).workspace_id)
        assert workspace is not None
        return money(self.totals.amount_minor, workspace.currency)

    @strawberry.field(description="How many customers the published segmentation places.")
    def customers(self: Any) -> int:
        return int(self.census.customers)

    @strawberry.field(
        description="The business time that matrix and tiers tell of; null before the first recompute."
    )
    def segmentation_as_of(self: Any) -> datetime | None:
        latest = self.census.freshness.latest
        return latest.as_of if latest else None

    @strawberry.field(description="When matrix and tiers were computed, in machine time.")
    def segmentation_computed_at(self: Any) -> datetime | None:
        latest = self.census.freshness.latest
        return latest.computed_at if latest else None

    @strawberry.field(description="The id of the run that computed matrix and tiers.")
    def segmentation_run_id(self: Any) -> strawberry.ID | None:
        latest = self.census.freshness.latest
        return run_id(latest.run_id if latest else None)

    @strawberry.field(description="Whether matrix and tiers are too old to be relied on.")
    def segmentation_stale(self: Any) -> bool:
        return bool(self.census.freshness.stale)
