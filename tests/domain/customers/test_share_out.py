"""Customers whom nobody looks after are shared out, in one statement, and stay with whom they have."""

import pytest

from domain import customers
from domain.access import Role
from domain.customers import Customer
from domain.errors import NotFound, Required
from domain.journal import JournalLine
from tests.conftest import House, build_house
from tests.security.rows import snapshot


async def owners(house: House) -> dict[str, int | None]:
    return {c.external_id: c.owner_id for c in await Customer.filter(workspace_id=house.id).order_by("id")}


async def test_they_are_given_in_turn_and_only_once(house: House) -> None:
    eva, tom = house.staff[Role.EXECUTOR].id, house.staff[Role.TEAM_LEAD].id
    await customers.upsert(house.admin, "kept", owner_id=house.admin.id)
    for number in range(6):
        await customers.upsert(house.admin, f"C-{number}")
    stranger = await build_house("Other")
    await customers.upsert(stranger.admin, "theirs")
    assert await customers.share_out(house.admin, [eva, tom]) == 6
    given = await owners(house)
    assert given.pop("kept") == house.admin.id
    assert sorted(given.values()) == sorted([eva, tom] * 3)  # type: ignore[type-var]
    assert await owners(stranger) == {"theirs": None}
    assert {c.version for c in await Customer.filter(workspace_id=house.id, owner_id__in=[eva, tom])} == {2}
    line = await JournalLine.get(workspace_id=house.id, name="customers.shared_out")
    assert line.data == {"customers": 6, "owner_ids": [eva, tom]}
    before = await snapshot()
    assert await customers.share_out(house.admin, [tom]) == 0
    assert await snapshot() == before


async def test_nobody_or_a_stranger_is_given_nothing(house: House) -> None:
    await customers.upsert(house.admin, "C-1")
    stranger = await build_house("Other")
    before = await snapshot()
    with pytest.raises(Required):
        await customers.share_out(house.admin, [])
    with pytest.raises(NotFound):
        await customers.share_out(house.admin, [house.admin.id, stranger.admin.id])
    assert await snapshot() == before
