"""A customer's story: the journal's lines and the imported orders, in one order that pages exactly."""

from datetime import timedelta

import pytest

from domain import customers
from domain.customers import Customer, Order, TimelineEntry
from domain.paging import BadCursor, Page, Slice
from tests.conftest import NOON, House, build_house
from tests.domain.customers.imports import import_orders

HEADER = "order_id,customer_id,ordered_at,amount\n"
ROWS = """O-1,C-1,2025-01-05,10
O-2,C-1,2025-01-05,20
O-3,C-1,2025-02-01T09:00:00+08:00,30
O-4,C-1,2025-03-03T12:00:00+08:00,40
O-5,C-2,2025-01-06,50
"""


def told(page: Page[TimelineEntry]) -> list[tuple[str, int]]:
    return [(entry.name, entry.subject_id) for entry in page.items]


async def filled(house: House) -> Customer:
    """One customer with imported orders on both sides of an event, and at the very instant of lines."""
    await import_orders(house, HEADER + ROWS)
    customer = await customers.get_external(house.admin, "C-1")
    await customers.record_event(
        house.admin, "E-1", customer_id=customer.id, name="login", occurred_at=NOON - timedelta(days=9)
    )
    await customers.record_order(
        house.admin, "O-6", customer_id=customer.id, ordered_at=NOON - timedelta(days=50), amount_minor=1
    )
    await customers.cancel_relationship(house.admin, customer.id, NOON - timedelta(days=40))
    return customer


async def story(house: House, customer: Customer) -> list[TimelineEntry]:
    return (await customers.timeline(house.admin, customer.id, Slice(first=100))).items


async def test_the_timeline_is_the_customers_journal_the_latest_first(house: House) -> None:
    customer, _ = await customers.upsert(house.admin, "C-1", name="A")
    await customers.upsert(house.admin, "C-2", name="B")
    await customers.upsert(house.admin, "C-1", name="A2")
    await customers.cancel_relationship(house.admin, customer.id, NOON)
    page = await customers.timeline(house.admin, customer.id, Slice(first=2))
    assert [line.name for line in page.items] == ["customer.cancelled", "customer.upserted"]
    rest = await customers.timeline(house.admin, customer.id, Slice(first=2, after=page.cursors[-1]))
    assert [(line.name, line.actor) for line in rest.items] == [("customer.upserted", house.admin.label)]
    assert (page.has_next, rest.has_next) == (True, False)
    assert (await page.count(), await rest.count()) == (3, 3)


async def test_imported_orders_stand_where_they_were_placed(house: House) -> None:
    customer = await filled(house)
    orders = {order.external_id: order for order in await Order.filter(workspace_id=house.id)}
    found = await story(house, customer)
    assert [entry.name for entry in found] == [
        "order.recorded",
        "event.recorded",
        "order.placed",
        "order.placed",
        "customer.cancelled",
        "order.placed",
        "order.placed",
    ]
    placed = [entry for entry in found if entry.name == "order.placed"]
    assert [entry.subject_id for entry in placed] == [orders[f"O-{n}"].id for n in (4, 3, 2, 1)]
    assert [entry.at for entry in placed] == [orders[f"O-{n}"].ordered_at for n in (4, 3, 2, 1)]
    assert {entry.actor for entry in placed} == {f"run:{orders['O-1'].run_id}"}
    assert {entry.recorded_at for entry in placed} == {orders["O-1"].created_at}
    assert {entry.subject for entry in placed} == {"order"}


@pytest.mark.parametrize("size", [1, 2, 3])
async def test_pages_in_both_directions_tell_the_story_without_gap_or_repeat(house: House, size: int) -> None:
    customer = await filled(house)
    whole = await customers.timeline(house.admin, customer.id, Slice(first=100))
    assert await whole.count() == 7
    forward: list[tuple[str, int]] = []
    backward: list[tuple[str, int]] = []
    part = Slice(first=size)
    while True:
        page = await customers.timeline(house.admin, customer.id, part)
        forward += told(page)
        assert await page.count() == 7
        if not page.has_next:
            break
        part = Slice(first=size, after=page.cursors[-1])
    part = Slice(last=size)
    while True:
        page = await customers.timeline(house.admin, customer.id, part)
        backward = told(page) + backward
        if not page.has_previous:
            break
        part = Slice(last=size, before=page.cursors[0])
    assert forward == backward == told(whole)
    inside = Slice(first=100, after=whole.cursors[1], before=whole.cursors[4])
    assert told(await customers.timeline(house.admin, customer.id, inside)) == told(whole)[2:4]


async def test_an_order_is_told_once_however_it_came(house: House) -> None:
    customer = await filled(house)
    before = await story(house, customer)
    await import_orders(house, HEADER + ROWS)
    assert await story(house, customer) == before
    await import_orders(house, HEADER + "O-6,C-1,2025-01-12,7\n")
    assert await story(house, customer) == before


async def test_everybody_s_first_pages_are_read_together_and_apart(house: House) -> None:
    one = await filled(house)
    two = await customers.get_external(house.admin, "C-2")
    stranger = await build_house("Other")
    await filled(stranger)
    found = await customers.timelines(house.id, [one.id, two.id, 10**12], Slice(first=1))
    assert [len(found[i].items) for i in (one.id, two.id, 10**12)] == [1, 1, 0]
    assert [await found[i].count() for i in (one.id, two.id, 10**12)] == [7, 1, 0]
    assert [found[i].has_next for i in (one.id, two.id, 10**12)] == [True, False, False]
    theirs = await customers.timelines(stranger.id, [one.id, two.id], Slice())
    assert [told(page) for page in theirs.values()] == [[], []]


@pytest.mark.parametrize("cursor", ["", "W10", "WzEsMl0", "nonsense", "WyIyMDI1LTAxLTA1IiwxXQ"])
async def test_a_cursor_of_another_making_is_refused(house: House, cursor: str) -> None:
    customer = await filled(house)
    for part in (Slice(after=cursor), Slice(before=cursor)):
        with pytest.raises(BadCursor):
            await customers.timeline(house.admin, customer.id, part)
