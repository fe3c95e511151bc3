"""How a worker does a run it has taken, and ends it. Every statement is guarded by the fence."""

import asyncio
import contextlib
import os
import random
import traceback
from collections.abc import Callable
from typing import Any

import structlog

from domain import db, figures, journal, timekeeping, tracing
from domain.access import system
from domain.errors import DomainError
from domain.runs.claiming import claim
from domain.runs.endings import ENDINGS
from domain.runs.heart import HEART
from domain.runs.models import Run, RunState
from domain.runs.work import Cancelled, Fenced, Refused, Work, kinds

BACKOFF_CAP_SECONDS = 3600
KEPT_ERRORS = 10
MESSAGE_LENGTH = 300
OURS = "id = :id AND fence = :fence AND state IN ('RUNNING', 'CANCELLING')"
log = structlog.get_logger(__name__)


async def perform(run_id: int, worker: str, lease_seconds: float) -> bool:
    """Claim a run and do it; whether this call did. However often it is called, a run is done once."""
    run = await claim(run_id, worker, lease_seconds)
    if run is None:
        return False
    await do(run, lease_seconds)
    return True


async def do(run: Run, lease_seconds: float, settled: Callable[[], None] | None = None) -> None:
    """Do a run that this process has claimed, to one of its ends.

    A claimed run keeps its machine time; what it reads as business time is its workspace's. With
    `settled`, this returns when its code has, and its good end may be written a little later,
    together with others'; `settled` is called once it is, or at once where it ends otherwise.
    """
    soon = False
    declared = kinds[run.kind]
    limit = asyncio.timeout(declared.deadline_seconds)
    bound = structlog.contextvars.bound_contextvars(run=run.id, kind=run.kind, attempt=run.attempt)
    noted = {"careline.run": run.id, "careline.kind": run.kind, "careline.workspace": run.workspace_id}
    noted |= {"careline.attempt": run.attempt, "careline.queue": run.queue}
    ids = run.span_ids(run.fence) if tracing.on() else None
    traced = tracing.span(f"run {run.kind}", noted, kind="CONSUMER", ids=ids)
    with db.within(run.workspace_id), bound, traced as span:
        try:
            async with limit:
                with HEART.holding(run, limit) as hold:
                    result = await declared.perform(Work(run, lease_seconds))
            if settled is None:
                await ENDINGS.succeed(run, result or {})
            else:
                ENDINGS.succeed_soon(run, result or {}, _failed, settled)
                soon = True
        except Fenced:
            span.failed("FENCED")
            log.warning("run_fenced")
        except Cancelled:
            span.note({"careline.cancelled": True})
            await _cancelled(run)
        except Refused as error:
            span.failed(error.code)
            await _fail(run, error.code, str(error), final=True)
        except DomainError as error:
            span.failed(error.problems[0].code.value)
            await _fail(run, error.problems[0].code.value, str(error), final=True)
        except asyncio.CancelledError:
            # The process is stopping: the run goes back without an attempt used up.
            with contextlib.suppress(Exception):
                await asyncio.shield(give_back(run))
            raise
        except Exception as error:
            span.failed("DEADLINE" if limit.expired() else type(error).__name__)
            if limit.expired() and hold.lost:
                log.warning("run_fenced")  # whoever has it now decides how it ends
            elif limit.expired():
                await _fail(run, "DEADLINE", "the attempt took longer than its time limit", final=False)
            else:
                await _failed(run, error)
        finally:
            if settled is not None and not soon:
                settled()


async def _failed(run: Run, error: Exception) -> None:
    failure = db.failure_of(error)
    if failure is None:
        log.error("run_failed", error=type(error).__name__, exc_info=True)
        await _fail(run, "INTERNAL", _where(error), final=False)
        return
    log.warning("run_interrupted", failure=failure.value)
    with contextlib.suppress(Exception):  # without a database nothing can be said: the lease will
        if failure is db.Failure.MIGRATING:
            # Nothing went wrong: it goes on where it was as soon as anything can be written.
            await db.until_writable()
            await give_back(run)
            return
        await _fail(run, failure.value, _where(error), final=False)


def _where(error: BaseException) -> str:
    """The kind of an unexpected error and where it arose; never its message, which may hold data."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    place = f" at {os.path.basename(last.filename)}:{last.lineno}" if last else ""  # noqa: PTH119
    return f"{type(error).__name__}{place}"


def another_error(run: Run, code: str, message: str) -> list[dict[str, Any]]:
    """The errors of a run and one more, of its present attempt; only the last few are kept."""
    error = {
        "attempt": run.attempt,
        "code": code,
        "message": message[:MESSAGE_LENGTH],
        "worker": run.worker,
        "at": timekeeping.machine_now().isoformat(),
    }
    return [*run.errors, error][-KEPT_ERRORS:]


async def _cancelled(run: Run) -> None:
    ended = await journal.tell(
        system(run.workspace_id, "run", run.id),
        "run.cancelled",
        f"""UPDATE runs SET state = 'CANCELLED', finished_at = {{now}}, lease_until = NULL,
              error_code = NULL, version = version + 1 WHERE {OURS} RETURNING id""",
        {"kind": run.kind},
        id=run.id,
        fence=run.fence,
    )
    if not ended:
        log.warning("run_fenced")
    else:
        db.after_commit(figures.RUNS_ENDED.labels(RunState.CANCELLED.value).inc)


async def _asked_to_end(run: Run) -> bool:
    """Whether somebody asked for the end of a run while this attempt had it; the row is kept as it is.

    Who asks for it now waits, and finds what the attempt has come to.
    """
    lock = "FOR UPDATE" if db.is_postgres() else ""
    state = await db.value(f"SELECT state FROM runs WHERE {OURS} {lock}", id=run.id, fence=run.fence)
    return bool(state == RunState.CANCELLING.value)


async def _fail(run: Run, code: str, message: str, *, final: bool) -> None:
    """End an attempt that failed: for good, or with another try after a growing wait with jitter.

    There is no other try of a run that somebody asked to end.
    """
    # A run of the same key may begin to wait at this moment.
    await db.again_after_a_clash(lambda: _end_failed(run, code, message, final=final))


async def _end_failed(run: Run, code: str, message: str, *, final: bool) -> None:
    failures = run.failures + 1
    final = final or failures >= run.max_attempts
    wait = min(BACKOFF_CAP_SECONDS, 2**failures) * random.uniform(0.5, 1.5)  # noqa: S311
    async with db.transaction():
        if not final and await _asked_to_end(run):
            await _cancelled(run)
            return
        served = None if final else await waiting_twin(run)
        state = RunState.FAILED if final or served is not None else RunState.RETRYING
        told = await journal.tell(
            system(run.workspace_id, "run", run.id),
            f"run.{state.value.lower()}",
            f"""UPDATE runs SET state = :state, errors = :errors, error_code = :code, failures = :failures,
                  deaths = 0, merged_into = :served, lease_until = NULL, rung_at = NULL,
                  run_at = {{now+wait}}, version = version + 1,
                  finished_at = CASE WHEN :final = 1 THEN {{now}} END
                WHERE {OURS} RETURNING id""",
            {"kind": run.kind, "code": code},
            state=state.value,
            errors=db.encode(another_error(run, code, message)),
            code="MERGED" if served is not None else code,
            failures=failures,
            served=served,
            wait=wait,
            final=int(state is RunState.FAILED),
            id=run.id,
            fence=run.fence,
        )
    if told and state is RunState.FAILED:
        figures.RUNS_ENDED.labels(state.value).inc()


async def waiting_twin(run: Run) -> int | None:
    """The run of the same kind and key that waits already, and will do this one's work."""
    if run.unique_key is None:
        return None
    found: int | None = await db.value(
        """SELECT id FROM runs WHERE workspace_id = :workspace AND kind = :kind AND unique_key = :key
             AND id <> :id AND state IN ('SCHEDULED', 'QUEUED', 'RETRYING')""",
        workspace=run.workspace_id,
        kind=run.kind,
        key=run.unique_key,
        id=run.id,
    )
    return found


async def give_back(run: Run) -> None:
    """Put a claimed run back in its queue, as if it had not been tried; one that is to end, ends."""
    await db.again_after_a_clash(lambda: _requeue(run))


async def _requeue(run: Run) -> None:
    async with db.transaction():
        if await _asked_to_end(run):
            await _cancelled(run)
            return
        served = await waiting_twin(run)
        await journal.tell(
            system(run.workspace_id, "run", run.id),
            "run.queued" if served is None else "run.failed",
            f"""UPDATE runs SET state = :state, attempt = attempt - 1, lease_until = NULL, rung_at = NULL,
                  version = version + 1, error_code = :code, merged_into = :served,
                  finished_at = CASE WHEN :final = 1 THEN {{now}} END
                WHERE {OURS} RETURNING id""",
            {"kind": run.kind},
            state=(RunState.QUEUED if served is None else RunState.FAILED).value,
            code=None if served is None else "MERGED",
            served=served,
            final=int(served is not None),
            id=run.id,
            fence=run.fence,
        )
