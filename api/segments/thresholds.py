"""The lines between groups, as they are shown and as they are moved."""

from dataclasses import fields
from typing import Any

import strawberry

import api.segments.enums  # noqa: F401
from api.scalars import Money, MoneyInput, minor_units, money
from domain import segments
from domain.errors import Invalid
from domain.segments import SilverRule, ThresholdsVersion

MEANING = {
    "new_days": "NEW: registered within so many days.",
    "silent_months": "SILENT: without interaction for so many calendar months.",
    "churned_months": "CHURNED: without interaction for so many calendar months.",
    "mature_tenure_months": "MATURE: registered so many calendar months ago or more.",
    "mature_orders": "MATURE: and so many orders or more within twelve months.",
    "high_above": "HIGH: more than this spent within twelve months.",
    "medium_above": "MEDIUM: more than this spent within twelve months.",
    "profit_key_above": "PROFIT_KEY: more than this spent within twelve months.",
    "vip_above": "VIP: more than this spent within twelve months.",
    "gold_r_percent": "GOLD: among so many percent of all customers by recency.",
    "gold_m_percent": "GOLD: and among so many percent of all customers by spend.",
    "silver_percent": "SILVER: not gold, and among so many percent of all customers.",
    "silver_rule": "SILVER: by which rank.",
}


def _line(name: str, **default: Any) -> Any:
    return strawberry.field(description=MEANING[name], **default)


@strawberry.type(description="Where the lines between groups are drawn.")
class SegmentationThresholds:
    number: int = strawberry.field(description="The version; 0 before any was set.")
    preset: str = strawberry.field(description="The named set that it started from.")
    new_days: int = _line("new_days")
    silent_months: int = _line("silent_months")
    churned_months: int = _line("churned_months")
    mature_tenure_months: int = _line("mature_tenure_months")
    mature_orders: int = _line("mature_orders")
    high_above: Money = _line("high_above")
    medium_above: Money = _line("medium_above")
    profit_key_above: Money = _line("profit_key_above")
    vip_above: Money = _line("vip_above")
    gold_r_percent: int = _line("gold_r_percent")
    gold_m_percent: int = _line("gold_m_percent")
    silver_percent: int = _line("silver_percent")
    silver_rule: SilverRule = _line("silver_rule")


@strawberry.input(description="Lines to move; what is left out or null stays as it is.")
class SegmentationThresholdsInput:
    new_days: int | None = _line("new_days", default=None)
    silent_months: int | None = _line("silent_months", default=None)
    churned_months: int | None = _line("churned_months", default=None)
    mature_tenure_months: int | None = _line("mature_tenure_months", default=None)
    mature_orders: int | None = _line("mature_orders", default=None)
    high_above: MoneyInput | None = _line("high_above", default=None)
    medium_above: MoneyInput | None = _line("medium_above", default=None)
    profit_key_above: MoneyInput | None = _line("profit_key_above", default=None)
    vip_above: MoneyInput | None = _line("vip_above", default=None)
    gold_r_percent: int | None = _line("gold_r_percent", default=None)
    gold_m_percent: int | None = _line("gold_m_percent", default=None)
    silver_percent: int | None = _line("silver_percent", default=None)
    silver_rule: SilverRule | None = _line("silver_rule", default=None)


def thresholds(version: ThresholdsVersion, currency: str) -> SegmentationThresholds:
    shown: dict[str, Any] = {
        name.removesuffix("_minor"): money(value, currency) if name.endswith("_minor") else value
        for name, value in vars(version.thresholds).items()
    }
    return SegmentationThresholds(number=version.number, preset=version.preset, **shown)


def changes(given: SegmentationThresholdsInput | None, currency: str) -> dict[str, Any]:
    """The lines named, as the domain calls them: amounts in minor units of the workspace's currency."""
    moves: dict[str, Any] = {}
    for field in fields(given) if given else ():
        value = getattr(given, field.name)
        if isinstance(value, MoneyInput):
            path = "input." + segments.camel(field.name)
            if value.currency != currency:
                raise Invalid(f"the workspace's currency is {currency}", field=path)
            moves[f"{field.name}_minor"] = minor_units(value, path)
        elif value is not None:
            moves[field.name] = value
    return moves
