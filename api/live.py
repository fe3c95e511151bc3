"""Live updates that never miss one: each subscriber reads the journal from its own place in the feed.

A nudge wakes the readers of this process; without one they look each second. What a subscriber is
shown is read again for it, as its principal may see it at that moment.
"""

import asyncio
import base64
import binascii
import contextlib
from collections.abc import AsyncIterator, Collection

from api.context import Info, who
from api.errors import Code, coded
from domain import feeds, nudges, workspaces
from domain.access import Principal
from domain.figures import SUBSCRIBERS
from domain.journal import JournalLine

LOOK_SECONDS = 1.0
RECHECK_SECONDS = 2.0
TOPICS = frozenset({"tasks", "runs", "kpis"})
"""What an API key may be kept to following."""


class Streams:
    """The live streams of this process.

    A socket is closed by the web server, with 1012, and its client comes back by itself. A stream of
    server-sent events is a request that never ends, so it is told to.
    """

    def __init__(self) -> None:
        self.ending = False

    def end(self) -> None:
        self.ending = True
        nudges.NEWS.heard()


streams = Streams()


def cursor(line: JournalLine) -> str:
    """A line's place, as subscribers hand it back in `after`."""
    return base64.urlsafe_b64encode(f"feed:{line.workspace_id}:{line.position}".encode()).decode().rstrip("=")


def position(principal: Principal, after: str, name: str = "after") -> int:
    """The place that a cursor names.

    Raises:
        GraphQLError: BAD_REQUEST, when it is not a cursor of this workspace's feed.
    """
    try:
        kind, workspace, place = base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)).decode().split(":")
        if kind == "feed" and int(workspace) == principal.workspace_id and int(place) >= 0:
            return int(place)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        pass
    raise coded(Code.BAD_REQUEST, f"{name}: this is not a cursor of this feed")


async def lines(
    info: Info, topic: str, subjects: Collection[str], after: str | None
) -> AsyncIterator[JournalLine]:
    """The lines about these subjects from a cursor on, or from now on, for as long as anybody listens.

    The stream ends with FORBIDDEN when the caller's key, role or membership has ended.
    """
    assert topic in TOPICS, "a key must be able to name it"
    principal = who(info)
    if principal.topics and topic not in principal.topics:
        raise coded(Code.FORBIDDEN, f"this API key's topics do not name {topic}")
    if info.context.line is not None:
        if info.context.line.subject in subjects:
            yield info.context.line
        return
    head = await feeds.head(principal.workspace_id)
    place = head if after is None else position(principal, after)
    if place > head:
        raise coded(Code.BAD_REQUEST, "after: this place has not been reached")
    stir = asyncio.Event()
    checked = asyncio.get_running_loop().time()
    with nudges.NEWS.listening(stir.set), SUBSCRIBERS.track_inprogress():
        while True:
            stir.clear()
            if streams.ending and info.context.over_http:
                raise coded(Code.UNAVAILABLE, "this server is stopping; come back with your last cursor")
            checked = await _recheck(info, checked)
            batch = await feeds.lines_after(principal.workspace_id, place)
            for line in batch:
                # Again, since a slow reader may be long over one batch.
                checked = await _recheck(info, checked)
                assert line.position is not None
                place = line.position
                if line.subject in subjects:
                    info.context.loaders.forget()
                    yield line
            if not batch:
                # Not wait_for: before Python 3.12 it loses a cancellation that meets a nudge.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await stir.wait()


async def _recheck(info: Info, checked: float) -> float:
    """Read the caller's credential again after a while; what ended must not go on being pushed.

    Returns when it was last read, on the event loop's clock.
    """
    now = asyncio.get_running_loop().time()
    if info.context.authorization is None or now - checked < RECHECK_SECONDS:
        return checked
    try:
        info.context.principal = await workspaces.authenticate(info.context.authorization)
    except workspaces.BadCredential:
        raise coded(Code.FORBIDDEN, "this credential has ended") from None
    return now
