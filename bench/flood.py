"""A queue of many runs: Valkey forgets everything half-way, and another workspace wants a run of its own."""

import argparse
import asyncio
import contextlib
import time
from datetime import datetime, timedelta

import redis

from bench.figures import Board, Figure, at_least, at_most
from bench.filling import drained, fill, space
from bench.kinds import STAMP
from bench.stage import Stage
from domain import db, runs
from domain.access import Principal
from jobs.clock import DOORBELLS

WARM_SECONDS = 5
WATCHED_SECONDS = 10
STAMPS = 5
DRAIN_SECONDS = 300


async def flood(stage: Stage, args: argparse.Namespace, board: Board) -> None:
    """One worker, one workspace with very many runs; everything counted from what the ledger recorded."""
    async with stage.database("flood") as url:
        many, other = await space("Many"), await space("Other")
        await fill(many, args.queued)
        doorbells: list[int] = []
        watching = asyncio.create_task(_watch(stage.valkey.url, doorbells))
        with stage.worker(url):
            await asyncio.sleep(WARM_SECONDS)
            began = await _database_clock()
            await asyncio.sleep(WATCHED_SECONDS)
            flushed = await _database_clock()
            await asyncio.to_thread(stage.valkey.flush)
            await asyncio.sleep(WATCHED_SECONDS + 1)
            board.add(*await _after_flush(many, began, flushed))
            waiting = await _waiting(many)
            delays = [await _other_starts(other) for _ in range(STAMPS)]
            note = f" ({waiting:,} waiting)"
            board.add(at_most("noisy workspace: another's run starts, worst", max(delays), 5, "s", note))
            drained_from, waiting = time.monotonic(), await _waiting(many)
            with contextlib.suppress(TimeoutError):
                await drained(many, seconds=DRAIN_SECONDS)
            left = await _waiting(many)
            rest = (waiting - left) / (time.monotonic() - drained_from)
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        done = await db.value(
            "SELECT count(*) FROM runs WHERE workspace_id = :id AND state = 'SUCCEEDED' AND attempt = 1",
            id=many.workspace_id,
        )
    board.add(
        at_most("doorbells of waiting runs, at most", max(doorbells, default=0), DOORBELLS, ""),
        Figure("runs per second, all the rest", f"{rest:,.0f}/s"),
        at_most("left in the queue", left, 0, "runs", f" of {args.queued:,} after {DRAIN_SECONDS} s at most"),
        at_most("lost or done again, of those not left", args.queued - left - done, 0, "runs"),
    )


async def _after_flush(who: Principal, began: datetime, flushed: datetime) -> list[Figure]:
    first = await db.value(
        "SELECT min(started_at) FROM runs WHERE workspace_id = :id AND started_at > :at",
        id=who.workspace_id,
        at=flushed,
    )
    before = await _rate(who, began, flushed)
    after = await _rate(who, flushed + timedelta(seconds=5), flushed + timedelta(seconds=WATCHED_SECONDS))
    rates = f" ({before:,.0f}/s, then {after:,.0f}/s)"
    return [
        at_most("after FLUSHALL: the first start", (first - flushed).total_seconds(), 2, "s"),
        at_least("   throughput in its 5th to 10th second", after / before, 0.9, "x", rates),
    ]


async def _waiting(who: Principal) -> int:
    found: int = await db.value(
        "SELECT count(*) FROM runs WHERE workspace_id = :id AND state IN ('QUEUED', 'RETRYING')",
        id=who.workspace_id,
    )
    return found


async def _database_clock() -> datetime:
    found: datetime = await db.value("SELECT {now} AS at")
    return found


async def _rate(who: Principal, since: datetime, until: datetime) -> float:
    done = await db.value(
        """SELECT count(*) FROM runs WHERE workspace_id = :id
             AND finished_at > :since AND finished_at <= :until""",
        id=who.workspace_id,
        since=since,
        until=until,
    )
    return float(done / (until - since).total_seconds())


async def _other_starts(who: Principal) -> float:
    """Seconds from the commit of another workspace's run to its start."""
    async with db.transaction():
        run = await runs.enqueue(who, STAMP)
    committed = time.monotonic_ns()
    await drained(who, seconds=60)
    result = await db.value("SELECT result FROM runs WHERE id = :id", id=run.id)
    return float((db.document_of(result)["started_ns"] - committed) / 1e9)


async def _watch(url: str, seen: list[int]) -> None:
    """How many doorbells of waiting runs Valkey holds, rung or taken, looked at ten times a second."""
    client = redis.Redis.from_url(url)
    while True:
        seen.append(await asyncio.to_thread(_outstanding, client))
        await asyncio.sleep(0.1)


def _outstanding(client: redis.Redis) -> int:
    keys = client.scan_iter(match="dramatiq:*.msgs", count=1000)
    return sum(client.hlen(key) for key in keys if key != b"dramatiq:timers.msgs")
