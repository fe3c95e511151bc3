"""Where the lines between groups are drawn: lifecycle, value and care tiers."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, NamedTuple

from domain.errors import DomainError, ErrorCode, Problem

SETTING = "segmentation"
DEFAULT_PRESET = "DOCUMENTS"
MOST_MINOR = 10**15
MOST_MONTHS = 120
MOST_DAYS = 3660


class SilverRule(StrEnum):
    """By what measure "the top 40% of customers" are found (S4-25, C-06)."""

    COMPOSITE = "COMPOSITE"
    M_ONLY = "M_ONLY"
    R_AND_M = "R_AND_M"


@dataclass(frozen=True)
class Thresholds:
    """One set of lines, by default the documents' (C-01, C-03, C-19, C-20, S4-24, S4-25).

    Amounts are minor units spent within the last twelve months, each exceeded strictly. Months are
    calendar months, clamped to a month's last day. Percentages are of all customers counted.
    """

    new_days: int = 90
    silent_months: int = 6
    churned_months: int = 12
    mature_tenure_months: int = 12
    mature_orders: int = 3
    high_above_minor: int = 10_000_00
    medium_above_minor: int = 2_000_00
    profit_key_above_minor: int = 50_000_00
    vip_above_minor: int = 100_000_00
    gold_r_percent: int = 20
    gold_m_percent: int = 15
    silver_percent: int = 40
    silver_rule: SilverRule = SilverRule.COMPOSITE

    def document(self) -> dict[str, Any]:
        """As a version of the setting stores it."""
        return asdict(self)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Thresholds":
        """From a stored version; a line that it does not name stands where the documents draw it."""
        known = {field.name: document[field.name] for field in fields(cls) if field.name in document}
        if "silver_rule" in known:
            known["silver_rule"] = SilverRule(known["silver_rule"])
        return cls(**known)

    def check(self) -> None:
        """Refuse lines that contradict each other or lie outside their range."""
        problems = [
            Problem(ErrorCode.INVALID, f"{name} is between {low} and {high}", ("input", camel(name)))
            for name, (low, high) in _RANGES.items()
            if not low <= getattr(self, name) <= high
        ]
        if self.high_above_minor <= self.medium_above_minor:
            problems.append(
                Problem(
                    ErrorCode.INVALID,
                    "high value begins above medium value",
                    ("input", camel("high_above_minor")),
                )
            )
        if self.churned_months <= self.silent_months:
            problems.append(
                Problem(
                    ErrorCode.INVALID,
                    "a customer is silent before churned",
                    ("input", camel("churned_months")),
                )
            )
        if problems:
            raise DomainError.of(problems)


class ThresholdsVersion(NamedTuple):
    """Thresholds with the number of their version; number 0 is what holds before any was set."""

    number: int
    preset: str
    thresholds: Thresholds


PRESETS = {
    DEFAULT_PRESET: Thresholds(),
    "CDNOW_USD": Thresholds(
        high_above_minor=125_00,
        medium_above_minor=50_00,
        profit_key_above_minor=625_00,
        vip_above_minor=1_250_00,
    ),
}
"""Named sets of lines.

`DOCUMENTS` is in CNY. `CDNOW_USD` suits the CDNOW data set (23,570 customers, 69,659 orders in USD):
of the 8,332 customers who bought in its last twelve months, 28% spent more than 125.00 USD, and 28% is
the share of the high-value group in S4-20; PROFIT_KEY and VIP lie five and ten times above, as in
DOCUMENTS. MEDIUM begins at 50.00: at the documents' fifth, 25.00, whoever orders three times a year has
passed it, and MATURE at ORDINARY would be all but empty. With the orders shifted to end yesterday,
MATURE, GROWTH and SILENT fill at all three value levels and CHURNED at ORDINARY: at least 10 of the
15 cells. NEW stays empty, since everybody's first order is more than a year old.
"""

_RANGES = {
    "new_days": (1, MOST_DAYS),
    "silent_months": (1, MOST_MONTHS),
    "churned_months": (1, MOST_MONTHS),
    "mature_tenure_months": (1, MOST_MONTHS),
    "mature_orders": (1, 1_000_000),
    "high_above_minor": (0, MOST_MINOR),
    "medium_above_minor": (0, MOST_MINOR),
    "profit_key_above_minor": (0, MOST_MINOR),
    "vip_above_minor": (0, MOST_MINOR),
    "gold_r_percent": (1, 100),
    "gold_m_percent": (1, 100),
    "silver_percent": (1, 100),
}


def camel(name: str) -> str:
    """A line's name as the API spells it; there an amount is money, without its unit in the name."""
    first, *rest = name.removesuffix("_minor").split("_")
    return first + "".join(word.title() for word in rest)
