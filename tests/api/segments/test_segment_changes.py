"""`segmentChanged` tells what happens to segments from a cursor on, and who came and went by batches."""

import asyncio
from typing import Any

from api import live
from api.context import Context
from api.schema import schema
from domain import feeds, runs, segments
from domain.access import Principal, Role
from domain.webhooks.shaping import principal
from tests.conftest import NOON, House
from tests.domain.segments.population import settle, shopper

CHANGED = """subscription ($after: String, $where: SegmentWhere) { segmentChanged(after: $after, where: $where) {
  change entered left run { kind } segment { key memberCount } } }"""
RULE = {"orders": {"count": {"gte": 2}}}


async def heard(who: Principal, count: int, **variables: Any) -> list[dict[str, Any]]:
    """The first so many, and that there is no more."""
    stream: Any = await schema.subscribe(CHANGED, variables, context_value=Context(who))
    async with asyncio.timeout(30):
        answers = [await anext(stream) for _ in range(count)]
        more = asyncio.ensure_future(anext(stream))
        await asyncio.wait([more], timeout=0.2)
        assert not more.done()
        more.cancel()
        await asyncio.wait([more])
    assert [answer.errors for answer in answers] == [None] * count
    return [answer.data["segmentChanged"] for answer in answers]


async def number(house: House) -> None:
    while await feeds.number(house.id):
        pass


async def publish(house: House, key: str, rule: dict[str, Any] | None) -> None:
    _, run = await segments.create(house.admin, key, name_en=key, rule=rule)
    assert await runs.perform(run.id, "worker", 30)


async def test_segments_are_followed_live(house: House) -> None:
    start = await live.cursor_at(house.id, await feeds.head(house.id))
    await settle(house.id, [shopper(f"P{n}", NOON, 3, n, 1_000) for n in (1, 2, 3)])
    await publish(house, "BUYERS", RULE)
    await publish(house, "LIST", None)
    await number(house)
    for who in (house.owner, house.staff[Role.EXECUTOR]):
        told = await heard(who, 5, after=start)
        buyers = {"key": "BUYERS", "memberCount": 2}
        moved = {"entered": 2, "left": 0, "segment": buyers}
        assert told[:3] == [
            {"change": "segment.created", "entered": 0, "left": 0, "run": None, "segment": buyers},
            {"change": "segment.published", "run": None, **moved},
            {"change": "segment.entered", "run": {"kind": "segments_evaluate"}, **moved},
        ]
        assert [(each["change"], each["segment"]["key"]) for each in told[3:]] == [
            ("segment.created", "LIST"),
            ("segment.published", "LIST"),
        ]
    only = await heard(house.owner, 2, after=start, where={"kind": {"eq": "STATIC"}})
    assert {each["segment"]["key"] for each in only} == {"LIST"}


async def test_a_key_that_was_given_other_topics_is_not_told(house: House) -> None:
    who = principal(Role.PLANNER, house.id, ["tasks"], [])
    stream: Any = await schema.subscribe(CHANGED, {}, context_value=Context(who))
    answer = stream if not hasattr(stream, "__anext__") else await anext(stream)
    assert [error.extensions["code"] for error in answer.errors] == ["FORBIDDEN"]
