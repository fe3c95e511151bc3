"""Asks who is at risk."""

from dataclasses import dataclass

from tortoise.expressions import Q

from domain import db, reading
from domain.access import Principal
from domain.alerts.models import Alert, AlertLevel, ContactStreak
from domain.paging import Order, Page, Slice
from domain.paging import page as paged


async def find(who: Principal, alert_id: int) -> Alert | None:
    return await reading.one(Alert.filter(workspace_id=who.workspace_id, id=alert_id))


async def page(who: Principal, where: Q, order: Order, part: Slice) -> Page[Alert]:
    """Alerts. Sort by `opened_at` or `raised_at`; each has an index."""
    return await paged(Alert.filter(where, workspace_id=who.workspace_id), order, part)


async def unanswered_by_customer(workspace_id: int, ids: list[int]) -> dict[int, int]:
    """How many contacts in a row each of these has left unanswered, where it is any."""
    found = await ContactStreak.filter(workspace_id=workspace_id, customer_id__in=ids, unanswered__gt=0)
    return {row.customer_id: row.unanswered for row in found}


@dataclass(frozen=True)
class Shares:
    """How many customers there are, and how many of them are at risk at each level."""

    customers: int
    open: dict[AlertLevel, int]


async def shares(workspace_id: int) -> Shares:
    """The open alerts by level, of all customers who count and have not left (C-23)."""
    whole = await db.value(
        """SELECT COUNT(*) AS whole FROM customers
           WHERE workspace_id = :workspace AND excluded = :no AND cancelled_at IS NULL""",
        workspace=workspace_id,
        no=False,
    )
    found = await db.rows(
        """SELECT level, COUNT(*) AS many FROM alerts
           WHERE workspace_id = :workspace AND state = 'OPEN' GROUP BY level""",
        workspace=workspace_id,
    )
    many = {AlertLevel(row["level"]): int(row["many"]) for row in found}
    return Shares(int(whole), {level: many.get(level, 0) for level in AlertLevel})
