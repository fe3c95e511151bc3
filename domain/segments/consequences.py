"""Foretells what would come of it if the customers of a preview entered a segment."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from domain import db
from domain.contacts import Purpose


class Outcome(StrEnum):
    """What would come of it."""

    CONTACTS_HELD = "CONTACTS_HELD"
    TASKS_OPENED = "TASKS_OPENED"


@dataclass(frozen=True)
class Entering:
    """Who would come in: a query for their ids, and its parameters, `workspace` and `as_of` among them."""

    workspace_id: int
    segment_id: int | None
    query: str
    params: dict[str, Any]


Foresee = Callable[[Entering], Awaitable[int]]
_FORESEEN: dict[Outcome, Foresee] = {}


def foresees(outcome: Outcome) -> Callable[[Foresee], Foresee]:
    """Declare, where a concept knows it, how many of an outcome there would be."""

    def declare(count: Foresee) -> Foresee:
        assert outcome not in _FORESEEN, outcome
        _FORESEEN[outcome] = count
        return count

    return declare


async def consequences(entering: Entering) -> dict[Outcome, int]:
    """What every concept that can say so foresees."""
    return {outcome: await _FORESEEN[outcome](entering) for outcome in Outcome if outcome in _FORESEEN}


@foresees(Outcome.CONTACTS_HELD)
async def _held(entering: Entering) -> int:
    """Of how many the contact policy would refuse marketing: their latest statement says no (S2-66)."""
    return int(
        await db.value(
            f"""SELECT COUNT(*) FROM ({entering.query}) coming
                JOIN consents said ON said.workspace_id = :workspace AND said.customer_id = coming.id
                  AND said.purpose = :purpose AND said.stated_at <= :as_of AND said.granted = :refused
                WHERE NOT EXISTS (SELECT 1 FROM consents later WHERE later.workspace_id = :workspace
                  AND later.customer_id = said.customer_id AND later.purpose = said.purpose
                  AND later.stated_at <= :as_of AND (later.stated_at > said.stated_at
                    OR (later.stated_at = said.stated_at AND later.id > said.id)))""",
            purpose=Purpose.MARKETING.value,
            refused=False,
            **entering.params,
        )
    )
