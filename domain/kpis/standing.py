"""How a KPI stands against its target: exact, by whole counts and fractions, never by floats."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from fractions import Fraction
from zoneinfo import ZoneInfo

from domain import timekeeping
from domain.kpis.catalogue import Aim, KpiDefinition
from domain.kpis.models import Comparator, KpiSnapshot

STALE_AFTER = timedelta(hours=36)
"""One nightly measurement may be missed before a value counts as stale, as with the segmentation."""

PLACES = Decimal("0.000001")
"""Shares are stored and shown to six places."""


class KpiStatus(StrEnum):
    """What a measurement says about its target."""

    MET = "MET"
    AT_RISK = "AT_RISK"
    NOT_MET = "NOT_MET"
    NO_DATA = "NO_DATA"


def share(numerator: int, denominator: int) -> Fraction | None:
    """The exact value; none when there was nothing to count (A-27)."""
    return Fraction(numerator, denominator) if denominator else None


def status_of(value: Fraction | None, aim: Aim, on: date) -> KpiStatus:
    """MET on the target or on its good side. Else AT_RISK while its day has not passed and at least
    half the way from the baseline is done; else NOT_MET. NO_DATA when there is no value."""
    if value is None:
        return KpiStatus.NO_DATA
    target = Fraction(aim.target)
    if _good(value, target, aim.comparator):
        return KpiStatus.MET
    if aim.due_on is not None and on <= aim.due_on and aim.baseline is not None:
        half_way = (Fraction(aim.baseline) + target) / 2
        if _good(value, half_way, aim.comparator):
            return KpiStatus.AT_RISK
    return KpiStatus.NOT_MET


def _good(value: Fraction, bound: Fraction, comparator: Comparator) -> bool:
    return value >= bound if comparator is Comparator.AT_LEAST else value <= bound


def as_decimal(value: Fraction) -> Decimal:
    """The value to six places, to be shown; comparisons use the fraction."""
    return (Decimal(value.numerator) / Decimal(value.denominator)).quantize(PLACES, ROUND_HALF_UP)


@dataclass(frozen=True)
class Kpi:
    """A KPI of one workspace with its latest measurement, if there is one, against its target."""

    definition: KpiDefinition
    aim: Aim
    snapshot: KpiSnapshot | None
    tz: ZoneInfo
    now: datetime
    version: int = 0
    """Of the workspace's own target; 0 while the catalogue's holds."""

    @property
    def code(self) -> str:
        return self.definition.code

    @property
    def numerator(self) -> int | None:
        return self.snapshot.numerator if self.snapshot else None

    @property
    def denominator(self) -> int | None:
        return self.snapshot.denominator if self.snapshot else None

    @property
    def exact(self) -> Fraction | None:
        return share(self.snapshot.numerator, self.snapshot.denominator) if self.snapshot else None

    @property
    def value(self) -> Decimal | None:
        return None if self.exact is None else as_decimal(self.exact)

    @property
    def baseline(self) -> Decimal | None:
        return None if self.aim.baseline is None else self.aim.baseline.quantize(PLACES)

    @property
    def target(self) -> Decimal:
        return self.aim.target.quantize(PLACES)

    @property
    def comparator(self) -> Comparator:
        return self.aim.comparator

    @property
    def gap(self) -> Decimal | None:
        """Value less target, as a share: 0.005 is half a percentage point above."""
        return None if self.exact is None else as_decimal(self.exact - Fraction(self.target))

    @property
    def status(self) -> KpiStatus:
        moment = self.snapshot.as_of if self.snapshot else self.now
        return status_of(self.exact, self.aim, timekeeping.local_day(moment, self.tz))

    @property
    def as_of(self) -> datetime | None:
        return self.snapshot.as_of if self.snapshot else None

    @property
    def computed_at(self) -> datetime | None:
        return self.snapshot.computed_at if self.snapshot else None

    @property
    def run_id(self) -> int | None:
        return self.snapshot.run_id if self.snapshot else None

    @property
    def stale(self) -> bool:
        """Whether a newer measurement should have been made by now."""
        return self.snapshot is None or self.now - self.snapshot.as_of > STALE_AFTER
