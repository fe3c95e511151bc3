"""A deadline that is missed is escalated, each rung once."""

import asyncio
from datetime import datetime, timedelta

from domain import customers, db, tasks, timekeeping
from domain.access import Role
from domain.tasks import Escalation, Outcome, Priority, SlaState, Task, TaskResult, TaskState
from domain.timekeeping import TICK
from tests.conftest import NOON, House


async def first_touch(house: House) -> Task:
    customer, _ = await customers.upsert(house.admin, "C1")
    async with db.transaction():
        await tasks.open_first_touch(house.admin, lead_id=1, customer_id=customer.id, acquired_at=NOON)
    return await Task.get(workspace_id=house.id)


async def due(house: House) -> list[int]:
    found = await tasks.due_escalations(await timekeeping.now(house.id), house.id)
    return [row["id"] for row in found]


async def test_a_deadline_includes_its_own_instant(house: House) -> None:
    task = await first_touch(house)
    assert task.due_at == NOON + timedelta(hours=24)
    await house.turn(task.due_at)
    assert await due(house) == []
    assert tasks.sla_state(task, task.due_at) is SlaState.RUNNING
    await house.turn(task.due_at + TICK)
    assert await due(house) == [task.id]
    assert tasks.sla_state(task, task.due_at + TICK) is SlaState.BREACHED


async def test_a_rung_is_climbed_once_however_often_its_timer_fires(house: House) -> None:
    task = await first_touch(house)
    rung_at = task.due_at + TICK
    await house.turn(rung_at)
    moved = await asyncio.gather(*(tasks.escalate(house.id, task.id, rung_at) for _ in range(8)))
    assert sorted(moved) == [False] * 7 + [True]
    climbed = await Escalation.filter(workspace_id=house.id)
    assert [(e.rung, e.to_role, e.user_id) for e in climbed] == [
        (1, Role.TEAM_LEAD, house.staff[Role.TEAM_LEAD].user_id)
    ]
    after = await Task.get(id=task.id)
    assert (after.rung, after.priority, after.state) == (1, Priority.URGENT, TaskState.OPEN)
    assert after.next_escalation_at == rung_at + timedelta(hours=24)
    assert after.breached_at == task.due_at


async def test_completing_cancels_the_escalation(house: House) -> None:
    task = await first_touch(house)
    rung_at = task.due_at + TICK
    await tasks.complete(house.staff[Role.EXECUTOR], task.id, Outcome(TaskResult.REACHED, "hello"))
    await house.turn(rung_at)
    assert await due(house) == []
    assert not await tasks.escalate(house.id, task.id, rung_at)
    assert await Escalation.filter(workspace_id=house.id).count() == 0


async def test_a_contact_in_time_that_is_logged_late_clears_the_breach(house: House) -> None:
    task = await first_touch(house)
    await house.turn(task.due_at + TICK)
    await tasks.escalate(house.id, task.id, task.due_at + TICK)
    async with db.transaction():
        await tasks.note_contact(house.admin, task.customer_id, task.due_at)
    after = await Task.get(id=task.id)
    assert (after.satisfied_at, after.breached_at, after.next_escalation_at) == (task.due_at, None, None)
    assert tasks.sla_state(after, task.due_at + timedelta(days=9)) is SlaState.MET


async def test_a_snooze_ends_once_and_the_ladder_goes_on(house: House) -> None:
    task = await first_touch(house)
    until = NOON + timedelta(hours=2)
    await tasks.snooze(house.staff[Role.EXECUTOR], task.id, until)
    await house.turn(until)
    rows = await tasks.due_snoozes(until, house.id)
    assert [row["id"] for row in rows] == [task.id]
    assert sorted(await asyncio.gather(*(tasks.wake(house.id, task.id, until) for _ in range(4)))) == [
        False,
        False,
        False,
        True,
    ]
    after = await Task.get(id=task.id)
    assert (after.state, after.snoozed_until, after.next_escalation_at) == (
        TaskState.OPEN,
        None,
        task.next_escalation_at,
    )


async def test_a_row_that_fails_is_set_apart_and_given_up_on_at_last(house: House) -> None:
    task = await first_touch(house)
    await house.turn(task.due_at + TICK)
    for attempt in range(1, 6):
        assert await due(house) == [task.id]
        await tasks.set_apart(house.id, task.id, RuntimeError("no"))
        assert await due(house) == []
        after = await Task.get(id=task.id)
        assert after.attempts == attempt
        if attempt < 5:
            await Task.filter(id=task.id).update(retry_at=timekeeping.machine_now() - timedelta(seconds=1))
    given_up = await Task.get(id=task.id)
    assert given_up.retry_at is not None
    assert given_up.retry_at > timekeeping.machine_now() + timedelta(days=3000)


async def test_the_next_due_instant_is_the_earliest_of_all_timers(house: House) -> None:
    task = await first_touch(house)
    horizon = datetime.max.replace(tzinfo=NOON.tzinfo, year=2030)
    assert await tasks.next_due(house.id, horizon) == task.due_at + TICK
    await tasks.snooze(house.staff[Role.EXECUTOR], task.id, NOON + timedelta(hours=1))
    assert await tasks.next_due(house.id, horizon) == NOON + timedelta(hours=1)
    assert await tasks.next_due(house.id, NOON) is None
