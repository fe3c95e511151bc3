"""Orders, their course and the totals they leave."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from tortoise.expressions import Q

from domain import customers, paging
from domain.customers import Customer, Order, OrderStatus
from domain.errors import Conflict, DomainError, Invalid, NotFound, Required
from domain.journal import JournalLine
from domain.paging import Slice
from tests.conftest import NOON, House, build_house

DAY = timedelta(days=1)
PAID, DELIVERED, REFUNDED = OrderStatus.PAID, OrderStatus.DELIVERED, OrderStatus.REFUNDED


async def record(house: House, external_id: str = "O-1", **values: Any) -> Order:
    given: dict[str, Any] = {
        "customer_external_id": "C-1",
        "ordered_at": NOON,
        "amount_minor": 1234,
        "create_customer": True,
        **values,
    }
    if "customer_id" in values:
        del given["customer_external_id"]
    return await customers.record_order(house.admin, external_id, **given)


async def totals(house: House, external_id: str = "C-1") -> tuple[Any, ...]:
    found = await customers.get_external(house.admin, external_id)
    return found.order_count, found.order_total_minor, found.first_order_at, found.last_order_at


async def names() -> list[str]:
    return [line.name for line in await JournalLine.filter(subject="order").order_by("id")]


async def test_an_order_makes_its_customer_and_their_totals(house: House) -> None:
    order = await record(house, ordered_at=datetime(2025, 3, 2, 17, 0, tzinfo=UTC), quantity=3)
    assert (order.status, order.quantity, order.amount_minor, order.currency) == (PAID, 3, 1234, "CNY")
    assert order.ordered_on == date(2025, 3, 3)  # 01:00 in Shanghai
    customer = await customers.get(house.admin, order.customer_id)
    assert (customer.external_id, customer.registered_at) == ("C-1", order.ordered_at)
    assert customer.last_interaction_at == order.ordered_at
    assert await totals(house) == (1, 1234, order.ordered_at, order.ordered_at)
    assert await names() == ["order.recorded"]


async def test_the_same_order_again_changes_nothing(house: House) -> None:
    first = await record(house)
    before = await JournalLine.all().count()
    again = await record(house)
    assert (again.id, again.version, await JournalLine.all().count()) == (first.id, 1, before)
    assert (await totals(house))[:2] == (1, 1234)


async def test_changed_content_raises_the_version_and_the_totals(house: House) -> None:
    await record(house)
    order = await record(house, amount_minor=2000, quantity=2, ordered_at=NOON - DAY)
    assert (order.version, order.amount_minor, order.quantity, order.ordered_on) == (
        2,
        2000,
        2,
        date(2025, 3, 2),
    )
    assert await totals(house) == (1, 2000, NOON - DAY, NOON - DAY)
    assert await names() == ["order.recorded", "order.changed"]


async def test_an_order_given_to_another_customer_leaves_the_first(house: House) -> None:
    await record(house)
    await record(house, customer_external_id="C-2")
    assert (await totals(house, "C-1")) == (0, 0, None, None)
    assert (await totals(house, "C-2"))[:2] == (1, 1234)


async def test_the_expected_version_guards_an_order(house: House) -> None:
    await record(house, expected_version=0)
    with pytest.raises(Conflict):
        await record(house, amount_minor=1, expected_version=2)
    with pytest.raises(Conflict):
        await record(house, "O-2", expected_version=1)
    assert (await Order.all().count(), (await Order.get(external_id="O-1")).amount_minor) == (1, 1234)
    assert (await record(house, amount_minor=1, expected_version=1)).version == 2


@pytest.mark.parametrize(
    ("values", "error", "field"),
    [
        ({"external_id": "a\0"}, Invalid, "externalId"),
        ({"external_id": " "}, Required, "externalId"),
        ({"amount_minor": -1}, Invalid, "amount"),
        ({"amount_minor": 10**15 + 1}, Invalid, "amount"),
        ({"quantity": 0}, Invalid, "quantity"),
        ({"currency": "USD"}, Invalid, "amount.currency"),
        ({"ordered_at": datetime(2025, 1, 1)}, Invalid, "orderedAt"),
        ({"delivered_at": NOON}, Invalid, "deliveredAt"),
        ({"create_customer": False}, NotFound, "customerExternalId"),
        ({"customer_id": 10**9}, NotFound, "id"),
        ({"customer_external_id": None}, Invalid, "customer"),
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_is_written(
    house: House, values: dict[str, Any], error: type[DomainError], field: str
) -> None:
    with pytest.raises(error) as refused:
        await record(house, **values)
    assert refused.value.problems[0].field == tuple(field.split("."))
    assert (await Order.all().count(), await Customer.all().count(), await names()) == (0, 0, [])


async def test_nothing_is_a_valid_amount(house: House) -> None:
    await record(house, amount_minor=0)
    assert (await totals(house))[:2] == (1, 0)


async def test_a_customer_of_another_workspace_is_not_found(house: House) -> None:
    other = await build_house("Other")
    theirs, _ = await customers.upsert(other.admin, "C-1")
    with pytest.raises(NotFound):
        await record(house, customer_id=theirs.id)
    assert await Order.all().count() == 0


async def test_a_delivery_that_arrives_twice_is_told_once(house: House) -> None:
    order = await record(house)
    at = datetime(2025, 3, 3, 7, 0, tzinfo=UTC)
    outcomes = await asyncio.gather(
        *(customers.set_order_status(house.admin, order.id, DELIVERED, at) for _ in range(5))
    )
    assert {(found.status, found.version, found.delivered_at) for found in outcomes} == {(DELIVERED, 2, at)}
    line = await JournalLine.get(name="order.delivered")
    assert (line.subject_id, line.customer_id) == (order.id, order.customer_id)
    assert line.data == {"delivered_at": "2025-03-03T07:00:00+00:00"}
    assert (await totals(house))[:2] == (1, 1234)


async def test_an_order_recorded_as_delivered_is_told_once(house: House) -> None:
    for _ in range(2):
        order = await record(house, status=DELIVERED, delivered_at=NOON + DAY)
    assert (order.version, order.delivered_at) == (1, NOON + DAY)
    assert await names() == ["order.recorded", "order.delivered"]
    await customers.set_order_status(house.admin, order.id, DELIVERED, NOON + 2 * DAY)
    assert await names() == ["order.recorded", "order.delivered"]


async def test_a_delivery_without_a_time_was_now_and_stays_then(house: House) -> None:
    await record(house, status=DELIVERED)
    await house.turn(NOON + DAY)
    again = await record(house, status=DELIVERED)
    assert (again.delivered_at, again.version) == (NOON, 1)


async def test_an_older_copy_of_an_order_does_not_undo_its_delivery(house: House) -> None:
    order = await record(house)
    await customers.set_order_status(house.admin, order.id, DELIVERED, NOON + DAY)
    again = await record(house)
    assert (again.status, again.delivered_at, again.version) == (DELIVERED, NOON + DAY, 2)


async def test_a_refund_takes_the_order_out_of_the_totals(house: House) -> None:
    await record(house, "O-1", ordered_at=NOON - DAY, amount_minor=100)
    order = await record(house, "O-2", ordered_at=NOON, amount_minor=900)
    await customers.set_order_status(house.admin, order.id, DELIVERED, NOON)
    refunded = await customers.set_order_status(house.admin, order.id, REFUNDED, NOON + DAY)
    assert (refunded.status, refunded.refunded_at, refunded.delivered_at) == (REFUNDED, NOON + DAY, NOON)
    assert await totals(house) == (1, 100, NOON - DAY, NOON - DAY)
    customer = await customers.get_external(house.admin, "C-1")
    assert customer.last_interaction_at == NOON  # it was bought, all the same
    assert (await names())[-1] == "order.refunded"


async def test_an_order_goes_forward_only(house: House) -> None:
    order = await record(house)
    await customers.set_order_status(house.admin, order.id, REFUNDED)
    before = await JournalLine.all().count()
    for status in (DELIVERED, PAID):
        with pytest.raises(Conflict) as refused:
            await customers.set_order_status(house.admin, order.id, status)
        assert isinstance(refused.value.current, Order)
    stored = await Order.get(id=order.id)
    assert (stored.status, stored.version, stored.delivered_at) == (REFUNDED, 2, None)
    assert await JournalLine.all().count() == before


async def test_a_status_is_guarded_by_version_and_workspace(house: House) -> None:
    order = await record(house)
    with pytest.raises(Conflict):
        await customers.set_order_status(house.admin, order.id, DELIVERED, expected_version=7)
    with pytest.raises(NotFound):
        await customers.set_order_status((await build_house("Other")).admin, order.id, DELIVERED)
    assert (await Order.get(id=order.id)).status is PAID


async def test_an_older_order_moves_back_the_date_of_a_customer_made_by_an_order(house: House) -> None:
    await record(house, "O-2", ordered_at=NOON)
    await record(house, "O-1", ordered_at=NOON - DAY)
    assert (await customers.get_external(house.admin, "C-1")).registered_at == NOON - DAY
    await customers.upsert(house.admin, "C-9", registered_at=NOON)
    await record(house, "O-3", customer_external_id="C-9", ordered_at=NOON - DAY)
    assert (await customers.get_external(house.admin, "C-9")).registered_at == NOON  # this one was stated


async def test_many_orders_of_one_customer_at_once_are_all_counted(house: House) -> None:
    await asyncio.gather(*(record(house, f"O-{n}", amount_minor=n) for n in range(20)))
    assert (await totals(house))[:2] == (20, sum(range(20)))


async def test_one_order_recorded_many_times_at_once_is_one(house: House) -> None:
    await asyncio.gather(*(record(house, status=DELIVERED) for _ in range(8)))
    assert (await totals(house))[:2] == (1, 1234)
    assert await names() == ["order.recorded", "order.delivered"]


async def test_orders_are_paged_by_time(house: House) -> None:
    for n in range(5):
        await record(house, f"O-{n}", ordered_at=NOON + n * DAY)
    await record(house, "O-X", customer_external_id="C-2")
    customer = await customers.get_external(house.admin, "C-1")
    latest = paging.Order("ordered_at", descending=True)
    page = await customers.orders_page(house.admin, Q(customer_id=customer.id), latest, Slice(first=3))
    assert [order.external_id for order in page.items] == ["O-4", "O-3", "O-2"]
    rest = await customers.orders_page(
        house.admin, Q(customer_id=customer.id), latest, Slice(first=3, after=page.cursors[-1])
    )
    assert [order.external_id for order in rest.items] == ["O-1", "O-0"]
