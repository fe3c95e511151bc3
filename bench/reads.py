"""`make bench-reads`: what a query costs by its compiled plan, by graphql-core, and at the least.

Three servers on one database, asked by turns: the application held to graphql-core, the application,
and a bare handler that runs the plan's own statements and sends the same bytes; all as a role that owns
nothing, behind row-level security. `--postgraphile` adds a PostGraphile, as that role and over the same
rows, but without keys, limits or masks. What counts is the CPU of a request, that of the server and of
PostgreSQL's processes together. It fails on no figure, but on any answer that is not the whole one.
"""

import argparse
import asyncio
import itertools
import json
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from bench import postgraphile
from bench.figures import Board, Figure, at_least, at_most, percentile
from bench.shares import LINE
from bench.shop import fill
from bench.stage import Child, Stage, cpu_seconds, set_up
from domain import db, paging, timekeeping
from domain.db.migrate import grant, migrate
from tests.servers import ROLE

SIDES = ("core", "compiled", "bare")
OTHER = "postgraphile"
BODIES, CONNECTIONS = 50, 8
CUSTOMER = "id externalId name phone email registeredAt orderCount lastOrderAt version"
SHAPES = {
    "one row": f"query ($externalId: String) {{ customer(externalId: $externalId) {{ {CUSTOMER} }} }}",
    "page of 50": f"""query ($after: String) {{ customers(first: 50, after: $after) {{
      nodes {{ {CUSTOMER} }} pageInfo {{ hasNextPage endCursor }} }} }}""",
    "50 x 5": """query ($after: String) { customers(first: 50, after: $after) { nodes { id name
      tasks(first: 5) { nodes { id title kind state priority dueAt version } } } } }""",
    "100 tasks": """query ($after: String) {
      tasks(first: 100, after: $after, where: {state: {in: [OPEN, SNOOZED]}}) {
        nodes { id title kind state priority dueAt customer { id name } } } }""",
}
UNRATIONED = {"CARELINE_RATE_POINTS": "1000000000", "CARELINE_RATE_PER_SECOND": "1000000000", "REDIS_URL": ""}
"""Each caller has a bucket, of this process, which is never empty."""
TIMES = {"one row": 8, "page of 50": 8, "50 x 5": 20, "100 tasks": 8}
"""By how many times a compiled plan is to be cheaper than graphql-core."""


@dataclass
class Cell:
    """What was seen of one side, shape and number of connections."""

    seconds: list[float] = field(default_factory=list)
    server: float = 0
    database: float = 0
    """Seconds of CPU."""
    wall: float = 0

    @property
    def cpu_ms(self) -> float:
        return self.each_ms(self.server + self.database)

    def each_ms(self, seconds: float) -> float:
        return seconds / max(1, len(self.seconds)) * 1e3


@dataclass
class Side:
    """One running server."""

    child: Child
    port: int
    looked: int = 0
    """How often it said where its CPU goes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3, help="each cell is measured so often, by turns")
    parser.add_argument("--seconds", type=float, default=2, help="for each cell of a round")
    parser.add_argument("--postgraphile", action="store_true", help="ask PostGraphile, too (npm installs it)")
    asyncio.run(_all(parser.parse_args()))


async def _all(args: argparse.Namespace) -> None:
    with set_up() as stage:
        async with _filled(stage, args.customers) as (url, key), AsyncExitStack() as stack:
            sides = {}
            for name in SIDES:
                port = _free_port()
                own = {"DATABASE_URL": url, "BENCH_SIDE": name, "CARELINE_PORT": str(port)}
                child = stack.enter_context(stage.process("bench.reader", **own, **UNRATIONED))
                await asyncio.to_thread(child.wait_for, "serving")
                sides[name] = Side(child, port)
            own_words = {shape: _requests(shape, key, args.customers) for shape in SHAPES}
            requests = dict.fromkeys(SIDES, own_words)
            if args.postgraphile:
                port = _free_port()
                child = stack.enter_context(postgraphile.serving(url, port, CONNECTIONS))
                sides[OTHER] = Side(child, port)
                requests[OTHER] = {
                    shape: await _in_other_words(port, shape, args.customers) for shape in SHAPES
                }
            try:
                cells = await _measured(stage, sides, requests, args)
                shares = [await _shares(sides["compiled"], own_words[shape]) for shape in SHAPES]
            except asyncio.IncompleteReadError:
                print("".join(line for side in sides.values() for line in side.child.said()))
                raise
            board = Board()
            board.add(*_figures(cells, sides, shares))
            board.sum_up()


@asynccontextmanager
async def _filled(stage: Stage, customers: int) -> AsyncIterator[tuple[str, str]]:
    owner = stage.postgres.create_database("reads")
    timekeeping.forget()
    async with db.open_database(owner):
        await migrate(owner)
        await grant(ROLE)
        print(f"filling {customers:,} customers ...", flush=True)
        key = await fill(customers)
    yield stage.postgres.url_of("reads", ROLE), key


async def _measured(
    stage: Stage,
    sides: dict[str, Side],
    requests: dict[str, dict[str, list[bytes]]],
    args: argparse.Namespace,
) -> dict[tuple[str, str, int], Cell]:
    for shape, name in itertools.product(SHAPES, sides):
        # Everything once: plans, prepared statements, the bare side's bytes.
        for request in requests[name][shape]:
            await _ask(sides[name].port, request)
    cells: dict[tuple[str, str, int], Cell] = {}
    for number in range(args.rounds):
        print(f"round {number + 1} ...", flush=True)
        for shape, connections, name in itertools.product(SHAPES, (1, 16), sides):
            cell = cells.setdefault((shape, name, connections), Cell())
            await _load(stage, sides[name], requests[name][shape], connections, args.seconds, cell)
    return cells


def _requests(shape: str, key: str, customers: int) -> list[bytes]:
    random = Random(7)  # noqa: S311
    made = []
    for _ in range(BODIES):
        row = random.randrange(1, max(2, customers - 200))
        after = paging.encode([row, row])
        if shape == "100 tasks":
            after = paging.encode([_instant(random), row])
        variables = {"externalId": f"C-{row}"} if shape == "one row" else {"after": after}
        made.append(_request(SHAPES[shape], variables, f"Authorization: Bearer {key}\r\n"))
    return made


async def _in_other_words(port: int, shape: str, customers: int) -> list[bytes]:
    """The same of PostGraphile; its cursors are its own, so it is asked for them first."""
    random = Random(7)  # noqa: S311
    made = []
    for _ in range(BODIES):
        row = random.randrange(1, max(2, customers - 200))
        variables = {"externalId": f"C-{row}"}
        if shape != "one row":
            place = _request(*postgraphile.place(shape, row))
            variables = {"after": postgraphile.cursor(await _ask(port, place))}
        made.append(_request(postgraphile.SHAPES[shape], variables))
    return made


def _request(query: str, variables: Mapping[str, Any], headers: str = "") -> bytes:
    body = json.dumps({"query": query, "variables": variables}).encode()
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: bench\r\n{headers}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _instant(random: Random) -> datetime:
    return datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=random.randrange(0, 1_000))


async def _load(
    stage: Stage, side: Side, requests: list[bytes], connections: int, seconds: float, cell: Cell
) -> None:
    server, database, began = cpu_seconds(side.child.pid), stage.database_cpu(), time.perf_counter()
    turn = itertools.cycle(requests)
    await asyncio.gather(*(_client(side.port, turn, began + seconds, cell) for _ in range(connections)))
    cell.server += cpu_seconds(side.child.pid) - server
    cell.database += stage.database_cpu() - database
    cell.wall += time.perf_counter() - began


async def _shares(side: Side, requests: list[bytes]) -> str:
    """Where the server's own CPU goes, as it says of itself."""
    os.kill(side.child.pid, signal.SIGUSR1)
    for request in requests * 4:
        await _ask(side.port, request)
    os.kill(side.child.pid, signal.SIGUSR1)
    side.looked += 1
    line = f"{LINE}{side.looked}: "
    await asyncio.to_thread(side.child.wait_for, line)
    return side.child.line_with(line).removeprefix(line).strip()


async def _client(port: int, turn: "itertools.cycle[bytes]", until: float, cell: Cell) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (began := time.perf_counter()) < until:
        writer.write(next(turn))
        await _answer(reader)
        cell.seconds.append(time.perf_counter() - began)
    writer.close()


async def _ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await _answer(reader)
    writer.close()
    return answer


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    answer = await reader.readexactly(int(length))
    # A refusal costs little, and would make a fine figure.
    assert head.startswith(b"HTTP/1.1 200 ") and b'"errors"' not in answer, answer[:500]
    return answer


def _peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _figures(
    cells: dict[tuple[str, str, int], Cell], sides: dict[str, Side], shares: list[str]
) -> list[Figure]:
    figures = []
    for shape, spent in zip(SHAPES, shares, strict=True):
        for name, connections in itertools.product(sides, (1, 16)):
            cell = cells[shape, name, connections]
            p50, p99 = (percentile(cell.seconds, share) * 1e3 for share in (0.5, 0.99))
            rate = len(cell.seconds) / cell.wall
            seen = f"{rate:,.0f}/s, p50 {p50:.2f} ms, p99 {p99:.2f} ms, CPU {cell.cpu_ms:.3f} ms"
            seen += f" ({cell.each_ms(cell.server):.3f} of the server)"
            figures.append(Figure(f"{shape}, {name}, {connections} at once", seen))
        core, compiled, bare = (cells[shape, name, 16].cpu_ms for name in SIDES)
        figures.append(at_least("   CPU of graphql-core beside the plan", core / compiled, TIMES[shape], "x"))
        figures.append(at_least("   CPU of the bare handler beside the plan", bare / compiled, 0.5, "x"))
        if OTHER in sides:
            other = cells[shape, OTHER, 16].cpu_ms
            figures.append(at_least("   CPU of PostGraphile beside the plan", other / compiled, 2, "x"))
        figures.append(Figure("   of the server's", spent))
    peak = _peak_mib(sides["compiled"].child.pid)
    return [*figures, at_most("peak memory of the compiled side", peak, 150, "MiB")]


if __name__ == "__main__":
    main()
