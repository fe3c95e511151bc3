"""What a back-test found: predicted and actual orders, and how often a warning was right."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

PLACES = Decimal("0.000001")


class WarningRule(StrEnum):
    """Who is warned of on the day of the cut, and who then counts as lost (S4-48)."""

    NOT_ALIVE = "NOT_ALIVE"
    NO_ORDER = "NO_ORDER"
    QUIET_30_DAYS = "QUIET_30_DAYS"


@dataclass(frozen=True)
class Bucket:
    """Customers with so many repeat purchases before the cut; orders after it, for each of them."""

    repeats: int
    customers: int
    predicted: float
    actual: float


@dataclass(frozen=True)
class Warned:
    """How many customers a rule warned of, how many were lost, and of how many both is true."""

    rule: WarningRule
    customers: int
    warned: int
    lost: int
    both: int

    @property
    def precision(self) -> Decimal | None:
        """Of those warned of, the share that was lost."""
        return _share(self.both, self.warned)

    @property
    def recall(self) -> Decimal | None:
        """Of those lost, the share that was warned of."""
        return _share(self.both, self.lost)

    @property
    def prevalence(self) -> Decimal | None:
        """The share that was lost: the precision of warning of everybody."""
        return _share(self.lost, self.customers)


def _share(part: int, whole: int) -> Decimal | None:
    return (Decimal(part) / whole).quantize(PLACES) if whole else None


@dataclass(frozen=True)
class Holdout:
    """A model of the orders up to `cut_on`, held against those from then until `until`."""

    cut_on: date
    until: date
    customers: int
    buckets: list[Bucket]
    warned: list[Warned]

    def document(self) -> dict[str, Any]:
        """As a model stores it."""
        return {
            "cut_on": self.cut_on.isoformat(),
            "until": self.until.isoformat(),
            "customers": self.customers,
            "buckets": [vars(bucket) for bucket in self.buckets],
            "warned": [{**vars(warned), "rule": warned.rule.value} for warned in self.warned],
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Holdout":
        """From a stored model."""
        return cls(
            date.fromisoformat(document["cut_on"]),
            date.fromisoformat(document["until"]),
            document["customers"],
            [Bucket(**bucket) for bucket in document["buckets"]],
            [Warned(**{**warned, "rule": WarningRule(warned["rule"])}) for warned in document["warned"]],
        )
