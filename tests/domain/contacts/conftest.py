"""Customers to be contacted."""

from collections.abc import Awaitable, Callable

import pytest

from domain import db
from tests.conftest import NOON, House, build_house

People = Callable[..., Awaitable[list[int]]]


async def add_customers(workspace_id: int, count: int) -> list[int]:
    made = await db.insert_many(
        "customers",
        [
            {
                "workspace_id": workspace_id,
                "version": 1,
                "external_id": f"C{number}",
                "name": f"Customer {number}",
                "registered_at": NOON,
                "excluded": False,
                "synthetic": False,
                "order_count": 0,
                "order_total_minor": 0,
                "created_at": NOON,
                "updated_at": NOON,
            }
            for number in range(count)
        ],
        returning="id",
    )
    return sorted(row["id"] for row in made)


@pytest.fixture
async def customer(house: House) -> int:
    return (await add_customers(house.id, 1))[0]


@pytest.fixture
async def stranger(house: House) -> int:
    """A customer of another workspace."""
    other = await build_house("Other")
    return (await add_customers(other.id, 1))[0]
