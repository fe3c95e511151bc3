"""Leads and events: each recorded once."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from domain import customers
from domain.access import Role
from domain.customers import BehaviourEvent, Customer, Lead, LeadPotential, LeadSource
from domain.errors import DomainError, Duplicate, Invalid, NotFound, Required
from domain.journal import JournalLine
from tests.conftest import NOON, House

HOUR = timedelta(hours=1)


async def lead(house: House, external_id: str = "L-1", **values: Any) -> Lead:
    given: dict[str, Any] = {
        "customer_external_id": "C-1",
        "source": LeadSource.TRADE_FAIR,
        "acquired_at": NOON - HOUR,
        "consent": False,
        **values,
    }
    return await customers.record_lead(house.admin, external_id, **given)


async def event(house: House, external_id: str = "E-1", **values: Any) -> BehaviourEvent:
    given: dict[str, Any] = {
        "customer_external_id": "C-1",
        "name": "login",
        "occurred_at": NOON,
        "create_customer": True,
        **values,
    }
    return await customers.record_event(house.admin, external_id, **given)


async def test_a_lead_makes_its_customer_and_is_told(house: House) -> None:
    found = await lead(
        house,
        name="李雷",
        phone="13800000000",
        owner_id=house.staff[Role.EXECUTOR].id,
        potential=LeadPotential.HIGH,
        industry="steel",
        consent=True,
    )
    customer = await customers.get(house.admin, found.customer_id)
    assert (customer.name, customer.phone, customer.registered_at) == ("李雷", "13800000000", NOON - HOUR)
    assert customer.owner_id == house.staff[Role.EXECUTOR].id
    assert (found.source, found.potential, found.industry) == (
        LeadSource.TRADE_FAIR,
        LeadPotential.HIGH,
        "steel",
    )
    line = await JournalLine.get(name="lead.recorded")
    assert (line.subject_id, line.customer_id) == (found.id, customer.id)
    assert line.data == {
        "acquired_at": "2025-03-03T03:00:00+00:00",
        "consent": True,
        "potential": "HIGH",
        "source": "TRADE_FAIR",
    }


async def test_a_lead_finds_a_known_customer_and_keeps_what_is_known(house: House) -> None:
    known, _ = await customers.upsert(house.admin, "C-1", name="A", registered_at=NOON - 9 * HOUR)
    found = await lead(house)
    assert found.customer_id == known.id
    customer = await customers.get(house.admin, known.id)
    assert (customer.name, customer.registered_at) == ("A", NOON - 9 * HOUR)


async def test_the_same_lead_again_is_the_same_lead(house: House) -> None:
    found = await asyncio.gather(*(lead(house) for _ in range(5)))
    assert len({one.id for one in found}) == 1
    assert await JournalLine.filter(name="lead.recorded").count() == 1


async def test_another_lead_under_the_same_id_is_refused(house: House) -> None:
    await lead(house)
    before = await JournalLine.all().count()
    for values in ({"consent": True}, {"customer_external_id": "C-2"}, {"source": LeadSource.OTHER}):
        with pytest.raises(Duplicate) as refused:
            await lead(house, name="B", **values)
        assert isinstance(refused.value.current, Lead)
    assert (await Lead.all().count(), await Customer.all().count()) == (1, 1)
    assert (await Lead.get(external_id="L-1")).consent is False
    assert await JournalLine.all().count() == before


@pytest.mark.parametrize(
    ("values", "error", "field"),
    [
        ({"external_id": ""}, Required, "externalId"),
        ({"acquired_at": datetime(2025, 3, 3)}, Invalid, "acquiredAt"),
        ({"industry": "a\0"}, Invalid, "industry"),
        ({"email": "nobody"}, Invalid, "email"),
        ({"owner_id": 10**9}, NotFound, "ownerId"),
        ({"customer_external_id": None}, Invalid, "customer"),
    ],
)
async def test_a_lead_that_cannot_be_is_refused_whole(
    house: House, values: dict[str, Any], error: type[DomainError], field: str
) -> None:
    with pytest.raises(error) as refused:
        await lead(house, **values)
    assert refused.value.problems[0].field == (field,)
    assert (await Lead.all().count(), await Customer.all().count()) == (0, 0)
    assert await JournalLine.filter(name="lead.recorded").count() == 0


async def test_an_event_moves_the_last_interaction_forward(house: House) -> None:
    first = await event(house, data={"page": "/价格", "n": [1, 2.5, None]})
    assert first.data == {"page": "/价格", "n": [1, 2.5, None]}
    await event(house, "E-2", occurred_at=NOON - HOUR)
    customer = await customers.get(house.admin, first.customer_id)
    assert customer.last_interaction_at == NOON
    await event(house, "E-3", occurred_at=NOON + HOUR)
    assert (await customers.get(house.admin, customer.id)).last_interaction_at == NOON + HOUR
    assert await JournalLine.filter(name="event.recorded").count() == 3


async def test_the_same_event_again_is_the_same_event(house: House) -> None:
    found = await asyncio.gather(*(event(house, data={"a": 1}) for _ in range(5)))
    assert len({one.id for one in found}) == 1
    assert await JournalLine.filter(name="event.recorded").count() == 1
    with pytest.raises(Duplicate):
        await event(house, data={"a": 2})
    assert (await BehaviourEvent.get(external_id="E-1")).data == {"a": 1}


@pytest.mark.parametrize(
    ("values", "error", "field"),
    [
        ({"name": ""}, Required, "name"),
        ({"name": "x" * 65}, Invalid, "name"),
        ({"occurred_at": datetime(2025, 3, 3)}, Invalid, "occurredAt"),
        ({"data": {"a": ["b\0"]}}, Invalid, "data"),
        ({"data": {"a": float("nan")}}, Invalid, "data"),
        ({"data": {"a": "x" * 9000}}, Invalid, "data"),
        ({"create_customer": False}, NotFound, "customerExternalId"),
    ],
)
async def test_an_event_that_cannot_be_is_refused(
    house: House, values: dict[str, Any], error: type[DomainError], field: str
) -> None:
    with pytest.raises(error) as refused:
        await event(house, **values)
    assert refused.value.problems[0].field == (field,)
    assert (await BehaviourEvent.all().count(), await Customer.all().count()) == (0, 0)
