"""What PostgreSQL's row-level security costs: the same statements, behind the wall and past it."""

import argparse
import time
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
from tortoise.connection import get_connections
from tortoise.expressions import Q

from bench.figures import Board, Figure, percentile
from bench.filling import fill, space
from bench.kinds import NOTHING
from bench.stage import Stage
from domain import customers, db, runs
from domain.access import Principal
from domain.paging import Order, Slice

ROUNDS, BLOCK = 20, 20
SPACES = 4
QUEUED = 2000
Statement = tuple[str, tuple[Any, ...]]


class _Undo(Exception):
    """What was asked for only to see its statements is not kept."""


async def wall(stage: Stage, args: argparse.Namespace, board: Board) -> None:
    """By turns in blocks on two connections, one of the role that serves and one of a superuser."""
    async with stage.database("wall") as url:
        spaces = [await space(f"Bench {number}") for number in range(SPACES)]
        for who in spaces:
            await _people(who, args.rows // SPACES)
            await fill(who, QUEUED)
        who = spaces[1]
        asked: dict[str, tuple[str, Callable[[], Awaitable[Any]]]] = {
            "a worker's pull of 6 runs, of all workspaces": (
                db.EVERYWHERE,
                lambda: runs.pull("bench", 30, ["default"], 6),
            ),
            f"a page of 50 customers of {args.rows:,}": (
                f"{who.workspace_id:d}",
                lambda: customers.page(who, Q(), Order("registered_at"), Slice(first=50)),
            ),
            "how many customers a workspace has": (
                f"{who.workspace_id:d}",
                lambda: customers.Customer.filter(workspace_id=who.workspace_id).count(),
            ),
            "an INSERT of a run with its journal line": (
                f"{who.workspace_id:d}",
                lambda: runs.enqueue(who, NOTHING),
            ),
        }
        behind = await asyncpg.connect(url)
        past = await asyncpg.connect(stage.postgres.url_of("wall"))
        try:
            for name, (scope, ask) in asked.items():
                statements = await _statements(ask)
                await behind.execute(f"SET {db.SCOPE} = '{scope}'")
                board.add(await _compared(name, statements, behind, past))
        finally:
            await behind.close()
            await past.close()


async def _people(who: Principal, count: int) -> None:
    await db.execute(
        """INSERT INTO customers (workspace_id, version, external_id, name, registered_at, excluded,
             synthetic, order_count, order_total_minor, created_at, updated_at)
           SELECT :workspace, 1, 'c' || n, 'Customer ' || n, {now}, FALSE, FALSE, 0, 0, {now}, {now}
           FROM generate_series(1, :count) n""",
        workspace=who.workspace_id,
        count=count,
    )


async def _statements(ask: Callable[[], Awaitable[Any]]) -> list[Statement]:
    """What it sends to PostgreSQL, as it sends it."""
    seen: list[Statement] = []
    try:
        async with db.transaction():
            await ask()  # whatever is looked up only once
            raw: Any = get_connections().get(db.dialect())
            with raw._connection.query_logger(lambda sent: seen.append((sent.query, tuple(sent.args)))):
                await ask()
            raise _Undo
    except _Undo:
        return seen


async def _compared(name: str, statements: list[Statement], behind: Any, past: Any) -> Figure:
    with_it, without = [], []
    for _ in range(ROUNDS):
        without.append(await _timed(past, statements))
        with_it.append(await _timed(behind, statements))
    mine, theirs = percentile(with_it, 0.5), percentile(without, 0.5)
    return Figure(name, f"{mine * 1e6:,.0f} us behind, {theirs * 1e6:,.0f} us past: {mine / theirs:.2f} x")


async def _timed(connection: Any, statements: list[Statement]) -> float:
    """Seconds for one of a block, in a transaction that is undone."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        began = time.perf_counter()
        for _ in range(BLOCK):
            for text, values in statements:
                await connection.fetch(text, *values)
        return (time.perf_counter() - began) / BLOCK
    finally:
        await transaction.rollback()
