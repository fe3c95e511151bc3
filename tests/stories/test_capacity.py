"""C-28: visits are promised that nobody can make; those of the highest value are made, and the rest is told."""

from decimal import Decimal
from typing import Any

from domain.access import Role
from tests.conftest import NOON
from tests.stories.documents import TASK_COMPLETE, TASKS
from tests.stories.population import Buyer, enter, recompute
from tests.stories.stage import Stage

CAPACITY = (
    "query ($phone: Int!, $other: Int! = 0) { visitCapacity(phonePerWeek: $phone, otherPerWeek: $other) "
    "{ tier periodStart periodEnd daysLeft customers promised done due { visits customers } "
    "phone { visits customers } other { visits customers } message { visits customers } "
    "unmet { visits customers } } }"
)
PLAN = "mutation { visitsPlan { __typename ... on VisitsPlanPayload { run { id } } } }"


def of(visits: int, customers: int) -> dict[str, int]:
    return {"visits": visits, "customers": customers}


async def plan(stage: Stage, **given: Any) -> dict[str, dict[str, Any]]:
    answer = await stage[Role.OPS_HEAD].ask(CAPACITY, **given)
    return {line.pop("tier"): line for line in answer["visitCapacity"]}


async def test_visits_go_to_the_highest_value_first_and_what_is_not_possible_is_said(stage: Stage) -> None:
    """40 customers, of whom the 6 who spent most also bought last: 18 visits in what is left of March."""
    buyers = [Buyer(f"B{number:02}", 1 + number, 1, Decimal(9_000 - number)) for number in range(40)]
    await enter(stage, buyers, NOON)
    await recompute(stage)
    lines = await plan(stage, phone=2, other=1)
    gold = lines["GOLD"]
    assert (gold["periodStart"], gold["periodEnd"], gold["daysLeft"]) == ("2025-03-01", "2025-04-01", 29)
    assert (gold["customers"], gold["promised"], gold["done"], gold["due"]) == (6, 3, 0, of(18, 6))
    # In 29 days staff make 8 calls and 4 other visits: two customers and two thirds, then one and a third.
    assert (gold["phone"], gold["other"], gold["unmet"]) == (of(8, 2), of(4, 2), of(6, 2))
    assert gold["message"] == of(0, 0)
    silver = lines["SILVER"]
    assert (silver["customers"], silver["due"], silver["message"]) == (10, of(20, 10), of(20, 10))
    assert (silver["phone"], silver["unmet"]) == (of(0, 0), of(0, 0))
    assert lines["BRONZE"]["due"] == of(24, 24)
    enough = (await plan(stage, phone=5_000))["GOLD"]
    assert (enough["phone"], enough["unmet"]) == (of(18, 6), of(0, 0))
    nobody = (await plan(stage, phone=0))["GOLD"]
    assert (nobody["phone"], nobody["unmet"]) == (of(0, 0), of(18, 6))


async def test_only_visits_that_reached_the_customer_are_done(stage: Stage) -> None:
    await enter(
        stage, [Buyer(f"B{number:02}", 1 + number, 1, Decimal(9_000 - number)) for number in range(7)], NOON
    )
    await recompute(stage)
    made = await stage.owner.do(PLAN)
    await stage.owner.finish(made["run"]["id"])
    found = (await stage.owner.ask(TASKS, where={"kind": {"eq": "VISIT"}}))["tasks"]["nodes"]
    visits = [task["id"] for task in found if task["customer"]["externalId"] == "B00"]
    assert visits
    await stage.owner.do(TASK_COMPLETE, id=visits[0], input={"result": "REACHED"})
    gold = (await plan(stage, phone=1))["GOLD"]
    assert (gold["customers"], gold["done"], gold["due"]) == (1, 1, of(2, 1))
    assert (gold["phone"], gold["unmet"]) == (of(2, 1), of(0, 0))


async def test_who_only_works_tasks_off_does_not_plan_capacity(stage: Stage) -> None:
    body = (await stage.executor.response(CAPACITY, phone=1)).json()
    assert body["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    body = (await stage.owner.response(CAPACITY, phone=-1)).json()
    assert body["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
