"""Customers who buy as the models say they do, made from a seed, with what must not count among it."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from domain import predictions, runs
from domain.access import Principal
from domain.customers.models import OrderStatus
from domain.runs import Run
from tests.conftest import NOON
from tests.domain.segments.population import SHANGHAI, Bought, Person, settle

TODAY = NOON.astimezone(SHANGHAI).date()


def buyers(number: int, seed: int = 1, weeks: float = 100) -> list[Person]:
    """Their first purchases lie in the first third of the time until noon."""
    chance = random.Random(seed)
    people = []
    for place in range(number):
        rate, stops = chance.gammavariate(0.8, 1 / 6), chance.betavariate(0.8, 2.5)
        mean = chance.gammavariate(4, 1 / (4 / chance.gammavariate(5, 600)))
        at = NOON - timedelta(weeks=weeks * (1 - chance.random() / 3))
        orders = []
        while at <= NOON:
            orders.append(Bought(at, max(1, round(chance.gammavariate(6, mean / 6)))))
            if len(orders) > 1 and chance.random() < stops:
                break
            at += timedelta(weeks=chance.expovariate(rate))
        people.append(Person(f"B{place}", orders[0].at, orders[-1].at, orders=orders))
    return people


def oddities() -> list[Person]:
    """What a careless count would get wrong."""

    def at(days: float) -> datetime:
        return NOON - timedelta(days=days)

    return [
        # 23:50 and 00:10 in Shanghai are two days, though one in UTC; 08:00 and 20:00 are one.
        Person("ZONE", at(90), orders=[Bought(at(90) + timedelta(hours=h), 500) for h in (11.83, 12.17)]),
        Person("SAME", at(90), orders=[Bought(at(80), 500), Bought(at(80) - timedelta(hours=4), 700)]),
        Person("BACK", at(90), orders=[Bought(at(70), 500), Bought(at(60), 900, OrderStatus.REFUNDED)]),
        Person("ONLY", at(90), orders=[Bought(at(60), 900, OrderStatus.REFUNDED)]),
        Person("FREE", at(90), orders=[Bought(at(70), 500), Bought(at(60), 0)]),
        Person("TEST", at(90), excluded=True, orders=[Bought(at(70), 500), Bought(at(60), 900)]),
        Person("LEFT", at(90), cancelled=at(5), orders=[Bought(at(70), 500), Bought(at(60), 900)]),
        Person("NEVER", at(90)),
        Person("LATER", at(90), orders=[Bought(at(70), 500), Bought(at(-1), 900)]),
        Person("TODAY", at(90), orders=[Bought(at(0), 500)]),
    ]


@dataclass
class History:
    """What the models look at, counted one by one."""

    repeats: int
    recency: int
    age: int
    spent: int
    later: list[date] = field(default_factory=list)


def counted(people: list[Person], cut: date = TODAY) -> Mapping[str, History]:
    found = {}
    for person in people:
        days: dict[date, int] = {}
        for order in person.orders:
            if order.status is not OrderStatus.REFUNDED and order.at <= NOON:
                day = order.at.astimezone(SHANGHAI).date()
                days[day] = days.get(day, 0) + order.minor
        seen = sorted(day for day in days if day <= cut)
        if seen and not person.excluded:
            found[person.name] = History(
                repeats=len(seen) - 1,
                recency=(seen[-1] - seen[0]).days,
                age=(cut - seen[0]).days,
                spent=sum(days[day] for day in seen[1:]),
                later=sorted(day for day in days if day > cut),
            )
    return found


async def refit(who: Principal) -> Run:
    run = await predictions.refit(who)
    assert await runs.perform(run.id, "worker", 30)
    return await Run.get(id=run.id)


async def settled(workspace_id: int, people: list[Person]) -> dict[str, int]:
    return await settle(workspace_id, people)


Rows = list[dict[str, Any]]
