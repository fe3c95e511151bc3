"""What asking for a run adds to a business transaction, beside a bare INSERT of the same row."""

import argparse
import time
from typing import Any

from tortoise.connection import get_connections

from bench.figures import Board, Figure, at_most, percentile
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


_BARE_TOLD = f"""WITH made AS ({_BARE})
INSERT INTO journal (workspace_id, name, subject, subject_id, at, recorded_at, actor, data)
SELECT $1, 'run.queued', 'run', made.id, $11, $11, $10, '{{}}' FROM made RETURNING subject_id"""

BARE = "bare INSERT by asyncpg, in a transaction"
BARE_TOLD = "the same with its journal line, two rows"
OURS = "enqueue, in a transaction"


class _Undo(Exception):
    """Ends a block's transaction without a trace, so that no worker and no table size comes in between."""


async def enqueue(stage: Stage, args: argparse.Namespace, board: Board) -> None:
    """By turns in blocks of one transaction each, on one connection of one pool."""
    taken: dict[str, list[float]] = {name: [] for name in (BARE, BARE_TOLD, OURS)}
    async with stage.database("enqueue"):
        who = await space()
        statements = await _counted(who)
        for _ in range(ROUNDS):
            taken[BARE].append(await _timed(lambda raw: _insert(raw, who)))
            taken[BARE_TOLD].append(await _timed(lambda raw: _insert_told(raw, who)))
            taken[OURS].append(await _timed(lambda raw: runs.enqueue(who, NOTHING)))
    middle = {name: percentile(each, 0.5) for name, each in taken.items()}
    board.add(
        *(Figure(name, f"{seconds * 1e6:.0f} us") for name, seconds in middle.items()),
        at_most("   beside the bare INSERT", middle[OURS] / middle[BARE], 2, "x"),
        Figure("   beside the bare INSERT of both rows", f"{middle[OURS] / middle[BARE_TOLD]:.3g} x"),
        at_most("   statements", statements, 1, ""),
    )


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


async def _insert_told(raw: Any, who: Principal) -> None:
    now = timekeeping.machine_now()
    await raw.fetchval(
        _BARE_TOLD, who.workspace_id, NOTHING, "default", 100, "QUEUED", "{}", now, 8, 3600, who.label, now
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
