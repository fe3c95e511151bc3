"""Purchase histories by SQL: of all customers grouped by what the models look at, or of one page, each.

Orders of one local day are one purchase; refunded orders and excluded customers count for nothing.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from domain import db

RESOLUTIONS = (1, 7, 28)
"""Days to which histories are rounded; the first that leaves few enough groups is taken."""
STEPS = (1, 100, 1000, 10_000)
"""The same for spend, in minor units."""
MOST_GROUPS = 50_000
SOON_DAYS = 30


@dataclass(frozen=True)
class Seen:
    """What a fit may look at: a workspace's orders up to an instant, and of their days those up to a cut.

    `soon` is the last day of the warning's lead after the cut. Without a back-test all three are today.
    """

    workspace_id: int
    as_of: datetime
    cut: date
    soon: date


def _days(later: str, earlier: str) -> str:
    """The whole days between two dates: PostgreSQL subtracts them, SQLite knows Julian days."""
    if db.is_postgres():
        return f"(CAST({later} AS date) - {earlier})"
    return f"CAST(julianday({later}) - julianday({earlier}) AS integer)"


def _bought(page: str = "") -> str:
    """Everybody's history up to the cut, and what they did after it."""
    return f"""days AS (
        SELECT o.customer_id, o.ordered_on, SUM(o.amount_minor) AS spent
        FROM orders o JOIN customers c ON c.workspace_id = :workspace AND c.id = o.customer_id
        WHERE o.workspace_id = :workspace AND o.status <> 'REFUNDED' AND o.ordered_at <= :as_of
          AND c.excluded = :no {page}
        GROUP BY o.customer_id, o.ordered_on
      ), marked AS (
        SELECT customer_id, ordered_on, spent, MIN(ordered_on) OVER (PARTITION BY customer_id) AS first_on
        FROM days
      ), bought AS (
        SELECT customer_id, first_on,
          SUM(CASE WHEN ordered_on > first_on AND ordered_on <= :cut THEN 1 ELSE 0 END) AS repeats,
          MAX(CASE WHEN ordered_on <= :cut THEN ordered_on END) AS last_on,
          CAST(SUM(CASE WHEN ordered_on > first_on AND ordered_on <= :cut THEN spent ELSE 0 END) AS bigint)
            AS spent,
          SUM(CASE WHEN ordered_on > :cut THEN 1 ELSE 0 END) AS later,
          SUM(CASE WHEN ordered_on > :cut AND ordered_on <= :soon THEN 1 ELSE 0 END) AS soon
        FROM marked WHERE first_on <= :cut GROUP BY customer_id, first_on
      )"""


def _params(seen: Seen) -> dict[str, Any]:
    return {
        "workspace": seen.workspace_id,
        "as_of": seen.as_of,
        "cut": seen.cut,
        "soon": seen.soon,
        "no": False,
    }


async def first_day(workspace_id: int, as_of: datetime) -> date | None:
    """The day of the first order that counts."""
    found = await db.value(
        """SELECT MIN(o.ordered_on) FROM orders o
           JOIN customers c ON c.workspace_id = :workspace AND c.id = o.customer_id
           WHERE o.workspace_id = :workspace AND o.status <> 'REFUNDED' AND o.ordered_at <= :as_of
             AND c.excluded = :no""",
        workspace=workspace_id,
        as_of=as_of,
        no=False,
    )
    return None if found is None else db.day_of(found)


async def histories(seen: Seen) -> tuple[list[dict[str, Any]], int]:
    """Distinct histories in days with their numbers of customers, and the resolution they are rounded to.

    Of each group also what it did after the cut: its orders, and how many customers ordered not at all,
    not within the lead, and not after the lead.
    """
    rounded = "(({days}) + :resolution / 2) / :resolution * :resolution"
    statement = f"""WITH {_bought()}
        SELECT repeats, {rounded.format(days=_days("last_on", "first_on"))} AS recency,
          {rounded.format(days=_days(":cut", "first_on"))} AS age, COUNT(*) AS customers,
          SUM(later) AS later, SUM(CASE WHEN later = 0 THEN 1 ELSE 0 END) AS quiet,
          SUM(CASE WHEN soon = 0 THEN 1 ELSE 0 END) AS quiet_soon,
          SUM(CASE WHEN later = soon THEN 1 ELSE 0 END) AS gone
        FROM bought GROUP BY 1, 2, 3"""
    return await _few_enough(statement, seen, RESOLUTIONS)


async def means(seen: Seen) -> tuple[list[dict[str, Any]], int]:
    """Distinct pairs of repeat purchases and what was spent on them, above zero, with their customers."""
    statement = f"""WITH {_bought()}
        SELECT repeats, CASE WHEN spent < :resolution THEN :resolution
            ELSE (spent + :resolution / 2) / :resolution * :resolution END AS spent,
          COUNT(*) AS customers
        FROM bought WHERE repeats > 0 AND spent > 0 GROUP BY 1, 2"""
    return await _few_enough(statement, seen, STEPS)


async def _few_enough(
    statement: str, seen: Seen, resolutions: tuple[int, ...]
) -> tuple[list[dict[str, Any]], int]:
    for resolution in resolutions:
        last = resolution == resolutions[-1]
        limit = "" if last else f" LIMIT {MOST_GROUPS + 1:d}"
        # In the text, not a parameter: PostgreSQL could not tell of which kind of integer one is.
        text = statement.replace(":resolution", f"{resolution:d}") + limit
        found = await db.rows(text, **_params(seen))
        if last or len(found) <= MOST_GROUPS:
            return found, resolution
    raise AssertionError("the coarsest resolution is taken whatever it leaves")


async def page_end(workspace_id: int, after: int, size: int) -> int | None:
    """The id of the last of the next so many customers; none when there are no more."""
    found: int | None = await db.value(
        """SELECT MAX(id) FROM (SELECT id FROM customers WHERE workspace_id = :workspace AND id > :after
             ORDER BY id LIMIT :size) AS page""",
        workspace=workspace_id,
        after=after,
        size=size,
    )
    return found


async def page(seen: Seen, after: int, upto: int) -> list[dict[str, Any]]:
    """The history of each customer of one page who has bought, exact to the day, and whether they left."""
    return await db.rows(
        f"""WITH {_bought("AND o.customer_id > :after AND o.customer_id <= :upto")}
            SELECT b.customer_id, b.repeats, b.spent, {_days("b.last_on", "b.first_on")} AS recency,
              {_days(":cut", "b.first_on")} AS age,
              CASE WHEN c.cancelled_at <= :as_of THEN 1 ELSE 0 END AS cancelled
            FROM bought b JOIN customers c ON c.workspace_id = :workspace AND c.id = b.customer_id
            ORDER BY b.customer_id""",
        after=after,
        upto=upto,
        **_params(seen),
    )


async def written(workspace_id: int, run_id: int) -> int:
    found: int = await db.value(
        "SELECT COUNT(*) FROM predictions WHERE workspace_id = :workspace AND run_id = :run",
        workspace=workspace_id,
        run=run_id,
    )
    return found


async def remove_unpublished(workspace_id: int, limit: int) -> int:
    """Delete so many predictions of runs that have published no model; how many there were."""
    return await db.execute(
        """DELETE FROM predictions WHERE id IN (
             SELECT id FROM predictions p WHERE workspace_id = :workspace AND NOT EXISTS (
               SELECT 1 FROM prediction_models m WHERE m.workspace_id = :workspace AND m.run_id = p.run_id)
             LIMIT :limit)""",
        workspace=workspace_id,
        limit=limit,
    )


async def remove_superseded(workspace_id: int, number: int, limit: int) -> int:
    """Delete so many predictions of models before this one; how many there were."""
    return await db.execute(
        """DELETE FROM predictions WHERE id IN (
             SELECT id FROM predictions WHERE workspace_id = :workspace AND run_id IN (
               SELECT run_id FROM prediction_models WHERE workspace_id = :workspace AND number < :number)
             LIMIT :limit)""",
        workspace=workspace_id,
        number=number,
        limit=limit,
    )
