"""What people may do with their work, and what is refused."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from domain import contacts, customers, db, tasks
from domain.access import Role
from domain.contacts import Channel, Interaction, Verdict
from domain.errors import Conflict, Forbidden, Invalid, NotFound
from domain.tasks import (
    ChannelRefused,
    Draft,
    Outcome,
    OutcomeMissing,
    Task,
    TaskClosed,
    TaskKind,
    TaskResult,
    TaskState,
)
from tests.conftest import NOON, House, build_house


async def customer_of(house: House, external_id: str = "C1") -> int:
    customer, _ = await customers.upsert(house.admin, external_id)
    return int(customer.id)


def draft(customer_id: int, **values: Any) -> Draft:
    given: dict[str, Any] = {
        "kind": TaskKind.GENERAL,
        "customer_id": customer_id,
        "title": "Call",
        "dedupe_key": "why",
        "due_at": NOON + timedelta(days=1),
        "contact_at": NOON,
        "channel": Channel.PHONE,
    }
    return Draft(**{**given, **values})


async def snapshot() -> dict[str, Any]:
    """Everything a refused action could have left behind."""
    return {
        name: await db.rows(f"SELECT * FROM {name} ORDER BY id")
        for name in ("tasks", "interactions", "contact_decisions", "journal", "escalations")
    }


async def test_a_repeated_reason_finds_the_open_task(house: House) -> None:
    customer_id = await customer_of(house)
    made = await asyncio.gather(*(tasks.create(house.admin, draft(customer_id)) for _ in range(4)))
    assert len({task.id for task, _ in made}) == 1
    assert sorted(created for _, created in made) == [False, False, False, True]
    task = made[0][0]
    await tasks.complete(house.admin, task.id, Outcome(TaskResult.REACHED))
    again, created = await tasks.create(house.admin, draft(customer_id))
    assert created
    assert again.id != task.id


async def test_a_refused_channel_is_replaced_and_an_unwelcome_hour_moved(house: House) -> None:
    customer_id = await customer_of(house)
    await contacts.set_preference(
        house.admin, customer_id, [Channel.SMS, Channel.WECHAT], [Channel.PHONE], [("09:00", "11:00")]
    )
    task, _ = await tasks.create(house.admin, draft(customer_id))
    assert task.channel is Channel.WECHAT
    assert task.contact_at == NOON + timedelta(hours=21)  # 09:00 the next morning in Shanghai
    decision = (await contacts.decisions_by_ids(house.id, [task.decision_id]))[task.decision_id]
    assert decision.verdict is Verdict.SUBSTITUTED


async def test_no_channel_left_opens_nothing(house: House) -> None:
    customer_id = await customer_of(house)
    await contacts.set_preference(house.admin, customer_id, [], list(Channel), [])
    before = await snapshot()
    with pytest.raises(ChannelRefused):
        await tasks.create(house.admin, draft(customer_id))
    assert await snapshot() == before


@pytest.mark.parametrize(
    ("outcome", "fields"),
    [
        (Outcome(TaskResult.REACHED), [("input", "smoothnessOfUse"), ("input", "needSatisfaction")]),
        (Outcome(TaskResult.REACHED, "", 5, None), [("input", "needSatisfaction")]),
        (
            Outcome(TaskResult.REACHED, "", 0, 6),
            [("input", "smoothnessOfUse"), ("input", "needSatisfaction")],
        ),
    ],
)
async def test_a_call_back_is_not_completed_without_its_two_scores(
    house: House, outcome: Outcome, fields: list[tuple[str, str]]
) -> None:
    customer_id = await customer_of(house)
    async with db.transaction():
        await tasks.open_callback(house.admin, order_id=7, customer_id=customer_id, delivered_at=NOON)
    task = await Task.get(workspace_id=house.id)
    assert task.due_at == NOON + timedelta(hours=72)
    before = await snapshot()
    with pytest.raises(OutcomeMissing) as refused:
        await tasks.complete(house.admin, task.id, outcome)
    assert [problem.field for problem in refused.value.problems] == fields
    assert await snapshot() == before
    done = await tasks.complete(house.admin, task.id, Outcome(TaskResult.REACHED, "fine", 5, 4))
    assert (done.state, done.outcome["smoothness_of_use"]) == (TaskState.DONE, 5)
    assert await Interaction.filter(workspace_id=house.id, customer_id=customer_id).count() == 1


async def test_closed_work_stays_closed(house: House) -> None:
    customer_id = await customer_of(house)
    task, _ = await tasks.create(house.admin, draft(customer_id))
    await tasks.cancel(house.admin, task.id, "moved away")
    before = await snapshot()
    for attempt in (
        tasks.complete(house.admin, task.id, Outcome(TaskResult.REACHED)),
        tasks.start(house.admin, task.id),
        tasks.snooze(house.admin, task.id, NOON + timedelta(days=1)),
        tasks.assign(house.admin, task.id, house.admin.user_id, None),
        tasks.cancel(house.admin, task.id, "again"),
    ):
        with pytest.raises(TaskClosed):
            await attempt
    assert await snapshot() == before


async def test_another_version_is_a_conflict_with_the_task_as_it_is(house: House) -> None:
    customer_id = await customer_of(house)
    task, _ = await tasks.create(house.admin, draft(customer_id))
    started = await tasks.start(house.admin, task.id, expected_version=task.version)
    before = await snapshot()
    with pytest.raises(Conflict) as refused:
        await tasks.complete(house.admin, task.id, Outcome(TaskResult.REACHED), expected_version=task.version)
    assert isinstance(refused.value.current, Task)
    assert refused.value.current.version == started.version
    assert await snapshot() == before


async def test_two_who_complete_at_once_do_it_once(house: House) -> None:
    customer_id = await customer_of(house)
    task, _ = await tasks.create(house.admin, draft(customer_id))
    outcomes = await asyncio.gather(
        *(tasks.complete(house.admin, task.id, Outcome(TaskResult.REACHED)) for _ in range(5)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, Task) for outcome in outcomes) == 1
    assert await Interaction.filter(workspace_id=house.id).count() == 1


async def test_an_executor_sees_own_and_team_and_unassigned_work_only(house: House) -> None:
    executor = house.staff[Role.EXECUTOR]
    customer_id = await customer_of(house)
    other = await db.value("SELECT id FROM teams WHERE workspace_id = :w", w=house.id)
    mine, _ = await tasks.create(
        house.admin, draft(customer_id, dedupe_key="mine", assignee_id=executor.user_id)
    )
    free, _ = await tasks.create(house.admin, draft(customer_id, dedupe_key="free"))
    team, _ = await tasks.create(house.admin, draft(customer_id, dedupe_key="team", team_id=other))
    hers, _ = await tasks.create(
        house.admin, draft(customer_id, dedupe_key="hers", assignee_id=house.staff[Role.PLANNER].user_id)
    )
    seen = await tasks.visible_by_ids(executor, [mine.id, free.id, team.id, hers.id])
    assert set(seen) == {mine.id, free.id, team.id}
    before = await snapshot()
    with pytest.raises(NotFound):
        await tasks.complete(executor, hers.id, Outcome(TaskResult.REACHED))
    with pytest.raises(Forbidden):
        await tasks.assign(executor, mine.id, house.staff[Role.PLANNER].user_id, None)
    assert await snapshot() == before


async def test_another_workspace_finds_nothing(house: House) -> None:
    stranger = await build_house("Stranger")
    customer_id = await customer_of(house)
    task, _ = await tasks.create(house.admin, draft(customer_id))
    before = await snapshot()
    for attempt in (
        tasks.complete(stranger.admin, task.id, Outcome(TaskResult.REACHED)),
        tasks.cancel(stranger.admin, task.id, "x"),
        tasks.create(stranger.admin, draft(customer_id)),
        tasks.assign(house.admin, task.id, stranger.admin.user_id, None),
    ):
        with pytest.raises((NotFound, Invalid)):
            await attempt
    assert await snapshot() == before
