"""`make bench-segments`: what placing everybody costs, in full, for a few, and beside the mere reading of it.

The floor is the aggregate and the sorts of the same data, with no comparison and no write; it is taken
between the passes, in the same run. Runs are done by a worker process of their own, as a role that owns
nothing and behind row-level security; `--sqlite` does them in this process. Each figure is a run's own time,
from its start to its end. It fails on no figure, but on any run that does not succeed.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from bench.buyers import fill, touch
from bench.figures import Board, Figure, at_most, percentile
from bench.reads import UNRATIONED, _answer, _free_port, _peak_mib, _request
from bench.stage import set_up
from domain import db, nudges, runs, segments, timekeeping, workspaces
from domain.access import Principal, Role, system
from domain.db.migrate import grant, migrate
from domain.runs import Run, RunState
from domain.segments import RecomputeMode, Segmentation
from domain.segments.figures import RANKED, own
from domain.segments.statements import plan_for_whole_tables
from tests.servers import ROLE

QUICK, EXACT, FULL = RecomputeMode
MARKED = (1_000, 20_000)
READERS_PER_SECOND, IDLE_SECONDS = 20, 10
READ = """query ($externalId: String) { customer(externalId: $externalId) {
  id name lifecycleStage valueLevel rfm { recencyDays frequency monetary { amount } rRank tier asOf } } }"""


@dataclass
class Done:
    """One publication: how long its run took, and what it changed."""

    seconds: float
    published: Segmentation


@dataclass
class Town:
    """A filled database, open, and who asks for runs; with no worker they are done here."""

    who: Principal
    key: str
    customers: int
    worker: int | None = None
    floors: list[float] = field(default_factory=list)

    async def place(self, mode: RecomputeMode) -> Done:
        run = await segments.recompute(self.who, mode)
        if self.worker is None:
            assert await runs.perform(run.id, "bench", 3600)
        ended = (RunState.SUCCEEDED, RunState.FAILED, RunState.RETRYING)  # a bench tries nothing twice
        while (run := await Run.get(id=run.id)).state not in ended:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        published = await Segmentation.get_or_none(run_id=run.id)
        assert published is not None and published.mode is mode, (run.state, run.errors)
        assert run.finished_at is not None and run.started_at is not None
        return Done((run.finished_at - run.started_at).total_seconds(), published)

    async def floor(self) -> float:
        """The aggregate and the sorts that a full pass needs, and nothing else."""
        workspace = await workspaces.get(self.who.workspace_id)
        lines = (await segments.thresholds(workspace.id)).thresholds
        source = own(lines, await timekeeping.now(workspace.id), timekeeping.zone(workspace.zone))
        async with db.transaction():
            await plan_for_whole_tables()
            began = time.perf_counter()
            await db.value(
                f"WITH {source.text}, {RANKED} SELECT SUM(composite_rank) FROM composed",
                workspace=workspace.id,
                **source.params,
            )
        self.floors.append(time.perf_counter() - began)
        return self.floors[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, help="2,000,000; 200,000 with --sqlite")
    parser.add_argument("--orders", type=int, help="five times as many")
    parser.add_argument("--rounds", type=int, default=3, help="each pass is measured so often, by turns")
    parser.add_argument("--sqlite", action="store_true", help="on SQLite, in one process")
    args = parser.parse_args()
    args.customers = args.customers or (200_000 if args.sqlite else 2_000_000)
    args.orders = args.orders or 5 * args.customers
    asyncio.run(_sqlite(args) if args.sqlite else _postgres(args))


async def _made(args: argparse.Namespace) -> Town:
    print(f"filling {args.customers:,} customers and {args.orders:,} orders ...", flush=True)
    db.enter_everywhere()
    made = await workspaces.create("Bench", currency="CNY")
    await fill(made.id, args.customers, args.orders)
    key = await workspaces.create_key(system(made.id), name="bench", role=Role.OWNER)
    return Town(system(made.id), key.secret, args.customers)


async def _sqlite(args: argparse.Namespace) -> None:
    board = Board()
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'careline.db'}"
        timekeeping.forget()
        async with db.open_database(url):
            await migrate(url)
            town = await _made(args)
            await _passes(board, town, args.rounds, first_at_most=25, unchanged_at_most=10)
    board.sum_up()


async def _postgres(args: argparse.Namespace) -> None:
    board = Board()
    with set_up() as stage:
        owner = stage.postgres.create_database("segments")
        timekeeping.forget()
        async with db.open_database(owner):
            await migrate(owner)
            await grant(ROLE)
            town = await _made(args)
            await db.execute("VACUUM ANALYZE")
        url = stage.postgres.url_of("segments", ROLE)
        async with AsyncExitStack() as stack:
            db.enter_everywhere()
            await stack.enter_async_context(db.open_database(url))
            await stack.enter_async_context(nudges.across_processes(url))
            worker = stack.enter_context(stage.worker(url))
            port = _free_port()
            environment = {"DATABASE_URL": url, "BENCH_SIDE": "compiled", "CARELINE_PORT": str(port)}
            server = stack.enter_context(stage.process("bench.reader", **environment, **UNRATIONED))
            await asyncio.to_thread(server.wait_for, "serving")
            town.worker = worker.pid
            await _passes(board, town, args.rounds)
            await _readers(board, town, port)
            board.add(at_most("peak memory of the worker", _peak_mib(worker.pid), 150, "MiB"))
    board.sum_up()


async def _passes(
    board: Board,
    town: Town,
    rounds: int,
    first_at_most: float | None = None,
    unchanged_at_most: float | None = None,
) -> None:
    await town.floor()  # once for the caches
    town.floors.clear()
    floor = await town.floor()
    first = await town.place(FULL)
    floor = (floor + await town.floor()) / 2
    assert first.published.changed == first.published.customers == town.customers
    board.add(at_most("first publication, with history", first.seconds, first_at_most or 5 * floor, "s"))
    board.add(Figure("   beside the floor", f"{first.seconds / floor:.2f} x of {floor:.2f} s", "<= 5 x"))
    unchanged: list[float] = []
    quick: dict[int, list[float]] = {many: [] for many in MARKED}
    exact: list[Done] = []
    random = Random(7)  # noqa: S311
    for number in range(rounds):
        print(f"round {number + 1} ...", flush=True)
        await town.floor()
        unchanged.append((await town.place(FULL)).seconds)
        for many in MARKED:
            if many > town.customers // 5:
                continue
            await touch(town.who.workspace_id, random, many, town.customers)
            done = await town.place(QUICK)
            assert (done.published.marked or 0) >= many, "a touched customer is a marked one"
            quick[many].append(done.seconds)
        await town.floor()
        exact.append(await town.place(EXACT))
    after = await town.place(FULL)
    assert (after.published.drift, after.published.changed) == (0, 0), "the passes had left it otherwise"
    floor = percentile(town.floors[2:], 0.5)
    middle = percentile(unchanged, 0.5)
    board.add(Figure("floor: aggregate and sort, no write", f"{floor:.2f} s at the median"))
    board.add(at_most("full pass with nothing changed", middle, unchanged_at_most or 1.8 * floor, "s"))
    board.add(Figure("   beside the floor", f"{middle / floor:.2f} x", "<= 1.8 x"))
    for many, limit in zip(MARKED, (0.3, 2), strict=True):
        if quick[many]:
            board.add(at_most(f"quick pass, {many:,} marked", percentile(quick[many], 0.5), limit, "s"))
    for done in exact:
        limit = 25 + done.published.changed / 10_000
        note = f", {done.published.changed:,} rows written"
        board.add(at_most("exact pass from the running figures", done.seconds, limit, "s", note))


async def _readers(board: Board, town: Town, port: int) -> None:
    """What readers feel while everybody is placed anew, and their placements are written."""
    idle: list[float] = []
    async with _reading(town, port, idle):
        await asyncio.sleep(IDLE_SECONDS)
    await touch(town.who.workspace_id, Random(11), town.customers // 5, town.customers)  # noqa: S311
    busy: list[float] = []
    async with _reading(town, port, busy):
        done = await town.place(FULL)
    quiet, loud = percentile(idle, 0.95) * 1e3, percentile(busy, 0.95) * 1e3
    note = f" (idle {quiet:.3g} ms, {len(busy)} read, {done.published.changed:,} rows written)"
    board.add(
        at_most(f"readers' p95 at {READERS_PER_SECOND}/s during a full pass", loud, 3 * quiet, "ms", note)
    )


@asynccontextmanager
async def _reading(town: Town, port: int, seconds: list[float]) -> AsyncIterator[None]:
    """So many requests a second, each at its time, however long the one before takes."""
    header, random = f"Authorization: Bearer {town.key}\r\n", Random(5)  # noqa: S311

    async def ask() -> None:
        began = time.perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        name = {"externalId": f"C-{random.randrange(1, town.customers)}"}
        writer.write(_request(READ, name, header))
        answer = json.loads((await _answer(reader)).partition(b"\r\n\r\n")[2] or b"{}")
        assert answer.get("data", {"customer": True})["customer"]
        writer.close()
        seconds.append(time.perf_counter() - began)

    async def ask_all() -> None:
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in itertools.count():
                await asyncio.sleep(max(0.0, began + number / READERS_PER_SECOND - time.perf_counter()))
                group.create_task(ask())

    task = asyncio.create_task(ask_all())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


if __name__ == "__main__":
    main()
