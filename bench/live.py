"""`make bench-live`: one event to many subscribers, beside the same bytes over bare WebSockets.

It prints figures and targets; it fails on none. Latency is from the commit to each subscriber where
this process commits (PostgreSQL), and from the sending of the mutation, which is longer, where it
cannot (SQLite). CPU is of the serving process, its work on the database included, for each message.
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

import httpx2

from bench.figures import Board, Figure, at_most, percentile
from bench.listeners import Listener, listeners
from bench.stage import Child, Stage, set_up
from domain import customers, tasks, timekeeping, workspaces
from domain.access import Role, system
from domain.contacts import Channel
from tests.servers.process import free_port

QUERY = "subscription { taskChanged { cursor at change task { id title state dueAt customer { id name } } } }"
MANY = {
    "CARELINE_SOCKETS_PER_KEY": "100000",
    "CARELINE_SOCKETS_PER_WORKSPACE": "100000",
    "CARELINE_STREAMS_PER_WORKSPACE": "100000",
}
SETTLE_SECONDS = 1.0
NAMES = ("strawberry-graphql", "uvicorn", "websockets", "asyncpg")


@dataclass
class Side:
    """One server with something that makes it tell; `keys` are those of its subscribers."""

    port: int
    pid: int
    keys: list[str]
    tell: Callable[[], Awaitable[float]]
    """Makes one event; when it was, on the monotonic clock."""


@dataclass
class Measured:
    """The latencies of all messages in seconds, the slowest of each round, and CPU for each message."""

    latencies: list[float]
    slowest: list[float]
    cpu: float
    message: str


async def measured(side: Side, count: int, rounds: int) -> Measured:
    """So many subscribers, told so often."""
    there: list[Listener] = await listeners(side.port, side.keys, count, QUERY)
    await asyncio.sleep(SETTLE_SECONDS)
    latencies: list[float] = []
    slowest: list[float] = []
    cpu = 0.0
    for number in range(rounds + 2):  # the first two warm it up
        for each in there:
            each.heard.clear()
        before = _cpu(side.pid)
        told = await side.tell()
        async with asyncio.timeout(60):
            while not all(each.heard for each in there):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        round_cpu = _cpu(side.pid) - before
        if number >= 2:
            came = [each.heard[0] - told for each in there]
            latencies += came
            slowest.append(max(came))
            cpu += round_cpu
    message = there[0].last.decode()
    for each in there:
        each.transport.abort()
    await asyncio.sleep(SETTLE_SECONDS)
    return Measured(latencies, slowest, cpu / (rounds * count), message)


def _cpu(pid: int) -> float:
    """Seconds of CPU of all threads of a process, finer than the ticks of its statistics."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


async def made_keys(workspace_id: int) -> list[str]:
    """A key of every role: as many groups of those who may see the same."""
    return [
        (await workspaces.create_key(system(workspace_id), name=role.value, role=role)).secret
        for role in Role
    ]


@contextlib.asynccontextmanager
async def distributed(stage: Stage) -> AsyncIterator[Side]:
    """A serving process and a worker on PostgreSQL; this process commits, as another server would."""
    async with stage.database("live") as url:
        workspace = await workspaces.create("Bench")
        who = system(workspace.id, "bench")
        customer, _ = await customers.upsert(who, "C1", name="Wang Xiaoming")
        port, numbers = free_port(), iter(range(10**9))

        async def tell() -> float:
            now = timekeeping.machine_now()
            title = f"Call {next(numbers)}"
            draft = tasks.Draft(
                kind=tasks.TaskKind.GENERAL,
                customer_id=customer.id,
                title=title,
                dedupe_key=title,
                due_at=now + timedelta(days=1),
                contact_at=now,
                channel=Channel.PHONE,
            )
            await tasks.create(who, draft)
            return time.monotonic()

        environment = {"DATABASE_URL": url, "CARELINE_PORT": str(port), "CARELINE_RATE_POINTS": "0", **MANY}
        with stage.worker(url), stage.process("bench.serving", **environment) as server:
            server.wait_for("serving")
            yield Side(port, server.pid, await made_keys(workspace.id), tell)


@contextlib.asynccontextmanager
async def embedded(stage: Stage) -> AsyncIterator[Side]:
    """One process with SQLite, which is told by mutations over HTTP."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            "DATABASE_URL": f"sqlite:///{folder}/careline.db",
            "REDIS_URL": "",
            "CARELINE_RATE_POINTS": "0",
            "BENCH_KEYS": "1",
            **MANY,
        }
        port = free_port()
        with stage.process("bench.serving", CARELINE_PORT=str(port), **environment) as server:
            server.wait_for("serving")
            keys: list[str] = json.loads(server.line_with('["careline_'))
            async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {keys[0]}"}, timeout=30) as http:
                numbers = iter(range(10**9))

                async def ask(query: str) -> None:
                    answer = await http.post(f"http://127.0.0.1:{port}/graphql", json={"query": query})
                    assert "errors" not in answer.json(), answer.text

                upsert = 'customerUpsert(input: {externalId: "C1", name: "Wang Xiaoming"}) { __typename }'
                await ask(f"mutation {{ {upsert} }}")

                async def tell() -> float:
                    began = time.monotonic()
                    name = f'leadRecord(input: {{externalId: "L{next(numbers)}", customerExternalId: "C1", '
                    more = 'source: WEBSITE, consent: true, acquiredAt: "2026-11-01T00:00:00Z"}'
                    await ask(f"mutation {{ {name}{more}) {{ __typename }} }}")
                    return began

                yield Side(port, server.pid, keys, tell)


@contextlib.asynccontextmanager
async def bare(stage: Stage, message: str) -> AsyncIterator[Side]:
    """The same bytes, sent by a server that does nothing else."""
    port = free_port()
    server: Child
    with stage.process("bench.bare", BENCH_PORT=str(port)) as server:
        server.wait_for("serving")
        async with httpx2.AsyncClient(timeout=30) as http:

            async def tell() -> float:
                began = time.monotonic()
                await http.post(f"http://127.0.0.1:{port}/tell", content=message.encode())
                return began

            yield Side(port, server.pid, ["none"], tell)


async def _bench(stage: Stage, args: argparse.Namespace, board: Board) -> None:
    async with distributed(stage) as side:
        for count in args.subscribers:
            print(f"{count} subscribers ...", flush=True)
            ours = await measured(side, count, args.rounds)
            async with bare(stage, ours.message) as plain:
                theirs = await measured(plain, count, args.rounds)
            board.add(*_figures(count, len(side.keys), ours, theirs))
        few = await measured(side, len(side.keys), args.rounds * 2)
    board.add(_first("PostgreSQL, API and worker apart: commit to subscriber, p50", few))
    print("embedded ...", flush=True)
    async with embedded(stage) as side:
        few = await measured(side, 1, args.rounds * 2)
    board.add(_first("SQLite, one process: mutation sent to subscriber, p50", few))


def _first(what: str, found: Measured) -> Figure:
    return at_most(what, percentile(found.latencies, 0.5) * 1000, 50, "ms")


def _figures(count: int, groups: int, ours: Measured, theirs: Measured) -> list[Figure]:
    def shown(found: Measured) -> str:
        p50, p99 = (percentile(found.latencies, share) * 1000 for share in (0.5, 0.99))
        return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, {found.cpu * 1e6:.0f} us of CPU a message"

    p99 = percentile(ours.latencies, 0.99) * 1000
    return [
        Figure(f"{count} subscribers, bare: {len(theirs.message)} bytes", shown(theirs)),
        Figure(f"{count} subscribers in {groups} groups, Careline", shown(ours)),
        at_most("   p99 from the commit on", p99, 100, "ms"),
        at_most("   CPU of a message beside bare", ours.cpu / theirs.cpu if theirs.cpu else 0, 3, "x"),
    ]


async def _all(args: argparse.Namespace) -> None:
    packages = ", ".join(f"{name} {version(name)}" for name in NAMES)
    print(f"{platform.platform()}, {os.cpu_count()} cores, CPython {platform.python_version()}, {packages}")
    with set_up() as stage:
        board = Board()
        await _bench(stage, args, board)
        board.sum_up()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscribers", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--rounds", type=int, default=20, help="events for each figure")
    asyncio.run(_all(parser.parse_args()))


if __name__ == "__main__":
    main()
