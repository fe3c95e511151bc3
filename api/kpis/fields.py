"""Questions about KPIs, the dashboard and reports, and how to have them measured and built."""

from datetime import date
from decimal import Decimal
from typing import Annotated, cast

import strawberry
from tortoise.expressions import Q

from api.connections import After, Before, Connection, First, Last, connection, part
from api.context import Info, who
from api.ids import row_id
from api.kpis.reports import Report
from api.kpis.types import Dashboard, Kpi, KpiTarget
from api.mutations import Expected, Refusal, mutation, payload, result
from api.nodes import kinds
from api.permissions import query
from api.runs import Run
from domain import kpis
from domain.access import BUILDERS, EVERYONE
from domain.errors import NotFound
from domain.kpis import SETS_TARGETS, Comparator
from domain.language import Language
from domain.paging import Order

Code = Annotated[str, strawberry.argument(description="The KPI's code, such as VISIT_COVERAGE.")]


@strawberry.type
class KpiQueries:
    @query("One KPI as last measured; null when the catalogue has none with this code.", allow=EVERYONE)
    async def kpi(self, info: Info, code: Code) -> Kpi | None:
        return cast(Kpi | None, await kpis.find(who(info), code))

    @query("Every KPI of the catalogue as last measured.", allow=EVERYONE)
    async def kpis(self, info: Info) -> list[Kpi]:
        return cast(list[Kpi], await kpis.all_kpis(who(info)))

    @query("KPIs, customer matrix and open work at a glance.", allow=EVERYONE)
    async def dashboard(self, info: Info) -> Dashboard:
        return cast(Dashboard, await kpis.dashboard(who(info)))

    @query("One report; null when there is none with this id here.", allow=EVERYONE)
    async def report(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The report's id.")]
    ) -> Report | None:
        try:
            number = row_id("Report", id)
        except NotFound:
            return None
        return cast(Report | None, (await kinds["Report"].visible(who(info), [number])).get(number))

    @query("Reports, the latest first.", allow=EVERYONE, left=True)
    async def reports(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Report]:
        page = await kpis.reports(
            who(info), Q(), Order("id", descending=True), part(first, last, after, before)
        )
        return cast(Connection[Report], connection(page))


@strawberry.input(description="What to aim at. All are absolute shares, so +15 % is never read two ways.")
class KpiTargetInput:
    target: Decimal = strawberry.field(description="The share to reach, from 0 to 1.")
    comparator: Comparator = strawberry.field(description="Which side of the target is good.")
    baseline: Decimal | None = strawberry.field(
        default=None, description="The share at the start, from 0 to 1."
    )
    due_on: date | None = strawberry.field(default=None, description="The day by which to reach it.")


@strawberry.input(description="Which report to build.")
class ReportInput:
    title: str | None = strawberry.field(
        default=None, description="Its title: one line of up to 200 characters."
    )
    language: Language | None = strawberry.field(
        default=None, description="Its language; the workspace's if left out."
    )


@payload("A measurement of all KPIs was asked for.")
class KpiSnapshotPayload:
    run: Run = strawberry.field(description="The run that will measure.")


@payload("The target was set.")
class KpiTargetSetPayload:
    kpi_target: KpiTarget = strawberry.field(description="The target as it is now.")


@payload("A report was asked for.")
class ReportBuildPayload:
    run: Run = strawberry.field(description="The run that will build it; its result names the report.")


@strawberry.type
class KpiMutations:
    @mutation("Have all KPIs measured as of now; who asks while one waits gets that run.", allow=BUILDERS)
    async def kpi_snapshot(
        self, info: Info
    ) -> Annotated[KpiSnapshotPayload | Refusal, result("KpiSnapshotResult")]:
        return KpiSnapshotPayload(run=cast(Run, await kpis.snapshot(who(info))))

    @mutation("Aim a KPI at a share; its latest measurement is judged by it at once.", allow=SETS_TARGETS)
    async def kpi_target_set(
        self,
        info: Info,
        code: Code,
        input: Annotated[KpiTargetInput, strawberry.argument(description="What to aim at.")],
        expected_version: Expected = None,
    ) -> Annotated[KpiTargetSetPayload | Refusal, result("KpiTargetSetResult")]:
        target = await kpis.target_set(
            who(info),
            code,
            target=input.target,
            comparator=input.comparator,
            baseline=input.baseline,
            due_on=input.due_on,
            expected_version=expected_version,
        )
        return KpiTargetSetPayload(kpi_target=cast(KpiTarget, target))

    @mutation("Have a report built, with figures measured as of now.", allow=BUILDERS)
    async def report_build(
        self,
        info: Info,
        input: Annotated[ReportInput | None, strawberry.argument(description="Which report.")] = None,
    ) -> Annotated[ReportBuildPayload | Refusal, result("ReportBuildResult")]:
        wanted = input or ReportInput()
        return ReportBuildPayload(
            run=cast(Run, await kpis.build_report(who(info), wanted.title, wanted.language))
        )
