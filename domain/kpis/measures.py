"""Counts what each KPI is made of: one set-based statement a KPI, in one workspace, up to one instant."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from domain import db, tasks
from domain.kpis.catalogue import (
    CATALOGUE,
    FIRST_TOUCH_24H,
    FIRST_TOUCH_HOURS,
    REPURCHASE_RATE,
    SILENT_SHARE,
    VISIT_COVERAGE,
)


@dataclass(frozen=True)
class Measurement:
    """The two counts of one KPI, from `start` up to and including `as_of`; its period ends at `end`."""

    kpi: str
    start: datetime
    end: datetime
    as_of: datetime
    numerator: int
    denominator: int


@dataclass(frozen=True)
class Scope:
    """What a measurement counts: one workspace's rows from `start` up to and including `as_of`."""

    workspace_id: int
    start: datetime
    as_of: datetime


Counts = tuple[int, int]


async def measure(workspace_id: int, as_of: datetime, tz: ZoneInfo) -> list[Measurement]:
    """All KPIs of a workspace; a gold customer's quota, and its period, are those of the care plan."""
    care = (await tasks.policy(workspace_id)).care

    async def visits(scope: Scope) -> Counts:
        return await _visit_coverage(scope, care.gold.visits)

    how: dict[str, Callable[[Scope], Awaitable[Counts]]] = {
        REPURCHASE_RATE.code: _repurchase_rate,
        SILENT_SHARE.code: _silent_share,
        VISIT_COVERAGE.code: visits,
        FIRST_TOUCH_24H.code: _first_touch,
    }
    found = []
    for kpi in CATALOGUE.values():
        start, end = kpi.window.bounds(as_of, tz, care.gold.months)
        numerator, denominator = await how[kpi.code](Scope(workspace_id, start, as_of))
        found.append(Measurement(kpi.code, start, end, as_of, numerator, denominator))
    return found


async def _counts(sql: str, scope: Scope, **more: object) -> Counts:
    row = await db.one(sql, workspace=scope.workspace_id, start=scope.start, as_of=scope.as_of, **more)
    assert row is not None
    return int(row["numerator"]), int(row["denominator"])


async def _repurchase_rate(scope: Scope) -> Counts:
    return await _counts(
        """SELECT COALESCE(SUM(CASE WHEN b.orders >= 2 THEN 1 ELSE 0 END), 0) AS numerator,
                  COUNT(*) AS denominator
           FROM (SELECT customer_id, COUNT(*) AS orders FROM orders
                 WHERE workspace_id = :workspace AND status IN ('PAID', 'DELIVERED')
                   AND ordered_at >= :start AND ordered_at <= :as_of
                 GROUP BY customer_id) b
           JOIN customers c ON c.workspace_id = :workspace AND c.id = b.customer_id
           WHERE c.excluded = :no""",
        scope,
        no=False,
    )


async def _silent_share(scope: Scope) -> Counts:
    return await _counts(
        """SELECT COALESCE(SUM(CASE WHEN lifecycle = 'SILENT' THEN 1 ELSE 0 END), 0) AS numerator,
                  COUNT(*) AS denominator
           FROM placements WHERE workspace_id = :workspace""",
        scope,
    )


async def _visit_coverage(scope: Scope, quota: int) -> Counts:
    return await _counts(
        """SELECT COALESCE(SUM(CASE WHEN v.visits >= :quota THEN 1 ELSE 0 END), 0) AS numerator,
                  COUNT(*) AS denominator
           FROM placements p
           LEFT JOIN (SELECT customer_id, COUNT(*) AS visits FROM tasks
                      WHERE workspace_id = :workspace AND kind = 'VISIT' AND state = 'DONE'
                        AND closed_at >= :start AND closed_at <= :as_of
                        AND outcome ->> 'result' = 'REACHED'
                      GROUP BY customer_id) v ON v.customer_id = p.customer_id
           WHERE p.workspace_id = :workspace AND p.tier = 'GOLD'""",
        scope,
        quota=quota,
    )


async def _first_touch(scope: Scope) -> Counts:
    # A deadline includes its last instant, so a lead's hours are over once now is past it.
    over = scope.as_of - timedelta(hours=FIRST_TOUCH_HOURS)
    return await _counts(
        """SELECT COALESCE(SUM(t.in_time), 0) AS numerator, COUNT(*) AS denominator
           FROM leads l
           JOIN customers c ON c.workspace_id = l.workspace_id AND c.id = l.customer_id
           LEFT JOIN (SELECT dedupe_key, MAX(CASE WHEN satisfied_at <= due_at THEN 1 ELSE 0 END) AS in_time
                      FROM tasks
                      WHERE workspace_id = :workspace AND kind = 'FIRST_TOUCH'
                        AND due_at >= :start AND satisfied_at <= :as_of
                      GROUP BY dedupe_key) t ON t.dedupe_key = 'first_touch:' || CAST(l.id AS text)
           WHERE l.workspace_id = :workspace AND c.excluded = :no
             AND l.acquired_at >= :start AND l.acquired_at <= :as_of
             AND (t.in_time IS NOT NULL OR l.acquired_at < :over)""",
        scope,
        no=False,
        over=over,
    )
