"""Measures all KPIs as of now and keeps the counts: the run kind `kpi_snapshot`."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from domain import db, journal, runs, timekeeping, workspaces
from domain.journal import Entry
from domain.kpis.measures import Measurement, measure
from domain.runs import Work

KIND = "kpi_snapshot"


@asynccontextmanager
async def one_view() -> AsyncIterator[None]:
    """Statements in the block see the database as of one moment, so figures of one run agree."""
    async with db.transaction():
        if db.is_postgres():
            await db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


async def store(work: Work, measured: Sequence[Measurement], computed_at: datetime) -> None:
    """Keep the counts of a run, inside its step. A run keeps each KPI once, however often it is tried."""
    await db.insert_many(
        "kpi_snapshots",
        [
            {
                "workspace_id": work.workspace_id,
                "kpi": found.kpi,
                "period_start": found.start,
                "period_end": found.end,
                "as_of": found.as_of,
                "numerator": found.numerator,
                "denominator": found.denominator,
                "run_id": work.run.id,
                "computed_at": computed_at,
            }
            for found in measured
        ],
    )
    await journal.write(work.who, Entry("kpi.measured", work.run.id))


@runs.kind(KIND, queue="reports", deadline_seconds=600)
async def _perform(work: Work) -> dict[str, Any]:
    if "measured" not in work.cursor:
        workspace = await workspaces.get(work.workspace_id)
        async with one_view():
            as_of = await timekeeping.now(workspace.id)
            measured = await measure(workspace.id, as_of, timekeeping.zone(workspace.zone))
        kept = len(measured)
        async with work.step({"measured": kept}, done=kept, total=kept, unit="kpi"):
            await store(work, measured, timekeeping.machine_now())
    return {"kpis": work.cursor["measured"]}
