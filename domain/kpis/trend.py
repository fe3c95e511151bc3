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
    begins = {f"m{number}": timekeeping.midnight(first, tz) for number, first in enumerate(firsts)}
    cases = " ".join(f"WHEN ordered_at < :m{number} THEN {number - 1}" for number in range(1, months))
    found = await db.rows(
        f"""SELECT month, COUNT(*) AS orders, SUM(amount_minor) AS revenue_minor
            FROM (SELECT CASE {cases} ELSE {months - 1} END AS month, amount_minor FROM orders
                  WHERE workspace_id = :workspace AND status IN ('PAID', 'DELIVERED')
                    AND currency = :currency AND ordered_at >= :m0 AND ordered_at <= :as_of) counted
            GROUP BY month""",
        workspace=workspace_id,
        currency=currency,
        as_of=as_of,
        **begins,
    )
    sums = {row["month"]: (int(row["orders"]), int(row["revenue_minor"])) for row in found}
    return [Month(first, *sums.get(number, (0, 0))) for number, first in enumerate(firsts)]
