"""What customers wish: set as a whole, checked, and only by who saw what stands."""

import pytest

from domain import contacts
from domain.contacts import Channel, ContactPreference
from domain.errors import Conflict, DomainError, Invalid, NotFound
from domain.journal import JournalLine
from tests.conftest import House

MORNING = [("09:00", "12:00")]


async def lines(house: House) -> list[str]:
    return [
        line.name for line in await JournalLine.filter(workspace_id=house.id, subject="contact_preference")
    ]


async def test_a_preference_is_set_and_then_replaced(house: House, customer: int) -> None:
    first = await contacts.set_preference(
        house.admin, customer, [Channel.SMS, Channel.WECHAT], [], [("14:00", "24:00"), *MORNING]
    )
    assert (first.allowed, first.refused, first.version) == (["SMS", "WECHAT"], [], 1)
    assert first.windows == [{"from": "09:00", "to": "12:00"}, {"from": "14:00", "to": "24:00"}]
    second = await contacts.set_preference(
        house.admin, customer, [], [Channel.PHONE, Channel.PHONE], [], expected_version=1
    )
    assert (second.id, second.allowed, second.refused, second.windows, second.version) == (
        first.id,
        [],
        ["PHONE"],
        [],
        2,
    )
    stored = await contacts.preferences_by_customer(house.id, [customer])
    assert (stored[customer].refused, stored[customer].version) == (["PHONE"], 2)
    assert await lines(house) == ["contact_preference.set", "contact_preference.set"]


async def test_every_channel_may_be_refused(house: House, customer: int) -> None:
    preference = await contacts.set_preference(house.admin, customer, [], list(Channel), [])
    assert preference.refused == ["PHONE", "WECHAT", "WECOM", "SMS", "EMAIL", "ONSITE"]


async def test_a_channel_both_allowed_and_refused_is_not_taken(house: House, customer: int) -> None:
    with pytest.raises(Invalid) as refused:
        await contacts.set_preference(house.admin, customer, [Channel.SMS], [Channel.SMS], [])
    assert refused.value.problems[0].field == ("input", "refused")
    assert await nothing_is_stored(house)


async def test_overlapping_windows_are_not_taken(house: House, customer: int) -> None:
    with pytest.raises(Invalid):
        await contacts.set_preference(house.admin, customer, [], [], [*MORNING, ("11:00", "13:00")])
    assert await nothing_is_stored(house)


async def test_another_version_than_seen_is_a_conflict(house: House, customer: int) -> None:
    await contacts.set_preference(house.admin, customer, [Channel.SMS], [], [])
    for seen in (0, 2):
        with pytest.raises(Conflict) as refused:
            await contacts.set_preference(house.admin, customer, [], [], [], expected_version=seen)
        current = refused.value.current
        assert isinstance(current, ContactPreference)
        assert (current.allowed, current.version) == (["SMS"], 1)
    stored = await contacts.preferences_by_customer(house.id, [customer])
    assert (stored[customer].allowed, stored[customer].version) == (["SMS"], 1)
    assert await lines(house) == ["contact_preference.set"]


async def test_a_version_of_a_preference_never_set_is_a_conflict(house: House, customer: int) -> None:
    with pytest.raises(Conflict):
        await contacts.set_preference(house.admin, customer, [], [], [], expected_version=1)
    assert await nothing_is_stored(house)
    made = await contacts.set_preference(house.admin, customer, [], [], [], expected_version=0)
    assert made.version == 1


async def test_another_workspaces_customer_is_not_found(house: House, stranger: int) -> None:
    with pytest.raises(NotFound) as refused:
        await contacts.set_preference(house.admin, stranger, [], [], [])
    assert isinstance(refused.value, DomainError)
    assert refused.value.problems[0].field == ("customerId",)
    assert await nothing_is_stored(house)
    assert await contacts.preferences_by_customer(house.id, [stranger]) == {}


async def nothing_is_stored(house: House) -> bool:
    return not await ContactPreference.all() and await lines(house) == []
