"""Finds customers by how a name, a telephone number, an e-mail address or an external id begins."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from domain import db, texts
from domain.access import Principal
from domain.customers.models import Customer
from domain.errors import Forbidden, Invalid

MOST = 50
LAST = "\U0010ffff"
"""Stands behind every text with the same beginning."""


class SearchField(StrEnum):
    """By what a customer was found."""

    NAME = "NAME"
    PHONE = "PHONE"
    EMAIL = "EMAIL"
    EXTERNAL_ID = "EXTERNAL_ID"


@dataclass(frozen=True)
class Match:
    """A customer who was found, by what, and whether all of it was typed and not only its beginning."""

    customer: Customer
    found_by: SearchField
    exact: bool


async def search(who: Principal, text: str, most: int = 20) -> list[Match]:
    """The customers of whom something begins so: who fits wholly first, then by name, number, address, id.

    What a merged record had finds the one that it was merged into. It costs a few short walks along
    indexes, however many customers there are and fit.

    Raises:
        Forbidden: to this role personal data is masked, and a search would tell what the mask hides.
    """
    if not who.sees_personal:
        raise Forbidden("this role does not see personal data, and cannot search it", field="startsWith")
    if not 1 <= most <= MOST:
        raise Invalid(f"first must be between 1 and {MOST}, got {most}", field="first")
    text = texts.text(text, "startsWith", 254)
    found: dict[int, tuple[SearchField, bool]] = {}
    for field, column, typed in _looks(text):
        for row in await _begins(who.workspace_id, column, typed, most):
            fits = row["common"] == row["typed"]
            if row["id"] not in found or (fits and not found[row["id"]][1]):
                found[row["id"]] = (field, fits)
    order = list(SearchField)
    ids = sorted(found, key=lambda each: (not found[each][1], order.index(found[each][0])))[:most]
    known = await Customer.by_ids(who.workspace_id, ids)
    return [Match(known[each], *found[each]) for each in ids]


async def _begins(workspace_id: int, column: str, typed: str, most: int) -> list[dict[str, Any]]:
    return await db.rows(
        f"""SELECT COALESCE(merged_into_id, id) AS id, {column} AS common, lower(:typed) AS typed
            FROM customers
            WHERE workspace_id = :workspace
              AND {column} >= lower(:typed) AND {column} < lower(:typed) || :last
            ORDER BY {column}, id LIMIT :most""",
        workspace=workspace_id,
        typed=typed,
        last=LAST,
        most=most,
    )


def _looks(text: str) -> Iterator[tuple[SearchField, str, str]]:
    """Where to look for what was typed, in which spelling."""
    yield SearchField.NAME, "name_form", text
    yield from ((SearchField.PHONE, "phone_form", number) for number in _numbers(text))
    yield SearchField.EMAIL, "email_form", text
    yield SearchField.EXTERNAL_ID, "external_form", text


def _numbers(text: str) -> Iterator[str]:
    """The digits as they are compared; with a country's 86 before a mobile number and without."""
    if set(text) - set("0123456789 ()./#x+-"):
        return
    digits = "".join(character for character in text if character.isdigit()).lstrip("0")
    if len(digits) >= 3:
        yield digits
        if digits.startswith("861"):
            yield digits[2:]
