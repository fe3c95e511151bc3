"""What a customer is worth by the documents' two formulas, and what both assume; in exact decimals."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, NamedTuple

from domain import db
from domain.errors import DomainError, ErrorCode, Invalid, Problem

SETTING = "clv"
DEFAULT_PRESET = "DOCUMENTS"
MOST_YEARS = 50
MOST_MINOR = 10**15


@dataclass(frozen=True)
class Assumptions:
    """By default the documents': 300 yuan for a new customer (S4-01), a retention of 58 % (S4-19), five
    years at 12 % (S4-82)."""

    retention: Decimal = Decimal("0.58")
    lifetime_years: int = 5
    discount_rate: Decimal = Decimal("0.12")
    acquisition_cost_minor: int = 300_00

    def document(self) -> dict[str, Any]:
        """As a version of the setting stores it."""
        return {
            "retention": str(self.retention),
            "lifetime_years": self.lifetime_years,
            "discount_rate": str(self.discount_rate),
            "acquisition_cost_minor": self.acquisition_cost_minor,
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Assumptions":
        """From a stored version; what it does not name is as the documents have it."""
        known = {field.name: document[field.name] for field in fields(cls) if field.name in document}
        for name in ("retention", "discount_rate"):
            if name in known:
                known[name] = Decimal(known[name])
        return cls(**known)

    def moved(self, changes: Mapping[str, Any]) -> "Assumptions":
        """These, with some of them changed; refused where one then lies outside its range."""
        for unknown in changes.keys() - {field.name for field in fields(self)}:
            raise Invalid(f"there is no assumption {unknown!r}", field="input")
        assumed = replace(self, **changes)
        assumed.check()
        return assumed

    def check(self) -> None:
        """Refuse what lies outside its range."""
        ranges: dict[str, tuple[Decimal | int, int, int]] = {
            "retention": (self.retention, 0, 1),
            "lifetimeYears": (self.lifetime_years, 1, MOST_YEARS),
            "discountRate": (self.discount_rate, 0, 1),
            "acquisitionCost": (self.acquisition_cost_minor, 0, MOST_MINOR),
        }
        problems = [
            Problem(ErrorCode.INVALID, f"{name} is between {low} and {high}", ("input", name))
            for name, (value, low, high) in ranges.items()
            if not low <= value <= high
        ]
        if problems:
            raise DomainError.of(problems)


class AssumptionsVersion(NamedTuple):
    """Assumptions with the number of their version; number 0 is what holds before any was set."""

    number: int
    assumptions: Assumptions


@dataclass(frozen=True)
class LifetimeValue:
    """Both values in minor units, with what they were made of. Either may be below zero."""

    simple_minor: int
    discounted_minor: int
    arpu_minor: int
    annuity: Decimal
    assumptions: Assumptions


def annuity(years: int, rate: Decimal) -> Decimal:
    """What 1 at the end of each of so many years is worth today (C-35): 3.604776 for 5 years at 12 %."""
    return sum(((1 + rate) ** -year for year in range(1, years + 1)), Decimal(0))


def lifetime_value(arpu_minor: int, given: Assumptions) -> LifetimeValue:
    """Both values for a yearly revenue.

    Simple (S4-18): revenue x retention x lifetime - acquisition cost, taken literally (C-34). Discounted
    (S4-82, C-35): the annuity in the lifetime's place. Rounded to minor units once, at the end.
    """
    kept = arpu_minor * given.retention
    factor = annuity(given.lifetime_years, given.discount_rate)
    return LifetimeValue(
        simple_minor=_whole(kept * given.lifetime_years - given.acquisition_cost_minor),
        discounted_minor=_whole(kept * factor - given.acquisition_cost_minor),
        arpu_minor=arpu_minor,
        annuity=factor,
        assumptions=given,
    )


def _whole(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_EVEN))


async def assumptions(workspace_id: int, number: int | None = None) -> AssumptionsVersion:
    """What holds now, or held in an earlier version; the documents' where nothing was set."""
    row = await db.one(
        """SELECT number, value FROM setting_versions
           WHERE workspace_id = :workspace AND name = :name AND number <= :number
           ORDER BY number DESC LIMIT 1""",
        workspace=workspace_id,
        name=SETTING,
        number=2**31 - 1 if number is None else number,
    )
    if row is None:
        return AssumptionsVersion(0, Assumptions())
    return AssumptionsVersion(row["number"], Assumptions.of(db.document_of(row["value"])))
