"""What alerts rest on, by SQL, of many customers: unanswered contacts, activity and orders of two periods."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from domain import db
from domain.alerts.rules import ACTIVITY_DAYS, ORDER_DAYS, Compared

_ANSWERED = "(i.direction = 'INBOUND' OR (i.personal = :yes AND i.result IN ('REACHED', 'REFUSED')))"
"""A response: they began it, or they spoke with us, be it to say no. A notice that arrived is none."""
_UNANSWERED = "i.direction = 'OUTBOUND' AND i.personal = :yes AND i.result = 'NO_ANSWER'"
"""A contact that asked for an answer; notices, group posts and failed deliveries ask for none (C-23)."""

_ACTIVITY = """SELECT customer_id, occurred_at AS at FROM behaviour_events
    WHERE workspace_id = :workspace AND {whose} AND occurred_at > :{start} AND occurred_at <= :now
    UNION ALL
    SELECT customer_id, occurred_at FROM interactions
    WHERE workspace_id = :workspace AND {whose} AND occurred_at > :{start} AND occurred_at <= :now
      AND direction = 'INBOUND'"""
"""What customers do by themselves: events, and contacts that they begin. Orders are watched apart."""
_ORDERS = """SELECT customer_id, ordered_at AS at FROM orders
    WHERE workspace_id = :workspace AND {whose} AND ordered_at > :{start} AND ordered_at <= :now
      AND status <> 'REFUNDED'"""
_ONLY = "customer_id IN :customers"
_BETWEEN = "customer_id > :after AND customer_id <= :upto"


@dataclass(frozen=True)
class Standing:
    """How a customer stands with us at all."""

    owner_id: int | None
    excluded: bool
    cancelled_at: datetime | None


async def standings(workspace_id: int, customers: Collection[int]) -> dict[int, Standing]:
    found = await db.rows(
        """SELECT id, owner_id, excluded, cancelled_at FROM customers
           WHERE workspace_id = :workspace AND id IN :customers""",
        workspace=workspace_id,
        customers=list(customers),
    )
    return {
        row["id"]: Standing(
            row["owner_id"],
            bool(row["excluded"]),
            db.instant_of(row["cancelled_at"]) if row["cancelled_at"] is not None else None,
        )
        for row in found
    }


async def unanswered(
    workspace_id: int, customers: Collection[int], now: datetime
) -> dict[int, list[datetime]]:
    """Each customer's contacts since their last response that might count, the earliest first."""
    found = await db.rows(
        f"""SELECT i.customer_id, i.occurred_at FROM interactions i
            LEFT JOIN (SELECT i.customer_id, MAX(i.occurred_at) AS at FROM interactions i
                       WHERE i.workspace_id = :workspace AND i.customer_id IN :customers
                         AND i.occurred_at <= :now AND {_ANSWERED}
                       GROUP BY i.customer_id) answered ON answered.customer_id = i.customer_id
            WHERE i.workspace_id = :workspace AND i.customer_id IN :customers AND i.occurred_at <= :now
              AND {_UNANSWERED} AND (answered.at IS NULL OR i.occurred_at > answered.at)
            ORDER BY i.customer_id, i.occurred_at""",
        workspace=workspace_id,
        customers=list(customers),
        now=now,
        yes=True,
    )
    contacts: dict[int, list[datetime]] = defaultdict(list)
    for row in found:
        contacts[row["customer_id"]].append(db.instant_of(row["occurred_at"]))
    return contacts


async def activity(workspace_id: int, customers: Collection[int], now: datetime) -> dict[int, Compared]:
    return await _compared(_ACTIVITY, ACTIVITY_DAYS, workspace_id, customers, now)


async def orders(workspace_id: int, customers: Collection[int], now: datetime) -> dict[int, Compared]:
    return await _compared(_ORDERS, ORDER_DAYS, workspace_id, customers, now)


async def _compared(
    what: str, days: int, workspace_id: int, customers: Collection[int], now: datetime
) -> dict[int, Compared]:
    found = await db.rows(
        _counted(what, _ONLY, days),
        workspace=workspace_id,
        customers=list(customers),
        now=now,
        **_period(days, now),
    )
    return {row["customer_id"]: Compared(row["value"], row["before"]) for row in found}


def _counted(what: str, whose: str, days: int) -> str:
    """How often it happened to each in the last so many days, and in as many days before."""
    return f"""SELECT customer_id, SUM(CASE WHEN at > :middle_{days} THEN 1 ELSE 0 END) AS value,
                 SUM(CASE WHEN at <= :middle_{days} THEN 1 ELSE 0 END) AS before
               FROM ({what.format(whose=whose, start=f"start_{days}")}) happened GROUP BY customer_id"""


def _period(days: int, now: datetime) -> dict[str, Any]:
    """Two periods of so many days, the later up to and including now; neither has its first instant."""
    period = timedelta(days=days)
    return {f"start_{days}": now - 2 * period, f"middle_{days}": now - period}


async def page_end(workspace_id: int, after: int, size: int) -> int | None:
    """The id of the last customer of the page behind `after`; none where nobody follows."""
    found = await db.value(
        """SELECT MAX(id) AS upto FROM (
             SELECT id FROM customers WHERE workspace_id = :workspace AND id > :after
             ORDER BY id LIMIT :size) page""",
        workspace=workspace_id,
        after=after,
        size=size,
    )
    return None if found is None else int(found)


async def suspects(workspace_id: int, after: int, upto: int, now: datetime) -> list[int]:
    """The customers of a page with an open alert, a contact without answer, or a figure that is down."""
    found = await db.rows(
        f"""SELECT customer_id FROM alerts WHERE workspace_id = :workspace AND {_BETWEEN} AND state = 'OPEN'
            UNION
            SELECT customer_id FROM interactions i
            WHERE workspace_id = :workspace AND {_BETWEEN} AND {_UNANSWERED}
            UNION
            SELECT customer_id FROM ({_counted(_ACTIVITY, _BETWEEN, ACTIVITY_DAYS)}) activity
            WHERE before > 0 AND 2 * value <= before
            UNION
            SELECT customer_id FROM ({_counted(_ORDERS, _BETWEEN, ORDER_DAYS)}) ordered
            WHERE value < before
            ORDER BY customer_id""",
        workspace=workspace_id,
        after=after,
        upto=upto,
        now=now,
        yes=True,
        **_period(ACTIVITY_DAYS, now),
        **_period(ORDER_DAYS, now),
    )
    return [row["customer_id"] for row in found]
