"""Ends the runs that succeed: those that come at once in one statement, each guarded by its own fence."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from domain import db, journal, nudges
from domain.access import system
from domain.journal import Entry
from domain.runs.models import Run

AT_ONCE = 64


@dataclass(eq=False)
class _Ending:
    run: Run
    result: str
    known: asyncio.Future[bool]
    """Whether the run was still this attempt's to end."""


@dataclass
class Endings:
    """What waits to be ended while a statement is under way; nobody waits for company."""

    _waiting: list[_Ending] = field(default_factory=list)
    _task: asyncio.Task[None] | None = None

    async def succeed(self, run: Run, result: dict[str, Any]) -> bool:
        """End a run well; false when it went on without this attempt."""
        loop = asyncio.get_running_loop()
        ending = _Ending(run, db.encode(result), loop.create_future())
        if self._task is None or self._task.done() or self._task.get_loop() is not loop:
            self._waiting = [ending]
            self._task = loop.create_task(self._end_all(), name="endings")
        else:
            self._waiting.append(ending)
        return await ending.known

    async def _end_all(self) -> None:
        db.enter_everywhere()  # those that end together may be of many workspaces
        while self._waiting:
            # Whoever gave up waiting is giving the run back: it is not to be ended under that.
            batch = [ending for ending in self._waiting[:AT_ONCE] if not ending.known.done()]
            self._waiting = self._waiting[AT_ONCE:]
            await _end(batch)


ENDINGS = Endings()


async def _end(batch: Sequence[_Ending]) -> None:
    if not batch:
        return
    try:
        ended = await _succeeded(batch)
    except Exception as error:
        # What the database refuses of one must not be the fate of all.
        if len(batch) > 1 and db.failure_of(error) is None:
            for ending in batch:
                await _end([ending])
            return
        for ending in batch:
            if not ending.known.done():
                ending.known.set_exception(error)
        return
    for ending in batch:
        if not ending.known.done():
            ending.known.set_result(ending.run.id in ended)


async def _succeeded(batch: Sequence[_Ending]) -> set[int]:
    values: list[str] = []
    params: dict[str, Any] = {"ids": [ending.run.id for ending in batch]}
    for number, ending in enumerate(batch):
        values.append(f"(CAST(:id_{number} AS bigint), CAST(:fence_{number} AS bigint), :result_{number})")
        params[f"id_{number}"] = ending.run.id
        params[f"fence_{number}"] = ending.run.fence
        params[f"result_{number}"] = ending.result
    json = "CAST(its_result AS jsonb)" if db.is_postgres() else "its_result"
    changed = f"""UPDATE runs SET state = 'SUCCEEDED', result = {json}, finished_at = {{now}},
          lease_until = NULL, error_code = NULL, version = version + 1
        FROM ended WHERE id IN :ids AND id = its_id AND fence = its_fence
          AND state IN ('RUNNING', 'CANCELLING')
        RETURNING id, workspace_id, kind"""
    ended = f"WITH ended (its_id, its_fence, its_result) AS (VALUES {', '.join(values)})"
    if db.is_postgres():
        told, more = journal.told_of_runs("run:{id}", "run.succeeded")
        rows = await db.rows(
            f"{ended}, changed AS ({changed}), {told} SELECT id FROM changed", **params, **more
        )
        if rows:
            nudges.WORK.ring()
    else:
        async with db.transaction():
            rows = await db.rows(f"{ended} {changed}", **params)
            for row in rows:
                entry = Entry("run.succeeded", row["id"], data={"kind": row["kind"]})
                await journal.write(system(row["workspace_id"], "run", row["id"]), entry)
    return {row["id"] for row in rows}
