"""Contacts that took place: recorded with their time; silence ends only where the customer took part."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from domain import contacts, db
from domain.access import Principal, Role
from domain.contacts import Channel, ContactResult, Direction, Interaction
from domain.errors import Invalid, NotFound
from domain.journal import JournalLine
from tests.conftest import NOON, House, build_house
from tests.domain.contacts.conftest import add_customers

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


async def meet(
    who: Principal,
    customer: int,
    at: datetime = NOON - HOUR,
    *,
    direction: Direction = Direction.OUTBOUND,
    result: ContactResult = ContactResult.REACHED,
    personal: bool = True,
    note: str = "asked about delivery",
    staff: int | None = None,
) -> Interaction:
    return await contacts.record_interaction(
        who, customer, Channel.PHONE, direction, personal, result, note, at, staff
    )


async def last_interaction(customer: int) -> datetime | None:
    row = await db.one("SELECT last_interaction_at FROM customers WHERE id = :id", id=customer)
    assert row is not None
    raw = row["last_interaction_at"]
    return None if raw is None else db.instant_of(raw)


async def test_a_contact_is_recorded_and_journalled_without_its_note(house: House, customer: int) -> None:
    who = house.staff[Role.EXECUTOR]
    made = await meet(who, customer)
    stored = await Interaction.get(id=made.id)
    assert (stored.note, stored.staff_id, stored.occurred_at) == (
        "asked about delivery",
        who.user_id,
        NOON - HOUR,
    )
    line = await JournalLine.get(workspace_id=house.id, subject="interaction")
    assert (line.name, line.subject_id, line.customer_id, line.actor) == (
        "interaction.recorded",
        made.id,
        customer,
        who.label,
    )
    assert line.data == {
        "channel": "PHONE",
        "direction": "OUTBOUND",
        "result": "REACHED",
        "personal": True,
        "occurred_at": "2025-03-03T03:00:00+00:00",
    }


@pytest.mark.parametrize(
    ("direction", "result", "took_part"),
    [
        (Direction.OUTBOUND, ContactResult.REACHED, True),
        (Direction.INBOUND, ContactResult.REACHED, True),
        (Direction.INBOUND, ContactResult.NO_ANSWER, True),
        (Direction.OUTBOUND, ContactResult.NO_ANSWER, False),
        (Direction.OUTBOUND, ContactResult.REFUSED, False),
        (Direction.OUTBOUND, ContactResult.WRONG_ADDRESS, False),
    ],
)
async def test_silence_ends_only_where_the_customer_took_part(
    house: House, customer: int, direction: Direction, result: ContactResult, took_part: bool
) -> None:
    await meet(house.admin, customer, direction=direction, result=result)
    assert await last_interaction(customer) == (NOON - HOUR if took_part else None)


async def test_an_older_contact_does_not_move_the_last_one_back(house: House, customer: int) -> None:
    await meet(house.admin, customer, NOON.astimezone(ZoneInfo("America/New_York")))
    await meet(house.admin, customer, (NOON - HOUR).astimezone(ZoneInfo("Asia/Shanghai")))
    assert await last_interaction(customer) == NOON


async def test_a_contact_cannot_lie_in_the_future(house: House, customer: int) -> None:
    with pytest.raises(Invalid) as refused:
        await meet(house.admin, customer, NOON + timedelta(microseconds=1))
    assert refused.value.problems[0].field == ("input", "occurredAt")
    assert await nothing_is_stored(customer)
    await meet(house.admin, customer, NOON)


async def test_a_note_has_a_limit(house: House, customer: int) -> None:
    with pytest.raises(Invalid) as refused:
        await meet(house.admin, customer, note="n" * 4001)
    assert refused.value.problems[0].field == ("input", "note")
    assert await nothing_is_stored(customer)


async def test_only_own_staff_can_have_made_it(house: House, customer: int) -> None:
    other = await build_house("Other")
    with pytest.raises(NotFound) as refused:
        await meet(house.admin, customer, staff=other.admin.user_id)
    assert refused.value.problems[0].field == ("input", "staffId")
    assert await nothing_is_stored(customer)


async def test_another_workspaces_customer_is_not_found(house: House, stranger: int) -> None:
    with pytest.raises(NotFound):
        await meet(house.admin, stranger)
    assert await nothing_is_stored(stranger)


async def test_visits_are_personal_contacts_of_ours_that_reached_the_customer(house: House) -> None:
    visited, missed, written, called = await add_customers(house.id, 4)
    start, end = NOON - 10 * DAY, NOON
    for at in (start - HOUR, start, NOON - DAY, end):
        await meet(house.admin, visited, at)
    await meet(house.admin, missed, result=ContactResult.NO_ANSWER)
    await meet(house.admin, written, personal=False)
    await meet(house.admin, called, direction=Direction.INBOUND)
    everybody = [visited, missed, written, called]
    assert await contacts.personal_visits(house.id, everybody, start, end) == {visited: 2}
    assert await contacts.personal_visits(house.id, [], start, end) == {}


async def nothing_is_stored(customer: int) -> bool:
    return (
        not await Interaction.all()
        and not await JournalLine.filter(subject="interaction")
        and await last_interaction(customer) is None
    )
