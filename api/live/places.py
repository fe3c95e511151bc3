"""Places in a workspace's feed: the cursors that name them, and how long they can be come back to."""

import base64
import binascii
from datetime import timedelta

from api.errors import Code, coded
from domain import feeds, timekeeping
from domain.access import Principal
from domain.journal import JournalLine


def cursor(line: JournalLine) -> str:
    """A line's place, as subscribers hand it back in `after`."""
    assert line.position is not None
    return cursor_at(line.workspace_id, line.position)


def cursor_at(workspace_id: int, place: int) -> str:
    return base64.urlsafe_b64encode(f"feed:{workspace_id}:{place}".encode()).decode().rstrip("=")


def position(principal: Principal, after: str, name: str = "after") -> int:
    """The place that a cursor names.

    Raises:
        GraphQLError: BAD_REQUEST, when it is not a cursor of this workspace's feed.
    """
    try:
        kind, workspace, place = base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)).decode().split(":")
        if kind == "feed" and int(workspace) == principal.workspace_id and 0 <= int(place) < 2**63:
            return int(place)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        pass
    raise coded(Code.BAD_REQUEST, f"{name}: this is not a cursor of this feed")


async def beginning(principal: Principal, after: str | None, kept_days: float) -> int:
    """Where a reader starts: at its cursor, or at the head of the feed.

    Raises:
        GraphQLError: BAD_REQUEST for what is no cursor; RESYNC_REQUIRED where what came after it is no
            longer replayed, or where the feed has not come so far: the database is another than it was.
    """
    head = await feeds.head(principal.workspace_id)
    if after is None:
        return head
    place = position(principal, after)
    if place > head:
        raise coded(
            Code.RESYNC_REQUIRED,
            "after: this feed has not reached that place, so it is another feed by now; read anew",
        )
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
