"""How a worker takes runs: fairly between workspaces, the urgent first, each by one worker only."""

import os
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from domain import db, journal, nudges
from domain.access import system
from domain.journal import Entry
from domain.runs.models import Run, RunQueue
from domain.runs.work import kinds, performed_here

QUEUES = tuple(queue.value for queue in RunQueue)
RING_AGAIN_SECONDS = 5

Room = tuple[Collection[str], int]
"""Queues, and how many of their runs can be taken."""

_FREE = """state = 'QUEUED' AND run_at <= {now} AND kind IN :kinds
  AND NOT EXISTS (SELECT 1 FROM run_pauses pause WHERE pause.workspace_id = runs.workspace_id
    AND (pause.queue = runs.queue OR pause.kind = runs.kind))
  AND (unique_key IS NULL OR NOT EXISTS (
    SELECT 1 FROM runs other WHERE other.workspace_id = runs.workspace_id AND other.kind = runs.kind
      AND other.unique_key = runs.unique_key AND other.state IN ('RUNNING', 'CANCELLING')))"""

_WORKSPACES = """WITH RECURSIVE spaces AS (
    SELECT (SELECT workspace_id FROM runs WHERE state = 'QUEUED'
            ORDER BY workspace_id, queue, priority, run_at, id LIMIT 1) AS id
    UNION ALL
    SELECT (SELECT workspace_id FROM runs WHERE state = 'QUEUED' AND workspace_id > spaces.id
            ORDER BY workspace_id, queue, priority, run_at, id LIMIT 1)
    FROM spaces WHERE spaces.id IS NOT NULL)"""
"""The workspaces with queued runs, each found by one step in the index however many runs it has.

The order is the index's own: by another one PostgreSQL may walk through all runs that have ended.
"""

_ACTIVE_OF = """SELECT count(*) FROM runs busy WHERE busy.workspace_id = {workspace}
  AND busy.state IN ('RUNNING', 'CANCELLING')"""

_TAKEN = """state = 'RUNNING', fence = fence + 1, attempt = attempt + 1, worker = :worker,
  lease_until = {now+lease}, version = version + 1, started_at = COALESCE(started_at, {now})"""


async def promote(limit: int = 1000) -> int:
    """Queue the runs whose time has come: those asked for later, and those that wait for another try."""
    lock = "FOR UPDATE SKIP LOCKED" if db.is_postgres() else ""
    async with db.transaction():
        due = await db.rows(
            f"""UPDATE runs SET state = 'QUEUED', version = version + 1 WHERE id IN (
                  SELECT id FROM runs WHERE state IN ('SCHEDULED', 'RETRYING') AND run_at <= {{now}}
                  ORDER BY run_at LIMIT :limit {lock})
                RETURNING id, workspace_id, kind""",
            limit=limit,
        )
        await _tell("run.queued", due)
    return len(due)


async def pull(worker: str, lease_seconds: float, queues: Collection[str], limit: int) -> list[Run]:
    """Take up to so many runs, by turns between workspaces: who has the fewest running comes first.

    Each workspace's own are taken by priority, then by age.
    """
    return await pull_for(worker, lease_seconds, [(queues, limit)])


async def pull_for(worker: str, lease_seconds: float, rooms: Sequence[Room]) -> list[Run]:
    """Take runs for several rooms at once, which have no queue in common."""
    if not performed_here():
        return []
    if db.is_postgres():
        candidates, params = _fairly(rooms)
        return await _taken_at_once(
            f"{_WORKSPACES}, candidate AS ({candidates})", params, worker, lease_seconds
        )
    async with db.transaction():
        found = await _candidates(rooms)
        return await _take(found, worker, lease_seconds)


async def claim(
    run_id: int, worker: str, lease_seconds: float, queues: Collection[str] = QUEUES
) -> Run | None:
    """Take one run of these queues; none when somebody else has it, or it may not start now.

    The fence rises here, so whoever had the run before cannot commit any more.
    """
    candidate = f"""SELECT id, workspace_id, kind FROM runs
        WHERE id = :id AND queue IN :queues AND {_FREE} {_skip_locked()}"""
    params = {"id": run_id, "queues": list(queues), "kinds": performed_here()}
    if db.is_postgres():
        taken = await _taken_at_once(f"WITH candidate AS ({candidate})", params, worker, lease_seconds)
    else:
        async with db.transaction():
            taken = await _take(await db.rows(candidate, **params), worker, lease_seconds)
    return taken[0] if taken else None


async def ring_ready(limit: int = 100) -> list[dict[str, Any]]:
    """Runs that may start and were not rung for lately, marked as rung for; the caller rings for them.

    A doorbell that is lost is rung again after some seconds: the row, not the message, is the truth.
    """
    async with db.transaction():
        found = await _candidates(
            [(QUEUES, limit)], "AND (rung_at IS NULL OR rung_at < {now+ago})", ago=-RING_AGAIN_SECONDS
        )
        return await db.rows(
            "UPDATE runs SET rung_at = {now} WHERE id IN :ids AND state = 'QUEUED' RETURNING id, queue",
            ids=[row["id"] for row in found],
        )


def _skip_locked() -> str:
    return "FOR UPDATE SKIP LOCKED" if db.is_postgres() else ""


def _fairly(rooms: Sequence[Room], also: str = "") -> tuple[str, dict[str, Any]]:
    """For PostgreSQL, behind `_WORKSPACES`: free runs in the order in which they are to be taken, locked."""
    params: dict[str, Any] = {"kinds": performed_here()}
    parts = []
    for number, (queues, limit) in enumerate(rooms):
        named = ",".join(queues) if db.is_postgres() else list(queues)
        params |= {f"queues_{number}": named, f"limit_{number}": limit}
        parts.append(
            f"""(SELECT run.id, run.workspace_id, run.kind, active.number + row_number() OVER (
                  PARTITION BY run.workspace_id ORDER BY run.priority, run.run_at, run.id) AS turn
                FROM spaces
                CROSS JOIN LATERAL ({_ACTIVE_OF.format(workspace="spaces.id")}) active (number)
                CROSS JOIN LATERAL ({_free_of("spaces.id", number, also)}) run
                ORDER BY turn, run.priority, run.run_at, run.id LIMIT :limit_{number})"""
        )
    return " UNION ALL ".join(parts), params


def _free_of(workspace: str, number: int, also: str) -> str:
    """The free runs of a workspace, those of each queue by one step in the index."""
    free = f"""SELECT id, workspace_id, kind, priority, run_at FROM runs
        WHERE workspace_id = {workspace} AND queue {{queue}} AND {_FREE} {also}
        ORDER BY priority, run_at, id LIMIT :limit_{number} {_skip_locked()}"""
    if not db.is_postgres():
        return free.replace("{queue}", f"IN :queues_{number}")
    return f"""SELECT waiting.* FROM unnest(string_to_array(:queues_{number}, ',')) named (queue)
        CROSS JOIN LATERAL ({free.replace("{queue}", "= named.queue")}) waiting"""


async def _candidates(rooms: Sequence[Room], also: str = "", **params: Any) -> Sequence[dict[str, Any]]:
    """Free runs in the order in which they are to be taken, locked where the database can."""
    chosen, more = _fairly(rooms, also)
    params |= more
    if db.is_postgres():
        return await db.rows(f"{_WORKSPACES} {chosen}", **params)
    found: list[dict[str, Any]] = []
    spaces = await db.rows(f"{_WORKSPACES} SELECT id FROM spaces WHERE id IS NOT NULL")
    for number, (_, limit) in enumerate(rooms):
        here = []
        for space in spaces:
            of = {"workspace": space["id"]}
            active = await db.value(_ACTIVE_OF.format(workspace=":workspace"), **of)
            rows = await db.rows(_free_of(":workspace", number, also), **of, **params)
            here += [
                (active + n, row["priority"], row["run_at"], row["id"], row) for n, row in enumerate(rows)
            ]
        found += [row for *_, row in sorted(here, key=lambda each: each[:4])[:limit]]
    return found


async def _taken_at_once(
    candidate: str, params: dict[str, Any], worker: str, lease_seconds: float
) -> list[Run]:
    """For PostgreSQL: choose, mark and tell in one statement; kinds with a limit need a lock and follow."""
    # An array, not a join: a join is planned by the size the table had when the statement was prepared.
    # And the state said so that no index of what is queued seems to answer: all of it would be read.
    told, more = journal.told_of_runs(f"worker:{os.getpid()}", "run.started")
    limited = [name for name in params["kinds"] if kinds[name].limit is not None]
    found = await db.rows(
        f"""{candidate}, changed AS (
              UPDATE runs SET {_TAKEN}
              WHERE id = ANY (ARRAY(SELECT candidate.id FROM candidate)) AND state || '' = 'QUEUED'
                AND kind NOT IN :limited
              RETURNING *), {told}
            SELECT candidate.id AS candidate_id, candidate.workspace_id AS candidate_workspace_id,
              candidate.kind AS candidate_kind, changed.*
            FROM candidate LEFT JOIN changed ON changed.id = candidate.id""",
        **params,
        **more,
        limited=limited,
        worker=worker,
        lease=lease_seconds,
    )
    held = [
        {name: row[f"candidate_{name}"] for name in ("id", "workspace_id", "kind")}
        for row in found
        if row["candidate_kind"] in limited
    ]
    places = {row.pop("candidate_id"): place for place, row in enumerate(found)}
    for row in found:
        del row["candidate_workspace_id"], row["candidate_kind"]
    taken = db.hydrate(Run, [row for row in found if row["id"] is not None])
    if taken:
        nudges.WORK.ring()
    if held:
        async with db.transaction():
            taken += await _take(held, worker, lease_seconds)
    return sorted(taken, key=lambda run: places[run.id])


async def _take(found: Sequence[dict[str, Any]], worker: str, lease_seconds: float) -> list[Run]:
    """Mark candidates as running here. A limit of their kind is looked at under a lock of its own."""
    if not found:
        return []
    wanted = [row["id"] for row in found]
    limited = defaultdict(list)
    for row in found:
        if kinds[row["kind"]].limit is not None:
            limited[row["workspace_id"], row["kind"]].append(row["id"])
    for (workspace_id, kind), ids in sorted(limited.items()):
        await db.lock(f"limit:{workspace_id}:{kind}")
        running = await db.value(
            f"{_ACTIVE_OF.format(workspace=':workspace')} AND busy.kind = :kind",
            workspace=workspace_id,
            kind=kind,
        )
        room = max(0, int(kinds[kind].limit or 0) - running)
        wanted = [run_id for run_id in wanted if run_id not in ids[room:]]
    taken = await db.rows(
        f"UPDATE runs SET {_TAKEN} WHERE id IN :ids AND state = 'QUEUED' RETURNING *",
        ids=wanted,
        worker=worker,
        lease=lease_seconds,
    )
    await _tell("run.started", taken)
    order = {run_id: place for place, run_id in enumerate(wanted)}
    return sorted(db.hydrate(Run, taken), key=lambda run: order[run.id])


async def _tell(name: str, changed: Sequence[dict[str, Any]]) -> None:
    """Write one line for each run, in the journals of their workspaces."""
    by_workspace = defaultdict(list)
    for row in changed:
        by_workspace[row["workspace_id"]].append(Entry(name, row["id"], data={"kind": row["kind"]}))
    for workspace_id, entries in sorted(by_workspace.items()):
        await journal.write_all(system(workspace_id, "worker", os.getpid()), entries)
