"""The lines of a feed, as a subscription reads them: replayed from a cursor, then live.

What a subscriber is shown is read again for it, as its principal may see it at that moment.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection
from typing import Any, TypeVar

from api.context import Info, who
from api.errors import Code, coded
from api.live.places import beginning
from api.live.reading import Alone, Reader
from domain import db, nudges, workspaces
from domain.access import Principal
from domain.feeds import TOPICS
from domain.figures import SUBSCRIBERS
from domain.journal import JournalLine

T = TypeVar("T")
LOOK_SECONDS = 1.0
RECHECK_SECONDS = 2.0
QUIET_SECONDS = 15.0


class Streams:
    """The live streams of this process.

    A socket is closed by the web server, with 1012, and its client comes back by itself. A stream of
    server-sent events is a request that never ends, so it is told to.
    """

    def __init__(self) -> None:
        self.ending = False
        self.told: set[Callable[[], None]] = set()

    def end(self) -> None:
        self.ending = True
        nudges.NEWS.heard()
        for tell in list(self.told):
            tell()


streams = Streams()


def followed(principal: Principal, topics: Collection[str]) -> frozenset[str]:
    """The topics, if the caller's key may follow them.

    Raises:
        GraphQLError: FORBIDDEN, naming one that it may not.
    """
    assert set(topics) <= TOPICS.keys(), "a key must be able to name it"
    for topic in sorted(topics):
        if principal.topics and topic not in principal.topics:
            raise coded(Code.FORBIDDEN, f"this API key's topics do not name {topic}")
    return frozenset(topics)


async def lines(info: Info, topic: str, after: str | None) -> AsyncIterator[JournalLine]:
    """The lines of a topic from a cursor on, or from now on, for as long as anybody listens.

    The stream ends with FORBIDDEN when the caller's key, role or membership has ended.
    """
    async with contextlib.aclosing(_read(info, {topic}, after, None)) as found:
        async for line in found:
            if isinstance(line, JournalLine):
                yield line


async def news(info: Info, topics: Collection[str], after: str | None) -> AsyncIterator[JournalLine | int]:
    """The lines of some topics; after a quiet time, the place that has been reached."""
    async with contextlib.aclosing(_read(info, topics, after, QUIET_SECONDS)) as found:
        async for each in found:
            yield each


async def _read(
    info: Info, topics: Collection[str], after: str | None, quiet: float | None
) -> AsyncGenerator[JournalLine | int, None]:
    principal = who(info)
    subjects = frozenset().union(*(TOPICS[topic] for topic in followed(principal, topics)))
    if (line := info.context.line) is not None:
        if line.subject in subjects:
            yield line
        return
    shared = info.context.reader
    alone = Alone(principal.workspace_id, LOOK_SECONDS) if shared is None else None
    reader = shared or alone
    assert reader is not None
    if reader.position is None:
        reader.position = await beginning(
            principal, info.context.resume or after, info.context.terms.feed_days
        )
        reader.done = reader.position
    loop = asyncio.get_running_loop()
    checked = heard = loop.time()
    with contextlib.ExitStack() as stack:
        if alone is not None:
            stack.enter_context(alone.listening())
            stack.enter_context(SUBSCRIBERS.track_inprogress())
        while True:
            db.answer_within()  # a stream has no end: each look at the database is a request of its own
            if alone is not None:
                if streams.ending and info.context.over_http:
                    raise coded(Code.UNAVAILABLE, STOPPING)
                checked = await _recheck(info, checked)
            place = reader.position
            batch = await reader.after(place)
            for line in batch:
                db.answer_within()
                if alone is not None:  # again, since a slow reader may be long over one batch
                    checked = await _recheck(info, checked)
                assert line.position is not None
                reader.position = line.position
                if line.subject in subjects:
                    info.context.loaders.forget(_rows_of(shared, line))
                    heard, reader.quiet = loop.time(), False
                    yield line
                reader.done = line.position
            if batch:
                continue
            if reader.replaying:
                return
            left = None if quiet is None else heard + quiet - loop.time()
            if left is not None and left <= 0:
                heard, reader.quiet = loop.time(), True
                yield reader.position
                continue
            await reader.news(place, left)


def _rows_of(reader: Reader | None, line: JournalLine) -> dict[Any, Any] | None:
    if reader is None or line.position is None:
        return None
    found: dict[Any, Any] = reader.tail.memo(line.position).setdefault("rows", {})
    return found


async def once(info: Info, line: JournalLine, name: Any, read: Callable[[], Awaitable[T]]) -> T:
    """What a line is about, where it is the same for all who follow: read once for all groups.

    Not for those who see their own work only, nor for who reads alone.
    """
    reader = info.context.reader
    if reader is None or line.position is None or who(info).own_work_only:
        return await read()
    memo = reader.tail.memo(line.position)
    if name not in memo:
        memo[name] = asyncio.ensure_future(read())
    found: T = await asyncio.shield(memo[name])
    return found


STOPPING = "this server is stopping; come back with your last cursor"


async def _recheck(info: Info, checked: float) -> float:
    """Read the caller's credential again after a while; what ended must not go on being pushed.

    Returns when it was last read, on the event loop's clock.
    """
    now = asyncio.get_running_loop().time()
    if info.context.authorization is None or now - checked < RECHECK_SECONDS:
        return checked
    try:
        info.context.principal = await workspaces.authenticate(info.context.authorization, anew=True)
    except workspaces.BadCredential:
        raise coded(Code.FORBIDDEN, "this credential has ended") from None
    return now
