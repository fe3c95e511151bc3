"""Orders and revenue month by month, in the workspace's zone."""

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from domain import db, timekeeping

MONTHS = 24


@dataclass(frozen=True)
class Month:
    """One calendar month: completed orders, and their sum in minor units of the workspace's currency."""

    first: date
    orders: int
    revenue_minor: int


async def by_month(
    workspace_id: int, currency: str, as_of: datetime, tz: ZoneInfo, months: int = MONTHS
) -> list[Month]:
    """The months up to and including that of `as_of`, oldest first; the last is as far as `as_of`.

    Refunded orders count for nothing; an order in another currency than the workspace's is not added
    to its revenue, and not counted either.
    """
    this = timekeeping.period_of(timekeeping.local_day(as_of, tz), 1)
    firsts = [timekeeping.add_months_on(this.first, -back) for back in range(months - 1, -1, -1)]
    days = await db.rows(
        """SELECT ordered_on, COUNT(*) AS orders, SUM(amount_minor) AS revenue_minor FROM orders
           WHERE workspace_id = :workspace AND status IN ('PAID', 'DELIVERED') AND currency = :currency
             AND ordered_at >= :start AND ordered_at <= :as_of
           GROUP BY ordered_on""",
        workspace=workspace_id,
        currency=currency,
        start=timekeeping.midnight(firsts[0], tz),
        as_of=as_of,
    )
    sums = {first: [0, 0] for first in firsts}
    for row in days:
        month = sums.get(db.day_of(row["ordered_on"]).replace(day=1), [0, 0])
        month[0] += row["orders"]
        month[1] += int(row["revenue_minor"])
    return [Month(first, *sums[first]) for first in firsts]
