"""Measures all KPIs as of now and keeps the counts: the run kind `kpi_snapshot`."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from domain import db, journal, runs, timekeeping, workspaces
from domain.journal import Entry
from domain.kpis.measures import Measurement, measure
from domain.kpis.models import KpiSnapshot
from domain.runs import Work

KIND = "kpi_snapshot"


@asynccontextmanager
async def one_view() -> AsyncIterator[None]:
    """Statements in the block see the database as of one moment, so figures of one run agree."""
    async with db.transaction():
        if db.is_postgres():
            await db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


def unsaved(work: Work, measured: Sequence[Measurement]) -> list[KpiSnapshot]:
    """What a run measured, as the snapshots that it may keep."""
    computed_at = timekeeping.machine_now()
    return [
        KpiSnapshot(
            workspace_id=work.workspace_id,
            kpi=found.kpi,
            period_start=found.start,
            period_end=found.end,
            as_of=found.as_of,
            numerator=found.numerator,
            denominator=found.denominator,
            run_id=work.run.id,
            computed_at=computed_at,
        )
        for found in measured
    ]


async def store(work: Work, snapshots: Sequence[KpiSnapshot]) -> None:
    """Keep a run's snapshots, inside its step. A run keeps each KPI once, however often it is tried."""
    await KpiSnapshot.bulk_create(snapshots)
    await journal.write(work.who, Entry("kpi.measured", work.run.id))


@runs.kind(KIND, queue="reports", deadline_seconds=600, schedulable=True, unique_key="all")
async def _perform(work: Work) -> dict[str, Any]:
    if "measured" not in work.cursor:
        workspace = await workspaces.get(work.workspace_id)
        async with one_view():
            as_of = await timekeeping.now(workspace.id)
            snapshots = unsaved(work, await measure(workspace.id, as_of, timekeeping.zone(workspace.zone)))
        kept = len(snapshots)
        async with work.step({"measured": kept}, done=kept, total=kept, unit="kpi"):
            await store(work, snapshots)
    return {"kpis": work.cursor["measured"]}
