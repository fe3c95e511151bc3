"""Fires what schedules have come due: each slot once, by business time, late ones by their policy."""

from datetime import datetime, timedelta
from typing import Any

import structlog
from tortoise.expressions import Q

from domain import db, journal, timekeeping, workspaces
from domain.access import Principal, system
from domain.journal import Entry
from domain.language import Label
from domain.runs.actions import enqueue
from domain.runs.cron import Cron, Slot, Timing
from domain.runs.models import CatchUp, Run, Schedule
from domain.runs.work import kinds

ON_TIME_SECONDS = 60
"""A slot that is done within so long after its time was not missed."""
SLOTS_AT_ONCE = 100
"""How many slots that went by are settled in one transaction; the rest in the next."""
FAILED = Label("run {run} failed: {code}", "运行 {run} 失败：{code}")
UNFIREABLE = Label("it could not be fired: {code}", "无法触发：{code}")
log = structlog.get_logger(__name__)


def timing(schedule: Schedule, workspace_zone: str) -> Timing:
    """When a schedule fires: in its own zone, or else the workspace's."""
    tz = timekeeping.zone(schedule.zone or workspace_zone)
    return Timing(Cron(schedule.cron), tz, schedule.jitter_seconds, schedule.id)


def upcoming(schedule: Schedule, workspace_zone: str, count: int = 5) -> list[datetime]:
    """When it fires next, jitter included; never while it is paused."""
    if schedule.next_slot_at is None:
        return []
    slots = timing(schedule, workspace_zone).first(count, schedule.next_slot_at - timekeeping.TICK)
    return [slot.fires_at for slot in slots]


async def due_schedules(now: datetime, workspace_id: int | None, limit: int = 100) -> list[dict[str, Any]]:
    """Schedules whose time has come, the longest due first: of one sandbox, or of all that are none.

    One of a kind that this process does not know waits for a process of a version that does.
    """
    whose = (
        "workspace_id = :workspace"
        if workspace_id
        else "workspace_id NOT IN (SELECT id FROM workspaces WHERE sandbox = :sandbox)"
    )
    given: dict[str, Any] = {"workspace": workspace_id} if workspace_id else {"sandbox": True}
    return await db.rows(
        f"""SELECT id, workspace_id, next_at AS due_at FROM schedules
            WHERE next_at <= :now AND kind IN :kinds AND {whose} ORDER BY next_at, id LIMIT :limit""",
        now=now,
        kinds=list(kinds),
        limit=limit,
        **given,
    )


async def next_slot_due(workspace_id: int, until: datetime) -> datetime | None:
    """The earliest instant up to `until` at which a schedule of a workspace fires."""
    found = await db.value(
        """SELECT min(next_at) AS at FROM schedules
           WHERE workspace_id = :workspace AND next_at <= :until AND kind IN :kinds""",
        workspace=workspace_id,
        until=until,
        kinds=list(kinds),
    )
    return db.instant_of(found) if found is not None else None


async def fire_slot(workspace_id: int, schedule_id: int, due_at: datetime) -> bool:
    """Ask for the run of a schedule's slot and move its timer on, in one transaction and once per slot.

    `due_at` is the due time the caller saw; if the schedule has moved on since, nothing happens. Of the
    slots that went by meanwhile those are made up for that the schedule wants; the others are counted.
    Whether this call did the moving.
    """
    async with db.transaction():
        schedule = (
            await Schedule.filter(workspace_id=workspace_id, id=schedule_id, next_at=due_at)
            .select_for_update()
            .first()
        )
        now = await timekeeping.now(workspace_id)
        if schedule is None or schedule.next_slot_at is None or due_at > now:
            return False
        zone = (await workspaces.get(workspace_id)).zone
        passed, following = _passed(timing(schedule, zone), schedule.next_slot_at, now)
        wanted = _wanted(schedule, passed, following, now)
        moved = await Schedule.filter(id=schedule.id, version=schedule.version, next_at=due_at).update(
            next_at=following.fires_at if following else None,
            next_slot_at=following.at if following else None,
            last_slot_at=passed[-1].at if passed else schedule.last_slot_at,
            missed=schedule.missed + len(passed) - len(wanted),
        )
        if not moved:
            return False
        if len(wanted) < len(passed):
            await _note_missed(schedule, len(passed) - len(wanted), passed[0].at)
        for slot in wanted:
            await ask(system(workspace_id, "schedule", schedule.id), schedule, slot.at)
    return True


def _passed(timing: Timing, first: datetime, now: datetime) -> tuple[list[Slot], Slot | None]:
    """The slots from the first on that have come by now, so many as are settled at once; and the next."""
    found: list[Slot] = []
    for slot in timing.slots(first - timekeeping.TICK):
        if slot.fires_at > now or len(found) == SLOTS_AT_ONCE:
            return found, slot
        found.append(slot)
    return found, None


def _wanted(schedule: Schedule, passed: list[Slot], following: Slot | None, now: datetime) -> list[Slot]:
    """Those of the slots that came by which are done now."""
    none = schedule.catch_up is CatchUp.NONE
    window = timedelta(seconds=ON_TIME_SECONDS if none else schedule.catch_up_seconds)
    worth = [slot for slot in passed if now - slot.fires_at <= window]
    if schedule.catch_up is CatchUp.LATEST:
        later = following is not None and following.fires_at <= now
        return [] if later else worth[-1:]
    return worth


async def ask(who: Principal, schedule: Schedule, slot_at: datetime | None) -> Run:
    """Ask for a schedule's run: for one of its slots, or out of turn."""
    run = await enqueue(
        who,
        schedule.kind,
        dict(schedule.args),
        unique_key=kinds[schedule.kind].unique_key,
        slot=(schedule.id, slot_at),
    )
    await Schedule.filter(workspace_id=schedule.workspace_id, id=schedule.id).update(last_run_id=run.id)
    schedule.last_run_id = run.id
    data = {"run": run.id, "slot_at": slot_at.isoformat() if slot_at else None}
    await journal.write(who, Entry("schedule.fired", schedule.id, data=data))
    return run


async def _note_missed(schedule: Schedule, count: int, since: datetime) -> None:
    log.warning("slots_missed", schedule=schedule.id, slots=count)
    data = {"count": count, "since": since.isoformat()}
    who = system(schedule.workspace_id, "schedule", schedule.id)
    await journal.write(who, Entry("schedule.missed", schedule.id, data=data))


async def set_schedule_apart(workspace_id: int, schedule_id: int, error: BaseException) -> None:
    """A schedule could not be fired: it is paused with the reason, so that it holds up no other."""
    log.error("schedule_failed", schedule=schedule_id, error=type(error).__name__, exc_info=error)
    async with db.transaction():
        for schedule in await Schedule.filter(
            workspace_id=workspace_id, id=schedule_id, paused_at__isnull=True
        ).select_for_update():
            who = system(workspace_id, "schedule", schedule.id)
            await halt(who, schedule, await _said(workspace_id, UNFIREABLE, code=type(error).__name__))


async def note_failed_run(who: Principal, run_id: int) -> None:
    """Pause what wants to be paused when its run fails; a run that gave way to another has not failed."""
    run = await Run.find(who.workspace_id, run_id)
    if run is None:
        return
    served = Schedule.filter(workspace_id=who.workspace_id, last_run_id=run.id)
    if run.merged_into is not None:
        await served.update(last_run_id=run.merged_into)
        return
    for schedule in (
        await Schedule.filter(
            Q(last_run_id=run.id) | Q(id=run.schedule_id or 0),
            workspace_id=who.workspace_id,
            pause_on_failure=True,
            paused_at__isnull=True,
        )
        .order_by("id")
        .select_for_update()
    ):
        reason = await _said(who.workspace_id, FAILED, run=run.id, code=run.error_code)
        await halt(who, schedule, reason)


async def halt(who: Principal, schedule: Schedule, reason: str) -> None:
    """Stop a schedule's timer; the schedule is held by this transaction."""
    await schedule.must_change(
        paused_at=await timekeeping.now(schedule.workspace_id),
        pause_reason=reason,
        next_at=None,
        next_slot_at=None,
    )
    await journal.write(who, Entry("schedule.paused", schedule.id))


async def _said(workspace_id: int, label: Label, **values: Any) -> str:
    return label((await workspaces.get(workspace_id)).language).format(**values)[:200]
