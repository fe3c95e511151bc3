"""Imports a stored CSV file in batches; killed anywhere, it goes on so that each row counts once."""

import asyncio
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from domain import db, files, journal, runs, timekeeping, workspaces
from domain.access import Principal
from domain.customers.csv_rows import Record, batches, pieces
from domain.customers.repeats import Repeats
from domain.customers.rows import measure
from domain.customers.sheets import Fault, Sheet
from domain.customers.takers import CustomerTaker, OrderTaker, Taker
from domain.errors import Conflict
from domain.files import File
from domain.journal import Entry
from domain.runs import Refused, Run, Work

BATCH = 1000
DEADLINE_SECONDS = 6 * 3600
COUNTS = ("rows", "created", "updated", "unchanged", "rejected", "customers_created")


class ImportPolicy(StrEnum):
    """What an import does with rows that will not do."""

    REJECT_EVERYTHING = "REJECT_EVERYTHING"
    REJECT_FAILED_ROWS = "REJECT_FAILED_ROWS"


_PASSES = {
    ImportPolicy.REJECT_EVERYTHING: ("check", "take"),
    ImportPolicy.REJECT_FAILED_ROWS: ("take",),
}


async def import_customers(
    who: Principal, file_id: int, policy: ImportPolicy = ImportPolicy.REJECT_FAILED_ROWS
) -> Run:
    """Queue an import of customers from an uploaded CSV file.

    Its columns are customer_id and any of name, company, phone, email, registered_at and tags
    (separated by semicolons).
    """
    return await _queue(who, "customers_import", {"file_id": file_id, "policy": policy.value})


async def import_orders(
    who: Principal,
    file_id: int,
    policy: ImportPolicy = ImportPolicy.REJECT_FAILED_ROWS,
    create_customers: bool = True,
) -> Run:
    """Queue an import of orders from an uploaded CSV file.

    Its columns are order_id, customer_id, ordered_at, amount and any of quantity, currency, status
    and delivered_at. Imported orders are history: they start no follow-up work.
    """
    args = {"file_id": file_id, "policy": policy.value, "create_customers": create_customers}
    return await _queue(who, "orders_import", args)


async def _queue(who: Principal, kind: str, args: dict[str, Any]) -> Run:
    """A file that already waits to be imported in the same way is not queued again."""
    async with db.transaction():
        file = await files.get(who, args["file_id"])
        run = await runs.enqueue(who, kind, args, unique_key=f"file:{file.id}")
        if run.args != args:
            raise Conflict("this file waits to be imported in another way", field="fileId", current=run)
    return run


@runs.kind("customers_import", deadline_seconds=DEADLINE_SECONDS)
async def _customers(work: Work) -> dict[str, Any]:
    workspace = await workspaces.get(work.workspace_id)
    return await _import(work, CustomerTaker(workspace.id, timekeeping.zone(workspace.zone)))


@runs.kind("orders_import", deadline_seconds=DEADLINE_SECONDS)
async def _orders(work: Work) -> dict[str, Any]:
    workspace = await workspaces.get(work.workspace_id)
    tz = timekeeping.zone(workspace.zone)
    return await _import(
        work, OrderTaker(workspace.id, tz, workspace.currency, work.args["create_customers"])
    )


class Layout(NamedTuple):
    """A file that can be read to its end: its columns, where its first row begins, how many there are."""

    columns: list[str]
    offset: int
    line: int
    rows: int


async def survey(sheet: Sheet, file: File, repeats: Repeats, until: int = 0) -> Layout:
    """Read the whole file once before anything is written, remembering the keys of rows before `until`.

    Raises:
        Refused: the file is empty, not UTF-8, not CSV, or has the wrong columns.
    """
    layout: Layout | None = None
    async for records in pieces(file):
        if layout is None and records:
            header = records.pop(0)
            columns = sheet.header(header.cells, header.line)
            layout = Layout(columns, header.next_offset, header.next_line, 0)
        if layout is not None:
            layout = layout._replace(rows=layout.rows + len(records))
            past = [record for record in records if record.next_offset <= until]
            if past:
                await asyncio.to_thread(_remember, sheet, past, layout.columns, repeats)
    if layout is None:
        raise Refused("IMPORT_EMPTY", "line 1: the file is empty")
    return layout


def _remember(sheet: Sheet, records: list[Record], columns: list[str], repeats: Repeats) -> None:
    keys = (sheet.key_of(record, columns) for record in records)
    repeats.add(key for key in keys if key is not None)


@dataclass
class _Pass:
    """One reading of a file from its first row to its last, or from where the cursor stands."""

    name: str
    work: Work
    taker: Taker
    layout: Layout
    repeats: Repeats
    counts: Counter[str]
    done_before: int
    total: int


async def _import(work: Work, taker: Taker) -> dict[str, Any]:
    file = await files.get(work.who, work.args["file_id"])
    names = _PASSES[ImportPolicy(work.args["policy"])]
    cursor = work.cursor
    counts: Counter[str] = Counter()
    for number in range(names.index(cursor["pass"]) if cursor else 0, len(names)):
        resumed = cursor if cursor.get("pass") == names[number] else {}
        counts = Counter(resumed.get("counts", {}))
        with closing(Repeats()) as repeats:
            layout = await survey(taker.sheet, file, repeats, resumed.get("offset", 0))
            rows = layout.rows
            this = _Pass(
                names[number], work, taker, layout, repeats, counts, rows * number, rows * len(names)
            )
            start = resumed.get("offset", layout.offset), resumed.get("line", layout.line)
            measured = 0
            async for batch in batches(file, *start, BATCH):
                await _step(this, batch)
                if counts["created"] >= 2 * measured:
                    await measure()
                    measured = counts["created"] or BATCH
        if this.name == "check" and counts["rejected"]:
            raise Refused(
                "IMPORT_REJECTED",
                f"{counts['rejected']} of {counts['rows']} rows will not do; none is taken",
            )
    return {name: counts[name] for name in COUNTS}


async def _step(this: _Pass, batch: list[Record]) -> None:
    """One batch: its effects, its faults, the counts and where to go on, all or none of them."""
    work, counts, columns = this.work, this.counts, this.layout.columns
    rows, faults = await asyncio.to_thread(this.taker.sheet.read, batch, columns, this.repeats)
    async with work.step(total=this.total, unit="rows") as step:
        rows, contradicted = await this.taker.screen(rows)
        counts["rows"] += len(batch)
        counts["rejected"] += len(batch) - len(rows)
        await _write_faults(work, [*faults, *contradicted])
        if this.name == "take" and rows:
            now = await timekeeping.now(work.workspace_id)
            taken = await this.taker.take(rows, columns, work.run.id, now)
            counts.update(vars(taken))
            if taken.created or taken.updated or taken.customers_created:
                data = {"run_id": work.run.id, **vars(taken)}
                await journal.write(work.who, Entry(this.taker.event, work.run.id, data=data))
        step.done = this.done_before + counts["rows"]
        step.cursor = {
            "pass": this.name,
            "offset": batch[-1].next_offset,
            "line": batch[-1].next_line,
            "counts": dict(counts),
        }


async def _write_faults(work: Work, faults: list[Fault]) -> None:
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
