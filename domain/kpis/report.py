"""Builds a report: the run kind `report_build`. Measures, draws and saves, so that a report stands whole
or not at all."""

import asyncio
import os
from collections.abc import Mapping
from typing import Any

from domain import files, journal, runs, timekeeping, workspaces
from domain.errors import Invalid
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


TITLE_LENGTH = 200
TITLES = {Language.EN: "title_en", Language.ZH_CN: "title_zh"}


def clean_title(title: str | None, field: str) -> str | None:
    """A title as it is kept; none where nothing is said."""
    title = (title or "").strip() or None
    if title is not None and (len(title) > TITLE_LENGTH or not title.isprintable()):
        raise Invalid(f"a title is one line of at most {TITLE_LENGTH} characters", field=field)
    return title


def _arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """A schedule's words: a title in each language, and a language if it is not to be the workspace's."""
    kept = {name: clean_title(given.get(name), runs.argument_place(name)) for name in sorted(TITLES.values())}
    language = given.get("language")
    kept["language"] = None if language is None else Language(language).value
    runs.no_arguments({name: value for name, value in given.items() if name not in kept})
    return {name: value for name, value in kept.items() if value is not None}


def _title(args: Mapping[str, Any], language: Language) -> str:
    return args.get("title") or args.get(TITLES[language]) or wording.TITLE(language)


@runs.kind(KIND, queue="reports", deadline_seconds=900, schedulable=True, arguments=_arguments)
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
    language = Language(work.args.get("language") or workspace.language)
    async with one_view():
        as_of = await timekeeping.now(workspace.id)
        snapshots = unsaved(work, await measure(workspace.id, as_of, tz))
        kpis = await queries.against_targets(workspace.id, {found.kpi: found for found in snapshots}, as_of)
        counted = await census.take(workspace.id)
        months = await trend.by_month(workspace.id, workspace.currency, as_of, tz)
    return snapshots, Facts(
        workspace=workspace.name,
        title=_title(work.args, language),
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
