"""What people do to schedules: make, change, pause, resume, and fire out of turn."""

from typing import Any, Unpack

from domain import db, journal, timekeeping, workspaces
from domain.access import ADMINS, Principal
from domain.errors import Duplicate, Forbidden, Invalid, Reasons, Required
from domain.journal import Entry
from domain.paging import Order, Page, Slice
from domain.paging import page as paged
from domain.runs.models import CatchUp, Run, Schedule
from domain.runs.presets import PRESETS, SchedulePreset
from domain.runs.slots import ask, halt, timing
from domain.runs.terms import Terms, check_kind, checked
from domain.texts import text

TIMED_BY = {"cron", "zone", "jitter_seconds"}


async def create_schedule(
    who: Principal,
    *,
    preset: SchedulePreset | None = None,
    kind: str | None = None,
    **terms: Unpack[Terms],
) -> Schedule:
    """Have a kind of run asked for again and again, from a preset or by terms of one's own.

    Terms beside a preset stand in place of its own; its kind stays. The first slot is the first after now.
    """
    _must_be_admin(who)
    reasons = Reasons()
    given: dict[str, Any] = dict(terms)
    if preset is not None:
        begun = PRESETS[preset]
        with reasons.gathered():
            if kind is not None:
                raise Invalid("a preset has its own kind", field="kind")
        kind = begun.kind
        given = {
            "name": preset.value,
            "cron": begun.cron,
            "catch_up_seconds": begun.catch_up_seconds,
            "args": begun.args,
        } | given
    for needed, value in (("name", given.get("name")), ("kind", kind), ("cron", given.get("cron"))):
        with reasons.gathered():
            if value is None:
                raise Required(f"{needed} is missing: give one, or a preset", field=needed)
    with reasons.gathered():
        if kind is not None:
            check_kind(kind)
    good = checked(reasons, kind, {"args": {}, **given}, preset)
    async with db.transaction():
        await workspaces.hold(who.workspace_id)
        with reasons.gathered():
            await _must_be_free(who, good.get("name"), "preset" if "name" not in terms else "name")
        reasons.refuse()
        schedule = await Schedule.create(
            workspace_id=who.workspace_id,
            kind=kind,
            created_at=timekeeping.machine_now(),
            **({"catch_up": CatchUp.LATEST} | good),
        )
        await Schedule.filter(id=schedule.id).update(**await _next(schedule))
        data = {"kind": kind, "preset": preset.value if preset else None}
        await journal.write(who, Entry("schedule.created", schedule.id, data=data))
        return await Schedule.load(who.workspace_id, schedule.id)


async def update_schedule(
    who: Principal, schedule_id: int, expected_version: int | None = None, **terms: Unpack[Terms]
) -> Schedule:
    """Change what is given. A new time counts from now on; what it no longer names is not made up for."""
    _must_be_admin(who)
    reasons = Reasons()
    async with db.transaction():
        await workspaces.hold(who.workspace_id)
        schedule = await _held(who, schedule_id, expected_version)
        good = checked(reasons, schedule.kind, dict(terms), schedule.name)
        with reasons.gathered():
            if good.get("name") not in (None, schedule.name):
                await _must_be_free(who, good["name"], "name")
        reasons.refuse()
        changes = {field: value for field, value in good.items() if value != getattr(schedule, field)}
        if changes:
            for field, value in changes.items():
                setattr(schedule, field, value)
            timed = await _next(schedule) if TIMED_BY & changes.keys() and schedule.paused_at is None else {}
            await schedule.must_change(**changes, **timed)
            await journal.write(who, Entry("schedule.changed", schedule.id, data={"fields": sorted(changes)}))
    return schedule


async def pause_schedule(
    who: Principal, schedule_id: int, reason: str = "", expected_version: int | None = None
) -> Schedule:
    """Fire no more until it is resumed. Asked again, nothing changes."""
    _must_be_admin(who)
    if reason:
        reason = text(reason, "reason", 200)
    async with db.transaction():
        schedule = await _held(who, schedule_id, expected_version)
        if schedule.paused_at is None:
            await halt(who, schedule, reason)
    return schedule


async def resume_schedule(who: Principal, schedule_id: int, expected_version: int | None = None) -> Schedule:
    """Go on with the first slot after now; those that went by in the pause are not made up for."""
    _must_be_admin(who)
    async with db.transaction():
        schedule = await _held(who, schedule_id, expected_version)
        if schedule.paused_at is not None:
            await schedule.must_change(paused_at=None, pause_reason="", **await _next(schedule))
            await journal.write(who, Entry("schedule.resumed", schedule.id))
    return schedule


async def fire_schedule(who: Principal, schedule_id: int) -> Run:
    """Ask for its run now, out of turn, be it paused or not; its own slots stay as they are."""
    _must_be_admin(who)
    async with db.transaction():
        schedule = await _held(who, schedule_id)
        check_kind(schedule.kind, "id")
        return await ask(who, schedule, None)


async def page_of_schedules(who: Principal, part: Slice) -> Page[Schedule]:
    """The schedules of a workspace, the oldest first."""
    return await paged(Schedule.filter(workspace_id=who.workspace_id), Order("id"), part)


async def _held(who: Principal, schedule_id: int, expected_version: int | None = None) -> Schedule:
    """The schedule as it is, until the end of the transaction: a clock that would fire it waits."""
    schedule = (
        await Schedule.filter(workspace_id=who.workspace_id, id=schedule_id).select_for_update().first()
    )
    schedule = schedule or await Schedule.load(who.workspace_id, schedule_id)
    schedule.expect(expected_version)
    return schedule


async def _next(schedule: Schedule) -> dict[str, Any]:
    """Its timer, set to the first slot after now that was not done already."""
    now = await timekeeping.now(schedule.workspace_id)
    zone = (await workspaces.get(schedule.workspace_id)).zone
    slot = timing(schedule, zone).next_slot(max(now, schedule.last_slot_at or now))
    return {"next_at": slot.fires_at if slot else None, "next_slot_at": slot.at if slot else None}


def _must_be_admin(who: Principal) -> None:
    if who.role not in ADMINS:
        raise Forbidden("only an owner or admin looks after schedules")


async def _must_be_free(who: Principal, name: str | None, field: str) -> None:
    if name is not None and await Schedule.exists(workspace_id=who.workspace_id, name=name):
        raise Duplicate("there is a schedule of this name already", field=field)
