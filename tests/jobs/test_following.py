"""A change is followed by the segments that it concerns, of that customer alone; and everybody's look agrees."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain import contacts, customers, db, feeds, journal, runs, segments, timekeeping, workspaces
from domain.access import Principal, Role, system
from domain.contacts import Channel, ContactResult, Direction, Purpose
from domain.customers import LeadPotential, LeadSource, OrderStatus
from domain.journal import Entry, JournalLine
from domain.runs import Run, RunState
from domain.segments import PickMode, RecomputeMode
from domain.segments.models import Membership, Segment, SegmentMark, SegmentMove, SegmentPublication
from jobs.actors import drain
from jobs.reactions import REACTIONS
from tests.conftest import NOON, House
from tests.domain.segments.population import recompute, settle, shopper
from tests.domain.segments.rules.village import (
    AS_OF,
    GROUPS,
    NAMES,
    OWNER,
    TAGS,
    Villager,
    documents,
    instants,
    move_in,
    villagers,
    with_ids,
)

BUYERS: dict[str, Any] = {"orders": {"count": {"gte": 2}}}
SEVERAL = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)


async def perform(run: Run | None) -> Run:
    assert run is not None
    assert await runs.perform(run.id, "worker", 30)
    done = await Run.get(id=run.id)
    assert done.state is RunState.SUCCEEDED, done.errors
    return done


async def react(workspace_id: int) -> None:
    while await feeds.number(workspace_id) or await feeds.react(workspace_id, REACTIONS):
        pass


async def followed(workspace_id: int) -> list[Run]:
    """Do what the clock does: react, ask for the run that marks call for, and perform it."""
    await react(workspace_id)
    await drain("segments", workspace_id)
    waiting = await Run.filter(workspace_id=workspace_id, kind="segments_follow", state=RunState.QUEUED)
    return [await perform(run) for run in waiting]


async def members(segment: Segment) -> list[int]:
    return await segments.member_ids_after(segment.workspace_id, segment.id, 0, 100)


async def made(who: Principal, key: str, rule: dict[str, Any] | None) -> Segment:
    segment, run = await segments.create(who, key, name_en=key, rule=rule)
    await perform(run)
    return segment


async def order(house: House, key: str, customer_id: int) -> None:
    await customers.record_order(
        house.owner, key, customer_id=customer_id, ordered_at=NOON - timedelta(days=1), amount_minor=100
    )


async def test_an_order_moves_its_customer_alone_and_says_that_it_was_quick(house: House) -> None:
    ids = await settle(house.id, [shopper(f"P{n}", NOON, 3, n, 1_000) for n in (1, 2, 3)])
    segment = await made(house.admin, "BUYERS", BUYERS)
    outer = await made(house.admin, "OTHERS", {"not": {"member": {"segment_id": segment.id}}})
    # Written past all actions: nobody is told, and so nobody else is looked at.
    await db.execute("UPDATE orders SET status = 'REFUNDED' WHERE customer_id = :id", id=ids["P3"])
    await order(house, "NEW", ids["P1"])
    (run,) = await followed(house.id)
    assert run.result == {"marks": 1, "entered": 1, "departed": 1}
    assert (await members(segment), await members(outer)) == ([ids["P1"], ids["P2"], ids["P3"]], [])
    assert await SegmentMark.all().count() == await SegmentMove.all().count() == 0
    fresh = (await segments.published(house.id, [segment.id]))[segment.id]
    assert (fresh.quick, fresh.run_id, fresh.entered, fresh.stale) == (True, run.id, 1, False)
    last = await SegmentPublication.filter(segment_id=segment.id).order_by("-id").first()
    assert last is not None and last.members == 3
    (line,) = await JournalLine.filter(name="segment.entered", subject_id=segment.id).order_by("-id").limit(1)
    assert line.data == {"run": run.id, "first": ids["P1"], "last": ids["P1"], "customers": 1}
    assert await followed(house.id) == [], "what is followed is not followed again"

    done = await perform(await segments.evaluate(house.admin))
    assert done.result == {"segments": 2, "entered": 1, "departed": 1}
    fresh = (await segments.published(house.id, [segment.id]))[segment.id]
    assert (fresh.quick, fresh.departed) == (False, 1)


async def test_many_changes_are_one_run_and_its_price_is_theirs(house: House) -> None:
    ids = await settle(house.id, [shopper(f"P{n}", NOON, 3, 1, 1_000) for n in range(6)])
    segment = await made(house.admin, "BUYERS", BUYERS)
    for number in range(3):
        for name in ("P0", "P1"):
            await order(house, f"{name}-{number}", ids[name])
    (run,) = await followed(house.id)
    assert run.result == {"marks": 6, "entered": 2, "departed": 0}
    assert await members(segment) == [ids["P0"], ids["P1"]]


async def test_an_order_that_becomes_anothers_moves_both(house: House) -> None:
    ids = await settle(house.id, [shopper(f"P{n}", NOON, 3, 1, 1_000) for n in range(2)])
    segment = await made(house.admin, "BUYERS", BUYERS)
    for name in ("P0", "P1"):
        await order(house, "NEW", ids[name])
        (run,) = await followed(house.id)
        assert await members(segment) == [ids[name]]
    assert run.result == {"marks": 2, "entered": 1, "departed": 1}


async def test_whom_a_quick_pass_places_is_followed_alone(house: House) -> None:
    ids = await settle(house.id, [shopper(f"P{n}", NOON, 200, 2, 1_000) for n in (1, 2, 3)])
    await recompute(house.admin)
    rule = {"placed": {"lifecycle_stages": ["SILENT", "CHURNED"]}}
    segment = await made(house.admin, "AWAY", rule)
    await followed(house.id)
    for look in await Run.filter(kind="segments_evaluate", state=RunState.QUEUED):
        await perform(look)
    assert await members(segment) == sorted(ids.values())
    await order(house, "BACK", ids["P1"])
    await perform(await segments.recompute(house.admin, RecomputeMode.QUICK))
    (run,) = await followed(house.id)
    assert run.result is not None and run.result["departed"] == 1
    assert await members(segment) == [ids["P2"], ids["P3"]]
    assert await Run.filter(kind="segments_evaluate", state=RunState.QUEUED).count() == 0


async def test_without_segments_of_their_own_nobody_is_marked(house: House) -> None:
    ids = await settle(house.id, [shopper("P0", NOON, 3, 1, 1_000)])
    await recompute(house.admin)
    await order(house, "NEW", ids["P0"])
    assert await followed(house.id) == []
    segment = await made(house.admin, "BUYERS", BUYERS)
    await segments.archive(house.admin, segment.id)
    await order(house, "NEWER", ids["P0"])
    assert await followed(house.id) == []
    assert await SegmentMark.all().count() == 0


async def test_a_changed_rule_is_left_to_the_look_at_everybody(house: House) -> None:
    ids = await settle(house.id, [shopper(f"P{n}", NOON, 3, n, 1_000) for n in (1, 2)])
    segment = await made(house.admin, "BUYERS", BUYERS)
    _, run = await segments.update(house.admin, segment.id, rule={"orders": {"count": {"gte": 1}}})
    await order(house, "NEW", ids["P1"])
    (quick,) = await followed(house.id)
    assert quick.result == {"marks": 1, "entered": 0, "departed": 0}
    await perform(run)
    assert await members(segment) == [ids["P1"], ids["P2"]]


async def test_marks_wait_while_everybody_is_looked_at(house: House) -> None:
    ids = await settle(house.id, [shopper("P1", NOON, 3, 1, 1_000)])
    segment = await made(house.admin, "BUYERS", BUYERS)
    await order(house, "NEW", ids["P1"])
    await react(house.id)
    quick = await segments.follow(house.id, 0, NOON)
    assert quick
    whole = await segments.evaluate(house.admin)
    await Run.filter(id=whole.id).update(state=RunState.RUNNING)
    (run,) = await Run.filter(kind="segments_follow")
    done = await perform(run)
    assert done.result == {"marks": 0, "entered": 1, "departed": 0}
    assert await SegmentMark.all().count() == 1
    assert await segments.due_marks(NOON, house.id, 10) == []
    await Run.filter(id=whole.id).update(state=RunState.QUEUED)
    await perform(whole)
    assert await members(segment) == [ids["P1"]]
    (again,) = await followed(house.id)
    assert again.result == {"marks": 1, "entered": 0, "departed": 0}


async def test_a_list_made_by_hand_follows_who_is_no_longer_counted(house: House) -> None:
    ids = await settle(house.id, [shopper("P1", NOON, 3, 1, 1_000)])
    segment = await made(house.admin, "LIST", None)
    change = await segments.pick(house.admin, segment.id, PickMode.ADD, customer_ids=[ids["P1"]])
    await perform(change.run)
    for excluded, there in ((True, []), (False, [ids["P1"]])):
        await customers.set_excluded(house.admin, ids["P1"], excluded)
        await followed(house.id)
        assert await members(segment) == there


async def test_an_import_is_followed_by_one_look_at_everybody(house: House) -> None:
    await made(house.admin, "BUYERS", BUYERS)
    who = system(house.id, "run", 1)
    async with db.transaction():
        for _ in range(2):
            await journal.write(who, Entry("orders.imported", 1))
    await react(house.id)
    assert await Run.filter(kind="segments_evaluate", state=RunState.QUEUED).count() == 1


@dataclass(frozen=True)
class Deed:
    """Something that happens to a customer."""

    what: str
    whom: int
    when: datetime
    word: int


DEEDS = (
    "order",
    "refund",
    "event",
    "talk",
    "tags",
    "exclude",
    "include",
    "cancel",
    "consent",
    "lead",
    "owner",
)


@st.composite
def _stories(draw: st.DrawFn) -> tuple[datetime, list[Villager], list[dict[str, Any]], list[list[Deed]]]:
    as_of = draw(AS_OF)
    people = [draw(villagers(number, as_of)) for number in range(draw(st.integers(1, 6)))]
    rules = draw(st.lists(documents(as_of), min_size=1, max_size=4))
    past = instants(as_of).map(lambda when: min(when, as_of))
    deed = st.builds(Deed, st.sampled_from(DEEDS), st.integers(0, len(people) - 1), past, st.integers(0, 5))
    return (
        as_of,
        people,
        rules,
        draw(st.lists(st.lists(deed, min_size=1, max_size=5), min_size=1, max_size=2)),
    )


async def do(who: Principal, deed: Deed, number: int, name: str, customer_id: int, owner_id: int) -> None:
    key, word, when = f"D{number}", deed.word, deed.when
    if deed.what == "order":
        await customers.record_order(
            who, key, customer_id=customer_id, ordered_at=when, amount_minor=(0, 1, 50, 99, 100, 101)[word]
        )
    elif deed.what == "refund":
        orders = await customers.Order.filter(customer_id=customer_id).order_by("id")
        if orders:
            await customers.set_order_status(who, orders[word % len(orders)].id, OrderStatus.REFUNDED)
    elif deed.what == "event":
        await customers.record_event(
            who, key, customer_id=customer_id, name=NAMES[word % 2], occurred_at=when
        )
    elif deed.what == "talk":
        channel, way = (
            (Channel.PHONE, Channel.SMS)[word % 2],
            (Direction.INBOUND, Direction.OUTBOUND)[word // 3],
        )
        await contacts.record_interaction(
            who, customer_id, channel, way, True, ContactResult.REACHED, "", when
        )
    elif deed.what == "tags":
        await customers.upsert(who, name, tags=TAGS[: word % 4])
    elif deed.what in ("exclude", "include"):
        await customers.set_excluded(who, customer_id, deed.what == "exclude")
    elif deed.what == "cancel":
        await customers.cancel_relationship(who, customer_id)
    elif deed.what == "consent":
        await contacts.record_consent(who, customer_id, Purpose.MARKETING, word % 2 == 0, "web", "1", when)
    elif deed.what == "lead":
        await customers.record_lead(
            who,
            key,
            customer_id=customer_id,
            source=(LeadSource.WEBSITE, LeadSource.REFERRAL)[word % 2],
            potential=(LeadPotential.HIGH, LeadPotential.NORMAL)[word // 3],
            acquired_at=when,
            consent=True,
        )
    else:
        await customers.upsert(who, name, owner_id=owner_id if word % 2 else None)


@SEVERAL
@given(story=_stories())
async def test_what_is_followed_agrees_with_a_look_at_everybody(
    database: str,
    story: tuple[datetime, list[Villager], list[dict[str, Any]], list[list[Deed]]],
) -> None:
    as_of, people, rules, rounds = story
    workspace = await workspaces.create("Village", clock_at=as_of)
    who = system(workspace.id)
    owner = await workspaces.add_user(workspace.id, "O", "o@care.test", Role.EXECUTOR)
    ids = await move_in(workspace.id, people, owner.id)
    await recompute(who)
    await react(workspace.id)
    named = {OWNER: owner.id}
    for key in GROUPS:
        group = await segments.find_by_key(workspace.id, key)
        assert group is not None
        named[key] = group.id
    own = [await made(who, f"RULE_{n}", with_ids(rule, named)) for n, rule in enumerate(rules)]
    own.append(await made(who, "OUTER", {"not": {"member": {"segment_id": own[0].id}}}))
    number = 0
    for deeds in rounds:
        for deed in deeds:
            number += 1
            name = people[deed.whom].person.name
            await do(who, deed, number, name, ids[name], owner.id)
        await followed(workspace.id)
        assert await segments.unfollowed(workspace.id) == 0
    quick = await _stays(own)
    whole = await perform(await segments.evaluate(who))
    assert whole.result == {"segments": len(own), "entered": 0, "departed": 0}
    assert await _stays(own) == quick


async def _stays(own: Sequence[Segment]) -> list[dict[str, Any]]:
    return await Membership.filter(segment_id__in=[each.id for each in own]).order_by("id").values()


@pytest.mark.parametrize("kind", ["order", "event", "tags", "talk", "exclude", "consent", "lead", "owner"])
async def test_each_kind_of_change_moves_its_customer(house: House, kind: str) -> None:
    ids = await settle(house.id, [shopper("P0", NOON, 3, 1, 1_000), shopper("P1", NOON, 3, 1, 1_000)])
    owner = house.staff[Role.EXECUTOR].user_id
    assert owner is not None
    rules: dict[str, dict[str, Any]] = {
        "order": BUYERS,
        "event": {"events": {"name": "login", "window": {"days": 30}}},
        "tags": {"tags": {"any": ["a"]}},
        "talk": {"interactions": {"channels": ["PHONE"]}},
        "exclude": {"not": BUYERS},
        "consent": {"consent": {"purpose": "MARKETING", "granted": True}},
        "lead": {"leads": {"potentials": ["HIGH"]}},
        "owner": {"owner": {"owner_ids": [owner]}},
    }
    segment = await made(house.admin, "RULE", rules[kind])
    before = await members(segment)
    word = {"event": 0, "tags": 1, "owner": 1}.get(kind, 2 if kind in ("order", "talk", "consent") else 0)
    await do(house.owner, Deed(kind, 0, await timekeeping.now(house.id), word), 1, "P0", ids["P0"], owner)
    (run,) = await followed(house.id)
    assert run.result is not None and run.result["entered"] + run.result["departed"] == 1
    assert set(await members(segment)) ^ set(before) == {ids["P0"]}
