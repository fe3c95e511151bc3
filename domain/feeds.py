"""Gives committed journal lines their places, feeds them to reactions, and replays them to subscribers.

Writers never wait for this: lines are numbered after their commit, by one at a time, so places have no
gaps that fill later and a reader who has seen place n has seen all before it. Nobody waits for whoever
numbers or reacts just now: a process that is frozen in the midst of it holds up nobody's clock.
"""

import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from domain import db, nudges, timekeeping
from domain.access import Principal, system
from domain.journal import Feed, JournalLine, ParkedLine

BATCH = 500
REACT_BATCH = 50
GIVE_UP_AFTER = 5
TOPICS: Mapping[str, frozenset[str]] = {
    "tasks": frozenset({"task"}),
    "runs": frozenset({"run"}),
    "kpis": frozenset({"kpi", "kpi_target"}),
    "customers": frozenset({"customer"}),
    "leads": frozenset({"lead"}),
    "orders": frozenset({"order"}),
    "behaviour": frozenset({"event"}),
    "contacts": frozenset({"contact_preference", "consent", "interaction"}),
    "campaigns": frozenset({"campaign"}),
    "alerts": frozenset({"alert"}),
    "segments": frozenset({"segment"}),
}
"""What can be followed, live or by a webhook, and whose lines it is; an API key may be kept to some.

The one list of them. No topic gets a subject later, since keys and webhooks were given it as it was. Who is
told of a subject is said by `domain.tasks.told`.
"""
log = structlog.get_logger(__name__)

Reaction = Callable[[Principal, JournalLine], Awaitable[object]]


async def unnumbered(limit: int = 100) -> list[int]:
    """Workspaces with lines that have no place yet."""
    found = await db.rows(
        "SELECT DISTINCT workspace_id FROM journal WHERE position IS NULL LIMIT :limit", limit=limit
    )
    return [row["workspace_id"] for row in found]


async def number(workspace_id: int) -> int:
    """Give lines their places, in the order of their ids; how many. None while another is at it."""
    async with db.transaction():
        if not await db.try_lock(f"numbering:{workspace_id}"):
            return 0
        head = await db.value(
            "SELECT head FROM feeds WHERE workspace_id = :workspace", workspace=workspace_id
        )
        numbered = await db.execute(
            """UPDATE journal SET position = CAST(:head AS bigint) + fresh.place FROM (
                 SELECT id, row_number() OVER (ORDER BY id) AS place FROM (
                   SELECT id FROM journal WHERE workspace_id = :workspace AND position IS NULL
                   ORDER BY id LIMIT :limit) waiting) fresh
               WHERE journal.id = fresh.id""",
            head=head,
            workspace=workspace_id,
            limit=BATCH,
        )
        if numbered:
            await db.execute(
                "UPDATE feeds SET head = head + :numbered WHERE workspace_id = :workspace",
                numbered=numbered,
                workspace=workspace_id,
            )
            nudges.NEWS.ring()
    return numbered


async def unreacted(limit: int = 100) -> list[int]:
    """Workspaces whose reactions lag behind their feed."""
    found = await db.rows(
        """SELECT workspace_id FROM feeds WHERE reacted < head AND (retry_at IS NULL OR retry_at <= {now})
           LIMIT :limit""",
        limit=limit,
    )
    return [row["workspace_id"] for row in found]


async def lags(workspace_id: int) -> bool:
    """Whether lines of a workspace still want a place or a reaction, be it that another worker is at them."""
    found = await db.value(
        """SELECT 1 AS lags WHERE EXISTS (
             SELECT 1 FROM journal WHERE workspace_id = :workspace AND position IS NULL
           ) OR EXISTS (
             SELECT 1 FROM feeds WHERE workspace_id = :workspace AND reacted < head
               AND (retry_at IS NULL OR retry_at <= {now}))""",
        workspace=workspace_id,
    )
    return found is not None


@dataclass(frozen=True)
class Lag:
    """How far all feeds together are behind."""

    unreacted: int
    unnumbered_since: datetime | None
    """When the oldest line was written that has no place yet."""
    parked: int
    """Lines that a reaction was given up on."""


async def lag() -> Lag:
    """The lag of all workspaces' feeds together."""
    found = await db.one(
        """SELECT (SELECT COALESCE(sum(head - reacted), 0) FROM feeds WHERE reacted < head) AS unreacted,
             (SELECT min(recorded_at) FROM journal WHERE position IS NULL) AS since,
             (SELECT count(*) FROM parked_lines) AS parked"""
    )
    assert found is not None
    since = db.instant_of(found["since"]) if found["since"] is not None else None
    return Lag(int(found["unreacted"]), since, found["parked"])


async def react(workspace_id: int, reactions: Mapping[str, Reaction]) -> int:
    """Do what the next lines call for, once: their effects and the step forward are one transaction.

    When a reaction fails, the lines are taken one by one from there; a line that keeps failing is
    parked, so that it does not hold up the rest for ever. That the database is away is no line's
    failure. Returns how many lines were passed.
    """
    try:
        return await _react(workspace_id, reactions, REACT_BATCH)
    except Exception as error:
        log.warning("reactions_failed", workspace=workspace_id, error=type(error).__name__)
        if _innocent(error):
            return 0
    seen = (await Feed.get(workspace_id=workspace_id)).reacted
    try:
        return await _react(workspace_id, reactions, 1)
    except Exception as error:
        if _innocent(error):
            return 0
        await _set_apart(workspace_id, seen, reactions, error)
        return 0


def _innocent(error: Exception) -> bool:
    """Whether a failure is the database's alone: one that is slow may be so for a line's sake."""
    return db.failure_of(error) not in (None, db.Failure.SLOW)


async def _react(workspace_id: int, reactions: Mapping[str, Reaction], limit: int) -> int:
    async with db.transaction():
        # Not by a lock of the row, which whoever gives places must be able to write meanwhile.
        if not await db.try_lock(f"reacting:{workspace_id}"):
            return 0
        feed = await db.one(
            "SELECT reacted, head FROM feeds WHERE workspace_id = :workspace", workspace=workspace_id
        )
        if feed is None or feed["reacted"] >= feed["head"]:
            return 0
        lines = await _calling(workspace_id, feed["reacted"], feed["head"], reactions, limit)
        who = system(workspace_id, "reaction")
        for line in lines:
            await reactions[line.name](who, line)
        # Behind the last of them, up to the head, nothing calls for anything.
        reacted = lines[-1].position if len(lines) == limit else feed["head"]
        await db.execute(
            """UPDATE feeds SET reacted = :reacted, attempts = 0, retry_at = NULL
               WHERE workspace_id = :workspace""",
            reacted=reacted,
            workspace=workspace_id,
        )
    return int(reacted - feed["reacted"])


async def _calling(
    workspace_id: int, after: int, head: int, reactions: Mapping[str, Reaction], limit: int
) -> list[JournalLine]:
    """The next lines that call for something: most, such as those of runs, do not, and are not loaded."""
    return (
        await JournalLine.filter(
            workspace_id=workspace_id, position__gt=after, position__lte=head, name__in=list(reactions)
        )
        .order_by("position")
        .limit(limit)
    )


async def _set_apart(
    workspace_id: int, seen: int, reactions: Mapping[str, Reaction], error: Exception
) -> None:
    """Count a failure of the first line behind place `seen` that calls for anything.

    Nothing, where somebody is past it by now.
    """
    async with db.transaction():
        feed = await Feed.filter(workspace_id=workspace_id, reacted=seen).select_for_update().first()
        if feed is None:
            return
        attempts = feed.attempts + 1
        log.error("reaction_failed", workspace=workspace_id, attempts=attempts, exc_info=error)
        if attempts < GIVE_UP_AFTER:
            await Feed.filter(workspace_id=workspace_id, reacted=feed.reacted).update(
                attempts=attempts, retry_at=timekeeping.machine_now() + timedelta(seconds=2**attempts)
            )
            return
        calling = await _calling(workspace_id, feed.reacted, feed.head, reactions, 1)
        if not calling:
            return  # it was not a line's fault
        line = calling[0]
        await ParkedLine.create(
            workspace_id=workspace_id,
            line_id=line.id,
            error=type(error).__name__,
            parked_at=timekeeping.machine_now(),
        )
        await Feed.filter(workspace_id=workspace_id, reacted=feed.reacted).update(
            reacted=line.position, attempts=0, retry_at=None
        )


async def head(workspace_id: int) -> int:
    """The last place given so far."""
    return int(
        await db.value("SELECT head FROM feeds WHERE workspace_id = :workspace", workspace=workspace_id)
    )


async def lines_after(workspace_id: int, position: int, limit: int = BATCH) -> list[JournalLine]:
    """The lines behind a place, in order and without a gap."""
    return (
        await JournalLine.filter(workspace_id=workspace_id, position__gt=position)
        .order_by("position")
        .limit(limit)
    )


async def lines_at(workspace_id: int, places: list[int]) -> dict[int, JournalLine]:
    """The lines at some places, by their place."""
    found = await JournalLine.filter(workspace_id=workspace_id, position__in=places)
    return {line.position: line for line in found if line.position is not None}


def mark_of(line: JournalLine) -> str:
    """Tells a line from what stands at its place in another history.

    A journal that was restored from a copy goes on with other lines at the same places.
    """
    said = f"{line.id}|{line.recorded_at.timestamp():.6f}|{line.name}|{line.subject_id}"
    return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()


async def lines_about(
    workspace_id: int, position: int, subjects: Collection[str], limit: int = BATCH
) -> list[JournalLine]:
    """The lines behind a place that are about these subjects, in order."""
    return (
        await JournalLine.filter(
            workspace_id=workspace_id, position__gt=position, subject__in=sorted(subjects)
        )
        .order_by("position")
        .limit(limit)
    )


async def count_about(workspace_id: int, position: int, subjects: Collection[str]) -> int:
    """How many lines behind a place are about these subjects, whoever may see them."""
    return await JournalLine.filter(
        workspace_id=workspace_id, position__gt=position, subject__in=sorted(subjects)
    ).count()
