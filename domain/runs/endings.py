"""Ends the runs that succeed: those that come at once in one statement, each guarded by its own fence."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from domain import db, figures, journal, nudges
from domain.access import system
from domain.journal import Entry
from domain.runs.models import Run, RunState

AT_ONCE = 64
log = structlog.get_logger(__name__)


@dataclass(eq=False)
class _Ending:
    run: Run
    result: dict[str, Any]
    known: asyncio.Future[None]
    """Done when the run is ended or known to have gone on without this attempt, or when that failed."""


@dataclass
class Endings:
    """What waits to be ended while a statement is under way; nobody waits for company."""

    _waiting: list[_Ending] = field(default_factory=list)
    _task: asyncio.Task[None] | None = None
    _unsettled: set[asyncio.Future[Any]] = field(default_factory=set)

    async def succeed(self, run: Run, result: dict[str, Any]) -> None:
        """End a run well, unless it went on without this attempt."""
        await self._add(run, result)

    def succeed_soon(
        self,
        run: Run,
        result: dict[str, Any],
        failed: Callable[[Run, Exception], Awaitable[None]],
        settled: Callable[[], None],
    ) -> None:
        """The same, for one who does not wait: `failed` is told what the database says against it."""
        known = self._add(run, result)
        self._unsettled.add(known)

        def settle(_: object) -> None:
            self._unsettled.discard(known)
            error = None if known.cancelled() else known.exception()
            if not isinstance(error, Exception):
                settled()
                return
            telling = asyncio.ensure_future(_told(run, error, failed))
            self._unsettled.add(telling)
            telling.add_done_callback(self._unsettled.discard)
            telling.add_done_callback(lambda _: settled())

        known.add_done_callback(settle)

    async def settled(self) -> None:
        """Wait until nothing is under way that nobody else waits for."""
        while self._unsettled:
            await asyncio.wait(set(self._unsettled))

    def _add(self, run: Run, result: dict[str, Any]) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        ending = _Ending(run, result, loop.create_future())
        if self._task is None or self._task.done() or self._task.get_loop() is not loop:
            self._waiting = [ending]
            self._task = loop.create_task(self._end_all(), name="endings")
        else:
            self._waiting.append(ending)
        return ending.known

    async def _end_all(self) -> None:
        db.enter_everywhere()  # those that end together may be of many workspaces
        while self._waiting:
            # Whoever gave up waiting is giving the run back: it is not to be ended under that.
            batch = [ending for ending in self._waiting[:AT_ONCE] if not ending.known.done()]
            self._waiting = self._waiting[AT_ONCE:]
            await _end(batch)


ENDINGS = Endings()


async def _told(run: Run, error: Exception, failed: Callable[[Run, Exception], Awaitable[None]]) -> None:
    with db.within(run.workspace_id):
        try:
            await failed(run, error)
        except Exception as worse:  # its lease will end
            log.error("run_end_failed", run=run.id, error=type(worse).__name__)


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
    figures.RUNS_ENDED.labels(RunState.SUCCEEDED.value).inc(len(ended))
    for ending in batch:
        if ending.run.id not in ended:
            log.warning("run_fenced", run=ending.run.id)
        if not ending.known.done():
            ending.known.set_result(None)


async def _succeeded(batch: Sequence[_Ending]) -> set[int]:
    """End those that are still their attempts' to end; which."""
    if db.is_postgres():
        # All of them in one value, so that the statement is the same for any number and planned once.
        told, more = journal.told_of_runs("run:{id}", "run.succeeded")
        rows = await db.rows(
            f"""WITH ended AS MATERIALIZED (
                  SELECT * FROM json_to_recordset(CAST(:ended AS json))
                    AS one (its_id bigint, its_fence bigint, its_result jsonb)),
                changed AS (
                  UPDATE runs SET state = 'SUCCEEDED', result = its_result, finished_at = {{now}},
                    lease_until = NULL, error_code = NULL, version = version + 1
                  FROM ended WHERE id = ANY (ARRAY(SELECT its_id FROM ended)) AND id = its_id
                    AND fence = its_fence AND state IN ('RUNNING', 'CANCELLING')
                  RETURNING id, workspace_id, kind),
                {told}
                SELECT id FROM changed""",
            ended=db.encode(
                [
                    {"its_id": ending.run.id, "its_fence": ending.run.fence, "its_result": ending.result}
                    for ending in batch
                ]
            ),
            **more,
        )
        if rows:
            nudges.WORK.ring()
        return {row["id"] for row in rows}
    async with db.transaction():
        done = set()
        for ending in batch:
            rows = await db.rows(
                """UPDATE runs SET state = 'SUCCEEDED', result = :result, finished_at = {now},
                     lease_until = NULL, error_code = NULL, version = version + 1
                   WHERE id = :id AND fence = :fence AND state IN ('RUNNING', 'CANCELLING')
                   RETURNING id, workspace_id, kind""",
                id=ending.run.id,
                fence=ending.run.fence,
                result=db.encode(ending.result),
            )
            for row in rows:
                entry = Entry("run.succeeded", row["id"], data={"kind": row["kind"]})
                await journal.write(system(row["workspace_id"], "run", row["id"]), entry)
                done.add(row["id"])
    return done
