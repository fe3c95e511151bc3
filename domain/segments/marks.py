"""Whose placement may have to change: those marked since, and those for whom a boundary has passed.

The database marks with each change of an order or a customer. What the passing of time alone changes is
found by the indexes of the instants it depends on, between the boundary then and the boundary now; so the
work follows the number that crossed, and the calendar stays in one place (`timekeeping`).
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from domain import db, timekeeping
from domain.segments.figures import Part
from domain.segments.thresholds import Thresholds
from domain.timekeeping import TICK, Span

NEW_MONTHS = 3


def crossed(lines: Thresholds, then: datetime, now: datetime, tz: ZoneInfo) -> Part:
    """A query for the customers whose own figures may differ between two instants by time alone."""
    params: dict[str, datetime] = {}
    parts: list[str] = []

    def between(table: str, customer: str, column: str, one: datetime, other: datetime) -> None:
        low, high = f"low_{len(parts)}", f"high_{len(parts)}"
        params[low], params[high] = min(one, other), max(one, other)
        parts.append(
            f"SELECT {customer} FROM {table} WHERE workspace_id = :workspace "
            f"AND {column} >= :{low} AND {column} <= :{high}"
        )

    def anniversaries(table: str, customer: str, column: str, months: int) -> None:
        was, is_ = (timekeeping.anniversaries_passed(at, months, tz) for at in (then, now))
        for low, high in _only_in_one(was, is_):
            between(table, customer, column, low, high)

    for months in (lines.silent_months, lines.churned_months):
        anniversaries("placements", "customer_id", "heard_at", months)
    anniversaries("customers", "id", "registered_at", lines.mature_tenure_months)
    between("placements", "customer_id", "cancelled_at", then, now)
    new = timedelta(days=lines.new_days)
    between("customers", "id", "registered_at", then - new, now - new)
    # Orders that begin to count, that leave the twelve months, or were the first within three.
    between("orders", "customer_id", "ordered_at", then, now)
    year = [timekeeping.add_months(at, -12, tz) for at in (then, now)]
    between("orders", "customer_id", "ordered_at", *year)
    first = [timekeeping.earliest_day_within(timekeeping.local_day(at, tz), NEW_MONTHS) for at in (then, now)]
    if first[0] != first[1]:
        between("orders", "customer_id", "ordered_at", *(timekeeping.midnight(day, tz) for day in first))
    return Part(" UNION ".join(parts), params)


def _only_in_one(was: Sequence[Span], is_: Sequence[Span]) -> list[tuple[datetime, datetime]]:
    """The instants that lie in spans of one of the two but not of the other; ends included."""
    edges = sorted({edge for span in (*was, *is_) for edge in (span.start, span.end + TICK) if edge})

    def within(spans: Sequence[Span], at: datetime) -> bool:
        return any((span.start is None or span.start <= at) and at <= span.end for span in spans)

    return [(low, after - TICK) for low, after in pairwise(edges) if within(was, low) is not within(is_, low)]


async def take(workspace_id: int, run_id: int) -> None:
    """Note which marks a run has seen, also those of runs that never published; publishing drops them."""
    await db.execute(
        "UPDATE placement_marks SET run_id = :run WHERE workspace_id = :workspace",
        workspace=workspace_id,
        run=run_id,
    )


async def taken(workspace_id: int, run_id: int, also: Part, most: int) -> list[int]:
    """The customers whom the run's marks name, and those of another query; at most one more than `most`."""
    found = await db.rows(
        f"""SELECT customer_id FROM placement_marks WHERE workspace_id = :workspace AND run_id = :run
            UNION {also.text} ORDER BY 1 LIMIT :most""",
        workspace=workspace_id,
        run=run_id,
        most=most + 1,
        **also.params,
    )
    return [row["customer_id"] for row in found]


async def drop(workspace_id: int, run_id: int) -> None:
    await db.execute(
        "DELETE FROM placement_marks WHERE workspace_id = :workspace AND run_id = :run",
        workspace=workspace_id,
        run=run_id,
    )


async def forget(workspace_id: int) -> None:
    """Drop all marks, where nothing but a full pass can come next."""
    await db.execute("DELETE FROM placement_marks WHERE workspace_id = :workspace", workspace=workspace_id)


async def waiting(workspace_id: int) -> int:
    """How many customers have changed since they were last looked at."""
    found: int = await db.value(
        "SELECT COUNT(DISTINCT customer_id) FROM placement_marks WHERE workspace_id = :workspace",
        workspace=workspace_id,
    )
    return found


async def marked(workspace_id: int, ids: Collection[int]) -> dict[int, bool]:
    """Whether something about each of these customers has changed that no pass has looked at yet."""
    found = await db.rows(
        """SELECT DISTINCT customer_id FROM placement_marks
           WHERE workspace_id = :workspace AND customer_id IN :ids""",
        workspace=workspace_id,
        ids=list(ids),
    )
    marks = {row["customer_id"] for row in found}
    return {customer_id: customer_id in marks for customer_id in ids}
