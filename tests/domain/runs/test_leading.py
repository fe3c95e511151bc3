"""One leads at a time, another soon after its end; and a frozen leader knows that it no longer does."""

import asyncio

import pytest

from domain import db
from domain.runs import Leadership, leading


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leading, "LEASE_SECONDS", 0.4)
    monkeypatch.setattr(leading, "RENEW_SECONDS", 0.0)
    monkeypatch.setattr(leading, "SAFETY_SECONDS", 0.1)


async def until_leads(one: Leadership) -> None:
    async with asyncio.timeout(10):
        while not await one.lead():
            await asyncio.sleep(0.01)


async def test_one_of_many_leads(database: str) -> None:
    all_of_them = [Leadership(f"p{n}") for n in range(5)]
    assert sum(await asyncio.gather(*(one.lead() for one in all_of_them))) == 1
    assert sum(await asyncio.gather(*(one.lead() for one in all_of_them))) == 1


async def test_another_leads_after_the_leader_has_gone(database: str) -> None:
    first, second = Leadership("first"), Leadership("second")
    assert await first.lead()
    assert not await second.lead()
    await until_leads(second)
    assert not first.leads, "it believes its lease to end earlier than the database does"
    assert not await first.lead()
    assert await db.value("SELECT term FROM leases WHERE name = 'clock'") == 2


async def test_a_leader_that_resigns_is_followed_at_once(database: str) -> None:
    first, second = Leadership("first"), Leadership("second")
    assert await first.lead()
    await first.resign()
    assert not first.leads
    assert await second.lead()


async def test_a_leader_goes_on_leading_in_its_term(database: str) -> None:
    one = Leadership("one")
    for _ in range(3):
        assert await one.lead()
    assert await db.value("SELECT term FROM leases WHERE name = 'clock'") == 1
