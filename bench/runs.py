"""`make bench-runs`: what the ledger of machine work costs, on PostgreSQL and Valkey, beside plain Dramatiq.

It prints figures and targets; it fails on none. Both sides of a ratio are of one and the same run.
"""

import argparse
import asyncio
import platform
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path

from bench import cost, flood
from bench.figures import Figure, at_least, at_most, percentile, show
from bench.filling import NAMES, drained, space
from bench.kinds import NOTHING, STAMP
from bench.stage import THREADS, Stage, cpu_seconds, set_up
from domain import db, runs
from domain.access import Principal

LONG = 900


async def throughput(stage: Stage, args: argparse.Namespace) -> list[Figure]:
    """The same number of no-ops through both, each enqueued by one process and done by another."""
    ours, theirs = [], []
    for number in range(args.rounds):
        theirs.append(await asyncio.to_thread(_plain, stage, args.runs))
        ours.append(await _careline(stage, args.runs, f"throughput_{number}"))
    figures = [
        Figure("plain Dramatiq, enqueued and run", _shown([whole for whole, _ in theirs])),
        Figure("   enqueueing alone, of that", _shown([sent for _, sent in theirs])),
        Figure("Careline, enqueued, run and recorded", _shown([each[0] for each in ours])),
        Figure("   enqueueing alone, of that", _shown([each[1] for each in ours])),
        Figure("   CPU of the worker process, of its time", f"{_middle([each[2] for each in ours]):.0%}"),
    ]
    ratio = _middle([mine[0] / yours[0] for mine, yours in zip(ours, theirs, strict=True)])
    return [*figures, at_least("Careline beside plain Dramatiq", ratio, 0.3, "x")]


def _middle(values: list[float]) -> float:
    return percentile(values, 0.5)


def _shown(rates: list[float]) -> str:
    return " ".join(f"{rate:,.0f}/s" for rate in rates)


def _plain(stage: Stage, wanted: int) -> tuple[float, float]:
    """Messages enqueued and run per second, and enqueued per second meanwhile."""
    with stage.process("bench.plain", BENCH_RUNS=str(wanted)) as worker:
        worker.wait_for("ready")
        began = time.perf_counter()
        with stage.process("bench.plain_sender", BENCH_RUNS=str(wanted)) as sender:
            sender.wait_for("begins")
            began = time.perf_counter()
            sender.wait_for("sent", LONG)
            sent = time.perf_counter()
            worker.wait_for("done", LONG)
        return wanted / (time.perf_counter() - began), wanted / (sent - began)


async def _careline(stage: Stage, wanted: int, name: str) -> tuple[float, float, float]:
    """Runs enqueued, done and recorded per second; enqueued per second meanwhile; the worker's CPU."""
    async with stage.database(name) as url:
        who = await space()
        with stage.worker(url) as worker:
            used, began = cpu_seconds(worker.pid), time.perf_counter()
            await asyncio.gather(*(_enqueue(who, wanted // THREADS) for _ in range(THREADS)))
            sent = time.perf_counter()
            await drained(who, seconds=LONG)
            ended = time.perf_counter()
            used = cpu_seconds(worker.pid) - used
        done = await db.value("SELECT count(*) FROM runs WHERE state = 'SUCCEEDED' AND attempt = 1")
        assert done == wanted // THREADS * THREADS, f"{done:,} of {wanted:,} were done at the first attempt"
        return done / (ended - began), done / (sent - began), used / (ended - began)


async def _enqueue(who: Principal, count: int) -> None:
    for _ in range(count):
        async with db.transaction():
            await runs.enqueue(who, NOTHING)


async def starts(stage: Stage, args: argparse.Namespace) -> list[Figure]:
    """From the commit that asks for a run to its code, in another process; nothing else to do."""
    async with stage.database("starts") as url:
        who = await space()
        with stage.worker(url):
            delays = await stamped(who, args.per_second, args.seconds)
    note = f" ({len(delays)} at {args.per_second}/s)"
    return [
        at_most("start after commit, p50", percentile(delays, 0.5) * 1e3, 30, "ms", note),
        at_most("start after commit, p99", percentile(delays, 0.99) * 1e3, 150, "ms"),
        Figure("start after commit, worst", f"{max(delays) * 1e3:.3g} ms"),
    ]


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


async def idle(stage: Stage, args: argparse.Namespace) -> list[Figure]:
    """What a worker process costs that has nothing to do; its main thread is the clock and the loop."""
    async with stage.database("idle") as url:
        await space()
        with stage.worker(url) as worker:
            await asyncio.sleep(3)
            before = cpu_seconds(worker.pid), cpu_seconds(worker.pid, worker.pid)
            await asyncio.sleep(args.idle)
            after = cpu_seconds(worker.pid), cpu_seconds(worker.pid, worker.pid)
    whole, clock = ((now - then) / args.idle * 100 for now, then in zip(after, before, strict=True))
    return [
        at_most("idle worker process, of a core", whole, 5, "%"),
        at_most("   the thread of its clock and loop", clock, 2, "%"),
    ]


BENCHES: dict[str, Callable[[Stage, argparse.Namespace], Awaitable[list[Figure]]]] = {
    "throughput": throughput,
    "starts": starts,
    "enqueue": cost.enqueue,
    "idle": idle,
    "flood": flood.flood,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help=f"which of {', '.join(BENCHES)} (default: all)")
    parser.add_argument("--runs", type=int, default=20_000, help="no-op runs of a round")
    parser.add_argument("--rounds", type=int, default=1, help="rounds of the throughput, by turns")
    parser.add_argument("--per-second", type=float, default=50)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--idle", type=float, default=20, help="seconds to watch an idle worker")
    parser.add_argument("--queued", type=int, default=100_000, help="runs that wait when Valkey forgets all")
    args = parser.parse_args()
    if unknown := set(args.only) - set(BENCHES):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    asyncio.run(_all(args))


async def _all(args: argparse.Namespace) -> None:
    figures: list[Figure] = []
    with set_up() as stage:
        print(_about(stage), flush=True)
        for name, bench in BENCHES.items():
            if not args.only or name in args.only:
                print(f"{name} ...", flush=True)
                figures += await bench(stage, args)
    show(figures)


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
