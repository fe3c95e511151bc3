"""What a customer is placed by, as parts of statements: figures of their own, ranks among all, and tiers."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from domain import timekeeping
from domain.segments.thresholds import SilverRule, Thresholds
from domain.timekeeping import Span

OWN = (
    "lifecycle",
    "value_level",
    "last_order_on",
    "frequency",
    "monetary_minor",
    "vip",
    "profit_key",
    "new_3m",
    "heard_at",
    "registered_at",
    "cancelled_at",
)
"""What depends on nobody else."""
SHARED = (
    "tier",
    "r_rank",
    "f_rank",
    "m_rank",
    "composite_rank",
    "r_estimate",
    "m_estimate",
    "composite_estimate",
)
"""What depends on where all others stand."""
FIGURES = OWN + SHARED
"""What a placement says. Who it is about, and which run last changed it, stand beside it."""
NAMES = ", ".join(FIGURES)
OWN_NAMES = ", ".join(OWN)

RANKED = """ranked AS (
          SELECT own.*, COUNT(*) OVER () AS n,
            ROW_NUMBER() OVER (ORDER BY (last_order_on IS NULL), last_order_on DESC, monetary_minor DESC,
              frequency DESC, id) AS r_rank,
            ROW_NUMBER() OVER (ORDER BY frequency DESC, monetary_minor DESC, (last_order_on IS NULL),
              last_order_on DESC, id) AS f_rank,
            ROW_NUMBER() OVER (ORDER BY monetary_minor DESC, (last_order_on IS NULL), last_order_on DESC,
              frequency DESC, id) AS m_rank
          FROM own
        ), composed AS (
          SELECT ranked.*,
            ROW_NUMBER() OVER (ORDER BY r_rank + f_rank + m_rank, m_rank, r_rank, id) AS composite_rank
          FROM ranked
        )"""
"""Ranks of all that `own` holds, each place once: ties are broken to the id."""

_SILVER = {
    SilverRule.COMPOSITE: "{composite} * 100 <= {silver}",
    SilverRule.M_ONLY: "{m} * 100 <= {silver}",
    SilverRule.R_AND_M: "{r} * 100 <= {silver} AND {m} * 100 <= {silver}",
}


class Part(NamedTuple):
    """Text of a statement with its parameters."""

    text: str
    params: Mapping[str, Any]


def differs(a: str, b: str, names: Sequence[str] = FIGURES) -> str:
    return " OR ".join(f"{a}.{name} IS DISTINCT FROM {b}.{name}" for name in names)


def tier(lines: Thresholds, ranks: tuple[str, str, str], quotas: tuple[str, str, str]) -> str:
    """The care tier by ranks r, m and composite, within quotas for gold by r, gold by m, and silver.

    A quota is a hundred times the places it gives: integers throughout, so that none is rounded up.
    """
    r, m, composite = ranks
    silver = _SILVER[lines.silver_rule].format(r=r, m=m, composite=composite, silver=quotas[2])
    return (
        f"CASE WHEN {r} * 100 <= {quotas[0]} AND {m} * 100 <= {quotas[1]} THEN 'GOLD' "
        f"WHEN {silver} THEN 'SILVER' ELSE 'BRONZE' END"
    )


def passed(moment: str, name: str, spans: Sequence[Span]) -> Part:
    """A condition that an instant lies in one of the spans."""
    alternatives, params = [], {}
    for number, span in enumerate(spans):
        start, end = f"{name}_start_{number}", f"{name}_end_{number}"
        params[end] = span.end
        if span.start is None:
            alternatives.append(f"{moment} <= :{end}")
        else:
            params[start] = span.start
            alternatives.append(f"{moment} BETWEEN :{start} AND :{end}")
    return Part(f"({' OR '.join(alternatives)})", params)


def own(lines: Thresholds, as_of: datetime, tz: ZoneInfo, chosen: str = "") -> Part:
    """Expressions `bought`, `counted` and `own`: each counted customer's figures from the raw orders.

    Counted are all but anonymised, merged and test records, also those who never bought (C-08). With
    `chosen`, the name of an expression with their ids, only of those.
    """

    def anniversaries(moment: str, name: str, months: int) -> Part:
        return passed(moment, name, timekeeping.anniversaries_passed(as_of, months, tz))

    churned = anniversaries("heard_at", "churned", lines.churned_months)
    silent = anniversaries("heard_at", "silent", lines.silent_months)
    tenured = anniversaries("registered_at", "tenured", lines.mature_tenure_months)
    orders = f" AND customer_id IN (SELECT id FROM {chosen})" if chosen else ""
    customers = f" AND c.id IN (SELECT id FROM {chosen})" if chosen else ""
    text = f"""bought AS (
          SELECT customer_id, MIN(ordered_on) AS first_on, MAX(ordered_on) AS last_on,
            SUM(CASE WHEN ordered_at >= :year_ago THEN 1 ELSE 0 END) AS frequency,
            SUM(CASE WHEN ordered_at >= :year_ago THEN amount_minor ELSE 0 END) AS monetary
          FROM orders
          WHERE workspace_id = :workspace AND status <> 'REFUNDED' AND ordered_at <= :as_of{orders}
          GROUP BY customer_id
        ), counted AS (
          SELECT c.id, c.registered_at, c.cancelled_at,
            COALESCE(c.last_interaction_at, c.registered_at) AS heard_at, b.first_on, b.last_on,
            COALESCE(b.frequency, 0) AS frequency,
            CAST(COALESCE(b.monetary, 0) AS bigint) AS monetary
          FROM customers c LEFT JOIN bought b ON b.customer_id = c.id
          WHERE c.workspace_id = :workspace AND c.excluded = FALSE{customers}
        ), own AS (
          SELECT id,
            CASE
              WHEN cancelled_at <= :as_of OR {churned.text} THEN 'CHURNED'
              WHEN {silent.text} THEN 'SILENT'
              WHEN registered_at >= :new_since THEN 'NEW'
              WHEN {tenured.text} AND frequency >= :mature_orders THEN 'MATURE'
              ELSE 'GROWTH'
            END AS lifecycle,
            CASE WHEN monetary > :high THEN 'HIGH' WHEN monetary > :medium THEN 'MEDIUM'
              ELSE 'ORDINARY' END AS value_level,
            last_on AS last_order_on, frequency, monetary AS monetary_minor,
            monetary > :vip AS vip, monetary > :profit_key AS profit_key,
            COALESCE(first_on >= :first_from, FALSE) AS new_3m, heard_at, registered_at, cancelled_at
          FROM counted
        )"""
    params = {
        "as_of": as_of,
        "year_ago": timekeeping.add_months(as_of, -12, tz),
        "new_since": as_of - timedelta(days=lines.new_days),
        "first_from": timekeeping.earliest_day_within(timekeeping.local_day(as_of, tz), 3),
        "mature_orders": lines.mature_orders,
        "high": lines.high_above_minor,
        "medium": lines.medium_above_minor,
        "vip": lines.vip_above_minor,
        "profit_key": lines.profit_key_above_minor,
    }
    return Part(text, {**params, **churned.params, **silent.params, **tenured.params})
