"""Says why a customer is placed where they are: each condition, its value, its line, and whether it holds."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from domain import db, money, timekeeping, workspaces
from domain.segments.models import LifecycleStage, Placement, RfmTier, ValueLevel
from domain.segments.queries import latest, placements_by_customer, thresholds
from domain.segments.thresholds import SilverRule, Thresholds
from domain.timekeeping import Span


class Decides(StrEnum):
    """What a condition is about."""

    LIFECYCLE = "LIFECYCLE"
    VALUE = "VALUE"
    TIER = "TIER"


@dataclass(frozen=True)
class Condition:
    """One test of an ordered list: the first `answer` whose conditions hold is the customer's.

    All of an answer's conditions must hold, of CHURNED's any. `value` is none where the customer's
    record has changed since the recompute; `holds` then says what it found. `decisive` are those that
    hold of the customer's own answer: why it is this one.
    """

    decides: Decides
    answer: str
    name: str
    value: str | None
    threshold: str
    holds: bool
    decisive: bool = False


async def explain(workspace_id: int, customer_id: int) -> list[Condition]:
    """The tests behind one customer's placement; see `explanations`."""
    return (await explanations(workspace_id, [customer_id]))[customer_id]


async def explanations(workspace_id: int, ids: Collection[int]) -> dict[int, list[Condition]]:
    """The tests behind published placements, by the thresholds of their recompute; empty if not placed.

    Instants are ISO 8601 in UTC, amounts with the workspace's currency, ranks counted from 1.
    """
    found: dict[int, list[Condition]] = {customer_id: [] for customer_id in ids}
    last = await latest(workspace_id)
    if last is None:
        return found
    lines = (await thresholds(workspace_id, last.thresholds_number)).thresholds
    workspace = await workspaces.get(workspace_id)
    tz = timekeeping.zone(workspace.zone)
    records = await db.rows(
        """SELECT id, registered_at, cancelled_at, last_interaction_at FROM customers
           WHERE workspace_id = :workspace AND id IN :ids""",
        workspace=workspace_id,
        ids=list(ids),
    )
    customers = {record["id"]: record for record in records}
    for customer_id, placement in (await placements_by_customer(workspace_id, ids)).items():
        found[customer_id] = [
            *_marked(
                placement.lifecycle, _lifecycle(placement, customers[customer_id], last.as_of, tz, lines)
            ),
            *_marked(placement.value_level, _value(placement, lines, workspace.currency)),
            *_marked(placement.tier, _tier(placement, last.ranked or last.customers, lines)),
        ]
    return found


def _marked(answer: str, conditions: list[Condition]) -> list[Condition]:
    """The conditions, with those marked that made this the answer."""
    return [replace(each, decisive=each.holds and each.answer == answer) for each in conditions]


def _lifecycle(
    placement: Placement, customer: Mapping[str, Any], as_of: datetime, tz: ZoneInfo, lines: Thresholds
) -> list[Condition]:
    if placement.registered_at is not None and placement.heard_at is not None:
        registered, heard, cancelled = placement.registered_at, placement.heard_at, placement.cancelled_at
    else:  # placed by a version that did not keep what it stood on
        registered = db.instant_of(customer["registered_at"])
        heard = db.instant_of(customer["last_interaction_at"] or customer["registered_at"])
        cancelled = db.instant_of(customer["cancelled_at"]) if customer["cancelled_at"] else None

    def condition(
        stage: LifecycleStage, name: str, value: datetime | int | None, threshold: str, holds: bool
    ) -> Condition:
        shown = value.isoformat() if isinstance(value, datetime) else None if value is None else str(value)
        return Condition(Decides.LIFECYCLE, stage.value, name, shown, threshold, holds)

    def passed(moment: datetime, months: int) -> bool:
        return _within(moment, timekeeping.anniversaries_passed(as_of, months, tz))

    found = [
        condition(
            LifecycleStage.CHURNED,
            "cancelledAt",
            cancelled,
            as_of.isoformat(),
            cancelled is not None and cancelled <= as_of,
        ),
        condition(
            LifecycleStage.CHURNED,
            "lastInteractionAt",
            heard,
            f"{lines.churned_months} months ago",
            passed(heard, lines.churned_months),
        ),
        condition(
            LifecycleStage.SILENT,
            "lastInteractionAt",
            heard,
            f"{lines.silent_months} months ago",
            passed(heard, lines.silent_months),
        ),
        condition(
            LifecycleStage.NEW,
            "registeredAt",
            registered,
            f"within {lines.new_days} days",
            registered >= as_of - timedelta(days=lines.new_days),
        ),
        condition(
            LifecycleStage.MATURE,
            "registeredAt",
            registered,
            f"{lines.mature_tenure_months} months ago",
            passed(registered, lines.mature_tenure_months),
        ),
        condition(
            LifecycleStage.MATURE,
            "frequency",
            placement.frequency,
            f">= {lines.mature_orders}",
            placement.frequency >= lines.mature_orders,
        ),
        condition(LifecycleStage.GROWTH, "otherwise", None, "", True),
    ]
    return _as_stored(found, placement.lifecycle)


def _within(moment: datetime, spans: Sequence[Span]) -> bool:
    return any((span.start is None or span.start <= moment) and moment <= span.end for span in spans)


def decided(conditions: Sequence[Condition]) -> str:
    """The first answer whose conditions hold."""
    for answer in dict.fromkeys(condition.answer for condition in conditions):
        holding = [condition.holds for condition in conditions if condition.answer == answer]
        if any(holding) if answer == LifecycleStage.CHURNED else all(holding):
            return answer
    raise AssertionError("the last answer holds otherwise")


def _as_stored(found: list[Condition], stored: LifecycleStage) -> list[Condition]:
    """The conditions as they were found to hold, also when the customer's record has changed since."""
    if decided(found) == stored:
        return found
    answers = [condition.answer for condition in found]
    place = answers.index(stored)
    return [
        replace(condition, value=None, holds=condition.answer == stored and condition.name != "cancelledAt")
        if condition.name != "frequency" and answers.index(condition.answer) <= place
        else condition
        for condition in found
    ]


def _value(placement: Placement, lines: Thresholds, currency: str) -> list[Condition]:
    spent = placement.monetary_minor

    def condition(level: ValueLevel, above: int) -> Condition:
        value, threshold = money.shown(spent, currency), f"> {money.shown(above, currency)}"
        return Condition(Decides.VALUE, level.value, "monetary", value, threshold, spent > above)

    return [
        condition(ValueLevel.HIGH, lines.high_above_minor),
        condition(ValueLevel.MEDIUM, lines.medium_above_minor),
        Condition(Decides.VALUE, ValueLevel.ORDINARY.value, "otherwise", None, "", True),
    ]


def _tier(placement: Placement, n: int, lines: Thresholds) -> list[Condition]:
    quick = placement.r_estimate is not None

    def condition(tier: RfmTier, name: str, rank: int, percent: int) -> Condition:
        value = f"about {rank}" if quick else str(rank)
        return Condition(
            Decides.TIER, tier.value, name, value, f"<= {percent * n // 100}", rank * 100 <= percent * n
        )

    estimates = placement.r_estimate, placement.m_estimate, placement.composite_estimate
    ranks = placement.r_rank, placement.m_rank, placement.composite_rank
    r_place, m_place, composite_place = (e or rank for e, rank in zip(estimates, ranks, strict=True))
    r, m = ("rRank", r_place), ("mRank", m_place)
    silver = {
        SilverRule.COMPOSITE: [("compositeRank", composite_place)],
        SilverRule.M_ONLY: [m],
        SilverRule.R_AND_M: [r, m],
    }[lines.silver_rule]
    return [
        condition(RfmTier.GOLD, *r, lines.gold_r_percent),
        condition(RfmTier.GOLD, *m, lines.gold_m_percent),
        *(condition(RfmTier.SILVER, *rank, lines.silver_percent) for rank in silver),
        Condition(Decides.TIER, RfmTier.BRONZE.value, "otherwise", None, "", True),
    ]
