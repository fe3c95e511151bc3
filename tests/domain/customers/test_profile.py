"""Customers by the client's own key."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain import customers
from domain.access import Role
from domain.customers import Customer
from domain.errors import Conflict, DomainError, Invalid, NotFound, Required
from domain.journal import JournalLine
from tests.conftest import NOON, House, build_house


async def lines(name: str = "customer.upserted") -> int:
    return await JournalLine.filter(name=name).count()


async def test_a_new_customer_has_what_was_given_and_nothing_bought(house: House) -> None:
    customer, created = await customers.upsert(
        house.admin,
        " C-1 ",
        name="王芳",
        company="Huaxing",
        phone="+86 138-0000-0000",
        email="fang@care.test",
        owner_id=house.staff[Role.EXECUTOR].id,
        tags=["vip", "fair", "vip"],
    )
    assert created
    assert (customer.external_id, customer.name, customer.phone) == ("C-1", "王芳", "+86 138-0000-0000")
    assert (customer.registered_at, customer.version, customer.order_count) == (NOON, 1, 0)
    assert (customer.order_total_minor, customer.last_interaction_at, customer.excluded) == (0, None, False)
    assert await customers.tags_of(house.id, [customer.id]) == {customer.id: ["fair", "vip"]}
    line = await JournalLine.get(name="customer.upserted")
    assert (line.subject_id, line.customer_id, line.data["created"]) == (customer.id, customer.id, True)
    assert "王芳" not in str(line.data)


async def test_what_is_left_out_stays_and_null_removes(house: House) -> None:
    await customers.upsert(house.admin, "C-1", name="A", company="B", tags=["x"])
    customer, created = await customers.upsert(house.admin, "C-1", name="A2", company=None)
    assert (created, customer.name, customer.company, customer.version) == (False, "A2", None, 2)
    assert await customers.tags_of(house.id, [customer.id]) == {customer.id: ["x"]}
    await customers.upsert(house.admin, "C-1", tags=["y", "z"])
    assert await customers.tags_of(house.id, [customer.id]) == {customer.id: ["y", "z"]}
    await customers.upsert(house.admin, "C-1", tags=[])
    assert await customers.tags_of(house.id, [customer.id]) == {customer.id: []}


async def test_the_same_values_again_change_nothing(house: House) -> None:
    values: dict[str, Any] = {"name": "A", "tags": ["x"], "registered_at": NOON - timedelta(days=9)}
    first, _ = await customers.upsert(house.admin, "C-1", **values)
    again, created = await customers.upsert(house.admin, "C-1", **values)
    assert (created, again.id, again.version, await lines()) == (False, first.id, 1, 1)


async def test_the_expected_version_guards_a_change(house: House) -> None:
    await customers.upsert(house.admin, "C-1", name="A", expected_version=0)
    await customers.upsert(house.admin, "C-1", name="B", expected_version=1)
    with pytest.raises(Conflict) as refused:
        await customers.upsert(house.admin, "C-1", name="C", expected_version=1)
    assert isinstance(refused.value.current, Customer)
    assert (refused.value.current.version, refused.value.current.name) == (2, "B")
    with pytest.raises(Conflict):
        await customers.upsert(house.admin, "C-1", name="C", expected_version=0)
    with pytest.raises(Conflict):
        await customers.upsert(house.admin, "C-2", name="C", expected_version=3)
    assert await Customer.filter(name="C").count() == 0
    assert (await Customer.all().count(), await lines()) == (1, 2)


async def test_many_at_once_create_one_customer(house: House) -> None:
    made = await asyncio.gather(*(customers.upsert(house.admin, "C-1", name="A") for _ in range(8)))
    assert sorted(created for _, created in made) == [False] * 7 + [True]
    assert (await Customer.all().count(), await lines()) == (1, 1)


@pytest.mark.parametrize(
    ("values", "error", "field"),
    [
        ({"external_id": ""}, Required, "externalId"),
        ({"external_id": "x" * 129}, Invalid, "externalId"),
        ({"external_id": "a\0b"}, Invalid, "externalId"),
        ({"external_id": "a\ud800b"}, Invalid, "externalId"),
        ({"name": "  "}, Required, "name"),
        ({"name": "x" * 201}, Invalid, "name"),
        ({"company": "a\0"}, Invalid, "company"),
        ({"phone": "call me"}, Invalid, "phone"),
        ({"phone": "12"}, Invalid, "phone"),
        ({"email": "a@b"}, Invalid, "email"),
        ({"email": "a b@c.test"}, Invalid, "email"),
        ({"email": "@c.test"}, Invalid, "email"),
        ({"owner_id": 10**9}, NotFound, "ownerId"),
        ({"registered_at": datetime(2025, 1, 1)}, Invalid, "registeredAt"),
        ({"registered_at": datetime(1825, 1, 1, tzinfo=UTC)}, Invalid, "registeredAt"),
        ({"registered_at": None}, Required, "registeredAt"),
        ({"tags": ["x" * 65]}, Invalid, "tags"),
        ({"tags": [str(n) for n in range(51)]}, Invalid, "tags"),
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_is_written(
    house: House, values: dict[str, Any], error: type[DomainError], field: str
) -> None:
    with pytest.raises(error) as refused:
        await customers.upsert(house.admin, **{"external_id": "C-1", **values})
    assert refused.value.problems[0].field == (field,)
    assert (await Customer.all().count(), await lines()) == (0, 0)


async def test_an_owner_of_another_workspace_is_refused(house: House) -> None:
    other = await build_house("Other")
    with pytest.raises(NotFound):
        await customers.upsert(house.admin, "C-1", owner_id=other.staff[Role.EXECUTOR].id)
    assert await Customer.all().count() == 0


async def test_one_key_is_two_customers_in_two_workspaces(house: House) -> None:
    other = await build_house("Other")
    mine, _ = await customers.upsert(house.admin, "C-1", name="Mine")
    theirs, created = await customers.upsert(other.admin, "C-1", name="Theirs")
    assert created
    assert (await customers.get_external(house.admin, "C-1")).id == mine.id
    assert await customers.find(house.admin, theirs.id) is None
    with pytest.raises(NotFound):
        await customers.get(house.admin, theirs.id)
    assert set(await customers.by_ids(house.id, [mine.id, theirs.id])) == {mine.id}


async def test_a_record_is_excluded_and_included_again(house: House) -> None:
    customer, _ = await customers.upsert(house.admin, "C-1")
    assert (await customers.set_excluded(house.admin, customer.id, True)).excluded
    assert (await customers.set_excluded(house.admin, customer.id, True)).version == 2
    with pytest.raises(Conflict):
        await customers.set_excluded(house.admin, customer.id, False, expected_version=1)
    assert (await customers.get(house.admin, customer.id)).excluded
    assert not (await customers.set_excluded(house.admin, customer.id, False)).excluded
    assert (await lines("customer.excluded"), await lines("customer.included")) == (1, 1)


async def test_the_first_goodbye_stands(house: House) -> None:
    customer, _ = await customers.upsert(house.admin, "C-1")
    await customers.cancel_relationship(house.admin, customer.id, NOON)
    again = await customers.cancel_relationship(house.admin, customer.id, NOON + timedelta(days=1))
    assert (again.cancelled_at, await lines("customer.cancelled")) == (NOON, 1)


async def test_the_last_interaction_only_moves_forward(house: House) -> None:
    customer, _ = await customers.upsert(house.admin, "C-1")
    for hours in (0, 2, 1):
        await customers.note_interaction(house.id, customer.id, NOON + timedelta(hours=hours))
    found = await customers.get(house.admin, customer.id)
    assert found.last_interaction_at == NOON + timedelta(hours=2)


async def test_the_same_phone_or_address_makes_look_alikes(house: House) -> None:
    one, _ = await customers.upsert(house.admin, "C-1", phone="13800000000", email="a@care.test")
    two, _ = await customers.upsert(house.admin, "C-2", phone="13800000000")
    three, _ = await customers.upsert(house.admin, "C-3", email="a@care.test")
    plain, _ = await customers.upsert(house.admin, "C-4")
    other = await build_house("Other")
    await customers.upsert(other.admin, "C-1", phone="13800000000")
    assert [found.id for found in await customers.look_alikes(house.admin, one)] == [two.id, three.id]
    assert await customers.look_alikes(house.admin, plain) == []
