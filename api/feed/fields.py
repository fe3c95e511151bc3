"""The feed, asked for and followed."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import strawberry

from api import live
from api.connections import First
from api.context import Info, who
from api.feed.types import FeedChange, FeedConnection, FeedTopic, change_of, quiet_at
from api.permissions import query, subscription
from domain import feeds, tasks
from domain.access import Principal
from domain.journal import JournalLine
from domain.paging import Page, Slice

Topics = Annotated[
    list[FeedTopic] | None,
    strawberry.argument(description="Only what is about these; all that the caller may follow, if left out."),
]

MOST_COUNTED = 10_000


def _wanted(principal: Principal, topics: list[FeedTopic] | None) -> frozenset[str]:
    asked = [topic.value for topic in topics] if topics is not None else principal.topics or live.TOPICS
    return live.followed(principal, [*asked])


@strawberry.type
class FeedQueries:
    @query(
        "The changes after a cursor, oldest first: what a stream would have told since. Without a cursor "
        "none, and `head` says from where to go on."
    )
    async def feed(
        self,
        info: Info,
        after: Annotated[
            str | None, strawberry.argument(description="A cursor of any stream, or of this feed.")
        ] = None,
        topics: Topics = None,
        first: First = None,
    ) -> FeedConnection:
        principal, size = who(info), Slice(first=first).size
        wanted = _wanted(principal, topics)
        head = await feeds.head(principal.workspace_id)
        place = await live.beginning(principal, after, info.context.terms.feed_days)
        found = await _lines(principal, place, wanted, size + 1)

        async def count() -> int:
            if principal.own_work_only:  # what is not for them is not counted to them either
                return len(await _lines(principal, place, wanted, MOST_COUNTED))
            return await feeds.count_about(principal.workspace_id, place, _subjects(wanted))

        shown = found[:size]
        page: Page[Any] = Page(
            items=[change_of(line) for line in shown],
            cursors=[live.cursor(line) for line in shown],
            has_next=len(found) > size,
            has_previous=place > 0,
            count=count,
        )
        return FeedConnection(page=page, head=await live.cursor_at(principal.workspace_id, head))


def _subjects(topics: frozenset[str]) -> frozenset[str]:
    return frozenset().union(*(live.TOPICS[topic] for topic in topics))


async def _lines(principal: Principal, place: int, topics: frozenset[str], size: int) -> list[JournalLine]:
    found: list[JournalLine] = []
    while len(found) < size:
        lines = await feeds.lines_about(principal.workspace_id, place, _subjects(topics))
        if not lines:
            break
        found += await tasks.told(principal, lines)
        assert lines[-1].position is not None
        place = lines[-1].position
    return found[:size]


@strawberry.type
class FeedSubscriptions:
    @subscription(
        "What happens, by topic, from `after` on or from now on, in one order. Who sees their own work only "
        "is told of that, and of their own customers. Each 15 seconds in which nothing happens, it says so, "
        "with the cursor that has been reached."
    )
    async def feed(
        self,
        info: Info,
        topics: Topics = None,
        after: Annotated[
            str | None,
            strawberry.argument(description="Replay what came after this cursor, then go on live."),
        ] = None,
    ) -> AsyncIterator[FeedChange]:
        async for line in live.news(info, _wanted(who(info), topics), after):
            if isinstance(line, int):
                yield await quiet_at(who(info), line)
            elif await tasks.told(who(info), [line]):
                yield change_of(line)
