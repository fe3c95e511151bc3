"""Places in a workspace's feed: the cursors that name them, and how long they can be come back to.

A cursor holds a place and a mark of the line that stands there. A database that was restored or replaced
has other lines at the same places, so whoever comes with a cursor of before is told, and misses nothing
unawares. A cursor without a mark is one from before there were marks, or names no line: only its place
is looked at.
"""

import base64
import binascii
from datetime import timedelta

from graphql import GraphQLError

from api.errors import Code, coded
from domain import feeds, timekeeping
from domain.access import Principal
from domain.journal import JournalLine


def cursor(line: JournalLine) -> str:
    """A line's place, as subscribers hand it back in `after`."""
    assert line.position is not None
    mark = feeds.mark_of(line) if line.position else ""  # nothing stands at place 0
    return _written(line.workspace_id, line.position, mark)


async def cursor_at(workspace_id: int, place: int) -> str:
    """A place, by its number alone."""
    line = (await feeds.lines_at(workspace_id, [place])).get(place)
    return _written(workspace_id, place, "") if line is None else cursor(line)


def _written(workspace_id: int, place: int, mark: str) -> str:
    parts = ("feed", str(workspace_id), str(place), *([mark] if mark else []))
    return base64.urlsafe_b64encode(":".join(parts).encode()).decode().rstrip("=")


def _read(principal: Principal, after: str, name: str) -> tuple[int, str]:
    """The place and the mark that a cursor names; BAD_REQUEST when it is not one of this workspace's feed."""
    try:
        text = base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)).decode()
        kind, workspace, place, *marks = text.split(":")
        known = kind == "feed" and int(workspace) == principal.workspace_id and len(marks) < 2
        if known and 0 <= int(place) < 2**63:
            return int(place), "".join(marks)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        pass
    raise coded(Code.BAD_REQUEST, f"{name}: this is not a cursor of this feed")


async def position(principal: Principal, after: str, name: str = "after") -> int:
    """The place that a cursor names.

    Raises:
        GraphQLError: BAD_REQUEST, when it is not a cursor of this workspace's feed; RESYNC_REQUIRED, when
            the feed that it is of is not this one any more.
    """
    return await _standing(principal, after, name, await feeds.head(principal.workspace_id))


async def beginning(principal: Principal, after: str | None, kept_days: float) -> int:
    """Where a reader starts: at its cursor, or at the head of the feed.

    Raises:
        GraphQLError: BAD_REQUEST for what is no cursor; RESYNC_REQUIRED where what came after it is no
            longer replayed, or where it is of another history: the database is not the one it was.
    """
    head = await feeds.head(principal.workspace_id)
    if after is None:
        return head
    place = await _standing(principal, after, "after", head)
    if place < head:
        following = await feeds.lines_after(principal.workspace_id, place, 1)
        oldest = timekeeping.machine_now() - timedelta(days=kept_days)
        if not following or following[0].position != place + 1 or following[0].recorded_at < oldest:
            raise coded(
                Code.RESYNC_REQUIRED,
                f"after: what came after this place is replayed for {kept_days:g} days, and they are over; "
                "read anew",
            )
    return place


async def _standing(principal: Principal, after: str, name: str, head: int) -> int:
    place, mark = _read(principal, after, name)
    if place > head:
        raise _another(name, "has not reached that place")
    if mark:
        line = (await feeds.lines_at(principal.workspace_id, [place])).get(place)
        if line is not None and feeds.mark_of(line) != mark:
            raise _another(name, "has another line at that place")
    return place


def _another(name: str, why: str) -> GraphQLError:
    return coded(Code.RESYNC_REQUIRED, f"{name}: this feed {why}, so it is another feed by now; read anew")
