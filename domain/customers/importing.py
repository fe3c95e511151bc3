"""Imports a stored file in batches; killed anywhere, it goes on so that each row counts once."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import aclosing, closing
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from domain import db, files, journal, timekeeping, workspaces
from domain.customers.choices import ImportFormat, ImportPolicy, MergeRule
from domain.customers.csv_rows import Record
from domain.customers.import_reports import report, write_faults
from domain.customers.quality import GATE_PERCENT, Figures, passes
from domain.customers.repeats import Repeats
from domain.customers.rows import measure
from domain.customers.sheets import Sheet
from domain.customers.sources import Source
from domain.customers.takers import Screened, Taken, Taker
from domain.customers.undoing import keep_changes
from domain.journal import Entry
from domain.runs import Refused, Work

BATCH = 1000
COUNTS = ("rows", "created", "updated", "unchanged", "rejected", "partial", "customers_created")


class Layout(NamedTuple):
    """A file that can be read to its end: its columns, where its first row begins, how many there are."""

    columns: list[str]
    offset: int
    line: int
    rows: int


async def survey(sheet: Sheet, source: Source, repeats: Repeats, until: int = 0) -> Layout:
    """Read the whole file once before anything is written, remembering the keys of rows before `until`.

    Raises:
        Refused: the file is empty, not UTF-8, not of its format, or has the wrong columns.
    """
    layout: Layout | None = None
    named: set[str] = set()
    async for records in source.pieces():
        if layout is None and records:
            if source.has_header:
                header = records.pop(0)
                columns = sheet.header(header.cells, header.line)
                layout = Layout(columns, header.next_offset, header.next_line, 0)
            else:
                layout = Layout([sheet.key], 0, 1, 0)
        if layout is not None:
            layout = layout._replace(rows=layout.rows + len(records))
            past = [record for record in records if record.next_offset <= until]
            named |= sheet.named(records)
            if past:
                await asyncio.to_thread(_remember, sheet, past, layout.columns, repeats)
    if layout is None:
        raise Refused("IMPORT_EMPTY", "line 1: the file is empty")
    if source.has_header:
        return layout
    return layout._replace(
        columns=[name for name in sheet.columns if name in named or name in sheet.required]
    )


def _remember(sheet: Sheet, records: list[Record], columns: list[str], repeats: Repeats) -> None:
    keys = (sheet.key_of(record, columns) for record in records)
    repeats.add(key for key in keys if key is not None)


@dataclass
class _Pass:
    """One reading of a file from its first row to its last, or from where the cursor stands."""

    name: str
    work: Work
    taker: Taker
    source: Source
    layout: Layout
    repeats: Repeats
    counts: Counter[str]
    figures: Figures
    done_before: int
    total: int
    fresh: bool
    """Whether its first step is still to come, which forgets what an earlier pass or try has listed."""
    new_customers: Repeats | None = None
    """In a dry run, whom it would have created: no later batch finds them stored."""


def _passes(args: Mapping[str, Any]) -> tuple[str, ...]:
    if args.get("dry_run"):
        return ("try",)
    first = args["policy"] == ImportPolicy.REJECT_EVERYTHING or args.get("quality_gate")
    return ("check", "take") if first else ("take",)


async def perform(work: Work, taker: Taker) -> dict[str, Any]:
    """Take a stored file, batch by batch, or only try to."""
    args = work.args
    workspace = await workspaces.get(work.workspace_id)
    file = await files.get(work.who, args["file_id"])
    source = Source(
        file, ImportFormat(args.get("format", ImportFormat.CSV)), timekeeping.zone(workspace.zone)
    )
    taker.merge = {name: MergeRule(rule) for name, rule in args.get("merge", {}).items()}
    taker.lenient = args["policy"] == ImportPolicy.IGNORE_FAILED
    taker.sheet = replace(taker.sheet, required=taker.sheet.required | set(args.get("mandatory", ())))
    names = _passes(args)
    # A dry run leaves nothing to go on from: a second try begins anew.
    cursor = {} if names == ("try",) else work.cursor
    counts: Counter[str] = Counter()
    for number in range(names.index(cursor["pass"]) if cursor else 0, len(names)):
        resumed = cursor if cursor.get("pass") == names[number] else {}
        counts, figures = Counter(resumed.get("counts", {})), Figures.of(resumed.get("figures", {}))
        with closing(Repeats()) as repeats, closing(Repeats()) as new_customers:
            layout = await survey(taker.sheet, source, repeats, resumed.get("offset", 0))
            rows = layout.rows
            this = _Pass(
                names[number],
                work,
                taker,
                source,
                layout,
                repeats,
                counts,
                figures,
                rows * number,
                rows * len(names),
                not resumed,
                new_customers if names[number] == "try" else None,
            )
            start = resumed.get("offset", layout.offset), resumed.get("line", layout.line)
            measured = 0
            async with aclosing(source.batches(*start, BATCH)) as batches:
                async for batch in batches:
                    await _step(this, batch)
                    if counts["created"] >= 2 * measured and this.name == "take":
                        await measure()
                        measured = counts["created"] or BATCH
        refused = _refusal(this)
        if refused or number == len(names) - 1:
            await report(work, source, layout, taker.sheet, figures)
        if refused:
            raise refused
    return {name: counts[name] for name in COUNTS}


def _refusal(this: _Pass) -> Refused | None:
    """Why a file that was only looked at is not taken."""
    counts, figures, args = this.counts, this.figures, this.work.args
    if this.name == "take":
        return None
    if args["policy"] == ImportPolicy.REJECT_EVERYTHING and counts["rejected"]:
        return Refused(
            "IMPORT_REJECTED",
            f"{counts['rejected']} of {counts['rows']} rows will not do; none is taken",
        )
    if args.get("quality_gate") and not passes(figures.rows, figures.inaccurate):
        return Refused(
            "IMPORT_QUALITY",
            f"{figures.inaccurate} of {figures.rows} records are not accurate, "
            f"more than {100 - GATE_PERCENT} %; none is taken",
        )
    return None


class _Tried(Exception):
    """What a dry run has done is rolled back."""


async def _step(this: _Pass, batch: list[Record]) -> None:
    """One batch: its effects, its faults, the counts and where to go on, all or none of them."""
    work, counts, taker = this.work, this.counts, this.taker
    reading = await asyncio.to_thread(
        taker.sheet.read, batch, this.layout.columns, this.repeats, taker.lenient
    )
    now = await timekeeping.now(work.workspace_id)
    if this.name == "try":
        taken, screened = Taken(), Screened([], [])
        try:
            async with db.transaction():
                screened = await taker.screen(reading.rows, now)
                taken = await taker.take(screened.rows, this.layout.columns, work.run.id, now)
                raise _Tried
        except _Tried:
            pass
        assert this.new_customers is not None
        first = [name for name in taken.new_customers if this.new_customers.first(name)]
        taken = replace(taken, new_customers=first)
    async with work.step(total=this.total, unit="rows") as step:
        if this.fresh:
            await db.execute(
                "DELETE FROM row_errors WHERE workspace_id = :workspace AND run_id = :run",
                workspace=work.workspace_id,
                run=work.run.id,
            )
        if this.name != "try":
            screened = await taker.screen(reading.rows, now)
        counts["rows"] += len(batch)
        counts["rejected"] += len(batch) - len(screened.rows)
        counts["partial"] += reading.partial + screened.partial
        this.figures.add(reading.figures)
        await write_faults(work, [*reading.faults, *screened.faults])
        if this.name == "take" and screened.rows:
            taken = await taker.take(screened.rows, this.layout.columns, work.run.id, now)
            if taken.changes:
                await keep_changes(work, taken.changes)
                data = {"run_id": work.run.id, **taken.counts}
                await journal.write(work.who, Entry(taker.event, work.run.id, data=data))
        if this.name != "check":
            counts.update(taken.counts if screened.rows else {})
        step.done = this.done_before + counts["rows"]
        step.cursor = {
            "pass": this.name,
            "offset": batch[-1].next_offset,
            "line": batch[-1].next_line,
            "counts": dict(counts),
            "figures": this.figures.kept(),
        }
    this.fresh = False
