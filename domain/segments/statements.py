"""The statements of a recompute: all customers of a workspace at once, or those given."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from domain import db
from domain.segments import boundaries
from domain.segments.figures import FIGURES, NAMES, OWN, OWN_NAMES, RANKED, Part, differs, own, tier
from domain.segments.models import BUILT_IN
from domain.segments.thresholds import Thresholds

_DRAFTED = ", ".join(f"d.{name}" for name in FIGURES)
_ASSIGNED = ", ".join(f"{name} = d.{name}" for name in FIGURES)
_INTO = f"INSERT INTO placement_drafts (workspace_id, run_id, gone, customer_id, {NAMES})"
_PLACED_BEFORE = "LEFT JOIN placements p ON p.workspace_id = :workspace AND p.customer_id"

_IN = """CASE s.key WHEN 'VIP' THEN p.vip WHEN 'PROFIT_KEY' THEN p.profit_key WHEN 'NEW_3M' THEN p.new_3m
  ELSE s.key IN ('cell:' || p.lifecycle || ':' || p.value_level, 'tier:' || p.tier) END"""
"""Whether placement p belongs to segment s; unknown where there is no placement."""
_BUILT_IN = f"s.kind IN {tuple(kind.value for kind in BUILT_IN)}"
"""Placements fill these; a workspace's own segments are filled by their own runs."""
_OF = "d.workspace_id = :workspace AND d.run_id = :run"


async def plan_for_whole_tables() -> None:
    """Have PostgreSQL join by hashing for the rest of the running transaction.

    Freshly written tables have no statistics yet, and for a table that it takes to be empty the
    planner chooses nested loops, or merges by a key that all rows share: a minute instead of a second.
    """
    if db.is_postgres():
        await db.execute("SET LOCAL enable_nestloop = off")
        await db.execute("SET LOCAL enable_mergejoin = off")
        await db.execute("SET LOCAL work_mem = '128MB'")


async def plan_for_few() -> None:
    """Have PostgreSQL find the rows of a few customers by their indexes, for the rest of the transaction.

    It cannot know how few the drafts name, and for a table that has grown since it was last counted it
    may choose to read all of it for each of them.
    """
    if db.is_postgres():
        for way in ("seqscan", "hashjoin", "mergejoin"):
            await db.execute(f"SET LOCAL enable_{way} = off")


def _of_all(source: str, lines: Thresholds) -> str:
    """What ranks everybody in `source` (an expression `own`), and gives what differs from the published."""
    quotas = (f"{lines.gold_r_percent} * n", f"{lines.gold_m_percent} * n", f"{lines.silver_percent} * n")
    word = tier(lines, ("r_rank", "m_rank", "composite_rank"), quotas)
    return f"""WITH {source}, {RANKED}, placed AS (
          SELECT id AS customer_id, {OWN_NAMES}, {word} AS tier, r_rank, f_rank, m_rank, composite_rank,
            CAST(NULL AS bigint) AS r_estimate, CAST(NULL AS bigint) AS m_estimate,
            CAST(NULL AS bigint) AS composite_estimate
          FROM composed
        )
        SELECT :workspace, :run, FALSE, d.customer_id, {_DRAFTED}
        FROM placed d {_PLACED_BEFORE} = d.customer_id
        WHERE p.id IS NULL OR {differs("p", "d")}"""


async def stage(workspace_id: int, run_id: int, lines: Thresholds, as_of: datetime, tz: ZoneInfo) -> None:
    """Put into the run's drafts how everybody's placement is to change, worked out from the raw orders.

    The statement is one snapshot: no order can count for one rank and not for another.
    """
    source = own(lines, as_of, tz)
    await db.execute(
        f"{_INTO} {_of_all(source.text, lines)}", workspace=workspace_id, run=run_id, **source.params
    )
    await _stage_gone(workspace_id, run_id, Part("", {}))


async def stage_ranks(workspace_id: int, run_id: int, lines: Thresholds) -> None:
    """Put into the drafts how ranks and tiers are to change, worked out from the published figures."""
    source = f"""own AS (SELECT customer_id AS id, {OWN_NAMES} FROM placements
                 WHERE workspace_id = :workspace)"""
    becomes = ", ".join(f"{name} = excluded.{name}" for name in FIGURES)
    await db.execute(
        f"""{_INTO} {_of_all(source, lines)}
            ON CONFLICT (workspace_id, run_id, customer_id) DO UPDATE SET {becomes}""",
        workspace=workspace_id,
        run=run_id,
    )


async def stage_some(
    workspace_id: int,
    run_id: int,
    lines: Thresholds,
    as_of: datetime,
    tz: ZoneInfo,
    ids: Sequence[int],
    ranked: int,
) -> None:
    """Put into the drafts how the placements of these customers are to change; ranks stay as they are.

    Whose recency, frequency and spend are as they were keeps the tier; of others it is decided by the
    stored boundaries and quantiles of the `ranked` who were there then.
    """
    source, places = own(lines, as_of, tz, "chosen"), boundaries.estimated()
    word = tier(lines, ("e.r", "e.m", "e.c"), (":gold_r", ":gold_m", ":silver"))
    same = """p.last_order_on IS NOT DISTINCT FROM o.last_order_on AND p.frequency = o.frequency
              AND p.monetary_minor = o.monetary_minor"""
    own_names = ", ".join(f"o.{name}" for name in OWN)
    await db.execute(
        f"""{_INTO}
        WITH chosen AS (
          SELECT id FROM customers WHERE workspace_id = :workspace AND id IN :ids
        ), {source.text}, {places.text}, placed AS (
          SELECT o.id AS customer_id, {own_names},
            CASE WHEN {same} THEN p.tier ELSE {word} END AS tier,
            COALESCE(p.r_rank, 0) AS r_rank, COALESCE(p.f_rank, 0) AS f_rank,
            COALESCE(p.m_rank, 0) AS m_rank, COALESCE(p.composite_rank, 0) AS composite_rank,
            CASE WHEN {same} THEN p.r_estimate ELSE e.r END AS r_estimate,
            CASE WHEN {same} THEN p.m_estimate ELSE e.m END AS m_estimate,
            CASE WHEN {same} THEN p.composite_estimate ELSE e.c END AS composite_estimate
          FROM own o JOIN estimated e ON e.id = o.id {_PLACED_BEFORE} = o.id
        )
        SELECT :workspace, :run, FALSE, d.customer_id, {_DRAFTED}
        FROM placed d {_PLACED_BEFORE} = d.customer_id
        WHERE p.id IS NULL OR {differs("p", "d")}""",
        workspace=workspace_id,
        run=run_id,
        ids=ids,
        gold_r=lines.gold_r_percent * ranked,
        gold_m=lines.gold_m_percent * ranked,
        silver=lines.silver_percent * ranked,
        **source.params,
    )
    await _stage_gone(workspace_id, run_id, Part(" AND p.customer_id IN :ids", {"ids": ids}))


async def _stage_gone(workspace_id: int, run_id: int, among: Part) -> None:
    names = ", ".join(f"p.{name}" for name in FIGURES)
    await db.execute(
        f"""{_INTO} SELECT :workspace, :run, TRUE, p.customer_id, {names} FROM placements p
            JOIN customers c ON c.workspace_id = p.workspace_id AND c.id = p.customer_id
            WHERE p.workspace_id = :workspace AND c.excluded = TRUE{among.text}""",
        workspace=workspace_id,
        run=run_id,
        **among.params,
    )


async def drift(workspace_id: int, run_id: int, unseen: Part) -> int:
    """How many drafts of a full pass change what neither a mark nor the passing of time can have changed.

    Every earlier pass should have left these as the raw orders say.
    """
    found: int = await db.value(
        f"""SELECT COUNT(*) FROM placement_drafts d {_PLACED_BEFORE} = d.customer_id
            WHERE {_OF} AND (d.gone = TRUE OR p.id IS NULL OR {differs("p", "d", OWN)})
              AND NOT EXISTS (SELECT 1 FROM placement_marks k
                WHERE k.workspace_id = :workspace AND k.customer_id = d.customer_id)
              AND d.customer_id NOT IN ({unseen.text})""",
        workspace=workspace_id,
        run=run_id,
        **unseen.params,
    )
    return found


async def drafted(workspace_id: int, run_id: int) -> int:
    found: int = await db.value(
        f"SELECT COUNT(*) FROM placement_drafts d WHERE {_OF}", workspace=workspace_id, run=run_id
    )
    return found


async def growth(workspace_id: int, run_id: int) -> int:
    """By how many customers a run's drafts will make the placements more."""
    found: int = await db.value(
        f"""SELECT COALESCE(SUM(CASE WHEN d.gone = TRUE THEN -1 WHEN p.id IS NULL THEN 1 ELSE 0 END), 0)
            FROM placement_drafts d {_PLACED_BEFORE} = d.customer_id WHERE {_OF}""",
        workspace=workspace_id,
        run=run_id,
    )
    return int(found)


async def placed(workspace_id: int) -> int:
    found: int = await db.value(
        "SELECT COUNT(*) FROM placements WHERE workspace_id = :workspace", workspace=workspace_id
    )
    return found


async def drop_drafts(workspace_id: int) -> int:
    """Remove what recomputes of this workspace have worked out and not published, whichever they were."""
    return await db.execute(
        "DELETE FROM placement_drafts WHERE workspace_id = :workspace", workspace=workspace_id
    )


async def publish(workspace_id: int, run_id: int) -> None:
    """Change the placements as the run's drafts say, and no others."""
    of = {"workspace": workspace_id, "run": run_id}
    await db.execute(
        f"""DELETE FROM placements WHERE workspace_id = :workspace AND customer_id IN (
              SELECT d.customer_id FROM placement_drafts d WHERE {_OF} AND d.gone = TRUE)""",
        **of,
    )
    await db.execute(
        f"""UPDATE placements SET run_id = d.run_id, {_ASSIGNED} FROM placement_drafts d
            WHERE {_OF} AND d.gone = FALSE AND placements.workspace_id = :workspace
              AND placements.customer_id = d.customer_id AND ({differs("placements", "d")})""",
        **of,
    )
    await db.execute(
        f"""INSERT INTO placements (workspace_id, run_id, customer_id, {NAMES})
            SELECT d.workspace_id, d.run_id, d.customer_id, {_DRAFTED} FROM placement_drafts d
            WHERE {_OF} AND d.gone = FALSE AND NOT EXISTS (
              SELECT 1 FROM placements p
              WHERE p.workspace_id = :workspace AND p.customer_id = d.customer_id)""",
        **of,
    )


async def move_members(workspace_id: int, run_id: int, as_of: datetime, reason: str) -> None:
    """End the stays that the published placements no longer bear out, and begin those they call for.

    Only customers whom the run's drafts name are looked at, so nothing changed means nothing written.
    """
    of: dict[str, Any] = {"workspace": workspace_id, "run": run_id, "as_of": as_of}
    await db.execute(
        f"""WITH leaving AS MATERIALIZED (
              SELECT m.id FROM placement_drafts d
              JOIN memberships m ON m.workspace_id = d.workspace_id AND m.customer_id = d.customer_id
                AND m.left_at IS NULL
              JOIN segments s ON s.workspace_id = m.workspace_id AND s.id = m.segment_id AND {_BUILT_IN}
              LEFT JOIN placements p ON p.workspace_id = m.workspace_id AND p.customer_id = m.customer_id
              WHERE {_OF} AND (p.id IS NULL OR NOT ({_IN})))
            UPDATE memberships SET left_at = :as_of, left_run_id = :run
            WHERE workspace_id = :workspace AND left_at IS NULL AND id IN (SELECT id FROM leaving)""",
        **of,
    )
    await db.execute(
        f"""INSERT INTO memberships
              (workspace_id, segment_id, customer_id, entered_at, entered_run_id, reason)
            SELECT p.workspace_id, s.id, p.customer_id, :as_of, :run, :reason
            FROM placement_drafts d
            JOIN placements p ON p.workspace_id = d.workspace_id AND p.customer_id = d.customer_id
            JOIN segments s ON s.workspace_id = p.workspace_id AND {_BUILT_IN} AND {_IN}
            WHERE {_OF} AND NOT EXISTS (
              SELECT 1 FROM memberships m WHERE m.workspace_id = p.workspace_id
                AND m.segment_id = s.id AND m.customer_id = p.customer_id AND m.left_at IS NULL)""",
        reason=reason,
        **of,
    )


Counts = dict[str, dict[str, int]]


async def counts(workspace_id: int) -> Counts:
    """Customers in each occupied cell and tier."""
    found = await db.rows(
        """SELECT lifecycle, value_level, tier, COUNT(*) AS customers FROM placements
           WHERE workspace_id = :workspace GROUP BY lifecycle, value_level, tier""",
        workspace=workspace_id,
    )
    return _counted({}, found)


async def counts_after(workspace_id: int, run_id: int, before: Counts) -> Counts:
    """The same once the drafts are published, in proportion to them; to be asked before."""
    names = ("lifecycle", "value_level", "tier")
    own, was = (", ".join(f"{of}.{name}" for name in names) for of in ("d", "p"))
    found = await db.rows(
        f"""SELECT lifecycle, value_level, tier, SUM(customers) AS customers FROM (
              SELECT {own}, 1 AS customers FROM placement_drafts d WHERE {_OF} AND d.gone = FALSE
              UNION ALL
              SELECT {was}, -1 FROM placement_drafts d
              JOIN placements p ON p.workspace_id = d.workspace_id AND p.customer_id = d.customer_id
              WHERE {_OF}) shifted
            GROUP BY lifecycle, value_level, tier""",
        workspace=workspace_id,
        run=run_id,
    )
    return _counted(before, found)


def _counted(before: Counts, found: Sequence[Mapping[str, Any]]) -> Counts:
    cells, tiers = dict(before.get("cells", {})), dict(before.get("tiers", {}))
    for row in found:
        cell, customers = f"{row['lifecycle']}:{row['value_level']}", int(row["customers"])
        cells[cell] = cells.get(cell, 0) + customers
        tiers[row["tier"]] = tiers.get(row["tier"], 0) + customers
    return {
        "cells": {cell: many for cell, many in cells.items() if many},
        "tiers": {tier: many for tier, many in tiers.items() if many},
    }
