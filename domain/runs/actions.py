"""Asks for machine work, and for its end."""

import functools
from datetime import datetime
from typing import Any

from tortoise.expressions import Q

from domain import db, journal, timekeeping, tracing
from domain.access import Principal
from domain.errors import DomainError, ErrorCode
from domain.journal import Entry
from domain.paging import askable
from domain.runs.models import ACTIVE, ENDED, WAITING, Run, RunState
from domain.runs.work import Overlap, kinds

RETRIED_AT_MOST = 1000


class RunEnded(DomainError):
    """The run is over; there is nothing to cancel."""

    code = ErrorCode.CLOSED


class RunNotFailed(DomainError):
    """Only a run that failed or was cancelled can be tried again."""

    code = ErrorCode.CONFLICT


_INSERT = """INSERT INTO runs (workspace_id, version, kind, queue, priority, state, args, unique_key,
    run_at, attempt, max_attempts, fence, deadline_seconds, progress_done, progress_unit,
    progress_message, errors, schedule_id, slot_at, started_by, queued_at)
  VALUES (:workspace_id, 1, :kind, :queue, :priority, :state, :args, :unique_key, COALESCE(:run_at, {now}),
    0, :max_attempts, 0, :deadline_seconds, 0, '', '', '[]', :schedule_id, :slot_at, :started_by,
    :queued_at)"""
_UNLESS_ONE_WAITS = """ON CONFLICT (workspace_id, kind, unique_key)
    WHERE unique_key IS NOT NULL AND state IN ('SCHEDULED', 'QUEUED', 'RETRYING') DO NOTHING"""
"""Where there is a key; without one it would be work for nothing."""


@functools.cache
def _fresh() -> dict[str, Any]:
    """The columns of a run as they are before anybody has touched it, so that the database need not say."""
    zero = dict.fromkeys(("attempt", "failures", "deaths", "fence", "progress_done"), 0)
    said = {"progress_unit": "", "progress_message": "", "errors": "[]"}
    return dict.fromkeys(Run._meta.db_fields, None) | zero | said | {"version": 1}


async def enqueue(
    who: Principal,
    kind: str,
    args: dict[str, Any] | None = None,
    *,
    unique_key: str | None = None,
    run_at: datetime | None = None,
    slot: tuple[int, datetime | None] | None = None,
) -> Run:
    """Ask for a run, in the transaction of the change that needs it.

    With a `unique_key`, callers coalesce by the kind's `Overlap`, and every caller gets the run that
    will serve it; one that is scheduled for a later time is brought forward to theirs, but the pause
    before another try is kept. Arguments are ids, not data. It starts at `run_at` (machine time) or
    later. `slot` is the schedule that asks and which of its times this is, none where a person asks
    out of turn.
    """
    declared = kinds[kind]
    if declared.overlap is Overlap.ALLOW:
        unique_key = None
    now = timekeeping.machine_now()
    later = run_at is not None and run_at > now
    async with db.transaction():
        if declared.overlap is Overlap.SKIP and unique_key is not None:
            serving = await _of_key(who, kind, unique_key, lock=True)
            if serving is not None and (sooner := await _no_later(who, serving, run_at, RunState.SCHEDULED)):
                return _pointed_to(sooner)
        given = {
            "workspace_id": who.workspace_id,
            "kind": kind,
            "queue": declared.queue,
            "priority": declared.priority,
            "state": (RunState.SCHEDULED if later else RunState.QUEUED).value,
            "args": db.encode(args or {}),
            "unique_key": unique_key,
            "run_at": run_at if later else None,
            "max_attempts": declared.max_attempts,
            "deadline_seconds": declared.deadline_seconds,
            "schedule_id": slot[0] if slot else None,
            "slot_at": slot[1] if slot else None,
            "started_by": who.label,
            "queued_at": now,
        }
        made = await journal.tell(
            who,
            "run.scheduled" if later else "run.queued",
            f"{_INSERT} {_UNLESS_ONE_WAITS if unique_key is not None else ''} RETURNING id, run_at",
            {"kind": kind},
            **given,
        )
        if declared.overlap is Overlap.CANCEL_RUNNING and unique_key is not None:
            await _end_running(who, kind, unique_key)
        if made:
            return _pointed_to(db.hydrate(Run, [{**_fresh(), **given, **made[0]}])[0])
        assert unique_key is not None
        waiting = await _of_key(who, kind, unique_key, lock=False)
        waiting = waiting and await _no_later(who, waiting, run_at, RunState.SCHEDULED)
    # Between the two statements a worker may have taken it: then it serves all the same.
    return (
        _pointed_to(waiting)
        if waiting is not None
        else await enqueue(who, kind, args, unique_key=unique_key, run_at=run_at, slot=slot)
    )


def _pointed_to(run: Run) -> Run:
    """The run, and a link to it from the span of whoever asked: no column has to carry the trace."""
    if tracing.on():
        fence = run.fence if run.state in ACTIVE else run.fence + 1
        tracing.point_to(run.span_ids(fence), {"careline.run": run.id, "careline.kind": run.kind})
    return run


async def _of_key(who: Principal, kind: str, key: str, *, lock: bool) -> Run | None:
    """The run of a key that has not ended, the waiting one before the active one."""
    query = Run.filter(workspace_id=who.workspace_id, kind=kind, unique_key=key, state__not_in=list(ENDED))
    found = await (query.select_for_update() if lock else query)
    return min(found, key=lambda run: run.state not in WAITING, default=None)


async def _no_later(who: Principal, run: Run, at: datetime | None, *states: RunState) -> Run | None:
    """The run, brought forward if it waits in one of these states for later; none if it has gone on.

    Its row is touched only then: who coalesces with a run must not keep it from the workers. One that
    is queued keeps its place, also when it comes back from a lost worker and waits for its turn.
    """
    now = timekeeping.machine_now()
    at = max(at or now, now)
    if run.state not in states or run.run_at <= at:
        return run
    state = RunState.QUEUED if at == now else run.state
    moved = await journal.tell(
        who,
        f"run.{state.value.lower()}",
        """UPDATE runs SET state = :state, run_at = :at, rung_at = NULL, version = version + 1
           WHERE workspace_id = :workspace AND id = :id AND state = :was AND run_at > :at RETURNING *""",
        {"kind": run.kind},
        state=state.value,
        at=at,
        workspace=who.workspace_id,
        id=run.id,
        was=run.state.value,
    )
    return db.hydrate(Run, moved)[0] if moved else None


async def _end_running(who: Principal, kind: str, key: str) -> None:
    await journal.tell(
        who,
        "run.cancelling",
        """UPDATE runs SET state = 'CANCELLING', version = version + 1
           WHERE workspace_id = :workspace AND kind = :kind AND unique_key = :key AND state = 'RUNNING'
           RETURNING id""",
        {"kind": kind},
        workspace=who.workspace_id,
        kind=kind,
        key=key,
    )


async def cancel(who: Principal, run_id: int) -> Run:
    """Ask a run to end: at once if it waits, at its next step if it runs. Asking twice is one asking."""
    async with db.transaction():
        run = await Run.load(who.workspace_id, run_id)
        which = {"workspace": who.workspace_id, "id": run_id}
        # By its state alone: a run at work has a new version with each step.
        changed = await journal.tell(
            who,
            "run.cancelling",
            """UPDATE runs SET state = 'CANCELLING', version = version + 1
               WHERE workspace_id = :workspace AND id = :id AND state = 'RUNNING' RETURNING *""",
            {"kind": run.kind},
            **which,
        ) or await journal.tell(
            who,
            "run.cancelled",
            """UPDATE runs SET state = 'CANCELLED', finished_at = {now}, error_code = NULL,
                 version = version + 1
               WHERE workspace_id = :workspace AND id = :id AND state IN ('SCHEDULED', 'QUEUED', 'RETRYING')
               RETURNING *""",
            {"kind": run.kind},
            **which,
        )
        if changed:
            return db.hydrate(Run, changed)[0]
        run = await Run.load(who.workspace_id, run_id)
        if run.state in ENDED:
            raise RunEnded(f"this run is {run.state.value}", current=run)
    return run


async def retry(who: Principal, run_id: int) -> Run:
    """Queue a failed or cancelled run again; it goes on from its last step.

    When another run of the same kind and key already waits, that one is the answer, and waits no longer.
    """
    async with db.transaction():
        run = await Run.load(who.workspace_id, run_id)
        if run.state not in (RunState.FAILED, RunState.CANCELLED):
            raise RunNotFailed(f"this run is {run.state.value}", current=run)
        return _pointed_to(await _again(who, run))


async def retry_all(who: Principal, where: Q) -> tuple[list[Run], bool]:
    """Queue the failed and cancelled runs of a filter again, the oldest first, at most 1,000 of them.

    Returns those that will do the work, where runs of one kind and key are one, and whether more match.
    """
    wanted = Run.filter(
        where, workspace_id=who.workspace_id, state__in=[RunState.FAILED, RunState.CANCELLED]
    ).order_by("id")
    async with db.transaction():
        with askable():
            found = await wanted.limit(RETRIED_AT_MOST + 1)
        serving = [await _again(who, run) for run in found[:RETRIED_AT_MOST]]
    return list({run.id: run for run in serving}.values()), len(found) > RETRIED_AT_MOST


async def _again(who: Principal, run: Run) -> Run:
    if run.unique_key is not None:
        waiting = await Run.get_or_none(
            workspace_id=who.workspace_id, kind=run.kind, unique_key=run.unique_key, state__in=list(WAITING)
        )
        if waiting is not None and (
            sooner := await _no_later(who, waiting, None, RunState.SCHEDULED, RunState.RETRYING)
        ):
            return sooner
    await run.must_change(
        {"state": run.state},
        state=RunState.QUEUED,
        run_at=timekeeping.machine_now(),
        failures=0,
        deaths=0,
        rung_at=None,
        finished_at=None,
        error_code=None,
        merged_into=None,
    )
    await journal.write(who, Entry("run.queued", run.id, data={"kind": run.kind}))
    return run
