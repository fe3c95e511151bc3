"""What an import leaves behind about its file: row errors, those rows as a file to correct, and figures."""

import csv
import io
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import timedelta
from itertools import groupby
from pathlib import PurePath
from typing import Any, NamedTuple

from domain import db, files, timekeeping
from domain.customers.models import ImportReport
from domain.customers.quality import Figures
from domain.customers.sheets import FAULTS_COLUMN, Fault, Sheet, laid_out
from domain.customers.sources import Source
from domain.files import Upload
from domain.runs import Work

PURPOSE = "row_errors"
KEPT = timedelta(days=30)
PAGE = 1000
_TO_GUARD = re.compile(r"'|[\s\"]*[=+\-@\t\r＝＋－＠]")


def guarded(cell: str) -> str:
    """Text that no spreadsheet takes for a formula; one `'` taken away, it is what it was."""
    return f"'{cell}" if _TO_GUARD.match(cell) else cell


async def write_faults(work: Work, faults: Iterable[Fault]) -> None:
    await db.insert_many(
        "row_errors",
        [
            {
                "workspace_id": work.workspace_id,
                "run_id": work.run.id,
                "line": fault.line,
                "column": fault.column,
                "code": fault.code,
                "message": fault.message,
            }
            for fault in sorted(faults, key=lambda fault: fault.line)
        ],
    )


async def report(work: Work, source: Source, layout: Any, sheet: Sheet, figures: Figures) -> None:
    """Keep the figures of a file that was read to its end, and its bad rows as a file; once for each run."""
    if await ImportReport.exists(workspace_id=work.workspace_id, run_id=work.run.id):
        return
    columns = [name for name in layout.columns if name != FAULTS_COLUMN]
    kept = await _bad_rows(work, source, layout, columns)
    async with work.step():
        await ImportReport.create(
            workspace_id=work.workspace_id,
            run_id=work.run.id,
            dry_run=bool(work.args.get("dry_run")),
            rows=figures.rows,
            inaccurate=figures.inaccurate,
            repeated=figures.repeated,
            figures=figures.columns(columns),
            error_file_id=None if kept is None else (await files.finish(kept)).id,
            created_at=timekeeping.machine_now(),
        )


async def _bad_rows(work: Work, source: Source, layout: Any, columns: list[str]) -> Upload | None:
    """The rows with faults, as they came and with what is wrong, in a file that is yet to be finished."""
    faults = _by_line(work)
    wanted = await anext(faults, None)
    if wanted is None:
        return None
    upload = await files.begin(
        work.who,
        f"{PurePath(source.file.name).stem[:200]}-errors.csv",
        "text/csv",
        PURPOSE,
        expires_at=timekeeping.machine_now() + KEPT,
    )
    await files.append(upload, ("\ufeff" + _line([*columns, FAULTS_COLUMN])).encode())
    async for records in source.pieces(layout.offset, layout.line):
        text = []
        for record in records:
            if wanted is None or record.line != wanted[0]:
                continue
            cells = [] if record.broken else list(laid_out(record, layout.columns))
            if FAULTS_COLUMN in layout.columns and len(cells) == len(layout.columns):
                del cells[layout.columns.index(FAULTS_COLUMN)]
            cells = [*cells, *[""] * (len(columns) - len(cells))][: len(columns)]
            text.append(_line([*map(guarded, cells), f"line {record.line}: {wanted[1]}"]))
            wanted = await anext(faults, None)
        if text:
            await files.append(upload, "".join(text).encode())
        if wanted is None:
            break
    return upload


async def _by_line(work: Work) -> AsyncIterator[tuple[int, str]]:
    """The lines that have faults, each with what is wrong with it."""
    last = 0
    while True:
        found = await db.rows(
            """SELECT line, message FROM row_errors
               WHERE workspace_id = :workspace AND run_id = :run AND line IN (
                 SELECT DISTINCT line FROM row_errors
                 WHERE workspace_id = :workspace AND run_id = :run AND line > :last
                 ORDER BY line LIMIT :page)
               ORDER BY line, id""",
            workspace=work.workspace_id,
            run=work.run.id,
            last=last,
            page=PAGE,
        )
        if not found:
            return
        for line, rows in groupby(found, key=lambda row: int(row["line"])):
            yield line, "; ".join(row["message"] for row in rows)
        last = int(found[-1]["line"])


def _line(cells: Sequence[str]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue()


async def import_reports(workspace_id: int, run_ids: list[int]) -> dict[int, ImportReport]:
    """What imports found; none for a run that has not read its file to the end."""
    found = await ImportReport.filter(workspace_id=workspace_id, run_id__in=run_ids)
    return {one.run_id: one for one in found}


class FaultCount(NamedTuple):
    """How often one rule was broken."""

    column: str | None
    code: str
    times: int


async def fault_counts(workspace_id: int, run_ids: list[int]) -> dict[int, list[FaultCount]]:
    """Of each import, how often which rule was broken, the most frequent first."""
    counts: dict[int, list[FaultCount]] = {run_id: [] for run_id in run_ids}
    for row in await db.rows(
        """SELECT run_id, "column", code, COUNT(*) AS count FROM row_errors
           WHERE workspace_id = :workspace AND run_id IN :runs
           GROUP BY run_id, "column", code ORDER BY COUNT(*) DESC, "column", code""",
        workspace=workspace_id,
        runs=run_ids,
    ):
        counts[row["run_id"]].append(FaultCount(row["column"], row["code"], row["count"]))
    return counts
