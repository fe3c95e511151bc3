"""Asks which group each customer is in, how large the groups are, and how customers moved between them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tortoise.expressions import Q, Subquery

from domain import customers, db, reading, timekeeping
from domain.access import Principal
from domain.paging import Order, Page, Slice
from domain.paging import page as paged
from domain.segments.groups import cell_of
from domain.segments.models import (
    LifecycleStage,
    Membership,
    Placement,
    RfmTier,
    Segment,
    Segmentation,
    ValueLevel,
)
from domain.segments.thresholds import DEFAULT_PRESET, SETTING, Thresholds, ThresholdsVersion

STALE_AFTER = timedelta(hours=36)
"""One nightly recompute may be missed before its results count as stale."""

LONGEST_KEY = 64

Cell = tuple[LifecycleStage, ValueLevel]


@dataclass(frozen=True)
class Freshness:
    """The latest published recompute, if any, and whether its results are too old to be relied on."""

    latest: Segmentation | None
    stale: bool


@dataclass(frozen=True)
class Transition:
    """So many customers in one cell then, and in another later; none: in no cell."""

    source: Cell | None
    target: Cell | None
    customers: int


async def thresholds(workspace_id: int, number: int | None = None) -> ThresholdsVersion:
    """The lines that hold, or held in an earlier version; the documents' where none were set."""
    row = await db.one(
        """SELECT number, preset, value FROM setting_versions
           WHERE workspace_id = :workspace AND name = :name AND number <= :number
           ORDER BY number DESC LIMIT 1""",
        workspace=workspace_id,
        name=SETTING,
        number=2**31 - 1 if number is None else number,
    )
    if row is None:
        return ThresholdsVersion(0, DEFAULT_PRESET, Thresholds())
    return ThresholdsVersion(row["number"], row["preset"], Thresholds.of(db.document_of(row["value"])))


async def latest(workspace_id: int) -> Segmentation | None:
    """The recompute whose results are now in force."""
    return await Segmentation.filter(workspace_id=workspace_id).order_by("-id").first()


async def freshness(workspace_id: int) -> Freshness:
    last = await latest(workspace_id)
    if last is None:
        return Freshness(None, stale=True)
    oldest = min(last.as_of, last.ranked_as_of or last.as_of)
    return Freshness(last, stale=await timekeeping.now(workspace_id) - oldest > STALE_AFTER)


async def find(workspace_id: int, segment_id: int) -> Segment | None:
    return await Segment.find(workspace_id, segment_id)


async def find_by_key(workspace_id: int, key: str) -> Segment | None:
    if len(key) > LONGEST_KEY:
        return None
    return await reading.one(Segment.filter(workspace_id=workspace_id, key=key))


async def page(who: Principal, where: Q, order: Order, part: Slice) -> Page[Segment]:
    return await paged(Segment.filter(where, workspace_id=who.workspace_id), order, part)


async def placements_by_customer(workspace_id: int, ids: Collection[int]) -> dict[int, Placement]:
    found = await Placement.filter(workspace_id=workspace_id, customer_id__in=list(ids))
    return {placement.customer_id: placement for placement in found}


async def segments_by_customer(workspace_id: int, ids: Collection[int]) -> dict[int, list[Segment]]:
    """The segments that each customer is in now, in the order of their ids."""
    stays = await db.rows(
        """SELECT customer_id, segment_id FROM memberships
           WHERE workspace_id = :workspace AND customer_id IN :ids AND left_at IS NULL
           ORDER BY customer_id, segment_id""",
        workspace=workspace_id,
        ids=list(ids),
    )
    known = await Segment.by_ids(workspace_id, sorted({stay["segment_id"] for stay in stays}))
    found: dict[int, list[Segment]] = {customer_id: [] for customer_id in ids}
    for stay in stays:
        found[stay["customer_id"]].append(known[stay["segment_id"]])
    return found


async def matrix(workspace_id: int) -> dict[Cell, int]:
    """How many customers each of the fifteen cells holds; together, everybody who is placed."""
    found = await db.rows(
        """SELECT lifecycle, value_level, COUNT(*) AS customers FROM placements
           WHERE workspace_id = :workspace GROUP BY lifecycle, value_level""",
        workspace=workspace_id,
    )
    cells = {(stage, level): 0 for stage in LifecycleStage for level in ValueLevel}
    for row in found:
        cells[LifecycleStage(row["lifecycle"]), ValueLevel(row["value_level"])] = row["customers"]
    return cells


async def tier_counts(workspace_id: int) -> dict[RfmTier, int]:
    found = await db.rows(
        """SELECT tier, COUNT(*) AS customers FROM placements
           WHERE workspace_id = :workspace GROUP BY tier""",
        workspace=workspace_id,
    )
    return dict.fromkeys(RfmTier, 0) | {RfmTier(row["tier"]): row["customers"] for row in found}


async def member_counts(workspace_id: int, segment_ids: Collection[int]) -> dict[int, int]:
    """How many customers are in each of these segments now."""
    found = await db.rows(
        """SELECT segment_id, COUNT(*) AS customers FROM memberships
           WHERE workspace_id = :workspace AND segment_id IN :ids AND left_at IS NULL
           GROUP BY segment_id""",
        workspace=workspace_id,
        ids=list(segment_ids),
    )
    return dict.fromkeys(segment_ids, 0) | {row["segment_id"]: row["customers"] for row in found}


async def member_count(workspace_id: int, segment_id: int) -> int:
    return (await member_counts(workspace_id, [segment_id]))[segment_id]


async def member_ids_after(workspace_id: int, segment_id: int, after_id: int, limit: int) -> list[int]:
    """The next so many members beyond a customer's id, in the order of ids: a batch of a long walk."""
    found = await db.rows(
        """SELECT customer_id FROM memberships
           WHERE workspace_id = :workspace AND segment_id = :segment AND left_at IS NULL
             AND customer_id > :after
           ORDER BY customer_id LIMIT :limit""",
        workspace=workspace_id,
        segment=segment_id,
        after=after_id,
        limit=limit,
    )
    return [row["customer_id"] for row in found]


def member_of(workspace_id: int, *segment_ids: int) -> Q:
    """Restricts a query of customers to those who are in any of these segments now, or else in any at all."""
    stays = Membership.filter(workspace_id=workspace_id, left_at__isnull=True)
    if segment_ids:
        stays = stays.filter(segment_id__in=list(segment_ids))
    return Q(id__in=Subquery(stays.values("customer_id")))


def placed(
    workspace_id: int,
    *,
    lifecycle: Collection[LifecycleStage] | None = None,
    value_level: Collection[ValueLevel] | None = None,
    tier: Collection[RfmTier] | None = None,
) -> Q:
    """Restricts a query of customers to those placed in any of the stages, levels and tiers given."""
    query = Placement.filter(workspace_id=workspace_id)
    if lifecycle is not None:
        query = query.filter(lifecycle__in=list(lifecycle))
    if value_level is not None:
        query = query.filter(value_level__in=list(value_level))
    if tier is not None:
        query = query.filter(tier__in=list(tier))
    return Q(id__in=Subquery(query.values("customer_id")))


async def members(
    who: Principal, segment_id: int, part: Slice, order: Order | None = None
) -> "Page[customers.Customer]":
    """A page of the customers who are in a segment now, by id unless told otherwise."""
    query = customers.Customer.filter(member_of(who.workspace_id, segment_id), workspace_id=who.workspace_id)
    return await paged(query, order or Order("id"), part)


async def memberships_of(who: Principal, customer_id: int, part: Slice) -> Page[Membership]:
    """A customer's stays in segments, those that have ended too, latest first."""
    query = Membership.filter(workspace_id=who.workspace_id, customer_id=customer_id)
    return await paged(query, Order("id", descending=True), part)


async def memberships_in(who: Principal, segment_id: int, part: Slice) -> Page[Membership]:
    """The stays that last in a segment, in the order in which its members were added."""
    query = Membership.filter(workspace_id=who.workspace_id, segment_id=segment_id, left_at__isnull=True)
    return await paged(query, Order("customer_id"), part)


async def matching(workspace_id: int, where: Q, segment_id: int) -> Segment | None:
    """A segment, if it meets a condition now."""
    return await Segment.filter(where, workspace_id=workspace_id, id=segment_id).first()


async def moves(
    who: Principal, segment_id: int, run_id: int, part: Slice, *, entered: bool
) -> Page[Membership]:
    """The stays in a segment that a run began, or those that it ended, by customer."""
    query = Membership.filter(workspace_id=who.workspace_id, segment_id=segment_id)
    query = query.filter(entered_run_id=run_id) if entered else query.filter(left_run_id=run_id)
    return await paged(query, Order("customer_id"), part)


async def transitions(workspace_id: int, since: datetime, until: datetime) -> Sequence[Transition]:
    """How many customers were in another cell at `until` than at `since`, from cell to cell.

    Who moved and came back in between is not counted; nor is a stay that began and ended at the same
    instant. From no cell: not placed then; to no cell: no longer counted.
    """
    found = await db.rows(
        """SELECT source, target, COUNT(*) AS customers FROM (
             SELECT m.customer_id,
               MAX(CASE WHEN m.entered_at <= :since AND (m.left_at IS NULL OR m.left_at > :since)
                 THEN s.key END) AS source,
               MAX(CASE WHEN m.entered_at <= :until AND (m.left_at IS NULL OR m.left_at > :until)
                 THEN s.key END) AS target
             FROM memberships m
             JOIN segments s ON s.workspace_id = m.workspace_id AND s.id = m.segment_id
             WHERE m.workspace_id = :workspace AND s.kind = 'CELL' AND m.entered_at <= :until
               AND (m.left_at IS NULL OR m.left_at > :since)
             GROUP BY m.customer_id) moved
           WHERE source IS DISTINCT FROM target
           GROUP BY source, target ORDER BY 3 DESC, source, target""",
        workspace=workspace_id,
        since=since,
        until=until,
    )
    return [
        Transition(
            cell_of(row["source"]) if row["source"] else None,
            cell_of(row["target"]) if row["target"] else None,
            row["customers"],
        )
        for row in found
    ]
