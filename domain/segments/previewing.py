"""Shows what a rule would do before it is saved: how many, who, what would change, and at what cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from domain import customers, db, timekeeping, workspaces
from domain.access import Principal
from domain.customers import Customer
from domain.errors import Invalid
from domain.segments.defining import check_maker, check_names
from domain.segments.evaluating import wanted
from domain.segments.models import Segment
from domain.segments.rules.checks import Place
from domain.segments.rules.documents import condition_of
from domain.segments.rules.trees import compiled
from domain.segments.statements import plan_for_whole_tables

MOST_SHOWN = 50
WRITING = timedelta(microseconds=100)
"""What writing one move costs: the target of a recompute, a tenth of a second for a thousand rows."""


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
    looking: timedelta
    """How long it took to look at everybody, which each publishing does."""

    @property
    def writing(self) -> timedelta:
        """How long writing the moves is likely to take."""
        return WRITING * (self.entering + self.departing)


async def preview(
    who: Principal,
    rule: Mapping[str, Any],
    segment_id: int | None = None,
    *,
    shown: int = 10,
    place: Place = ("rule",),
) -> Preview:
    """What a rule would come to; with a segment, held against its present members."""
    check_maker(who)
    if not 0 <= shown <= MOST_SHOWN:
        raise Invalid(f"a sample has between 0 and {MOST_SHOWN} customers, got {shown}", field="sample")
    condition = condition_of(rule, place)
    await check_names(who.workspace_id, condition, place)
    if segment_id is not None:
        await Segment.load(who.workspace_id, segment_id)
    workspace = await workspaces.get(who.workspace_id)
    as_of = await timekeeping.now(workspace.id)
    found = compiled(condition, as_of, timekeeping.zone(workspace.zone))
    of: dict[str, Any] = {"workspace": workspace.id, "no": False, **found.params}
    joins = " ".join(found.joins)
    began = timekeeping.machine_now()
    async with db.transaction():
        await plan_for_whole_tables()
        counted = await db.one(
            f"""SELECT COUNT(CASE WHEN inside THEN 1 END) AS customers,
                  COUNT(CASE WHEN inside AND NOT member THEN 1 END) AS entering,
                  COUNT(CASE WHEN member AND NOT inside THEN 1 END) AS departing
                FROM (SELECT {wanted(found)} AS inside, m.id IS NOT NULL AS member
                  FROM customers c {joins} LEFT JOIN memberships m ON m.workspace_id = :workspace
                    AND m.segment_id = :segment AND m.customer_id = c.id AND m.left_at IS NULL
                  WHERE c.workspace_id = :workspace) looked""",
            segment=segment_id or 0,
            **of,
        )
        looking = timekeeping.machine_now() - began
        assert counted is not None
        sample = await db.rows(
            f"""SELECT c.id FROM customers c {joins}
                WHERE c.workspace_id = :workspace AND {wanted(found)} ORDER BY c.id LIMIT :shown""",
            shown=shown,
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
        looking=looking,
    )
