"""The statements of a recompute: all customers of a workspace at once, whatever their number."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from domain import db, timekeeping
from domain.segments.models import BUILT_IN
from domain.segments.thresholds import SilverRule, Thresholds
from domain.timekeeping import Span

FIGURES = (
    "lifecycle",
    "value_level",
    "tier",
    "last_order_on",
    "frequency",
    "monetary_minor",
    "r_rank",
    "f_rank",
    "m_rank",
    "composite_rank",
    "vip",
    "profit_key",
    "new_3m",
)
"""What a placement says. Who it is about, and which run last changed it, stand beside it."""

_SILVER = {
    SilverRule.COMPOSITE: "composite_rank * 100 <= :silver * n",
    SilverRule.M_ONLY: "m_rank * 100 <= :silver * n",
    SilverRule.R_AND_M: "r_rank * 100 <= :silver * n AND m_rank * 100 <= :silver * n",
}

_NAMES = ", ".join(FIGURES)
_DRAFTED = ", ".join(f"d.{name}" for name in FIGURES)
_ASSIGNED = ", ".join(f"{name} = d.{name}" for name in FIGURES)
_DIFFERS = " OR ".join(f"placements.{name} IS DISTINCT FROM d.{name}" for name in FIGURES)

_IN = """CASE s.key WHEN 'VIP' THEN p.vip WHEN 'PROFIT_KEY' THEN p.profit_key WHEN 'NEW_3M' THEN p.new_3m
  ELSE s.key IN ('cell:' || p.lifecycle || ':' || p.value_level, 'tier:' || p.tier) END"""
"""Whether placement p belongs to segment s; unknown where there is no placement."""
_BUILT_IN = f"s.kind IN {tuple(kind.value for kind in BUILT_IN)}"
"""Placements fill these; a workspace's own segments are filled by their own runs."""


def _passed(moment: str, name: str, spans: Sequence[Span]) -> tuple[str, dict[str, Any]]:
    """A condition that an instant lies in one of the spans, and its parameters."""
    alternatives, params = [], {}
    for number, span in enumerate(spans):
        start, end = f"{name}_start_{number}", f"{name}_end_{number}"
        params[end] = span.end
        if span.start is None:
            alternatives.append(f"{moment} <= :{end}")
        else:
            params[start] = span.start
            alternatives.append(f"{moment} BETWEEN :{start} AND :{end}")
    return f"({' OR '.join(alternatives)})", params


async def plan_for_whole_tables() -> None:
    """Have PostgreSQL join by hashing for the rest of the running transaction.

    Freshly written tables have no statistics yet, and for a table that it takes to be empty the
    planner chooses nested loops, or merges by a key that all rows share: a minute instead of a second.
    """
    if db.is_postgres():
        await db.execute("SET LOCAL enable_nestloop = off")
        await db.execute("SET LOCAL enable_mergejoin = off")


async def stage(workspace_id: int, run_id: int, thresholds: Thresholds, as_of: datetime, tz: ZoneInfo) -> int:
    """Work out everybody's placement into the run's drafts; how many customers there are.

    Counted are all but anonymised, merged and test records, also those who never bought (C-08). The
    statement is one snapshot: no order can count for one rank and not for another.
    """
    lines = thresholds
    churned, churned_at = _passed(
        "heard_at", "churned", timekeeping.anniversaries_passed(as_of, lines.churned_months, tz)
    )
    silent, silent_at = _passed(
        "heard_at", "silent", timekeeping.anniversaries_passed(as_of, lines.silent_months, tz)
    )
    tenured, tenured_at = _passed(
        "registered_at", "tenured", timekeeping.anniversaries_passed(as_of, lines.mature_tenure_months, tz)
    )
    return await db.execute(
        f"""INSERT INTO placement_drafts (workspace_id, run_id, customer_id, {_NAMES})
        WITH bought AS (
          SELECT customer_id, MIN(ordered_on) AS first_on, MAX(ordered_on) AS last_on,
            SUM(CASE WHEN ordered_at >= :year_ago THEN 1 ELSE 0 END) AS frequency,
            SUM(CASE WHEN ordered_at >= :year_ago THEN amount_minor ELSE 0 END) AS monetary
          FROM orders
          WHERE workspace_id = :workspace AND status <> 'REFUNDED' AND ordered_at <= :as_of
          GROUP BY customer_id
        ), counted AS (
          SELECT c.id, c.registered_at, c.cancelled_at,
            COALESCE(c.last_interaction_at, c.registered_at) AS heard_at, b.first_on, b.last_on,
            COALESCE(b.frequency, 0) AS frequency,
            CAST(COALESCE(b.monetary, 0) AS bigint) AS monetary
          FROM customers c LEFT JOIN bought b ON b.customer_id = c.id
          WHERE c.workspace_id = :workspace AND c.excluded = :no
        ), ranked AS (
          SELECT counted.*, COUNT(*) OVER () AS n,
            ROW_NUMBER() OVER (ORDER BY (last_on IS NULL), last_on DESC, monetary DESC, frequency DESC, id)
              AS r_rank,
            ROW_NUMBER() OVER (ORDER BY frequency DESC, monetary DESC, (last_on IS NULL), last_on DESC, id)
              AS f_rank,
            ROW_NUMBER() OVER (ORDER BY monetary DESC, (last_on IS NULL), last_on DESC, frequency DESC, id)
              AS m_rank
          FROM counted
        ), composed AS (
          SELECT ranked.*,
            ROW_NUMBER() OVER (ORDER BY r_rank + f_rank + m_rank, m_rank, r_rank, id) AS composite_rank
          FROM ranked
        )
        SELECT :workspace, :run, id,
          CASE
            WHEN cancelled_at <= :as_of OR {churned} THEN 'CHURNED'
            WHEN {silent} THEN 'SILENT'
            WHEN registered_at >= :new_since THEN 'NEW'
            WHEN {tenured} AND frequency >= :mature_orders THEN 'MATURE'
            ELSE 'GROWTH'
          END,
          CASE WHEN monetary > :high THEN 'HIGH' WHEN monetary > :medium THEN 'MEDIUM' ELSE 'ORDINARY' END,
          CASE
            WHEN r_rank * 100 <= :gold_r * n AND m_rank * 100 <= :gold_m * n THEN 'GOLD'
            WHEN {_SILVER[lines.silver_rule]} THEN 'SILVER'
            ELSE 'BRONZE'
          END,
          last_on, frequency, monetary, r_rank, f_rank, m_rank, composite_rank,
          monetary > :vip, monetary > :profit_key, COALESCE(first_on >= :first_from, :no)
        FROM composed""",
        workspace=workspace_id,
        run=run_id,
        as_of=as_of,
        year_ago=timekeeping.add_months(as_of, -12, tz),
        new_since=as_of - timedelta(days=lines.new_days),
        first_from=timekeeping.earliest_day_within(timekeeping.local_day(as_of, tz), 3),
        mature_orders=lines.mature_orders,
        high=lines.high_above_minor,
        medium=lines.medium_above_minor,
        vip=lines.vip_above_minor,
        profit_key=lines.profit_key_above_minor,
        gold_r=lines.gold_r_percent,
        gold_m=lines.gold_m_percent,
        silver=lines.silver_percent,
        no=False,
        **churned_at,
        **silent_at,
        **tenured_at,
    )


async def drafted(workspace_id: int, run_id: int) -> int:
    found: int = await db.value(
        "SELECT COUNT(*) FROM placement_drafts WHERE workspace_id = :workspace AND run_id = :run",
        workspace=workspace_id,
        run=run_id,
    )
    return found


async def drop_drafts(workspace_id: int) -> int:
    """Remove what recomputes of this workspace have worked out and not published, whichever they were."""
    return await db.execute(
        "DELETE FROM placement_drafts WHERE workspace_id = :workspace", workspace=workspace_id
    )


async def publish(workspace_id: int, run_id: int) -> int:
    """Make the placements equal to the run's drafts, writing only rows that differ; how many did."""
    of = {"workspace": workspace_id, "run": run_id}
    gone = await db.execute(
        """DELETE FROM placements WHERE workspace_id = :workspace AND NOT EXISTS (
             SELECT 1 FROM placement_drafts d WHERE d.workspace_id = :workspace AND d.run_id = :run
               AND d.customer_id = placements.customer_id)""",
        **of,
    )
    moved = await db.execute(
        f"""UPDATE placements SET run_id = d.run_id, {_ASSIGNED} FROM placement_drafts d
            WHERE d.workspace_id = :workspace AND d.run_id = :run
              AND placements.workspace_id = :workspace AND placements.customer_id = d.customer_id
              AND ({_DIFFERS})""",
        **of,
    )
    new = await db.execute(
        f"""INSERT INTO placements (workspace_id, run_id, customer_id, {_NAMES})
            SELECT d.workspace_id, d.run_id, d.customer_id, {_DRAFTED} FROM placement_drafts d
            WHERE d.workspace_id = :workspace AND d.run_id = :run AND NOT EXISTS (
              SELECT 1 FROM placements p
              WHERE p.workspace_id = :workspace AND p.customer_id = d.customer_id)""",
        **of,
    )
    return gone + moved + new


async def move_members(workspace_id: int, run_id: int, as_of: datetime, reason: str) -> None:
    """End the stays that the published placements no longer bear out, and begin those they call for.

    Only customers whose placement this run has changed or removed are looked at, so nothing changed
    means nothing written.
    """
    of = {"workspace": workspace_id, "run": run_id, "as_of": as_of}
    await db.execute(
        f"""UPDATE memberships SET left_at = :as_of, left_run_id = :run
            WHERE workspace_id = :workspace AND left_at IS NULL AND id IN (
              SELECT m.id FROM memberships m
              JOIN segments s ON s.workspace_id = m.workspace_id AND s.id = m.segment_id AND {_BUILT_IN}
              LEFT JOIN placements p ON p.workspace_id = m.workspace_id AND p.customer_id = m.customer_id
              WHERE m.workspace_id = :workspace AND m.left_at IS NULL
                AND (p.id IS NULL OR (p.run_id = :run AND NOT ({_IN}))))""",
        **of,
    )
    await db.execute(
        f"""INSERT INTO memberships
              (workspace_id, segment_id, customer_id, entered_at, entered_run_id, reason)
            SELECT p.workspace_id, s.id, p.customer_id, :as_of, p.run_id, :reason
            FROM placements p
            JOIN segments s ON s.workspace_id = p.workspace_id AND {_BUILT_IN} AND {_IN}
            WHERE p.workspace_id = :workspace AND p.run_id = :run AND NOT EXISTS (
              SELECT 1 FROM memberships m WHERE m.workspace_id = p.workspace_id
                AND m.segment_id = s.id AND m.customer_id = p.customer_id AND m.left_at IS NULL)""",
        reason=reason,
        **of,
    )


async def counts(workspace_id: int) -> dict[str, dict[str, int]]:
    """Customers in each occupied cell and tier."""
    found = await db.rows(
        """SELECT lifecycle, value_level, tier, COUNT(*) AS customers FROM placements
           WHERE workspace_id = :workspace GROUP BY lifecycle, value_level, tier""",
        workspace=workspace_id,
    )
    cells: dict[str, int] = {}
    tiers: dict[str, int] = {}
    for row in found:
        cell = f"{row['lifecycle']}:{row['value_level']}"
        cells[cell] = cells.get(cell, 0) + row["customers"]
        tiers[row["tier"]] = tiers.get(row["tier"], 0) + row["customers"]
    return {"cells": cells, "tiers": tiers}
