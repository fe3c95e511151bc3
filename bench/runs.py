"""`make bench-runs`: what the ledger of machine work costs, on PostgreSQL and Valkey, beside plain Dramatiq.

It prints figures and targets; it fails on none. Both sides of a ratio are of one and the same run.
"""

import argparse
import asyncio
import os
import platform
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench import cost, flood, wall
from bench.figures import Board, Figure, at_least, at_most, percentile
from bench.filling import NAMES, drained, space
from bench.kinds import NOTHING, STAMP
from bench.stage import THREADS, Stage, cpu_seconds, set_up
from domain import db, runs
from domain.access import Principal

LONG = 200
PART_SECONDS = 400
"""No part takes longer: what it had printed by then stands."""


@dataclass(frozen=True)
class Side:
    """How one side fared: what was enqueued and done per second, and the CPU of each part by run."""

    rate: float
    sent: float
    cpu: dict[str, float]


async def throughput(stage: Stage, args: argparse.Namespace, board: Board) -> None:
    """The same number of no-ops through both, each enqueued by one process and done by another."""
    ratios = []
    for number in range(args.rounds):
        theirs = await asyncio.to_thread(_plain, stage, args.runs)
        board.add(*_shown("plain Dramatiq, enqueued and run", theirs))
        ours = await _careline(stage, args.runs, f"throughput_{number}")
        board.add(*_shown("Careline, enqueued, run and recorded", ours))
        ratios.append(ours.rate / theirs.rate)
    board.add(at_least("Careline beside plain Dramatiq", percentile(ratios, 0.5), 0.3, "x"))


def _shown(what: str, side: Side) -> list[Figure]:
    cpu = ", ".join(f"{name} {seconds * 1e3:.2f}" for name, seconds in side.cpu.items())
    return [
        Figure(what, f"{side.rate:,.0f}/s (enqueueing alone {side.sent:,.0f}/s)"),
        Figure("   CPU in milliseconds by run", cpu),
    ]


def _plain(stage: Stage, wanted: int) -> Side:
    with stage.process("bench.plain", BENCH_RUNS=str(wanted)) as worker:
        worker.wait_for("ready")
        used = cpu_seconds(worker.pid)
        with stage.process("bench.plain_sender", BENCH_RUNS=str(wanted)) as sender:
            sender.wait_for("begins")
            began = time.perf_counter()
            before = cpu_seconds(sender.pid)
            sender.wait_for("sent", LONG)
            sent = time.perf_counter()
            sending = cpu_seconds(sender.pid) - before
            worker.wait_for("done", LONG)
        whole = time.perf_counter() - began
        cpu = {"worker": (cpu_seconds(worker.pid) - used) / wanted, "sender": sending / wanted}
        return Side(wanted / whole, wanted / (sent - began), cpu)


async def _careline(stage: Stage, wanted: int, name: str) -> Side:
    async with stage.database(name) as url:
        who = await space()
        with stage.worker(url) as worker:

            def used() -> list[float]:
                return [cpu_seconds(worker.pid), time.process_time(), stage.database_cpu()]

            before, began = used(), time.perf_counter()
            await asyncio.gather(*(_enqueue(who, wanted // THREADS) for _ in range(THREADS)))
            sent = time.perf_counter()
            await drained(who, seconds=LONG)
            ended = time.perf_counter()
            spent = [(now - then) / wanted for now, then in zip(used(), before, strict=True)]
        done = await db.value("SELECT count(*) FROM runs WHERE state = 'SUCCEEDED' AND attempt = 1")
        assert done == wanted // THREADS * THREADS, f"{done:,} of {wanted:,} were done at the first attempt"
        cpu = dict(zip(("worker", "sender", "PostgreSQL"), spent, strict=True))
        return Side(done / (ended - began), done / (sent - began), cpu)


async def _enqueue(who: Principal, count: int) -> None:
    for _ in range(count):
        async with db.transaction():
            await runs.enqueue(who, NOTHING)


async def starts(stage: Stage, args: argparse.Namespace, board: Board) -> None:
    """From the commit that asks for a run to its code, in another process; nothing else to do."""
    async with stage.database("starts") as url:
        who = await space()
        with stage.worker(url):
            delays = await stamped(who, args.per_second, args.seconds)
    note = f" ({len(delays)} at {args.per_second}/s)"
    board.add(
        at_most("start after commit, p50", percentile(delays, 0.5) * 1e3, 30, "ms", note),
        at_most("start after commit, p99", percentile(delays, 0.99) * 1e3, 150, "ms"),
        Figure("start after commit, worst", f"{max(delays) * 1e3:.3g} ms"),
    )


async def stamped(who: Principal, per_second: float, seconds: float) -> list[float]:
    """Ask for runs at an even rate; how long after its commit each began, in seconds."""
    committed: dict[int, int] = {}

    async def ask() -> None:
        async with db.transaction():
            at: list[int] = []
            db.after_commit(lambda: at.append(time.monotonic_ns()))  # the first to hear of the commit
            run = await runs.enqueue(who, STAMP)
        committed[run.id] = at[0]

    loop = asyncio.get_running_loop()
    began = loop.time()
    asked = []
    for number in range(int(per_second * seconds)):
        await asyncio.sleep(max(0.0, began + number / per_second - loop.time()))
        asked.append(asyncio.create_task(ask()))
    await asyncio.gather(*asked)
    await drained(who, seconds=60)
    results = await db.rows("SELECT id, result FROM runs WHERE id IN :ids", ids=list(committed))
    return [(db.document_of(row["result"])["started_ns"] - committed[row["id"]]) / 1e9 for row in results]


async def idle(stage: Stage, args: argparse.Namespace, board: Board) -> None:
    """What a worker process costs that has nothing to do; its main thread is the clock and the loop."""
    async with stage.database("idle") as url:
        await space()
        with stage.worker(url) as worker:
            await asyncio.sleep(3)
            before = cpu_seconds(worker.pid), cpu_seconds(worker.pid, worker.pid)
            await asyncio.sleep(args.idle)
            after = cpu_seconds(worker.pid), cpu_seconds(worker.pid, worker.pid)
    whole, clock = ((now - then) / args.idle * 100 for now, then in zip(after, before, strict=True))
    board.add(
        at_most("idle worker process, of a core", whole, 5, "%"),
        at_most("   the thread of its clock and loop", clock, 2, "%"),
    )


PARTS: dict[str, Callable[[Stage, argparse.Namespace, Board], Awaitable[None]]] = {
    "throughput": throughput,
    "starts": starts,
    "enqueue": cost.enqueue,
    "idle": idle,
    "flood": flood.flood,
    "wall": wall.wall,
}
SIZES = {"runs": 20_000, "seconds": 30.0, "idle": 20.0, "queued": 100_000, "rows": 200_000}
"""How much of each there is, unless the command line says otherwise; a tenth with --quick."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.runs", description=__doc__)
    parser.add_argument(
        "--parts",
        default=os.environ.get("BENCH_PARTS", ",".join(PARTS)),
        help=f"which of {', '.join(PARTS)}, between commas (default: BENCH_PARTS, or all)",
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of every size: to see that it works")
    parser.add_argument("--runs", type=int, help="no-op runs of a round")
    parser.add_argument("--rounds", type=int, default=1, help="rounds of the throughput, by turns")
    parser.add_argument("--per-second", type=float, default=50)
    parser.add_argument("--seconds", type=float, help="for how long runs are started one by one")
    parser.add_argument("--idle", type=float, help="seconds to watch an idle worker")
    parser.add_argument("--queued", type=int, help="runs that wait when Valkey forgets all")
    parser.add_argument("--rows", type=int, help="customers behind row-level security")
    args = parser.parse_args()
    for name, size in SIZES.items():
        if getattr(args, name) is None:
            setattr(args, name, type(size)(size / 10 if args.quick else size))
    args.parts = args.parts.split(",")
    if unknown := set(args.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    asyncio.run(_all(args))


async def _all(args: argparse.Namespace) -> None:
    board = Board()
    with set_up() as stage:
        print(_about(stage), flush=True)
        for name in args.parts:
            began = time.monotonic()
            print(f"{name}, load {os.getloadavg()[0]:.1f}:", flush=True)
            try:
                async with asyncio.timeout(PART_SECONDS):
                    await PARTS[name](stage, args, board)
            except Exception as error:
                board.add(Figure(f"{name} broke off", f"{type(error).__name__}: {error}", ok=False))
            print(f"  ({time.monotonic() - began:.0f} s)", flush=True)
    board.sum_up()


def _about(stage: Stage) -> str:
    """The machine, the versions, and how careful PostgreSQL was."""
    packages = ", ".join(f"{name} {version(name)}" for name in NAMES)
    careful = ", ".join(
        f"{name}={stage.postgres.sql(f'SHOW {name}')}"
        for name in ("server_version", "fsync", "synchronous_commit", "full_page_writes")
    )
    cpus = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return (
        f"{platform.platform()}, {len(cpus)} cores, CPython {platform.python_version()}\n"
        f"{packages}\nPostgreSQL {careful}"
    )


if __name__ == "__main__":
    main()
