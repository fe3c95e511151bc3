"""How a worker takes a run, keeps it, and ends it. Every statement is guarded by the fence."""

import asyncio
import contextlib
import os
import random
import traceback
from typing import Any

import structlog

from domain import db, journal, timekeeping
from domain.access import system
from domain.errors import DomainError
from domain.journal import Entry
from domain.runs.models import Run, RunState
from domain.runs.work import Cancelled, Fenced, Refused, Work, kinds

RING_AGAIN_SECONDS = 5
BACKOFF_CAP_SECONDS = 3600
KEPT_ERRORS = 10
log = structlog.get_logger(__name__)


async def ring_ready(limit: int = 100) -> list[dict[str, Any]]:
    """Runs that may start and were not rung for lately; the caller rings for those returned.

    A doorbell that is lost is rung again after some seconds: the row, not the message, is the truth.
    """
    lock = "FOR UPDATE SKIP LOCKED" if db.is_postgres() else ""
    return await db.rows(
        f"""UPDATE runs SET rung_at = {{now}} WHERE id IN (
              SELECT id FROM runs
              WHERE state IN ('SCHEDULED', 'QUEUED', 'RETRYING') AND run_at <= {{now}}
                AND (rung_at IS NULL OR rung_at < {{now+ago}})
              ORDER BY priority, run_at, id LIMIT :limit {lock})
            RETURNING id, queue""",
        ago=-RING_AGAIN_SECONDS,
        limit=limit,
    )


async def claim(run_id: int, worker: str, lease_seconds: float) -> Run | None:
    """Take a waiting run; none when somebody else has it, or a run with its key is still active.

    The fence and the count of attempts rise here, so a run that kills its worker uses up its attempts.
    """
    try:
        async with db.transaction():
            taken = await db.rows(
                """UPDATE runs SET state = 'RUNNING', fence = fence + 1, attempt = attempt + 1,
                     worker = :worker, lease_until = {now+lease}, version = version + 1,
                     started_at = COALESCE(started_at, {now})
                   WHERE id = :id AND state IN ('SCHEDULED', 'QUEUED', 'RETRYING') AND run_at <= {now}
                     AND (unique_key IS NULL OR NOT EXISTS (
                       SELECT 1 FROM runs other WHERE other.workspace_id = runs.workspace_id
                         AND other.kind = runs.kind AND other.unique_key = runs.unique_key
                         AND other.state IN ('RUNNING', 'CANCELLING')))
                   RETURNING id, workspace_id""",
                id=run_id,
                worker=worker,
                lease=lease_seconds,
            )
            if not taken:
                return None
            who = system(taken[0]["workspace_id"], "worker", os.getpid())
            await journal.write(who, Entry("run.started", run_id))
            return await Run.get(id=run_id)
    except Exception as error:
        if db.is_unique_violation(error):  # two claims of one key at the same instant: the index decided
            return None
        raise


async def heartbeat(run: Run, lease_seconds: float) -> bool:
    """Renew the lease; false when the run is no longer ours."""
    return bool(
        await db.execute(
            """UPDATE runs SET lease_until = {now+lease}
               WHERE id = :id AND fence = :fence AND state IN ('RUNNING', 'CANCELLING')""",
            id=run.id,
            fence=run.fence,
            lease=lease_seconds,
        )
    )


async def perform(run_id: int, worker: str, lease_seconds: float) -> bool:
    """Claim a run and do it; whether this call did. However often it is called, a run is done once."""
    run = await claim(run_id, worker, lease_seconds)
    if run is None:
        return False
    # A claimed run keeps its machine time; what it reads as business time is its workspace's.
    beating = asyncio.create_task(_beat(run, lease_seconds))
    try:
        declared = kinds.get(run.kind)
        if declared is None:
            raise Refused("UNKNOWN_KIND", f"this version knows no runs of kind {run.kind}")
        async with asyncio.timeout(declared.deadline_seconds):
            result = await declared.perform(Work(run, lease_seconds))
        await _end(run, RunState.SUCCEEDED, result=result or {})
    except Fenced:
        log.warning("run_fenced", run=run.id, attempt=run.attempt)
    except Cancelled:
        await _end(run, RunState.CANCELLED)
    except Refused as error:
        await _fail(run, error.code, str(error), final=True)
    except DomainError as error:
        await _fail(run, error.problems[0].code.value, str(error), final=True)
    except TimeoutError:
        await _fail(run, "DEADLINE", "the run took longer than its time limit", final=False)
    except asyncio.CancelledError:
        # The process is stopping: the run goes back without an attempt used up.
        with contextlib.suppress(Exception):
            await asyncio.shield(_give_back(run))
        raise
    except Exception as error:
        log.error("run_failed", run=run.id, kind=run.kind, error=type(error).__name__, exc_info=True)
        await _fail(run, "INTERNAL", _where(error), final=False)
    finally:
        beating.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beating
    return True


def _where(error: BaseException) -> str:
    """The kind of an unexpected error and where it arose; never its message, which may hold data."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    place = f" at {os.path.basename(last.filename)}:{last.lineno}" if last else ""  # noqa: PTH119
    return f"{type(error).__name__}{place}"


async def _beat(run: Run, lease_seconds: float) -> None:
    while True:
        await asyncio.sleep(lease_seconds / 3)
        with contextlib.suppress(Exception):
            if not await heartbeat(run, lease_seconds):
                return


async def _end(run: Run, state: RunState, result: dict[str, Any] | None = None) -> None:
    async with db.transaction():
        ended = await db.execute(
            """UPDATE runs SET state = :state, result = :result, finished_at = :now, lease_until = NULL,
                 version = version + 1
               WHERE id = :id AND fence = :fence AND state IN ('RUNNING', 'CANCELLING')""",
            state=state.value,
            result=db.encode(result) if result is not None else None,
            now=timekeeping.machine_now(),
            id=run.id,
            fence=run.fence,
        )
        if not ended:
            log.warning("run_fenced", run=run.id, attempt=run.attempt)
            return
        who = system(run.workspace_id, "run", run.id)
        await journal.write(who, Entry(f"run.{state.value.lower()}", run.id))


async def _fail(run: Run, code: str, message: str, *, final: bool) -> None:
    """End an attempt that failed: for good, or with another try after a growing wait with jitter."""
    final = final or run.attempt >= run.max_attempts
    state = RunState.FAILED if final else RunState.RETRYING
    wait = min(BACKOFF_CAP_SECONDS, 2**run.attempt) * random.uniform(0.5, 1.5)  # noqa: S311
    kept = [*run.errors, {"attempt": run.attempt, "code": code, "message": message[:300]}][-KEPT_ERRORS:]
    async with db.transaction():
        if state is RunState.RETRYING and run.unique_key is not None:
            served = await db.value(
                """SELECT id FROM runs WHERE workspace_id = :workspace AND kind = :kind
                     AND unique_key = :key AND id <> :id
                     AND state IN ('SCHEDULED', 'QUEUED', 'RETRYING')""",
                workspace=run.workspace_id,
                kind=run.kind,
                key=run.unique_key,
                id=run.id,
            )
            if served is not None:  # the run that already waits will do this one's work
                state, code = RunState.FAILED, "MERGED"
        ended = await db.execute(
            """UPDATE runs SET state = :state, errors = :errors, error_code = :code, lease_until = NULL,
                 run_at = {now+wait}, rung_at = NULL, version = version + 1,
                 finished_at = :finished
               WHERE id = :id AND fence = :fence AND state IN ('RUNNING', 'CANCELLING')""",
            state=state.value,
            errors=db.encode(kept),
            code=code,
            wait=wait,
            finished=timekeeping.machine_now() if state is RunState.FAILED else None,
            id=run.id,
            fence=run.fence,
        )
        if ended:
            who = system(run.workspace_id, "run", run.id)
            await journal.write(who, Entry(f"run.{state.value.lower()}", run.id, data={"code": code}))


async def _give_back(run: Run) -> None:
    await db.execute(
        """UPDATE runs SET state = 'QUEUED', attempt = attempt - 1, lease_until = NULL, rung_at = NULL,
             version = version + 1
           WHERE id = :id AND fence = :fence AND state = 'RUNNING'""",
        id=run.id,
        fence=run.fence,
    )


async def rescue(limit: int = 100, *, everything: bool = False) -> int:
    """Requeue runs whose lease has ended; how many.

    `everything` is for the start of an embedded server: it alone has the database, so whatever is
    marked as running was running in the process before it.
    """
    lock = "FOR UPDATE SKIP LOCKED" if db.is_postgres() else ""
    ended = "1 = 1" if everything else "lease_until < {now}"
    async with db.transaction():
        lost = await db.rows(
            f"""SELECT id, workspace_id, state, attempt, max_attempts, errors, unique_key, kind FROM runs
                WHERE state IN ('RUNNING', 'CANCELLING') AND {ended}
                ORDER BY id LIMIT :limit {lock}""",
            limit=limit,
        )
        for row in lost:
            await _recover(row)
    return len(lost)


async def _recover(row: dict[str, Any]) -> None:
    errors = db.document_of(row["errors"])
    kept = [*errors, {"attempt": row["attempt"], "code": "LOST", "message": "the worker went away"}]
    if row["state"] == "CANCELLING":
        state, code = RunState.CANCELLED, None
    elif row["attempt"] >= row["max_attempts"]:
        state, code = RunState.FAILED, "POISONED"
    elif row["unique_key"] is not None and await db.value(
        """SELECT id FROM runs WHERE workspace_id = :workspace AND kind = :kind AND unique_key = :key
             AND state IN ('SCHEDULED', 'QUEUED', 'RETRYING')""",
        workspace=row["workspace_id"],
        kind=row["kind"],
        key=row["unique_key"],
    ):
        state, code = RunState.FAILED, "MERGED"
    else:
        state, code = RunState.QUEUED, None
    # The fence rises here too: the lost attempt cannot commit, even before the run is claimed again.
    await db.execute(
        """UPDATE runs SET state = :state, fence = fence + 1, lease_until = NULL, errors = :errors,
             error_code = :code, run_at = {now}, rung_at = NULL, version = version + 1,
             finished_at = :finished
           WHERE id = :id""",
        state=state.value,
        errors=db.encode(kept[-KEPT_ERRORS:]),
        code=code,
        finished=None if state is RunState.QUEUED else timekeeping.machine_now(),
        id=row["id"],
    )
    who = system(row["workspace_id"], "rescue")
    await journal.write(who, Entry(f"run.{state.value.lower()}", row["id"], data={"code": code or "LOST"}))
