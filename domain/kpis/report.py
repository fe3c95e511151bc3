"""Builds a report: the run kind `report_build`. Measures, draws and saves, so that a report stands whole
or not at all."""

import asyncio
import os
from typing import Any

from domain import files, journal, runs, timekeeping, workspaces
from domain.journal import Entry
from domain.kpis import census, queries, tables, trend, wording
from domain.kpis.facts import Facts
from domain.kpis.measures import measure
from domain.kpis.models import KpiSnapshot, Report
from domain.kpis.page import render
from domain.kpis.snapshots import one_view, store, unsaved
from domain.language import Language
from domain.runs import Work

KIND = "report_build"


@runs.kind(KIND, queue="reports", deadline_seconds=900)
async def _perform(work: Work) -> dict[str, Any]:
    if "report" not in work.cursor:
        snapshots, facts = await _gather(work)
        # Drawing is pure computing: off the event loop, which may also be serving requests.
        html, sheets = await asyncio.to_thread(lambda: (render(facts), tables.all_tables(facts)))
        async with work.step(done=1, total=1, unit="report") as step:
            # The figures of the page are kept as a snapshot too, so `kpis` shows what the report shows.
            await store(work, snapshots)
            report = await _save(work, facts, html, sheets)
            step.cursor = {"report": report.id}
    return {"report_id": work.cursor["report"]}


async def _gather(work: Work) -> tuple[list[KpiSnapshot], Facts]:
    workspace = await workspaces.get(work.workspace_id)
    tz = timekeeping.zone(workspace.zone)
    language = Language(work.args["language"])
    async with one_view():
        as_of = await timekeeping.now(workspace.id)
        snapshots = unsaved(work, await measure(workspace.id, as_of, tz))
        kpis = await queries.against_targets(workspace.id, {found.kpi: found for found in snapshots}, as_of)
        counted = await census.take(workspace.id)
        months = await trend.by_month(workspace.id, workspace.currency, as_of, tz)
    return snapshots, Facts(
        workspace=workspace.name,
        title=work.args["title"] or wording.TITLE(language),
        language=language,
        tz=tz,
        currency=workspace.currency,
        run_id=work.run.id,
        as_of=as_of,
        computed_at=snapshots[0].computed_at,
        kpis=kpis,
        census=counted,
        months=months,
    )


async def _save(work: Work, facts: Facts, html: str, sheets: dict[str, bytes]) -> Report:
    day = f"{timekeeping.local_day(facts.as_of, facts.tz):%Y-%m-%d}"

    async def save(name: str, media_type: str, data: bytes) -> int:
        file = await files.save(work.who, name, media_type, purpose="report", data=data)
        return int(file.id)

    report = await Report.create(
        workspace_id=work.workspace_id,
        title=facts.title,
        language=facts.language,
        as_of=facts.as_of,
        run_id=work.run.id,
        html_file_id=await save(f"report-{day}.html", "text/html; charset=utf-8", html.encode()),
        table_file_ids={
            name: await save(f"{name}-{day}.csv", "text/csv; charset=utf-8", sheet)
            for name, sheet in sheets.items()
        },
        process_id=os.getpid(),
        created_at=facts.computed_at,
    )
    await journal.write(work.who, Entry("report.built", report.id, data={"run_id": work.run.id}))
    return report
