"""Overdue work is found by business time: open, not satisfied, and past its deadline."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from domain import customers, tasks
from domain.access import Role
from domain.contacts import Channel
from domain.tasks import Draft, Outcome, TaskKind, TaskResult
from domain.timekeeping import TICK
from tests.api.conftest import Ask
from tests.conftest import NOON, House, build_house

DOCUMENT = (
    """query ($where: TaskWhere) { tasks(first: 50, where: $where) { totalCount nodes { title overdue } } }"""
)
BY_CUSTOMER = """query ($where: TaskWhere) { customers { nodes { externalId
  tasks(where: $where) { totalCount nodes { title overdue } } } } }"""
DUE = NOON + timedelta(hours=2)


async def opened(house: House, title: str, due_at: datetime, customer: str = "C-1") -> int:
    known, _ = await customers.upsert(house.admin, customer)
    draft = Draft(
        kind=TaskKind.GENERAL,
        customer_id=known.id,
        title=title,
        dedupe_key=title,
        due_at=due_at,
        contact_at=NOON,
        channel=Channel.PHONE,
    )
    return int((await tasks.create(house.admin, draft))[0].id)


@pytest.fixture
async def busy(house: House) -> House:
    await opened(house, "late", DUE - TICK)
    await opened(house, "just in time", DUE, "C-2")
    await opened(house, "early", DUE + timedelta(days=1))
    done = await opened(house, "done", NOON + timedelta(minutes=1))
    await opened(house, "snoozed", NOON + timedelta(minutes=2), "C-2")
    await tasks.complete(house.admin, done, Outcome(TaskResult.REACHED))
    await tasks.snooze(
        house.admin,
        (await tasks.Task.get(title="snoozed", workspace_id=house.id)).id,
        NOON + timedelta(days=1),
    )
    await house.turn(DUE)
    return house


async def found(ask: Ask, where: dict[str, Any], **more: Any) -> set[str]:
    page = (await ask(DOCUMENT, where=where, **more))["tasks"]
    assert page["totalCount"] == len(page["nodes"])
    if "overdue" in where and where["overdue"] is not None:
        assert {node["overdue"] for node in page["nodes"]} <= {where["overdue"]}
    return {node["title"] for node in page["nodes"]}


async def test_the_filter_agrees_with_the_field(busy: House, ask: Ask) -> None:
    assert await found(ask, {"overdue": True}) == {"late", "snoozed"}
    assert await found(ask, {"overdue": False}) == {"just in time", "early", "done"}
    assert len(await found(ask, {"overdue": None})) == 5
    assert await found(ask, {"not": {"overdue": True}}) == {"just in time", "early", "done"}
    assert await found(ask, {"not": {"overdue": False}}) == {"late", "snoozed"}
    assert await found(ask, {"overdue": True, "state": {"eq": "OPEN"}}) == {"late"}
    assert await found(ask, {"overdue": True}, who=busy.staff[Role.EXECUTOR]) == {"late", "snoozed"}
    await busy.turn(DUE + TICK)
    assert await found(ask, {"overdue": True}) == {"late", "snoozed", "just in time"}


async def test_the_work_of_each_customer_is_filtered_too(busy: House, ask: Ask) -> None:
    nodes = (await ask(BY_CUSTOMER, where={"overdue": True}))["customers"]["nodes"]
    assert {n["externalId"]: [t["title"] for t in n["tasks"]["nodes"]] for n in nodes} == {
        "C-1": ["late"],
        "C-2": ["snoozed"],
    }


async def test_another_workspace_s_overdue_work_is_not_found(busy: House, ask: Ask) -> None:
    stranger = await build_house("Other")
    assert await found(ask, {"overdue": True}, who=stranger.owner) == set()
