"""The scores of a page of customers by one statement, in whole numbers, alike on both databases."""

from datetime import datetime, timedelta
from typing import Any

from domain import db
from domain.health.signals import (
    CONTACT_DAYS,
    ENGAGED_DAYS,
    ENGAGED_LONG_DAYS,
    ENGAGED_POINTS,
    FRESH_DAYS,
    GONE_DAYS,
    ORDER_DAYS,
    RATING_DAYS,
)
from domain.health.weights import Weights

_PAGE = "workspace_id = :workspace AND customer_id > :after AND customer_id <= :upto"
_FIGURES = (
    "recency_days, orders, orders_before, asked, answered, ratings, rating_total, engaged, engaged_long"
)


def _days_since(column: str) -> str:
    """Whole days of 24 hours; never below zero."""
    if db.is_postgres():
        return f"CAST(floor(extract(epoch FROM CAST(:as_of AS timestamptz) - {column}) / 86400) AS integer)"
    return f"((unixepoch(:as_of) - unixepoch({column})) / 86400)"


def _figures() -> str:
    return f"""SELECT c.id AS customer_id,
        {_days_since("COALESCE(c.last_interaction_at, c.registered_at)")} AS recency_days,
        COALESCE(o.later, 0) AS orders, COALESCE(o.earlier, 0) AS orders_before,
        COALESCE(i.asked, 0) AS asked, COALESCE(i.answered, 0) AS answered,
        COALESCE(r.ratings, 0) AS ratings, COALESCE(r.total, 0) AS rating_total,
        COALESCE(e.later, 0) AS engaged, COALESCE(e.whole, 0) AS engaged_long
      FROM customers c
      LEFT JOIN (SELECT customer_id, SUM(CASE WHEN ordered_at > :orders_middle THEN 1 ELSE 0 END) AS later,
                   SUM(CASE WHEN ordered_at <= :orders_middle THEN 1 ELSE 0 END) AS earlier
                 FROM orders WHERE {_PAGE} AND status <> 'REFUNDED'
                   AND ordered_at > :orders_start AND ordered_at <= :as_of
                 GROUP BY customer_id) o ON o.customer_id = c.id
      LEFT JOIN (SELECT customer_id, COUNT(*) AS asked,
                   SUM(CASE WHEN result = 'NO_ANSWER' THEN 0 ELSE 1 END) AS answered
                 FROM interactions WHERE {_PAGE} AND direction = 'OUTBOUND' AND personal = :yes
                   AND result IN ('REACHED', 'REFUSED', 'NO_ANSWER')
                   AND occurred_at > :contacts_start AND occurred_at <= :as_of
                 GROUP BY customer_id) i ON i.customer_id = c.id
      LEFT JOIN (SELECT customer_id, SUM(CASE WHEN smooth IS NULL THEN 0 ELSE 1 END
                     + CASE WHEN meets IS NULL THEN 0 ELSE 1 END) AS ratings,
                   SUM(COALESCE(smooth, 0) + COALESCE(meets, 0)) AS total
                 FROM (SELECT customer_id, CAST(outcome ->> 'smoothness_of_use' AS integer) AS smooth,
                         CAST(outcome ->> 'need_satisfaction' AS integer) AS meets
                       FROM tasks WHERE {_PAGE} AND kind = 'POST_DELIVERY_CALLBACK' AND state = 'DONE'
                         AND closed_at > :ratings_start AND closed_at <= :as_of) told
                 GROUP BY customer_id) r ON r.customer_id = c.id
      LEFT JOIN (SELECT customer_id, SUM(CASE WHEN at > :engaged_start THEN 1 ELSE 0 END) AS later,
                   COUNT(*) AS whole
                 FROM (SELECT customer_id, occurred_at AS at FROM behaviour_events WHERE {_PAGE}
                       UNION ALL
                       SELECT customer_id, occurred_at FROM interactions
                       WHERE {_PAGE} AND direction = 'INBOUND') did
                 WHERE at > :engaged_long_start AND at <= :as_of
                 GROUP BY customer_id) e ON e.customer_id = c.id
      WHERE c.workspace_id = :workspace AND c.id > :after AND c.id <= :upto
        AND c.excluded = :no AND c.cancelled_at IS NULL"""


_SIGNALS = f"""
    CASE WHEN recency_days <= {FRESH_DAYS} THEN 100 WHEN recency_days >= {GONE_DAYS} THEN 0
      ELSE ({GONE_DAYS} - recency_days) * 100 / {GONE_DAYS - FRESH_DAYS} END AS recency,
    CASE WHEN orders + orders_before = 0 THEN NULL WHEN orders >= orders_before THEN 100
      ELSE 100 * orders / orders_before END AS frequency,
    CASE WHEN asked > 0 THEN 100 * answered / asked END AS response,
    CASE WHEN ratings > 0 THEN 25 * (rating_total - ratings) / ratings END AS satisfaction,
    CASE WHEN engaged_long = 0 THEN NULL WHEN engaged * {ENGAGED_POINTS} > 100 THEN 100
      ELSE engaged * {ENGAGED_POINTS} END AS engagement"""


async def score_page(
    workspace_id: int, run_id: int, after: int, upto: int, as_of: datetime, weights: Weights
) -> int:
    """Score the customers who count among these ids; how many."""
    named = ("recency", "frequency", "response", "satisfaction", "engagement")
    known = " + ".join(f"CASE WHEN {name} IS NULL THEN 0 ELSE {getattr(weights, name)} END" for name in named)
    gained = " + ".join(f"COALESCE({name}, 0) * {getattr(weights, name)}" for name in named)
    return await db.execute(
        f"""INSERT INTO health_scores (workspace_id, run_id, customer_id, {_FIGURES}, score, band)
            SELECT :workspace, :run, customer_id, {_FIGURES}, score,
              CASE WHEN score >= {weights.green_from} THEN 'GREEN'
                WHEN score >= {weights.yellow_from} THEN 'YELLOW' ELSE 'RED' END
            FROM (SELECT said.*, (2 * ({gained}) + ({known})) / (2 * ({known})) AS score
                  FROM (SELECT figures.*, {_SIGNALS} FROM ({_figures()}) figures) said) scored""",
        run=run_id,
        as_of=as_of,
        yes=True,
        no=False,
        **_page(workspace_id, after, upto),
        **_starts(as_of),
    )


def _page(workspace_id: int, after: int, upto: int) -> dict[str, Any]:
    return {"workspace": workspace_id, "after": after, "upto": upto}


def _starts(as_of: datetime) -> dict[str, datetime]:
    """The instants behind which each signal looks."""
    return {
        "orders_start": as_of - timedelta(days=2 * ORDER_DAYS),
        "orders_middle": as_of - timedelta(days=ORDER_DAYS),
        "contacts_start": as_of - timedelta(days=CONTACT_DAYS),
        "ratings_start": as_of - timedelta(days=RATING_DAYS),
        "engaged_start": as_of - timedelta(days=ENGAGED_DAYS),
        "engaged_long_start": as_of - timedelta(days=ENGAGED_LONG_DAYS),
    }


async def note_moves(workspace_id: int, run_id: int, last_run: int, after: int, upto: int) -> int:
    """Keep the scores of a page that are others than those of the run in force; how many."""
    return await db.execute(
        """INSERT INTO health_moves (workspace_id, run_id, customer_id, score, band)
           SELECT fresh.workspace_id, fresh.run_id, fresh.customer_id, fresh.score, fresh.band
           FROM health_scores fresh
           LEFT JOIN health_scores old ON old.workspace_id = :workspace AND old.run_id = :last
             AND old.customer_id = fresh.customer_id
           WHERE fresh.workspace_id = :workspace AND fresh.run_id = :run
             AND fresh.customer_id > :after AND fresh.customer_id <= :upto
             AND (old.id IS NULL OR old.score <> fresh.score OR old.band <> fresh.band)""",
        run=run_id,
        last=last_run,
        **_page(workspace_id, after, upto),
    )


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


async def written(workspace_id: int, run_id: int) -> int:
    return int(
        await db.value(
            "SELECT COUNT(*) AS many FROM health_scores WHERE workspace_id = :workspace AND run_id = :run",
            workspace=workspace_id,
            run=run_id,
        )
    )


async def remove_unpublished(workspace_id: int, limit: int) -> int:
    """Of runs that were never published, the moves and so many scores; how many of these."""
    never = """workspace_id = :workspace AND run_id NOT IN (
                 SELECT run_id FROM health_publications WHERE workspace_id = :workspace)"""
    await db.execute(f"DELETE FROM health_moves WHERE {never}", workspace=workspace_id)
    return await _remove(never, workspace_id, limit)


async def remove_superseded(workspace_id: int, run_id: int, limit: int) -> int:
    """So many scores of earlier published runs than this one; how many."""
    return await _remove(
        """workspace_id = :workspace AND run_id <> :run AND run_id IN (
             SELECT run_id FROM health_publications WHERE workspace_id = :workspace)""",
        workspace_id,
        limit,
        run=run_id,
    )


async def _remove(condition: str, workspace_id: int, limit: int, **params: Any) -> int:
    return await db.execute(
        f"""DELETE FROM health_scores WHERE workspace_id = :workspace AND id IN (
              SELECT id FROM health_scores WHERE {condition} LIMIT :limit)""",
        workspace=workspace_id,
        limit=limit,
        **params,
    )
