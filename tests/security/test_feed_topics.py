"""What happens to customers, orders, contacts and campaigns is told by topic, and to those only whom it is for."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from api import live
from api.context import Context
from api.feed.types import FeedTopic
from api.ids import global_id
from api.nodes import kinds
from api.schema import schema
from api.webhooks.shaping import Shaping
from domain import alerts, campaigns, contacts, customers, feeds, segments, tasks, workspaces
from domain.access import Principal, Role, system
from domain.alerts import Alert
from domain.campaigns import Plan
from domain.contacts import Channel, ContactResult, Direction, Purpose
from domain.customers import LeadSource
from domain.tasks import Task
from domain.webhooks.shaping import principal
from tests.conftest import NOON, House, build_house
from tests.security.filling import draft, perform

BEFORE = ("tasks", "runs", "kpis")
"""The topics that there were when the first partners were given keys."""
NEW = {
    "customers": "customer.upserted",
    "leads": "lead.recorded",
    "orders": "order.recorded",
    "behaviour": "event.recorded",
    "contacts": "interaction.recorded",
    "campaigns": "campaign.created",
    "alerts": "alert.opened",
    "segments": "segment.published",
}
Told = list[tuple[str, str | None]]


async def head(house: House) -> str:
    while await feeds.number(house.id):
        pass
    return await live.cursor_at(house.id, await feeds.head(house.id))


async def begin(house: House) -> str:
    """The feed's head in a workspace that has segments, for campaigns."""
    await perform(await segments.recompute(house.owner))
    return await head(house)


async def story(house: House, key: str, owner_id: int | None = None) -> dict[str, str]:
    """One thing of each topic that is about a customer; their global ids by topic."""
    who = house.owner
    one, _ = await customers.upsert(who, key, owner_id=owner_id)
    lead = await customers.record_lead(
        who, key, customer_id=one.id, source=LeadSource.WEBSITE, acquired_at=NOON, consent=True
    )
    long_ago = NOON - timedelta(days=alerts.ORDER_DAYS + 1)
    order = await customers.record_order(who, key, customer_id=one.id, ordered_at=long_ago, amount_minor=100)
    event = await customers.record_event(who, key, customer_id=one.id, name="login", occurred_at=NOON)
    spoke = await contacts.record_interaction(
        who, one.id, Channel.PHONE, Direction.INBOUND, True, ContactResult.REACHED, "", NOON
    )
    await contacts.record_consent(who, one.id, Purpose.MARKETING, True, "web", "1", NOON)
    await contacts.set_preference(who, one.id, [Channel.PHONE], [], [])
    await alerts.evaluate(who, [one.id])
    alert = await Alert.get(customer_id=one.id)
    return {
        "alerts": global_id("Alert", alert.id),
        "customers": global_id("Customer", one.id),
        "leads": global_id("Lead", lead.id),
        "orders": global_id("Order", order.id),
        "behaviour": global_id("BehaviourEvent", event.id),
        "contacts": global_id("Interaction", spoke.id),
    }


async def campaign(house: House) -> str:
    segment = await segments.find_by_key(house.id, "NEW_3M")
    assert segment is not None
    made = await campaigns.create(house.owner, Plan("Spring", segment.id, Channel.PHONE, "Offer"))
    return global_id("Campaign", made.id)


async def own_segment(house: House) -> str:
    made, run = await segments.create(
        house.admin, "OWN", name_en="Own", rule={"orders": {"count": {"gte": 1}}}
    )
    await perform(run)
    return global_id("Segment", made.id)


async def asked(who: Principal, after: str, topics: list[str] | None = None) -> Told:
    """What the query tells, its count agreeing."""
    text = """query ($after: String, $topics: [FeedTopic!]) { feed(after: $after, topics: $topics, first: 100) {
      totalCount nodes { change objectId } } }"""
    given: dict[str, Any] = {"after": after} | ({"topics": topics} if topics else {})
    answer = await schema.execute(text, given, context_value=Context(who))
    assert answer.data is not None and not answer.errors, answer.errors
    nodes = answer.data["feed"]["nodes"]
    assert answer.data["feed"]["totalCount"] == len(nodes)
    return [(node["change"], node["objectId"]) for node in nodes]


async def streamed(who: Principal, after: str, count: int) -> Told:
    """The first so many that the stream tells, and that there is no more."""
    text = "subscription ($after: String) { feed(after: $after) { change objectId } }"
    stream: Any = await schema.subscribe(text, {"after": after}, context_value=Context(who))
    async with asyncio.timeout(30):
        found = [(await anext(stream)).data["feed"] for _ in range(count)]
        more = asyncio.ensure_future(anext(stream))
        await asyncio.wait([more], timeout=0.2)
        assert not more.done()
        more.cancel()
        await asyncio.wait([more])
    return [(each["change"], each["objectId"]) for each in found]


async def sent(who: Principal, house: House, after: str) -> Told:
    """What a webhook that is told as this principal would be sent, without a document and with one."""
    shaper, found = Shaping(schema), []
    place = await live.position(house.owner, after)
    text = "subscription { feed { change objectId } }"
    for line in await feeds.lines_after(house.id, place):
        plain, shaped = await shaper.shape(who, None, line), await shaper.shape(who, text, line)
        assert (plain is None) == (shaped is None), line.name
        if plain is not None and shaped is not None:
            assert shaped["data"]["feed"]["objectId"] == plain["data"]["id"]
            found.append((line.name, plain["data"]["id"]))
    return found


def test_there_is_one_list_of_topics() -> None:
    assert {topic.value for topic in FeedTopic} == live.TOPICS.keys() == {*BEFORE, *NEW}
    subjects = [subject for each in live.TOPICS.values() for subject in each]
    assert len(subjects) == len(set(subjects)), "a line is of one topic"
    assert set(subjects) - live.TYPES.keys() == {"kpi", "kpi_target"}, "everything else is an object"
    assert live.TYPES.keys() <= set(subjects)
    assert set(live.TYPES.values()) <= kinds.keys()


async def test_each_topic_is_told_with_the_object_that_it_is_about(house: House) -> None:
    start = await begin(house)
    made = await story(house, "C-1") | {"campaigns": await campaign(house)}
    made["segments"] = await own_segment(house)
    await head(house)
    for role in (Role.OWNER, Role.ANALYST):
        who = house.staff[role]
        everything = await asked(who, start)
        assert await streamed(who, start, len(everything)) == everything
        for topic, name in NEW.items():
            assert (name, made[topic]) in await asked(who, start, [topic.upper()]), topic
        told = {change for change, _ in await asked(who, start, ["CONTACTS"])}
        assert told == {"interaction.recorded", "consent.recorded", "contact_preference.set"}
        ids = [object_id for _, object_id in everything]
        answer = await schema.execute(
            "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ids}, context_value=Context(who)
        )
        assert answer.data is not None and [node["id"] for node in answer.data["nodes"]] == ids
        webhook = principal(role, house.id, [*live.TOPICS], [])
        assert await sent(webhook, house, start) == everything


async def test_who_sees_their_own_work_only_is_told_of_their_own_customers_only(house: House) -> None:
    who, lead = house.staff[Role.EXECUTOR], house.staff[Role.TEAM_LEAD].user_id
    start = await begin(house)
    mine = await story(house, "mine", who.user_id)
    others = [await story(house, "lead's", lead), await story(house, "nobody's")]
    await campaign(house)
    await customers.upsert(house.owner, "mine", name="Changed")
    await head(house)
    told = await asked(who, start)
    assert len(told) == 10, "eight of their customer's story, the change, and the campaign"
    ids = {object_id for _, object_id in told}
    assert ids >= set(mine.values())
    assert not ids & {value for each in others for value in each.values()}
    assert await streamed(who, start, len(told)) == told
    # A program of the role has no customers.
    program = principal(Role.EXECUTOR, house.id, [*live.TOPICS], [])
    assert [change for change, _ in await sent(program, house, start)] == ["campaign.created"]
    assert [change for change, _ in await asked(program, start)] == ["campaign.created"]


@pytest.mark.parametrize(
    ("whose", "closed", "is_told"),
    [
        ("me", False, True),
        ("team", False, True),
        ("me", True, False),
        ("nobody", False, False),
        ("lead", False, False),
    ],
)
async def test_open_work_of_their_own_makes_a_customer_theirs(
    house: House, whose: str, closed: bool, is_told: bool
) -> None:
    who, lead = house.staff[Role.EXECUTOR], house.staff[Role.TEAM_LEAD].user_id
    customer, _ = await customers.upsert(house.owner, "C-1", owner_id=lead)
    task, _ = await tasks.create(house.owner, draft(house, customer.id, "one"))
    of = {
        "me": {"assignee_id": who.user_id, "team_id": None},
        "team": {"assignee_id": lead, "team_id": who.team_ids[0]},
        "nobody": {"assignee_id": None, "team_id": None},
        "lead": {"assignee_id": lead, "team_id": None},
    }
    await Task.filter(id=task.id).update(**of[whose])
    if closed:
        await tasks.cancel(house.owner, task.id, "no longer")
    start = await head(house)
    await customers.upsert(house.owner, "C-1", name="Changed")
    await head(house)
    assert len(await asked(house.owner, start)) == 1
    assert len(await asked(who, start)) == is_told


async def test_another_workspace_is_told_nothing(house: House) -> None:
    theirs = await build_house("Theirs")
    start, from_here = await head(theirs), await begin(house)
    await story(house, "C-1")
    await campaign(house)
    await head(house)
    await head(theirs)
    assert await asked(theirs.owner, start) == []
    assert await streamed(theirs.owner, start, 0) == []
    assert await sent(principal(Role.OWNER, theirs.id, [*live.TOPICS], []), house, from_here) == []


async def test_a_key_that_was_given_topics_before_is_told_no_more_than_those(house: House) -> None:
    made = await workspaces.create_key(system(house.id), name="old", role=Role.OWNER, topics=BEFORE)
    who = await workspaces.authenticate(f"Bearer {made.secret}")
    start = await begin(house)
    await story(house, "C-1")
    await campaign(house)
    await head(house)
    assert await asked(who, start) == []
    assert await streamed(who, start, 0) == []
    for topic in NEW:
        for kind in ("query", "subscription"):
            text = f"{kind} {{ feed(topics: [{topic.upper()}]) {{ {'head' if kind == 'query' else 'change'} }} }}"
            if kind == "query":
                answer: Any = await schema.execute(text, context_value=Context(who))
            else:
                stream: Any = await schema.subscribe(text, context_value=Context(who))
                answer = await anext(stream)
            assert answer.errors[0].extensions["code"] == "FORBIDDEN", (kind, topic)


async def test_a_document_may_ask_for_the_object_of_its_topic(house: House) -> None:
    shaper = Shaping(schema)
    text = "query ($id: ID!) { node(id: $id) { id } }"
    for topic in ("tasks", *NEW):
        await shaper.check(principal(Role.PLANNER, house.id, [topic], []), text)
    one = "query ($id: ID!) { customer(id: $id) { name } }"
    who = principal(Role.PLANNER, house.id, ["customers"], [])
    await shaper.check(who, one)
    start = await head(house)
    await customers.upsert(house.owner, "C-1", name="Wang Xiaoming")
    await head(house)
    (line,) = await feeds.lines_after(house.id, await live.position(house.owner, start))
    message = await shaper.shape(who, one, line)
    assert message is not None and message["data"] == {"customer": {"name": "Wang Xiaoming"}}
