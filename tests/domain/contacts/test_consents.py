"""Statements of consent are only added; the latest holds."""

from datetime import UTC, datetime, timedelta

import pytest
from tortoise.expressions import Q

from domain import contacts
from domain.access import Principal
from domain.contacts import Consent, Purpose
from domain.errors import Invalid, NotFound, Required
from domain.journal import JournalLine
from domain.paging import Order, Slice
from tests.conftest import NOON, House
from tests.domain.contacts.conftest import add_customers

DAY = timedelta(days=1)


async def say(
    who: Principal,
    customer: int,
    granted: bool,
    at: datetime = NOON,
    purpose: Purpose = Purpose.MARKETING,
) -> Consent:
    return await contacts.record_consent(who, customer, purpose, granted, "web form", "2025-01", at)


async def holds(house: House, *customers: int) -> dict[int, bool]:
    found = await contacts.consent_state(house.id, customers, Purpose.MARKETING)
    return {customer: consent.granted for customer, consent in found.items()}


async def test_the_latest_statement_holds_whatever_the_order_of_recording(
    house: House, customer: int
) -> None:
    await say(house.admin, customer, False, NOON - DAY)
    await say(house.admin, customer, True, NOON - 2 * DAY)
    assert await holds(house, customer) == {customer: False}
    await say(house.admin, customer, True, NOON)
    assert await holds(house, customer) == {customer: True}


async def test_of_two_statements_at_one_instant_the_later_recorded_holds(house: House, customer: int) -> None:
    await say(house.admin, customer, True)
    await say(house.admin, customer, False)
    assert await holds(house, customer) == {customer: False}


async def test_statements_are_kept_apart_by_customer_and_purpose(house: House) -> None:
    first, second, silent = await add_customers(house.id, 3)
    await say(house.admin, first, True)
    await say(house.admin, first, False, purpose=Purpose.SERVICE)
    await say(house.admin, second, False)
    assert await holds(house, first, second, silent) == {first: True, second: False}
    current = await contacts.current_consents(house.id, [first, silent])
    assert {c: [(s.purpose, s.granted) for s in said] for c, said in current.items()} == {
        first: [(Purpose.MARKETING, True), (Purpose.SERVICE, False)]
    }


async def test_a_statement_is_journalled_without_personal_data(house: House, customer: int) -> None:
    consent = await say(house.admin, customer, False)
    line = await JournalLine.get(workspace_id=house.id, subject="consent")
    assert (line.name, line.subject_id, line.customer_id, line.data) == (
        "consent.recorded",
        consent.id,
        customer,
        {"purpose": "MARKETING", "granted": False},
    )


@pytest.mark.parametrize(
    ("source", "notice", "at", "error", "field"),
    [
        ("  ", "1", NOON, Required, "source"),
        ("s" * 65, "1", NOON, Invalid, "source"),
        ("web", "n" * 65, NOON, Invalid, "noticeVersion"),
        ("web", "1", datetime(2025, 3, 3, 4, 0, 0, 1, tzinfo=UTC), Invalid, "statedAt"),
    ],
)
async def test_a_statement_without_origin_or_from_the_future_is_not_taken(
    house: House, customer: int, source: str, notice: str, at: datetime, error: type[Invalid], field: str
) -> None:
    with pytest.raises(error) as refused:
        await contacts.record_consent(house.admin, customer, Purpose.MARKETING, True, source, notice, at)
    assert refused.value.problems[0].field == ("input", field)
    assert await nothing_is_stored()


async def test_another_workspaces_customer_is_not_found(house: House, stranger: int) -> None:
    with pytest.raises(NotFound):
        await say(house.admin, stranger, True)
    assert await nothing_is_stored()


async def test_statements_are_paged_latest_first(house: House, customer: int) -> None:
    for n in range(3):
        await say(house.admin, customer, n % 2 == 0, NOON - n * DAY)
    order, mine = Order("stated_at", descending=True), Q(customer_id=customer)
    page = await contacts.consents_page(house.admin, mine, order, Slice(first=2))
    assert [consent.stated_at for consent in page.items] == [NOON, NOON - DAY]
    assert (page.has_next, await page.count()) == (True, 3)


async def nothing_is_stored() -> bool:
    return not await Consent.all() and not await JournalLine.filter(subject="consent")
