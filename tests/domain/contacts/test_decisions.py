"""Every planned contact asks the policy, and the answer is kept."""

import logging
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from domain import contacts, db
from domain.contacts import Channel, ContactDecision, Purpose, Request, Verdict
from domain.errors import NotFound
from domain.journal import JournalLine
from tests.conftest import NOON, House
from tests.domain.contacts.conftest import add_customers

SHANGHAI = ZoneInfo("Asia/Shanghai")
EVENING = datetime(2025, 3, 3, 20, tzinfo=SHANGHAI)
MORNING = datetime(2025, 3, 4, 9, tzinfo=SHANGHAI)


def wish(
    customer: int,
    channel: Channel = Channel.SMS,
    at: datetime = EVENING,
    purpose: Purpose = Purpose.SERVICE,
    personal: bool = False,
) -> Request:
    return Request(customer, channel, at, purpose, personal)


@pytest.fixture
async def limited(house: House, customer: int) -> int:
    """The customer of A-05: SMS and WeChat, from nine to noon."""
    await contacts.set_preference(
        house.admin, customer, [Channel.SMS, Channel.WECHAT], [], [("09:00", "12:00")]
    )
    return customer


async def test_a_decision_is_kept_as_it_was_given(house: House, limited: int) -> None:
    late, visit = await contacts.plan(
        house.admin, [wish(limited), wish(limited, Channel.PHONE, MORNING, personal=True)]
    )
    assert (late.verdict, late.channel, late.at) == (Verdict.DEFERRED, Channel.SMS, MORNING)
    assert (visit.verdict, visit.channel, visit.at) == (Verdict.SUBSTITUTED, Channel.WECHAT, MORNING)
    stored = await contacts.decisions_by_ids(house.id, [late.id, visit.id])
    for given in (late, visit):
        assert dict(stored[given.id]) == dict(given)
    assert (stored[late.id].wanted_channel, stored[late.id].wanted_at) == (Channel.SMS, EVENING)
    assert stored[late.id].decided_at == NOON
    assert [(reason["rule"], reason["verdict"]) for reason in stored[late.id].reasons] == [
        ("CONSENT", "ALLOWED"),
        ("CHANNEL", "ALLOWED"),
        ("WINDOW", "DEFERRED"),
    ]


async def test_a_withdrawal_refuses_marketing_from_then_on(house: House, customer: int) -> None:
    asked = [wish(customer, purpose=Purpose.MARKETING), wish(customer)]
    before = await contacts.plan(house.admin, asked)
    await contacts.record_consent(house.admin, customer, Purpose.MARKETING, False, "call", "", NOON)
    after = await contacts.plan(house.admin, asked)
    assert [decision.verdict for decision in before] == [Verdict.ALLOWED, Verdict.ALLOWED]
    assert [decision.verdict for decision in after] == [Verdict.REFUSED, Verdict.ALLOWED]
    assert (after[0].channel, after[0].at) == (None, None)
    line = (await JournalLine.filter(subject="contact_decision").order_by("-id"))[0]
    assert (line.subject_id, line.data) == (after[0].id, {"count": 2, "refused": 1})


async def test_a_preview_stores_nothing(house: House, limited: int) -> None:
    decision = await contacts.preview(house.admin, wish(limited))
    assert (decision.verdict, decision.at) == (Verdict.DEFERRED, MORNING)
    assert (decision.id, decision.reasons[2]["code"]) == (None, "RECEIVE_WINDOW")
    assert await nothing_is_stored()


async def test_another_workspaces_customer_spoils_the_whole_batch(
    house: House, customer: int, stranger: int
) -> None:
    for asked in ([wish(customer), wish(stranger)], [wish(10**12)]):
        with pytest.raises(NotFound) as refused:
            await contacts.plan(house.admin, asked)
        assert refused.value.problems[0].field == ("customerId",)
    with pytest.raises(NotFound):
        await contacts.preview(house.admin, wish(stranger))
    assert await nothing_is_stored()


async def test_decisions_fall_with_the_callers_transaction(house: House, customer: int) -> None:
    with pytest.raises(RuntimeError):
        async with db.transaction():
            await contacts.plan(house.admin, [wish(customer)])
            raise RuntimeError
    assert await nothing_is_stored()


async def test_a_batch_costs_the_same_number_of_statements_whatever_its_size(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    people = await add_customers(house.id, 500)
    for number, person in enumerate(people[:20]):
        await contacts.set_preference(house.admin, person, [], [Channel.SMS], [])
        await contacts.record_consent(
            house.admin, person, Purpose.MARKETING, number % 2 == 0, "web", "", NOON - timedelta(days=1)
        )
    asked = [wish(person, purpose=Purpose.MARKETING) for person in people]
    costs = []
    for size in (1, 500):
        with caplog.at_level(logging.DEBUG, "tortoise.db_client"):
            caplog.clear()
            decisions = await contacts.plan(house.admin, asked[:size])
            statements = [record.getMessage() for record in caplog.records]
            costs.append(sum(" " in text and not text.startswith(("BEGIN", "COMMIT")) for text in statements))
    assert costs[0] == costs[1] <= 7, statements
    assert [decision.customer_id for decision in decisions] == people
    verdicts = [decision.verdict for decision in decisions]
    assert verdicts[:20] == [Verdict.SUBSTITUTED, Verdict.REFUSED] * 10
    assert set(verdicts[20:]) == {Verdict.ALLOWED}
    assert all(decision.at == EVENING.astimezone(UTC) for decision in decisions[20:])


async def nothing_is_stored() -> bool:
    return not await ContactDecision.all() and not await JournalLine.filter(subject="contact_decision")
