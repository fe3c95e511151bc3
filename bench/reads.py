"""`make bench-reads`: what a query costs by its compiled plan, by graphql-core, and at the least.

Three servers on one database, asked by turns: the application held to graphql-core, the application,
and a bare handler that runs the plan's own statements and sends the same bytes. What counts is the
CPU of a request, that of the server and of PostgreSQL's processes together. It fails on nothing.
"""

import argparse
import asyncio
import itertools
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from bench.figures import Board, Figure, at_least, at_most, percentile
from bench.shop import fill
from bench.stage import Child, Stage, cpu_seconds, set_up
from domain import db, paging, timekeeping
from domain.db.migrate import migrate

SIDES = ("core", "compiled", "bare")
BODIES = 50
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
TIMES = {"one row": 8, "page of 50": 8, "50 x 5": 20, "100 tasks": 8}
"""By how many times a compiled plan is to be cheaper than graphql-core."""


@dataclass
class Cell:
    """What was seen of one side, shape and number of connections."""

    seconds: list[float] = field(default_factory=list)
    cpu: float = 0
    wall: float = 0

    @property
    def cpu_ms(self) -> float:
        return self.cpu / max(1, len(self.seconds)) * 1e3


@dataclass
class Side:
    """One running server."""

    child: Child
    port: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3, help="each cell is measured so often, by turns")
    parser.add_argument("--seconds", type=float, default=2, help="for each cell of a round")
    asyncio.run(_all(parser.parse_args()))


async def _all(args: argparse.Namespace) -> None:
    with set_up() as stage:
        async with _filled(stage, args.customers) as (url, key), AsyncExitStack() as stack:
            sides = {}
            for name in SIDES:
                port = _free_port()
                child = stack.enter_context(
                    stage.process("bench.reader", DATABASE_URL=url, BENCH_SIDE=name, CARELINE_PORT=str(port))
                )
                await asyncio.to_thread(child.wait_for, "serving")
                sides[name] = Side(child, port)
            try:
                cells = await _measured(stage, sides, key, args)
            except asyncio.IncompleteReadError:
                print("".join(line for side in sides.values() for line in side.child.said()))
                raise
            board = Board()
            board.add(*_figures(cells, sides))
            board.sum_up()


@asynccontextmanager
async def _filled(stage: Stage, customers: int) -> AsyncIterator[tuple[str, str]]:
    url = stage.postgres.create_database("reads")
    timekeeping.forget()
    async with db.open_database(url):
        await migrate(url)
        print(f"filling {customers:,} customers ...", flush=True)
        key = await fill(customers)
    yield url, key


async def _measured(
    stage: Stage, sides: dict[str, Side], key: str, args: argparse.Namespace
) -> dict[tuple[str, str, int], Cell]:
    requests = {shape: _requests(shape, key, args.customers) for shape in SHAPES}
    for shape, name in itertools.product(SHAPES, SIDES):
        # Everything once: plans, prepared statements, the bare side's bytes; and all must say the same.
        answers = [await _ask(sides[name].port, request) for request in requests[shape]]
        assert all(b'"errors"' not in answer for answer in answers), (shape, name, answers[0][:500])
    cells: dict[tuple[str, str, int], Cell] = {}
    for number in range(args.rounds):
        print(f"round {number + 1} ...", flush=True)
        for shape, connections, name in itertools.product(SHAPES, (1, 16), SIDES):
            cell = cells.setdefault((shape, name, connections), Cell())
            await _load(stage, sides[name], requests[shape], connections, args.seconds, cell)
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
        body = json.dumps({"query": SHAPES[shape], "variables": variables}).encode()
        head = (
            f"POST /graphql HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


def _instant(random: Random) -> datetime:
    return datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=random.randrange(0, 1_000))


async def _load(
    stage: Stage, side: Side, requests: list[bytes], connections: int, seconds: float, cell: Cell
) -> None:
    used, began = _cpu(stage, side), time.perf_counter()
    turn = itertools.cycle(requests)
    await asyncio.gather(*(_client(side.port, turn, began + seconds, cell) for _ in range(connections)))
    cell.cpu += _cpu(stage, side) - used
    cell.wall += time.perf_counter() - began


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
    return await reader.readexactly(int(length))


def _cpu(stage: Stage, side: Side) -> float:
    """Of the server, and of the database with all its processes."""
    database = stage.postgres.pid
    own = [
        int(each.name)
        for each in Path("/proc").iterdir()
        if each.name.isdigit() and _parent(int(each.name)) == database
    ]
    return cpu_seconds(side.child.pid) + sum(cpu_seconds(pid) for pid in own)


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def _peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _figures(cells: dict[tuple[str, str, int], Cell], sides: dict[str, Side]) -> list[Figure]:
    figures = []
    for shape in SHAPES:
        for name, connections in itertools.product(SIDES, (1, 16)):
            cell = cells[shape, name, connections]
            p50, p99 = (percentile(cell.seconds, share) * 1e3 for share in (0.5, 0.99))
            rate = len(cell.seconds) / cell.wall
            seen = f"{rate:,.0f}/s, p50 {p50:.2f} ms, p99 {p99:.2f} ms, CPU {cell.cpu_ms:.3f} ms"
            figures.append(Figure(f"{shape}, {name}, {connections} at once", seen))
        core, compiled, bare = (cells[shape, name, 16].cpu_ms for name in SIDES)
        figures.append(at_least("   CPU of graphql-core beside the plan", core / compiled, TIMES[shape], "x"))
        figures.append(at_least("   CPU of the bare handler beside the plan", bare / compiled, 0.5, "x"))
    peak = _peak_mib(sides["compiled"].child.pid)
    return [*figures, at_most("peak memory of the compiled side", peak, 150, "MiB")]


if __name__ == "__main__":
    main()
