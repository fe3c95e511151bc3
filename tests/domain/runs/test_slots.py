"""What falls due is fired once, and what went by unseen as the schedule wants it."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from domain import db, runs, timekeeping
from domain.journal import JournalLine
from domain.language import Label, Language
from domain.runs import CatchUp, Run, RunState, Schedule, Work, slots
from domain.runs.work import Kind, Overlap
from tests.conftest import House, build_house
from tests.security.rows import differences, snapshot
from tests.stories.stage import shanghai

SIX = shanghai("2025-03-04 06:00:00")
"""The first slot of a schedule that is made at NOON."""
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def tick(monkeypatch: pytest.MonkeyPatch) -> None:
    async def perform(work: Work) -> None:
        await work.checkpoint(done=1)

    monkeypatch.setitem(runs.kinds, "tick", Kind("tick", perform, schedulable=True))


async def made(house: House, **terms: Any) -> Schedule:
    given: dict[str, Any] = {"name": "ticks", "kind": "tick", "cron": "0 6 * * *"}
    return await runs.create_schedule(house.admin, **(given | terms))


async def settle(house: House) -> None:
    """Fire until nothing is due, as a worker does."""
    while due := await runs.due_schedules(await timekeeping.now(house.id), house.id):
        for row in due:
            assert await runs.fire_slot(row["workspace_id"], row["id"], db.instant_of(row["due_at"]))


async def fired(house: House) -> list[datetime]:
    found = await Run.filter(workspace_id=house.id).order_by("slot_at")
    return [run.slot_at for run in found if run.slot_at is not None]


async def test_a_slot_asks_for_its_run_and_the_timer_moves_on(house: House) -> None:
    schedule = await made(house)
    assert await runs.next_slot_due(house.id, SIX) == SIX
    assert await runs.next_slot_due(house.id, SIX - timekeeping.TICK) is None
    await house.turn(SIX)
    await settle(house)
    (run,) = await Run.filter(workspace_id=house.id)
    after = await Schedule.get(id=schedule.id)
    assert (run.kind, run.schedule_id, run.slot_at) == ("tick", schedule.id, SIX)
    assert (run.state, run.started_by) == (RunState.QUEUED, f"schedule:{schedule.id}")
    assert (after.next_at, after.last_slot_at, after.last_run_id) == (SIX + DAY, SIX, run.id)
    assert (after.missed, after.version) == (0, schedule.version), "firing is no change of the schedule"
    (line,) = await JournalLine.filter(workspace_id=house.id, name="schedule.fired")
    assert (line.at, line.data) == (
        SIX,
        {"run": run.id, "slot_at": SIX.astimezone(line.at.tzinfo).isoformat()},
    )


async def test_of_many_that_fire_a_slot_at_once_one_does(house: House) -> None:
    schedule = await made(house)
    await house.turn(SIX)
    outcomes = await asyncio.gather(*(runs.fire_slot(house.id, schedule.id, SIX) for _ in range(6)))
    assert sorted(outcomes) == [False] * 5 + [True]
    before = await snapshot()
    assert not await runs.fire_slot(house.id, schedule.id, SIX), "nor does one that comes late"
    assert differences(before, await snapshot()) == {}
    assert await fired(house) == [SIX]


async def test_nothing_fires_before_its_time(house: House) -> None:
    schedule = await made(house)
    await house.turn(SIX - timekeeping.TICK)
    before = await snapshot()
    assert await runs.due_schedules(await timekeeping.now(house.id), house.id) == []
    assert not await runs.fire_slot(house.id, schedule.id, SIX)
    assert differences(before, await snapshot()) == {}


LATE = timedelta(hours=3)


@pytest.mark.parametrize(
    ("policy", "seconds", "days", "slots", "missed"),
    [
        (CatchUp.NONE, 86_400, 0, [], 1),
        (CatchUp.NONE, 86_400, 4, [], 5),
        (CatchUp.LATEST, 86_400, 0, [0], 0),
        (CatchUp.LATEST, 86_400, 4, [4], 4),
        (CatchUp.LATEST, 3 * 3600, 4, [4], 4),
        (CatchUp.LATEST, 3 * 3600 - 1, 4, [], 5),
        (CatchUp.ALL, 3 * 86_400, 4, [2, 3, 4], 2),
        (CatchUp.ALL, 30 * 86_400, 4, [0, 1, 2, 3, 4], 0),
        (CatchUp.ALL, 3600, 4, [], 5),
    ],
)
async def test_what_went_by_is_made_up_for_as_the_schedule_wants(
    house: House, policy: CatchUp, seconds: int, days: int, slots: list[int], missed: int
) -> None:
    schedule = await made(house, catch_up=policy, catch_up_seconds=seconds)
    await house.turn(SIX + days * DAY + LATE)
    await settle(house)
    assert await fired(house) == [SIX + number * DAY for number in slots]
    after = await Schedule.get(id=schedule.id)
    assert (after.missed, after.next_at) == (missed, SIX + (days + 1) * DAY)
    assert after.last_slot_at == SIX + days * DAY
    told = await JournalLine.filter(workspace_id=house.id, name="schedule.missed")
    assert sum(line.data["count"] for line in told) == missed


async def test_a_slot_that_is_done_within_a_minute_is_in_time(house: House) -> None:
    schedule = await made(house, catch_up=CatchUp.NONE)
    await house.turn(SIX + timedelta(seconds=60))
    await settle(house)
    await house.turn(SIX + DAY + timedelta(seconds=60) + timekeeping.TICK)
    await settle(house)
    assert await fired(house) == [SIX]
    assert (await Schedule.get(id=schedule.id)).missed == 1


@pytest.mark.parametrize(("policy", "count"), [(CatchUp.NONE, 2), (CatchUp.LATEST, 1), (CatchUp.ALL, 61)])
async def test_slots_that_went_by_by_the_thousand_are_settled_in_parts(
    house: House, monkeypatch: pytest.MonkeyPatch, policy: CatchUp, count: int
) -> None:
    monkeypatch.setattr(slots, "SLOTS_AT_ONCE", 50)
    schedule = await made(house, cron="* * * * *", catch_up=policy, catch_up_seconds=3600)
    first = schedule.next_slot_at
    assert first is not None
    await house.turn(first + timedelta(minutes=1000))
    await settle(house)
    assert await fired(house) == [first + timedelta(minutes=1001 - count + n) for n in range(count)]
    after = await Schedule.get(id=schedule.id)
    assert (after.missed, after.next_at) == (1001 - count, first + timedelta(minutes=1001))


async def test_a_slot_that_another_run_serves_is_served(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Kind(
        "tick", runs.kinds["tick"].perform, schedulable=True, unique_key="all", overlap=Overlap.QUEUE_ONE
    )
    monkeypatch.setitem(runs.kinds, "tick", one)
    asked = await runs.enqueue(house.admin, "tick", unique_key="all")
    schedule = await made(house)
    await house.turn(SIX)
    await settle(house)
    after = await Schedule.get(id=schedule.id)
    assert (await Run.filter(workspace_id=house.id).count(), after.last_run_id) == (1, asked.id)
    assert (after.missed, after.next_at) == (0, SIX + DAY)


async def test_a_clock_that_goes_back_fires_no_slot_twice(house: House) -> None:
    schedule = await made(house)
    await house.turn(SIX)
    await settle(house)
    await type(house.workspace).filter(id=house.id).update(clock_at=SIX - timedelta(hours=1))
    changed = await runs.update_schedule(house.admin, schedule.id, cron="0 6 * * 1-7")
    assert changed.next_at == SIX + DAY


async def fail(house: House, run: Run, **how: Any) -> None:
    """End a run as failed, as a worker does, and let the reaction come."""
    from domain.access import system

    await Run.filter(id=run.id).update(
        **(
            {"state": RunState.FAILED, "error_code": "INTERNAL", "finished_at": timekeeping.machine_now()}
            | how
        )
    )
    async with db.transaction():
        await runs.note_failed_run(system(house.id, "reaction"), run.id)


async def test_a_failed_run_pauses_the_schedule_that_wants_it(house: House) -> None:
    schedule = await made(house, pause_on_failure=True)
    other = await made(house, name="others")
    third = await made(house, name="third", pause_on_failure=True)
    await house.turn(SIX)
    await settle(house)
    run, kept = [await Run.get(workspace_id=house.id, schedule_id=s.id) for s in (schedule, other)]
    await fail(house, run)
    await fail(house, kept)
    after = await Schedule.get(id=schedule.id)
    assert (after.paused_at, after.next_at) == (SIX, None)
    assert after.pause_reason == f"运行 {after.last_run_id} 失败：INTERNAL"
    assert [(await Schedule.get(id=s.id)).paused_at for s in (other, third)] == [None, None]
    (line,) = await JournalLine.filter(workspace_id=house.id, name="schedule.paused")
    assert (line.subject_id, line.actor) == (schedule.id, "reaction")
    resumed = await runs.resume_schedule(house.admin, schedule.id)
    assert resumed.next_at == SIX + DAY


async def test_a_run_that_gave_way_to_another_pauses_nothing_until_that_one_fails(house: House) -> None:
    schedule = await made(house, pause_on_failure=True)
    await house.turn(SIX)
    await settle(house)
    run = await Run.get(workspace_id=house.id)
    twin = await runs.enqueue(house.admin, "tick")
    await fail(house, run, error_code="MERGED", merged_into=twin.id)
    after = await Schedule.get(id=schedule.id)
    assert (after.paused_at, after.last_run_id) == (None, twin.id)
    await fail(house, twin)
    assert (await Schedule.get(id=schedule.id)).paused_at == SIX


async def test_a_schedule_that_cannot_be_fired_is_paused_and_holds_up_no_other(house: House) -> None:
    schedule = await made(house)
    await Schedule.filter(id=schedule.id).update(zone="Gone/Away")
    await house.turn(SIX)
    with pytest.raises(Exception) as error:
        await runs.fire_slot(house.id, schedule.id, SIX)
    assert await fired(house) == []
    await runs.set_schedule_apart(house.id, schedule.id, error.value)
    after = await Schedule.get(id=schedule.id)
    assert (after.next_at, after.pause_reason) == (None, "无法触发：Invalid")
    before = await snapshot()
    await runs.set_schedule_apart(house.id, schedule.id, error.value)
    assert differences(before, await snapshot()) == {}


async def test_a_schedule_of_a_kind_unknown_here_waits_for_who_knows_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = await made(house)
    await house.turn(SIX)
    known = runs.kinds["tick"]
    monkeypatch.delitem(runs.kinds, "tick")
    assert await runs.due_schedules(SIX, house.id) == []
    assert await runs.next_slot_due(house.id, SIX) is None
    monkeypatch.setitem(runs.kinds, "tick", known)
    await settle(house)
    assert await fired(house) == [SIX]
    assert (await Schedule.get(id=schedule.id)).missed == 0


async def test_a_change_and_a_firing_at_once_leave_one_of_both_orders(house: House) -> None:
    """The change either comes first, and the old slot is not fired, or finds it fired."""
    schedule = await made(house)
    await house.turn(SIX)
    moved, changed = await asyncio.gather(
        runs.fire_slot(house.id, schedule.id, SIX),
        runs.update_schedule(house.admin, schedule.id, cron="30 6 * * *"),
    )
    assert await fired(house) == ([SIX] if moved else [])
    after = await Schedule.get(id=schedule.id)
    assert after.next_at == changed.next_at == SIX + timedelta(minutes=30)


async def test_the_real_clock_and_a_sandbox_each_see_their_own(house: House) -> None:
    home = await build_house("Home", clock_at=None)
    theirs, own = await made(house), await made(home)
    long_ago = timekeeping.machine_now() - timedelta(minutes=1)
    for schedule in (theirs, own):
        await Schedule.filter(id=schedule.id).update(next_at=long_ago, next_slot_at=long_ago)
    now = timekeeping.machine_now()
    assert [row["id"] for row in await runs.due_schedules(now, None)] == [own.id]
    assert [row["id"] for row in await runs.due_schedules(now, house.id)] == [theirs.id]


def test_reasons_are_said_in_both_languages() -> None:
    for label in (slots.FAILED, slots.UNFIREABLE):
        assert isinstance(label, Label)
        assert label(Language.EN) != label(Language.ZH_CN)
