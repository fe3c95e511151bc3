"""Records that look like one customer: the same telephone number, address or key, however it is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tortoise import fields

from domain import db
from domain.access import Principal
from domain.customers.models import Customer
from domain.paging import BadCursor, Page, Slice, decode, encode

SHOWN = 20
"""Of how many records a group shows at most: one number may be a placeholder that thousands have."""


class DuplicateReason(StrEnum):
    """By what records look like one customer."""

    PHONE = "PHONE"
    EMAIL = "EMAIL"
    EXTERNAL_ID = "EXTERNAL_ID"


_COLUMN = {
    DuplicateReason.PHONE: "phone_form",
    DuplicateReason.EMAIL: "email_form",
    DuplicateReason.EXTERNAL_ID: "external_form",
}


@dataclass(frozen=True)
class DuplicateGroup:
    """Records with one thing in common: what, in the spelling compared, how many, and the first."""

    reason: DuplicateReason
    value: str
    size: int
    customers: list[Customer]


async def duplicates(who: Principal, reason: DuplicateReason, part: Slice) -> Page[DuplicateGroup]:
    """Groups of records with the same number, address or key, in the order of what they share.

    Records that are left out of every figure, merged ones among them, are nobody's duplicates. One walk
    along an index, which ends with the page.
    """
    backwards = part.last is not None
    common = _COLUMN[reason]
    sides = ""
    given: dict[str, str] = {}
    for side, sign in (("after", ">"), ("before", "<")):
        if (cursor := getattr(part, side)) is not None:
            sides += f" AND {common} {sign} :{side}"
            given[side] = _place(cursor, side)
    groups = f"""SELECT {common} AS common, count(*) AS size FROM customers
                 WHERE workspace_id = :workspace AND excluded = :no AND {common} > ''"""
    ends = f"GROUP BY {common} HAVING count(*) > 1"
    of = {"workspace": who.workspace_id, "no": False}
    found = await db.rows(
        f"{groups}{sides} {ends} ORDER BY {common} {'DESC' if backwards else 'ASC'} LIMIT :most",
        most=part.size + 1,
        **of,
        **given,
    )
    more = len(found) > part.size
    rows = found[: part.size]
    if backwards:
        rows.reverse()
    members = await _members(who.workspace_id, common, [row["common"] for row in rows])

    async def count() -> int:
        return int(await db.value(f"SELECT count(*) AS whole FROM ({groups} {ends}) groups", **of))

    return Page(
        items=[
            DuplicateGroup(reason, row["common"], row["size"], members.get(row["common"], [])) for row in rows
        ],
        cursors=[encode([row["common"]]) for row in rows],
        has_next=part.before is not None if backwards else more,
        has_previous=more if backwards else part.after is not None,
        count=count,
    )


async def look_alikes(who: Principal, customer: Customer) -> list[Customer]:
    """Other records that count with the same telephone number or e-mail address (S2-35)."""
    found: dict[int, Customer] = {}
    for column in ("phone_form", "email_form"):
        if common := getattr(customer, column):
            query = Customer.filter(workspace_id=who.workspace_id, excluded=False, **{column: common})
            for other in await query.exclude(id=customer.id).order_by("id").limit(100):
                found[other.id] = other
    return [found[number] for number in sorted(found)][:100]


async def _members(workspace_id: int, common: str, shared: Sequence[str]) -> Mapping[str, list[Customer]]:
    """The first records of each group, in the order in which they were recorded."""
    if not shared:
        return {}
    rows = await db.rows(
        f"""SELECT id, common FROM (
              SELECT id, {common} AS common, row_number() OVER (PARTITION BY {common} ORDER BY id) AS place
              FROM customers
              WHERE workspace_id = :workspace AND excluded = :no AND {common} IN :shared) numbered
            WHERE place <= {SHOWN} ORDER BY common, id""",
        workspace=workspace_id,
        no=False,
        shared=list(shared),
    )
    known = await Customer.by_ids(workspace_id, [row["id"] for row in rows])
    found: dict[str, list[Customer]] = {}
    for row in rows:
        found.setdefault(row["common"], []).append(known[row["id"]])
    return found


_TEXT: Any = fields.CharField(max_length=254)
_TEXT.model_field_name = "cursor"


def _place(cursor: str, side: str) -> str:
    try:
        (value,) = decode(cursor, _TEXT)
    except ValueError:
        raise BadCursor("this is not a cursor of this list", field=side) from None
    return str(value)
