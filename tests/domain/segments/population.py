"""Customers and orders written straight into the tables, and a recompute performed at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from domain import db, runs, segments
from domain.access import Principal
from domain.customers.models import OrderStatus
from domain.runs import Run
from domain.segments import Placement

SHANGHAI = ZoneInfo("Asia/Shanghai")


def at(text: str) -> datetime:
    """A local time in Shanghai, as an instant."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC)


@dataclass(frozen=True)
class Bought:
    at: datetime
    minor: int
    status: OrderStatus = OrderStatus.PAID


@dataclass(frozen=True)
class Person:
    name: str
    registered: datetime
    interacted: datetime | None = None
    cancelled: datetime | None = None
    excluded: bool = False
    orders: Sequence[Bought] = field(default_factory=tuple)


async def settle(workspace_id: int, people: Iterable[Person]) -> dict[str, int]:
    """Write them all; each name's customer id, rising in the order given."""
    ids = {}
    for person in people:
        made = await db.insert_many(
            "customers",
            [
                {
                    "workspace_id": workspace_id,
                    "version": 1,
                    "external_id": person.name,
                    "name": person.name,
                    "registered_at": person.registered,
                    "last_interaction_at": person.interacted,
                    "cancelled_at": person.cancelled,
                    "excluded": person.excluded,
                    "synthetic": False,
                    "order_count": 0,
                    "order_total_minor": 0,
                    "created_at": person.registered,
                    "updated_at": person.registered,
                }
            ],
            returning="id",
        )
        ids[person.name] = made[0]["id"]
        await buy(workspace_id, person.name, ids[person.name], person.orders)
    return ids


async def buy(workspace_id: int, name: str, customer_id: int, orders: Sequence[Bought]) -> None:
    standing = await db.value("SELECT COUNT(*) FROM orders WHERE customer_id = :id", id=customer_id)
    await db.insert_many(
        "orders",
        [
            {
                "workspace_id": workspace_id,
                "version": 1,
                "external_id": f"{name}-{standing + number}",
                "customer_id": customer_id,
                "status": order.status.value,
                "ordered_at": order.at,
                "ordered_on": order.at.astimezone(SHANGHAI).date(),
                "quantity": 1,
                "amount_minor": order.minor,
                "currency": "CNY",
                "created_at": order.at,
            }
            for number, order in enumerate(orders)
        ],
    )


def shopper(name: str, now: datetime, recency_days: int, orders: int, spend_minor: int) -> Person:
    """So many orders within twelve months, the last so many days ago, that sum to this spend."""
    last = now - timedelta(days=recency_days)
    rest, dearest = [Bought(last, 1)] * (orders - 1), Bought(last, spend_minor - (orders - 1))
    return Person(name, now - timedelta(days=800), last, orders=[*rest, dearest])


async def recompute(who: Principal) -> Run:
    run = await segments.recompute(who)
    assert await runs.perform(run.id, "worker", 30)
    return await Run.get(id=run.id)


async def placements(workspace_id: int) -> dict[int, Placement]:
    found = await Placement.filter(workspace_id=workspace_id)
    return {placement.customer_id: placement for placement in found}


async def table(name: str) -> list[dict[str, Any]]:
    """A whole table, to see that nothing in it was touched."""
    return await db.rows(f"SELECT * FROM {name} ORDER BY id")
