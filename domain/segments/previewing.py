"""Shows what a rule would do before it is saved: how many, who, what would change, and at what cost."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from domain import customers, db, timekeeping, workspaces
from domain.access import Principal
from domain.customers import Customer
from domain.segments.consequences import Entering
from domain.segments.defining import check_maker
from domain.segments.evaluating import wanted
from domain.segments.rules.checks import Place
from domain.segments.rules.documents import condition_of
from domain.segments.rules.trees import compiled
from domain.segments.statements import plan_for_whole_tables

MOST_SHOWN = 50
LOOKING, WRITING = timedelta(microseconds=2), timedelta(microseconds=100)
"""Rough costs of one customer in one kind of rows, and of one move."""


@dataclass(frozen=True)
class Preview:
    """Who would be in a segment, as of now; nothing was written."""

    as_of: datetime
    customers: int
    entering: int
    departing: int
    staying: int
    sample: list[Customer]
    reads: tuple[str, ...]
    conditions: int
    looked_at: int
    """How many customers each publishing looks at: all there are."""
    coming: Entering
    """Who would come in, for `consequences`."""

    @property
    def moves(self) -> int:
        """How many rows the first publishing writes."""
        return self.entering + self.departing

    @property
    def estimate(self) -> timedelta:
        """How long the first publishing takes, roughly: it grows with the customers and with the moves."""
        return LOOKING * self.looked_at * len(self.reads) + WRITING * self.moves


async def preview(
    who: Principal,
    rule: Mapping[str, Any],
    segment_id: int | None = None,
    place: Place = ("rule",),
) -> Preview:
    """What a rule would come to; with a segment, held against its present members.

    A question about a segment or a member of staff who is not here has an answer: nobody is in it, or theirs.
    """
    check_maker(who)
    condition = condition_of(rule, place)
    workspace = await workspaces.get(who.workspace_id)
    as_of = await timekeeping.now(workspace.id)
    found = compiled(condition, as_of, timekeeping.zone(workspace.zone))
    of: dict[str, Any] = {"workspace": workspace.id, "no": False, **found.params}
    joins = " ".join(found.joins)
    # SQLite has no such plan to ask for, and a transaction there would keep all writers waiting.
    async with db.transaction() if db.is_postgres() else nullcontext():
        await plan_for_whole_tables()
        counted = await db.one(
            f"""SELECT COUNT(*) AS looked_at, COUNT(CASE WHEN inside THEN 1 END) AS customers,
                  COUNT(CASE WHEN inside AND NOT member THEN 1 END) AS entering,
                  COUNT(CASE WHEN member AND NOT inside THEN 1 END) AS departing
                FROM (SELECT {wanted(found)} AS inside, m.id IS NOT NULL AS member
                  FROM customers c {joins} LEFT JOIN memberships m ON m.workspace_id = :workspace
                    AND m.segment_id = :segment AND m.customer_id = c.id AND m.left_at IS NULL
                  WHERE c.workspace_id = :workspace) looked""",
            segment=segment_id or 0,
            **of,
        )
        assert counted is not None
        sample = await db.rows(
            f"""SELECT c.id FROM customers c {joins}
                WHERE c.workspace_id = :workspace AND {wanted(found)} ORDER BY c.id LIMIT :shown""",
            shown=MOST_SHOWN,
            **of,
        )
    ids = [row["id"] for row in sample]
    known = await customers.by_ids(workspace.id, ids)
    return Preview(
        as_of=as_of,
        customers=counted["customers"],
        entering=counted["entering"],
        departing=counted["departing"],
        staying=counted["customers"] - counted["entering"],
        sample=[known[customer_id] for customer_id in ids],
        reads=tuple(sorted({"customers", *found.reads})),
        conditions=len(found.tests),
        looked_at=counted["looked_at"],
        coming=Entering(
            workspace.id,
            segment_id,
            f"""SELECT c.id FROM customers c {joins}
                WHERE c.workspace_id = :workspace AND {wanted(found)} AND NOT EXISTS (
                  SELECT 1 FROM memberships m WHERE m.workspace_id = :workspace
                    AND m.segment_id = :segment AND m.customer_id = c.id AND m.left_at IS NULL)""",
            {**of, "segment": segment_id or 0},
        ),
    )
