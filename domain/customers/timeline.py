"""A customer's story, the latest first: their journal lines, and the orders that came in files.

An import writes one journal line per batch, not one per order, so its orders are told from their own
table, each at the instant at which it was placed.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain import db
from domain.access import Principal, system
from domain.journal import JournalLine
from domain.paging import BadCursor, Page, Slice, decode, encode

PLACED = "order.placed"
_BELOW = 2**62
"""Journal lines and orders are numbered apart: orders stand below all lines of the same instant."""

_ENTRIES = f"""SELECT customer_id, name, subject, subject_id, at, recorded_at, actor, id AS place,
                 NULL AS run_id
               FROM journal WHERE workspace_id = :workspace AND customer_id IN :customers
               UNION ALL
               SELECT customer_id, '{PLACED}', 'order', id, ordered_at, created_at, '', id - {_BELOW}, run_id
               FROM orders
               WHERE workspace_id = :workspace AND customer_id IN :customers AND run_id IS NOT NULL"""


@dataclass(frozen=True)
class TimelineEntry:
    """One thing that happened to or around a customer: what, when, by whom, and to which object."""

    name: str
    subject: str
    subject_id: int
    at: datetime
    recorded_at: datetime
    actor: str
    place: int
    """Its place among the entries of the same instant."""


async def timeline(who: Principal, customer_id: int, part: Slice) -> Page[TimelineEntry]:
    """What happened to and around a customer, the latest first."""
    return (await timelines(who.workspace_id, [customer_id], part))[customer_id]


async def timelines(
    workspace_id: int, customer_ids: Collection[int], part: Slice
) -> dict[int, Page[TimelineEntry]]:
    """The same page of the story of each customer, in one statement for all of them."""
    backwards = part.last is not None
    way = "ASC" if backwards else "DESC"
    sides = {side: _place(part, side) for side in ("after", "before") if getattr(part, side) is not None}
    beyond = " AND ".join(
        f"(at {sign} :{side}_at OR (at = :{side}_at AND place {sign} :{side}_place))"
        for side, sign in (("after", "<"), ("before", ">"))
        if side in sides
    )
    given = {f"{side}_{name}": value for side, place in sides.items() for name, value in place.items()}
    found = await db.rows(
        f"""SELECT * FROM (
              SELECT entries.*, count(*) OVER (PARTITION BY customer_id) AS whole,
                row_number() OVER (PARTITION BY customer_id ORDER BY at {way}, place {way}) AS number
              FROM ({_ENTRIES}) entries WHERE {beyond or "1 = 1"}) numbered
            WHERE number <= :most ORDER BY number""",
        workspace=workspace_id,
        customers=list(customer_ids),
        most=part.size + 1,
        **given,
    )
    rows: dict[int, list[dict[str, Any]]] = {customer_id: [] for customer_id in customer_ids}
    for row in found:
        rows[row["customer_id"]].append(row)
    return {
        customer_id: _page(workspace_id, customer_id, own, part, backwards)
        for customer_id, own in rows.items()
    }


def _place(part: Slice, side: str) -> Mapping[str, Any]:
    columns = JournalLine._meta.fields_map
    try:
        at, place = decode(getattr(part, side), columns["at"], columns["id"])
    except ValueError:
        raise BadCursor("this is not a cursor of this list", field=side) from None
    return {"at": at, "place": place}


def _page(
    workspace_id: int, customer_id: int, rows: list[dict[str, Any]], part: Slice, backwards: bool
) -> Page[TimelineEntry]:
    more = len(rows) > part.size
    items = [_entry(workspace_id, row) for row in rows[: part.size]]
    if backwards:
        items.reverse()
    known = part.after is None and part.before is None

    async def count() -> int:
        if known:
            return int(rows[0]["whole"]) if rows else 0
        return int(
            await db.value(
                f"SELECT count(*) AS whole FROM ({_ENTRIES}) entries",
                workspace=workspace_id,
                customers=[customer_id],
            )
        )

    return Page(
        items=items,
        cursors=[encode([item.at, item.place]) for item in items],
        has_next=part.before is not None if backwards else more,
        has_previous=more if backwards else part.after is not None,
        count=count,
    )


def _entry(workspace_id: int, row: Mapping[str, Any]) -> TimelineEntry:
    run_id = row["run_id"]
    return TimelineEntry(
        name=row["name"],
        subject=row["subject"],
        subject_id=row["subject_id"],
        at=db.instant_of(row["at"]),
        recorded_at=db.instant_of(row["recorded_at"]),
        actor=row["actor"] if run_id is None else system(workspace_id, "run", run_id).label,
        place=row["place"],
    )
