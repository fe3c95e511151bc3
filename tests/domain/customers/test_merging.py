"""Two records become one and two again: nothing is lost, nothing is doubled, and no table is forgotten."""

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

import pytest
from tortoise import Tortoise

from domain import contacts, customers, db, segments, tasks
from domain.contacts import Channel, Consent, ContactResult, Direction, Purpose
from domain.customers import Customer, CustomerMerge, Fate, MergeField, handing
from domain.db import Reference
from domain.db.connection import APP
from domain.errors import Conflict, DomainError, Invalid, NotFound
from domain.journal import JournalLine
from domain.segments.models import SegmentPick
from tests.conftest import NOON, House, build_house
from tests.security.filling import draft, fill
from tests.security.rows import snapshot, tables

GROWING = ("journal.customer_id", "customers.merged_into_id")
"""Of these a merge itself adds some."""


def places(models: list[Any]) -> set[str]:
    """Every column that names a customer."""
    return {
        f"{model._meta.db_table}.{name}"
        for model in models
        for name, field in model._meta.fields_map.items()
        if name in ("customer_id", "merged_into_id")
        or (isinstance(field, Reference) and field.to == "customers")
    }


def models() -> list[Any]:
    assert Tortoise.apps is not None
    return list(Tortoise.apps[APP].values())


async def test_every_column_that_names_a_customer_has_its_decision(database: str) -> None:
    assert places(models()) == set(handing.HANDINGS)
    assert len(handing.HANDINGS) > 15


async def test_a_table_without_a_decision_is_noticed(database: str) -> None:
    from tortoise import Model, fields

    class Later(Model):
        id = fields.BigIntField(primary_key=True)
        workspace_id = fields.BigIntField()
        owner_id = Reference("customers")

        class Meta:
            table = "later"

    assert places([*models(), Later]) - set(handing.HANDINGS) == {"later.owner_id"}


async def pair(house: House) -> tuple[Customer, Customer]:
    """C-2, who is to be kept, and C-1, of whom there is something in every table that has customers."""
    await fill(house)
    kept, gone = [await customers.get_external(house.admin, name) for name in ("C-2", "C-1")]
    await tasks.create(house.admin, draft(house, kept.id, "of the one who is kept"))
    return kept, gone


async def rows() -> dict[str, list[tuple[Any, ...]]]:
    """All rows but those that a merge adds or marks, without what counts changes."""
    found = {}
    for table in await tables():
        if table in ("customer_merges", "merged_rows", "placement_marks"):
            continue
        listed = [dict(row) for row in await db.rows(f"SELECT * FROM {table}")]
        if table == "journal":
            listed = [row for row in listed if "merge" not in str(row["data"])]
            listed = [row for row in listed if row["name"] != "customer.included"]
        for row in listed:
            for name in ("version", "updated_at"):
                row.pop(name, None)
        found[table] = sorted(tuple(str(value) for value in row.values()) for row in listed)
    return found


async def at(customer_id: int) -> dict[str, int]:
    """How many rows of each place name a customer."""
    return {
        place: await db.value(
            f"SELECT count(*) AS number FROM {place.partition('.')[0]} WHERE {place.partition('.')[2]} = :id",
            id=customer_id,
        )
        for place in handing.HANDINGS
    }


async def test_everything_goes_over_and_comes_back(house: House) -> None:
    kept, gone = await pair(house)
    before, had, others = await rows(), await at(gone.id), await at(kept.id)
    looked = await customers.preview_merge(house.admin, kept.id, gone.id)
    assert await rows() == before
    made = await customers.merge(house.admin, kept.id, gone.id)
    assert made.counts == looked.counts
    assert {"orders.customer_id", "tasks.customer_id", "consents.customer_id", "journal.customer_id"} <= set(
        made.counts
    )
    now, left = await at(kept.id), await at(gone.id)
    for place, handed in handing.HANDINGS.items():
        if handed.fate is Fate.MOVES and place not in GROWING:
            assert now[place] + left[place] == had[place] + others[place], place
            assert handed.unless is not None or left[place] == 0, place
        elif handed.fate is Fate.COPIES:
            assert left[place] == had[place], place
    stands = await Customer.get(id=kept.id)
    assert (stands.order_count, stands.order_total_minor) == (3, 31_000)
    went = await Customer.get(id=gone.id)
    assert (went.excluded, went.merged_into_id, went.order_count, went.name) == (True, kept.id, 0, "Name 1")
    undone = await customers.undo(house.admin, made.id)
    assert (undone.state.value, undone.version) == ("UNDONE", 2)
    assert await rows() == before


async def test_a_merge_is_told_and_the_story_goes_over(house: House) -> None:
    kept, gone = await pair(house)
    story = await JournalLine.filter(customer_id=gone.id).count()
    made = await customers.merge(house.admin, kept.id, gone.id)
    assert [line.name for line in await JournalLine.filter(customer_id=gone.id)] == ["customer.excluded"]
    (line,) = await JournalLine.filter(name="customer.merged", customer_id=kept.id)
    assert (line.customer_id, line.data) == (
        kept.id,
        {"merge": made.id, "into": kept.id, "from": gone.id},
    )
    assert await JournalLine.filter(customer_id=kept.id, id__lt=line.id, subject_id=gone.id).exists()
    await customers.undo(house.admin, made.id)
    told = await JournalLine.filter(customer_id=gone.id).order_by("id")
    assert len(told) == story + 3
    assert [line.name for line in told[-2:]] == ["customer.separated", "customer.included"]


@pytest.mark.parametrize("later", [False, True])
async def test_a_refusal_of_either_record_stands(house: House, later: bool) -> None:
    """Even where the other record agreed after it."""
    one, _ = await customers.upsert(house.admin, "A")
    two, _ = await customers.upsert(house.admin, "B")
    for customer, granted, days in ((one, later, 1), (two, not later, 2)):
        await contacts.record_consent(
            house.admin, customer.id, Purpose.MARKETING, granted, "web", "1", NOON - timedelta(days=days)
        )
    looked = await customers.preview_merge(house.admin, one.id, two.id)
    (value,) = [value for value in looked.values if value.name == "consent.MARKETING"]
    assert value.becomes == "refused"
    made = await customers.merge(house.admin, one.id, two.id)
    said = await contacts.consent_state(house.id, [one.id], Purpose.MARKETING)
    assert said[one.id].granted is False
    await customers.undo(house.admin, made.id)
    for customer, granted in ((one, later), (two, not later)):
        said = await contacts.consent_state(house.id, [customer.id], Purpose.MARKETING)
        assert said[customer.id].granted is granted
    assert await Consent.all().count() == 2


async def test_only_what_both_records_welcome_is_welcome(house: House) -> None:
    one, _ = await customers.upsert(house.admin, "A")
    two, _ = await customers.upsert(house.admin, "B")
    await contacts.set_preference(
        house.admin, one.id, [Channel.WECHAT, Channel.PHONE], [Channel.SMS], [("09:00", "12:00")]
    )
    await contacts.set_preference(
        house.admin, two.id, [Channel.PHONE, Channel.EMAIL], [], [("11:00", "15:00"), ("18:00", "20:00")]
    )
    made = await customers.merge(house.admin, one.id, two.id)
    joint = (await contacts.preferences_by_customer(house.id, [one.id]))[one.id]
    assert (joint.allowed, joint.refused) == (["PHONE"], ["SMS"])
    assert joint.windows == [{"from": "11:00", "to": "12:00"}]
    await customers.undo(house.admin, made.id)
    own = (await contacts.preferences_by_customer(house.id, [one.id]))[one.id]
    assert (own.allowed, own.refused) == (["WECHAT", "PHONE"], ["SMS"])


async def test_records_that_welcome_nothing_in_common_are_not_reached(house: House) -> None:
    one, _ = await customers.upsert(house.admin, "A")
    two, _ = await customers.upsert(house.admin, "B")
    await contacts.set_preference(house.admin, one.id, [Channel.SMS], [], [])
    await contacts.set_preference(house.admin, two.id, [Channel.PHONE], [], [])
    await customers.merge(house.admin, one.id, two.id)
    joint = (await contacts.preferences_by_customer(house.id, [one.id]))[one.id]
    assert (joint.allowed, set(joint.refused)) == ([], {channel.value for channel in Channel})


async def test_what_is_missing_is_filled_and_what_is_taken_replaces(house: House) -> None:
    one, _ = await customers.upsert(house.admin, "A", name="One", phone="13800000001")
    two, _ = await customers.upsert(
        house.admin, "B", name="Two", phone="13800000002", email="two@care.test", company="Huaxing"
    )
    made = await customers.merge(house.admin, one.id, two.id, take=[MergeField.PHONE])
    merged = await Customer.get(id=one.id)
    assert (merged.name, merged.phone, merged.email, merged.company) == (
        "One",
        "13800000002",
        "two@care.test",
        "Huaxing",
    )
    await customers.undo(house.admin, made.id)
    alone = await Customer.get(id=one.id)
    assert (alone.name, alone.phone, alone.email, alone.company) == ("One", "13800000001", None, None)


async def test_what_has_been_changed_since_is_named_and_nothing_is_undone(house: House) -> None:
    one, _ = await customers.upsert(house.admin, "A")
    two, _ = await customers.upsert(house.admin, "B", phone="13800000002", email="two@care.test")
    third, _ = await customers.upsert(house.admin, "C")
    order = await customers.record_order(
        house.admin, "O-1", customer_id=two.id, ordered_at=NOON, amount_minor=100
    )
    made = await customers.merge(house.admin, one.id, two.id)
    await customers.upsert(house.admin, "A", phone="13800000003")
    await customers.record_order(
        house.admin, order.external_id, customer_id=third.id, ordered_at=NOON, amount_minor=100
    )
    before = await snapshot()
    with pytest.raises(DomainError) as refused:
        await customers.undo(house.admin, made.id)
    assert [problem.message for problem in refused.value.problems] == [
        "1 rows of orders.customer_id are no longer at the record that was kept",
        "phone has been changed since",
    ]
    assert await snapshot() == before
    await customers.undo(house.admin, made.id, keep_changed=True)
    alone = await Customer.get(id=one.id)
    assert (alone.phone, alone.email) == ("13800000003", None)
    assert (await Customer.get(id=third.id)).order_count == 1


async def test_a_chain_of_merges_leads_to_its_end_and_is_undone_from_there(house: House) -> None:
    ids = [(await customers.upsert(house.admin, name))[0].id for name in "ABC"]
    first = await customers.merge(house.admin, ids[1], ids[0])
    second = await customers.merge(house.admin, ids[2], ids[1])
    assert (await Customer.get(id=ids[0])).merged_into_id == ids[2]
    order = await customers.record_order(
        house.admin, "O-1", customer_external_id="A", ordered_at=NOON, amount_minor=100
    )
    assert order.customer_id == ids[2]
    with pytest.raises(Conflict, match="undo that first"):
        await customers.undo(house.admin, first.id)
    await customers.undo(house.admin, second.id)
    assert (await Customer.get(id=ids[0])).merged_into_id == ids[1]
    await customers.undo(house.admin, first.id)
    assert (await Customer.get(id=ids[0])).merged_into_id is None
    with pytest.raises(Conflict, match="already"):
        await customers.undo(house.admin, first.id)


async def test_what_comes_later_under_either_key_is_the_customer_s(house: House) -> None:
    one, _ = await customers.upsert(house.admin, "A")
    two, _ = await customers.upsert(house.admin, "B")
    made = await customers.merge(house.admin, one.id, two.id)
    event = await customers.record_event(
        house.admin, "E-1", customer_external_id="B", name="login", occurred_at=NOON, create_customer=True
    )
    assert event.customer_id == one.id
    before = await snapshot()
    with pytest.raises(Conflict) as refused:
        await customers.upsert(house.admin, "B", name="New")
    assert refused.value.current.id == one.id  # type: ignore[attr-defined]
    with pytest.raises(Conflict):
        await contacts.set_preference(house.admin, two.id, [], [], [])
    with pytest.raises(Conflict):
        await customers.set_excluded(house.admin, two.id, False)
    with pytest.raises(Conflict):
        await tasks.create(house.admin, draft(house, two.id, "for nobody"))
    assert await snapshot() == before
    await customers.undo(house.admin, made.id)
    again = await customers.record_event(
        house.admin, "E-2", customer_external_id="B", name="login", occurred_at=NOON, create_customer=True
    )
    assert again.customer_id == two.id


async def test_what_is_recorded_at_that_very_moment_is_not_left_behind(house: House) -> None:
    one, _ = await customers.upsert(house.admin, "A")
    two, _ = await customers.upsert(house.admin, "B")

    async def buy(number: int) -> None:
        await customers.record_order(
            house.admin, f"O-{number}", customer_external_id="B", ordered_at=NOON, amount_minor=100
        )

    async def speak(number: int) -> None:
        with contextlib.suppress(Conflict):  # by id, it is told where the record went
            await contacts.record_interaction(
                house.admin, two.id, Channel.PHONE, Direction.INBOUND, True, ContactResult.REACHED, "", NOON
            )

    before = [buy(number) for number in range(6)] + [speak(number) for number in range(3)]
    after = [buy(number) for number in range(6, 12)] + [speak(number) for number in range(3)]
    await asyncio.gather(*before, customers.merge(house.admin, one.id, two.id), *after)
    assert (await Customer.get(id=one.id)).order_count == 12
    left = await at(two.id)
    assert (left["orders.customer_id"], left["interactions.customer_id"]) == (0, 0)


async def test_what_cannot_be_merged_is_refused_and_nothing_happens(house: House) -> None:
    one, _ = await customers.upsert(house.admin, "A")
    two, _ = await customers.upsert(house.admin, "B")
    theirs, _ = await customers.upsert((await build_house("Other")).admin, "A")
    await customers.set_excluded(house.admin, two.id, True)
    before = await snapshot()
    for into, gone, error in (
        (one.id, one.id, Invalid),
        (two.id, one.id, Invalid),
        (one.id, theirs.id, NotFound),
        (theirs.id, one.id, NotFound),
    ):
        with pytest.raises(error):
            await customers.merge(house.admin, into, gone)
    with pytest.raises(Conflict):
        await customers.merge(house.admin, one.id, two.id, expected_version=9)
    assert await snapshot() == before
    assert await CustomerMerge.all().count() == 0


async def test_a_pick_of_either_record_is_one_of_the_customer(house: House) -> None:
    one, _ = await customers.upsert(house.admin, "A")
    two, _ = await customers.upsert(house.admin, "B")
    listed, _ = await segments.create(house.admin, "LIST", name_en="List", rule=None)
    await segments.pick(house.admin, listed.id, segments.PickMode.ADD, customer_ids=[two.id])
    made = await customers.merge(house.admin, one.id, two.id)
    picks = {pick.customer_id for pick in await SegmentPick.filter(segment_id=listed.id)}
    assert picks == {one.id, two.id}
    await customers.undo(house.admin, made.id)
    assert [pick.customer_id for pick in await SegmentPick.filter(segment_id=listed.id)] == [two.id]
