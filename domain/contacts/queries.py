"""Asks how a customer may be reached, what they agreed to, and what was said."""

from collections.abc import Sequence
from datetime import datetime

from tortoise.expressions import Q

from domain import db
from domain.access import Principal
from domain.contacts.models import (
    Consent,
    ContactDecision,
    ContactPreference,
    ContactResult,
    Direction,
    Interaction,
    Purpose,
)
from domain.paging import Order, Page, Slice
from domain.paging import page as paged


async def holding(
    workspace_id: int, customer_ids: set[int], purposes: Sequence[Purpose]
) -> dict[int, dict[Purpose, Consent]]:
    """The statement that holds for each customer and purpose: the latest, the later recorded of two."""
    found = await db.rows(
        """SELECT id, workspace_id, version, customer_id, purpose, granted, source, notice_version,
             stated_at, created_at
           FROM (
             SELECT *, ROW_NUMBER() OVER (
               PARTITION BY customer_id, purpose ORDER BY stated_at DESC, id DESC) AS place
             FROM consents
             WHERE workspace_id = :workspace AND customer_id IN :customers AND purpose IN :purposes
           ) AS stated WHERE place = 1 ORDER BY customer_id, purpose""",
        workspace=workspace_id,
        customers=customer_ids,
        purposes=[purpose.value for purpose in purposes],
    )
    said: dict[int, dict[Purpose, Consent]] = {}
    for consent in db.hydrate(Consent, found):
        said.setdefault(consent.customer_id, {})[consent.purpose] = consent
    return said


async def consent_state(
    workspace_id: int, customer_ids: Sequence[int], purpose: Purpose
) -> dict[int, Consent]:
    """What holds for each customer who ever said anything about a purpose; the others are absent."""
    found = await holding(workspace_id, set(customer_ids), [purpose])
    return {customer: said[purpose] for customer, said in found.items()}


async def current_consents(workspace_id: int, customer_ids: Sequence[int]) -> dict[int, list[Consent]]:
    """The statement that holds for each purpose, by customer; whoever said nothing is absent."""
    found = await holding(workspace_id, set(customer_ids), list(Purpose))
    return {customer: list(said.values()) for customer, said in found.items()}


async def preferences_by_customer(
    workspace_id: int, customer_ids: Sequence[int]
) -> dict[int, ContactPreference]:
    """Each customer's preference; whoever never set one is absent."""
    found = await ContactPreference.filter(workspace_id=workspace_id, customer_id__in=list(customer_ids))
    return {preference.customer_id: preference for preference in found}


async def consents_page(who: Principal, where: Q, order: Order, part: Slice) -> Page[Consent]:
    return await paged(Consent.filter(where, workspace_id=who.workspace_id), order, part)


async def interactions_page(who: Principal, where: Q, order: Order, part: Slice) -> Page[Interaction]:
    return await paged(Interaction.filter(where, workspace_id=who.workspace_id), order, part)


async def decisions_page(who: Principal, where: Q, order: Order, part: Slice) -> Page[ContactDecision]:
    return await paged(ContactDecision.filter(where, workspace_id=who.workspace_id), order, part)


async def decisions_by_ids(workspace_id: int, ids: Sequence[int]) -> dict[int, ContactDecision]:
    return await ContactDecision.by_ids(workspace_id, list(ids))


async def personal_visits(
    workspace_id: int, customer_ids: Sequence[int], start: datetime, end: datetime
) -> dict[int, int]:
    """How many personal contacts we began reached each customer from `start` up to, not including, `end`.

    An attempt that reached nobody is no visit (S4-27). Customers without one are absent.
    """
    found = await db.rows(
        """SELECT customer_id, COUNT(*) AS visits FROM interactions
           WHERE workspace_id = :workspace AND customer_id IN :customers
             AND occurred_at >= :start AND occurred_at < :end
             AND personal = :personal AND direction = :outbound AND result = :reached
           GROUP BY customer_id""",
        workspace=workspace_id,
        customers=set(customer_ids),
        start=start,
        end=end,
        personal=True,
        outbound=Direction.OUTBOUND.value,
        reached=ContactResult.REACHED.value,
    )
    return {row["customer_id"]: row["visits"] for row in found}
