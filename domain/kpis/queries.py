"""Asks for KPIs as last measured, their history, the dashboard and the reports."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tortoise.expressions import Q

from domain import customers, db, tasks, timekeeping, workspaces
from domain.access import Principal
from domain.errors import Invalid
from domain.kpis import census
from domain.kpis.catalogue import CATALOGUE, SILENT_SHARE, Aim, definition
from domain.kpis.census import Census
from domain.kpis.models import KpiSnapshot, KpiTarget, Report
from domain.kpis.standing import Kpi
from domain.paging import Order, Page, Slice
from domain.paging import page as paged

HISTORY_LIMIT = 100


async def all_kpis(who: Principal) -> list[Kpi]:
    """Every KPI of the catalogue, in its order, as last measured."""
    return list((await by_codes(who.workspace_id, list(CATALOGUE))).values())


async def by_codes(workspace_id: int, codes: Collection[str]) -> dict[str, Kpi]:
    """Those KPIs of the catalogue as last measured; a code that it does not have is absent."""
    latest = await latest_by_code(workspace_id)
    found = await against_targets(workspace_id, latest, await timekeeping.now(workspace_id))
    return {kpi.code: kpi for kpi in found if kpi.code in codes}


async def get(who: Principal, code: str) -> Kpi:
    """One KPI as last measured, or `NotFound`."""
    wanted = definition(code).code
    return next(kpi for kpi in await all_kpis(who) if kpi.code == wanted)


async def find(who: Principal, code: str) -> Kpi | None:
    return await get(who, code) if code in CATALOGUE else None


async def against_targets(
    workspace_id: int, snapshots: Mapping[str, KpiSnapshot], now: datetime
) -> list[Kpi]:
    """Measurements against what the workspace aims at now."""
    workspace = await workspaces.get(workspace_id)
    targets = {target.kpi: target for target in await KpiTarget.filter(workspace_id=workspace_id)}
    tz = timekeeping.zone(workspace.zone)
    return [
        Kpi(
            definition=kpi,
            aim=_aim(targets[code]) if code in targets else kpi.aim,
            snapshot=snapshots.get(code),
            tz=tz,
            now=now,
            version=targets[code].version if code in targets else 0,
        )
        for code, kpi in CATALOGUE.items()
    ]


def _aim(target: KpiTarget) -> Aim:
    return Aim(target.target, target.comparator, target.baseline, target.due_on)


async def latest_by_code(workspace_id: int) -> dict[str, KpiSnapshot]:
    """The latest measurement of each KPI that has one."""
    found = await history(workspace_id, list(CATALOGUE), 1)
    return {code: snapshots[0] for code, snapshots in found.items() if snapshots}


async def history(workspace_id: int, codes: Sequence[str], limit: int) -> dict[str, list[KpiSnapshot]]:
    """The last measurements of each KPI, newest first, in one statement however many KPIs."""
    if not 1 <= limit <= HISTORY_LIMIT:
        raise Invalid(f"limit must be between 1 and {HISTORY_LIMIT}, got {limit}", field="limit")
    parts = " UNION ALL ".join(
        f"""SELECT * FROM (SELECT * FROM kpi_snapshots WHERE workspace_id = :workspace AND kpi = :kpi{n}
            ORDER BY id DESC LIMIT {limit}) AS part{n}"""
        for n, _ in enumerate(codes)
    )
    found: dict[str, list[KpiSnapshot]] = {code: [] for code in codes}
    if codes:
        names = {f"kpi{n}": code for n, code in enumerate(codes)}
        rows = await db.rows(f"{parts} ORDER BY id DESC", workspace=workspace_id, **names)
        for snapshot in db.hydrate(KpiSnapshot, rows):
            found[snapshot.kpi].append(snapshot)
    return found


@dataclass(frozen=True)
class Dashboard:
    """What a head of operations looks at each morning. `as_of` is now: the task counts are live."""

    as_of: datetime
    kpis: list[Kpi]
    census: Census
    open_tasks: int
    overdue_tasks: int
    totals: customers.GrandTotals

    @property
    def silent_share(self) -> Kpi:
        return next(kpi for kpi in self.kpis if kpi.code == SILENT_SHARE.code)


async def dashboard(who: Principal) -> Dashboard:
    """KPIs, matrix and open work; only such tasks are counted as the principal may see."""
    workspace_id = who.workspace_id
    now = await timekeeping.now(workspace_id)
    work = tasks.visible(who)
    return Dashboard(
        as_of=now,
        kpis=await all_kpis(who),
        census=await census.take(workspace_id),
        open_tasks=await work.filter(state__in=list(tasks.OPEN_STATES)).count(),
        overdue_tasks=await work.filter(tasks.overdue_at(now)).count(),
        totals=await customers.grand_totals(workspace_id),
    )


async def get_report(who: Principal, report_id: int) -> Report:
    return await Report.load(who.workspace_id, report_id)


async def reports_by_ids(who: Principal, ids: list[int]) -> dict[int, Report]:
    return await Report.by_ids(who.workspace_id, ids)


async def reports(who: Principal, where: Q, order: Order, part: Slice) -> Page[Report]:
    return await paged(Report.filter(where, workspace_id=who.workspace_id), order, part)
