"""What asking for a run adds to a business transaction, beside a bare INSERT of the same row."""

import argparse
import time
from typing import Any

from tortoise.connection import get_connections

from bench.figures import Figure, at_most, percentile
from bench.filling import space
from bench.kinds import NOTHING
from bench.stage import Stage
from domain import db, runs, timekeeping
from domain.access import Principal

BLOCK = 100
ROUNDS = 30

_BARE = """INSERT INTO runs (workspace_id, version, kind, queue, priority, state, args, run_at, attempt,
  max_attempts, fence, deadline_seconds, progress_done, progress_unit, progress_message, errors, started_by,
  queued_at)
VALUES ($1, 1, $2, $3, $4, $5, $6, $7, 0, $8, 0, $9, 0, '', '', '[]', $10, $11) RETURNING id"""


class _Undo(Exception):
    """Ends a block's transaction without a trace, so that no worker and no table size comes in between."""


async def enqueue(stage: Stage, args: argparse.Namespace) -> list[Figure]:
    """By turns in blocks of one transaction each, on one connection of one pool."""
    ours: list[float] = []
    bare: list[float] = []
    async with stage.database("enqueue"):
        who = await space()
        statements = await _counted(who)
        for _ in range(ROUNDS):
            bare.append(await _timed(lambda raw: _insert(raw, who)))
            ours.append(await _timed(lambda raw: runs.enqueue(who, NOTHING)))
    mine, theirs = percentile(ours, 0.5), percentile(bare, 0.5)
    return [
        Figure("bare INSERT by asyncpg, in a transaction", f"{theirs * 1e6:.0f} us"),
        Figure("enqueue, in a transaction", f"{mine * 1e6:.0f} us"),
        at_most("   beside the bare INSERT", mine / theirs, 2, "x"),
        at_most("   statements", statements, 1, ""),
    ]


async def _timed(what: Any) -> float:
    """Seconds for one of a block."""
    try:
        async with db.transaction():
            raw = get_connections().get(db.dialect())._connection
            await what(raw)
            began = time.perf_counter()
            for _ in range(BLOCK):
                await what(raw)
            taken = time.perf_counter() - began
            raise _Undo
    except _Undo:
        return taken / BLOCK


async def _insert(raw: Any, who: Principal) -> None:
    now = timekeeping.machine_now()
    await raw.fetchval(
        _BARE, who.workspace_id, NOTHING, "default", 100, "QUEUED", "{}", now, 8, 3600, who.label, now
    )


async def _counted(who: Principal) -> int:
    """How many statements one asking sends."""
    seen: list[str] = []
    try:
        async with db.transaction():
            await runs.enqueue(who, NOTHING)
            raw = get_connections().get(db.dialect())._connection
            with raw.query_logger(lambda record: seen.append(record.query)):
                await runs.enqueue(who, NOTHING)
            raise _Undo
    except _Undo:
        return len(seen)
