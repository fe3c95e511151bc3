"""Random histories, told one by one or looked at in the night, end in the alerts of a plain reading of the rules."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from domain import alerts, contacts, customers, runs
from domain.alerts import Alert, AlertState, ContactStreak
from domain.contacts import Channel, ContactResult, Direction
from domain.journal import JournalLine
from domain.runs import Run, RunState
from tests.conftest import NOON, House, build_house
from tests.security.rows import snapshot

DAY = timedelta(days=1)


async def populate(house: House, chance: random.Random, size: int) -> dict[int, dict[str, Any]]:
    """Customers with events, orders and contacts of the last half year; what was made, for the oracle."""
    made: dict[int, dict[str, Any]] = {}
    for number in range(size):
        customer, _ = await customers.upsert(house.owner, f"C-{number}")
        events = [NOON - chance.uniform(0, 70) * DAY for _ in range(chance.choice((0, 2, 5)))]
        orders = [NOON - chance.uniform(0, 200) * DAY for _ in range(chance.choice((0, 1, 3)))]
        spoken = [
            (
                NOON - chance.choice((chance.uniform(0, 30), chance.randint(0, 10) * 3)) * DAY,
                chance.choice((Direction.OUTBOUND,) * 4 + (Direction.INBOUND,)),
                chance.random() < 0.9,
                chance.choice((ContactResult.NO_ANSWER,) * 8 + tuple(ContactResult)),
            )
            for _ in range(chance.choice((0, 4, 8)))
        ]
        for n, at in enumerate(events):
            await customers.record_event(
                house.owner, f"{number}-{n}", customer_id=customer.id, name="login", occurred_at=at
            )
        for n, at in enumerate(orders):
            await customers.record_order(
                house.owner, f"{number}-{n}", customer_id=customer.id, ordered_at=at, amount_minor=100
            )
        for at, direction, personal, result in spoken:
            await contacts.record_interaction(
                house.owner, customer.id, Channel.PHONE, direction, personal, result, "", at
            )
        made[customer.id] = {"events": events, "orders": orders, "spoken": spoken}
    return made


def oracle(known: dict[str, Any]) -> tuple[int, str | None, list[str]]:
    """How many contacts were left unanswered, the level, and the reasons, by reading thing by thing."""

    def of(things: list[datetime], days: int) -> tuple[int, int]:
        now = sum(NOON - days * DAY < at <= NOON for at in things)
        return now, sum(NOON - 2 * days * DAY < at <= NOON - days * DAY for at in things)

    answers = [
        at
        for at, direction, personal, result in known["spoken"]
        if direction is Direction.INBOUND
        or (personal and result in (ContactResult.REACHED, ContactResult.REFUSED))
    ]
    asked = sorted(
        at
        for at, direction, personal, result in known["spoken"]
        if direction is Direction.OUTBOUND and personal and result is ContactResult.NO_ANSWER
        if not answers or at > max(answers)
    )
    unanswered, free_from = 0, None
    for at in asked:
        if free_from is None or at >= free_from:
            free_from = at + 3 * DAY
            unanswered += free_from <= NOON
    inbound = [at for at, direction, _, _ in known["spoken"] if direction is Direction.INBOUND]
    active, active_before = of(known["events"] + inbound, 30)
    bought, bought_before = of(known["orders"], 90)
    reasons = {
        "UNANSWERED": unanswered >= 3,
        "ACTIVITY_DOWN": active_before > 0 and active <= active_before / 2,
        "ORDERS_DOWN": bought < bought_before,
    }
    found = [name for name, stands in reasons.items() if stands]
    levels = {"UNANSWERED": "RED", "ACTIVITY_DOWN": "YELLOW", "ORDERS_DOWN": "BLUE"}
    level = levels[found[0]] if found else None
    return unanswered, level, found


async def stand(house: House, ids: list[int]) -> dict[int, tuple[int, str | None, list[str]]]:
    """What the house says of each customer."""
    found = {
        alert.customer_id: alert for alert in await Alert.filter(workspace_id=house.id, state=AlertState.OPEN)
    }
    counts = {row.customer_id: row.unanswered for row in await ContactStreak.filter(workspace_id=house.id)}
    return {
        each: (
            counts.get(each, 0),
            found[each].level.value if each in found else None,
            [reason.code.value for reason in alerts.reasons_of(found[each])] if each in found else [],
        )
        for each in ids
    }


async def night(house: House) -> Run:
    run = await alerts.evaluate_all(house.owner)
    assert await runs.perform(run.id, "test", 30)
    run = await Run.get(id=run.id)
    assert run.state is RunState.SUCCEEDED, run.errors
    return run


@pytest.mark.parametrize("seed", range(3))
async def test_the_night_finds_everybody_whom_a_plain_reading_finds(
    house: House, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.alerts.nightly.PAGE", 7)
    made = await populate(house, random.Random(seed), 30)
    expected = {each: oracle(known) for each, known in made.items()}
    run = await night(house)
    assert await stand(house, list(made)) == expected
    assert {level for _, level, _ in expected.values()} == {None, "BLUE", "YELLOW", "RED"}
    opened = await JournalLine.filter(workspace_id=house.id, name__startswith="alert.")
    assert sorted(line.customer_id for line in opened) == sorted(e for e, said in expected.items() if said[1])
    assert run.result["changed"] == len(opened)

    again = await night(house)
    assert again.result == {"evaluated": run.result["evaluated"], "changed": 0}
    assert await JournalLine.filter(workspace_id=house.id, name__startswith="alert.").count() == len(opened)


async def test_looked_at_one_by_one_they_stand_as_after_the_night(house: House) -> None:
    made = await populate(house, random.Random(5), 20)
    for each in made:
        await alerts.watch(house.owner, each)
    assert await stand(house, list(made)) == {each: oracle(known) for each, known in made.items()}


async def test_a_timer_that_came_late_or_twice_counts_once(house: House) -> None:
    customer, _ = await customers.upsert(house.owner, "C-1")
    call = (house.owner, customer.id, Channel.PHONE, Direction.OUTBOUND, True, ContactResult.NO_ANSWER, "")
    await contacts.record_interaction(*call, NOON - DAY)
    await alerts.evaluate(house.owner, [customer.id])
    row = await ContactStreak.get(workspace_id=house.id)
    due_at = NOON + 2 * DAY
    assert (row.unanswered, row.next_at) == (0, due_at)
    assert await alerts.due(due_at - timedelta(seconds=1), house.id, 10) == []
    assert await alerts.next_due(house.id, due_at) == due_at
    await house.turn(due_at)
    (found,) = await alerts.due(due_at, house.id, 10)
    assert found["id"] == row.id
    assert [await alerts.wake(house.id, row.id, due_at) for _ in range(2)] == [True, False]
    row = await ContactStreak.get(workspace_id=house.id)
    assert (row.unanswered, row.next_at) == (1, None)


async def test_another_house_s_customers_are_not_looked_at(house: House) -> None:
    made = await populate(house, random.Random(5), 20)
    other = await build_house("Other")
    await night(house)
    mine = {row.customer_id for row in await Alert.filter(workspace_id=house.id)}
    assert mine
    before = await snapshot(house.id)
    assert await alerts.evaluate(other.owner, list(made)) == 0
    assert await snapshot(house.id) == before
