"""An executor sees their own work, their teams' and nobody's, whichever way they look."""

import asyncio
from typing import Any

from api import live
from api.context import Context
from api.ids import global_id
from api.schema import schema
from domain import customers, feeds, tasks, workspaces
from domain.access import Principal, Role, system
from domain.tasks import Task
from tests.conftest import House
from tests.security.conftest import Place, on_sqlite
from tests.security.filling import draft
from tests.security.rows import differences, snapshot


async def work(house: House) -> dict[str, str]:
    """Open tasks by whose they are, as global ids."""
    who = house.owner
    customer, _ = await customers.upsert(who, "W-1")
    other = await workspaces.add_team(house.id, "Others")
    me, lead = house.staff[Role.EXECUTOR].user_id, house.staff[Role.TEAM_LEAD].user_id
    owners = {
        "mine": {"assignee_id": me, "team_id": other.id},
        "team": {"assignee_id": lead, "team_id": house.owner.team_ids[0]},
        "nobody": {"assignee_id": None, "team_id": None},
        "lead": {"assignee_id": lead, "team_id": None},
        "others": {"assignee_id": None, "team_id": other.id},
    }
    made = {}
    for name, whose in owners.items():
        task, _ = await tasks.create(who, draft(house, customer.id, name))
        await Task.filter(id=task.id).update(**whose)
        made[name] = global_id("Task", task.id)
    return made


SEEN = ("mine", "team", "nobody")


async def test_an_executor_sees_own_team_and_free_work_only(place: Place) -> None:
    made = await work(place.house)
    executor = place.callers[Role.EXECUTOR]
    customer = (await executor.say('{ customer(externalId: "W-1") { id } }'))["data"]["customer"]["id"]
    text = """query ($ids: [ID!]!, $c: ID!) { nodes(ids: $ids) { id }
      tasks(first: 100, where: {customer: {eq: $c}}) { totalCount nodes { id } }
      customer(id: $c) { tasks { totalCount nodes { id } } } }"""
    told = (await executor.say(text, ids=list(made.values()), c=customer))["data"]
    seen = [made[name] for name in SEEN]
    assert [node and node["id"] for node in told["nodes"]] == [*seen, None, None]
    for found in (told["tasks"], told["customer"]["tasks"]):
        assert (found["totalCount"], sorted(node["id"] for node in found["nodes"])) == (3, sorted(seen))
    one = "query ($id: ID!) { task(id: $id) { id } node(id: $id) { id } }"
    for name, value in made.items():
        found = (await executor.say(one, id=value))["data"]
        expected = {"id": value} if name in SEEN else None
        assert found == {"task": expected, "node": expected}, name


@on_sqlite
async def test_an_executor_does_not_touch_the_work_of_others(place: Place) -> None:
    made = await work(place.house)
    before = await snapshot()
    for name in ("taskStart", "taskSnooze", "taskComplete", "taskCancel", "taskAssign"):
        for whose in ("lead", "others"):
            given = {**place.valid(name), "id": made[whose]}
            told = await place.callers[Role.EXECUTOR].call("mutation", name, given)
            (reason,) = told["data"][name]["userErrors"]
            assert (reason["code"], reason["field"]) == ("NOT_FOUND", ["id"]), name
            assert told["data"][name]["current"] is None, name
    assert differences(before, await snapshot()) == {}


async def test_a_program_of_the_role_without_a_person_sees_nobodys_work_only(house: House) -> None:
    made = await work(house)
    key = await workspaces.create_key(system(house.id), name="k", role=Role.EXECUTOR)
    who = await workspaces.authenticate(f"Bearer {key.secret}")
    found = await tasks.visible(who)
    assert [global_id("Task", task.id) for task in found] == [made["nobody"]]


async def changes(who: Principal, after: str, count: int) -> list[Any]:
    stream: Any = await schema.subscribe(
        "subscription ($after: String) { taskChanged(after: $after) { task { id } } }",
        {"after": after},
        context_value=Context(who),
    )
    async with asyncio.timeout(5):
        seen = [(await anext(stream)).data["taskChanged"]["task"]["id"] for _ in range(count)]
        more = asyncio.ensure_future(anext(stream))
        await asyncio.wait([more], timeout=0.1)
        assert not more.done()
        more.cancel()
        await asyncio.wait([more])
    return seen


async def test_an_executor_hears_of_the_work_that_they_may_see(house: House) -> None:
    while await feeds.number(house.id):
        pass
    start = live.cursor((await feeds.lines_after(house.id, 0, 1))[0])
    made = await work(house)
    while await feeds.number(house.id):
        pass
    assert await changes(house.owner, start, 5) == list(made.values())
    assert await changes(house.staff[Role.EXECUTOR], start, 3) == [made[name] for name in SEEN]
