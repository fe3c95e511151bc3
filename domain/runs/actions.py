"""Asks for machine work, and for its end."""

from typing import Any

from domain import db, journal, timekeeping
from domain.access import Principal
from domain.errors import DomainError, ErrorCode
from domain.journal import Entry
from domain.runs.models import ENDED, Run, RunState
from domain.runs.work import kinds


class RunEnded(DomainError):
    """The run is over; there is nothing to cancel."""

    code = ErrorCode.CLOSED


class RunNotFailed(DomainError):
    """Only a run that failed or was cancelled can be tried again."""

    code = ErrorCode.CONFLICT


async def enqueue(
    who: Principal, kind: str, args: dict[str, Any] | None = None, *, unique_key: str | None = None
) -> Run:
    """Ask for a run, in the transaction of the change that needs it.

    With a `unique_key`, callers coalesce: at most one run of the kind and key waits while one runs,
    and every caller gets the run that will serve it. Arguments are ids, not data.
    """
    declared = kinds[kind]
    now = timekeeping.machine_now()
    async with db.transaction():
        made = await db.rows(
            """INSERT INTO runs (workspace_id, version, kind, queue, priority, state, args, unique_key,
                 run_at, attempt, max_attempts, fence, deadline_seconds, progress_done, progress_unit,
                 progress_message, errors, started_by, queued_at)
               VALUES (:workspace, 1, :kind, :queue, :priority, 'QUEUED', :args, :key,
                 {now}, 0, :attempts, 0, :deadline, 0, '', '', '[]', :by, :now)
               ON CONFLICT (workspace_id, kind, unique_key)
                 WHERE unique_key IS NOT NULL AND state IN ('SCHEDULED', 'QUEUED', 'RETRYING')
                 DO NOTHING RETURNING id""",
            workspace=who.workspace_id,
            kind=kind,
            queue=declared.queue,
            priority=declared.priority,
            args=db.encode(args or {}),
            key=unique_key,
            attempts=declared.max_attempts,
            deadline=declared.deadline_seconds,
            by=who.label,
            now=now,
        )
        if not made:
            return await Run.get(
                workspace_id=who.workspace_id,
                kind=kind,
                unique_key=unique_key,
                state__in=[RunState.SCHEDULED, RunState.QUEUED, RunState.RETRYING],
            )
        run = await Run.get(id=made[0]["id"])
        await journal.write(who, Entry("run.queued", run.id, data={"kind": kind}))
    return run


async def cancel(who: Principal, run_id: int) -> Run:
    """Ask a run to end: at once if it waits, at its next step if it runs. Asking twice is one asking."""
    async with db.transaction():
        run = await Run.load(who.workspace_id, run_id)
        if run.state in ENDED:
            raise RunEnded(f"this run is {run.state.value}", current=run)
        if run.state is RunState.CANCELLING:
            return run
        if run.state is RunState.RUNNING:
            await run.must_change({"state": RunState.RUNNING}, state=RunState.CANCELLING)
            await journal.write(who, Entry("run.cancelling", run.id))
        else:
            await run.must_change(
                {"state": run.state}, state=RunState.CANCELLED, finished_at=timekeeping.machine_now()
            )
            await journal.write(who, Entry("run.cancelled", run.id))
    return run


async def retry(who: Principal, run_id: int) -> Run:
    """Queue a failed or cancelled run again; it goes on from its last step.

    When another run of the same kind and key already waits, that one is the answer.
    """
    async with db.transaction():
        run = await Run.load(who.workspace_id, run_id)
        if run.state not in (RunState.FAILED, RunState.CANCELLED):
            raise RunNotFailed(f"this run is {run.state.value}", current=run)
        if run.unique_key is not None:
            waiting = await Run.get_or_none(
                workspace_id=who.workspace_id,
                kind=run.kind,
                unique_key=run.unique_key,
                state__in=[RunState.SCHEDULED, RunState.QUEUED, RunState.RETRYING],
            )
            if waiting is not None:
                return waiting
        await run.must_change(
            {"state": run.state},
            state=RunState.QUEUED,
            run_at=timekeeping.machine_now(),
            attempt=0,
            rung_at=None,
            finished_at=None,
            error_code=None,
        )
        await journal.write(who, Entry("run.queued", run.id, data={"kind": run.kind}))
    return run
