"""`make bench-import`: how fast orders and customers come in by the file, on PostgreSQL, and at what memory.

Beside each stands its floor in the same run: the same file read and validated, and nothing done with it. It
prints figures and targets; it fails on none.
"""

import argparse
import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from bench.figures import Board, Figure, at_least, at_most
from bench.filling import drained, space
from bench.stage import Child, Stage, set_up
from domain import customers, db, files, timekeeping, workspaces
from domain.access import Principal
from domain.customers import ImportFormat, Sheet
from domain.customers.importing import BATCH, survey
from domain.customers.repeats import Repeats
from domain.customers.sheets import customer_sheet, order_sheet
from domain.customers.sources import Source
from domain.files import File
from domain.runs import Run

AT_ONCE = 20_000
"""Rows written to the file at a time."""
PEOPLE_PER_ORDER = 5


def orders(count: int) -> Iterator[str]:
    """Three years of orders, each customer's spread over all of them."""
    yield "order_id,customer_id,ordered_at,amount,quantity,status\n"
    people = max(1, count // PEOPLE_PER_ORDER)
    for number in range(count):
        day = number * 7919 % 1095
        yield (
            f"O-{number:09},C-{number * 104729 % people:08},{2022 + day // 365}-{1 + day // 31 % 12:02}-"
            f"{1 + day % 28:02}T{number % 24:02}:{number % 60:02}:00+08:00,{number % 90000 / 100:.2f},"
            f"{1 + number % 3},PAID\n"
        )


def people(count: int) -> Iterator[str]:
    """Customers with a telephone number written in one of four ways, and an e-mail address."""
    yield "customer_id,name,phone,email,registered_at,tags\n"
    for number in range(count):
        digits = f"13{number % 10}{number:08}"[:11]
        phone = (digits, f"+86 {digits}", f"{digits[:3]}-{digits[3:7]}-{digits[7:]}", f"0086{digits}")
        yield (
            f"C-{number:08},Customer {number},{phone[number % 4]},name.{number}@mail{number % 50}.example,"
            f"2022-{1 + number % 12:02}-{1 + number % 28:02},{'vip' if number % 20 == 0 else ''}\n"
        )


async def stored(who: Principal, name: str, lines: Iterator[str]) -> File:
    """The file as an upload leaves it, never whole in memory."""
    upload = await files.begin(who, name, "text/csv", "upload")
    part: list[str] = []
    for line in lines:
        part.append(line)
        if len(part) == AT_ONCE:
            await files.append(upload, "".join(part).encode())
            part.clear()
    await files.append(upload, "".join(part).encode())
    return await files.finish(upload)


async def floor(who: Principal, file: File, sheet: Sheet) -> float:
    """Rows a second where the file is surveyed, read and validated, as an import does it, and no more."""
    zone = timekeeping.zone((await workspaces.get(who.workspace_id)).zone)
    source = Source(file, ImportFormat.CSV, zone)
    began, rows = time.perf_counter(), 0
    with closing(Repeats()) as repeats:
        layout = await survey(sheet, source, repeats)
        async for batch in source.batches(layout.offset, layout.line, BATCH):
            reading = await asyncio.to_thread(sheet.read, batch, layout.columns, repeats)
            assert not reading.faults, reading.faults[0]
            rows += len(reading.rows)
    return rows / (time.perf_counter() - began)


def peak_mb(worker: Child) -> float:
    """The most memory a process has held so far."""
    for line in Path(f"/proc/{worker.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise LookupError("VmHWM")


async def timed(stage: Stage, args: argparse.Namespace, board: Board, kind: str) -> None:
    count = args.orders if kind == "orders" else args.customers
    target = 15_000 if kind == "orders" else 4_000
    make: Callable[[int], Iterator[str]] = orders if kind == "orders" else people
    async with stage.database(f"import_{kind}") as url:
        who = await space()
        zone = timekeeping.zone((await workspaces.get(who.workspace_id)).zone)
        sheet = order_sheet(zone, "CNY") if kind == "orders" else customer_sheet(zone)
        file = await stored(who, f"{kind}.csv", make(count))
        alone = await floor(who, file, sheet)
        with stage.worker(url) as worker:
            before = stage.database_cpu()
            ask = customers.import_orders if kind == "orders" else customers.import_customers
            run = await ask(who, file.id)
            await drained(who, seconds=args.seconds)
            memory = peak_mb(worker)
        run = await Run.get(id=run.id)
        assert run.state == "SUCCEEDED", run.errors
        assert run.result["created"] == count, run.result
        assert await db.value(f"SELECT count(*) FROM {kind}") == count
        spent = (run.finished_at - run.started_at).total_seconds()
        board.add(
            Figure(f"{kind}: read and validated alone", f"{alone:,.0f} rows/s"),
            at_least(f"{kind}: imported", count / spent, target, " rows/s", f" ({count:,} rows)"),
            Figure("   PostgreSQL's CPU", f"{(stage.database_cpu() - before) / count * 1e6:.0f} us a row"),
            at_most("   peak memory of the worker", memory, 300, "MB"),
        )


async def bench(args: argparse.Namespace) -> None:
    board = Board()
    with set_up() as stage:
        for kind in args.parts.split(","):
            print(f"{kind}, load {os.getloadavg()[0]:.1f}:", flush=True)
            await timed(stage, args, board, kind)
    board.sum_up()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=2_000_000)
    parser.add_argument("--customers", type=int, default=2_000_000)
    parser.add_argument("--parts", default="orders,customers")
    parser.add_argument("--seconds", type=float, default=3600, help="the longest that one import may take")
    asyncio.run(bench(parser.parse_args()))


if __name__ == "__main__":
    main()
