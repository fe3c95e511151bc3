"""Against its target a KPI is judged exactly."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest

from domain.kpis import VISIT_COVERAGE, Aim, Comparator, KpiStatus, share, status_of

TODAY = date(2025, 3, 3)
RISING = Aim(Decimal("0.345"), Comparator.AT_LEAST, Decimal("0.30"), date(2025, 3, 3))
FALLING = Aim(Decimal("0.20"), Comparator.AT_MOST, Decimal("0.30"), date(2025, 6, 30))


@pytest.mark.parametrize(
    ("numerator", "denominator", "status"),
    [
        (190, 200, KpiStatus.MET),
        (189, 200, KpiStatus.NOT_MET),
        (950_000_000_000_000_000, 10**18, KpiStatus.MET),
        (949_999_999_999_999_999, 10**18, KpiStatus.NOT_MET),
        (0, 200, KpiStatus.NOT_MET),
        (0, 0, KpiStatus.NO_DATA),
    ],
)
def test_coverage_is_met_at_exactly_its_target(numerator: int, denominator: int, status: KpiStatus) -> None:
    assert status_of(share(numerator, denominator), VISIT_COVERAGE.aim, TODAY) is status


def test_a_float_would_have_erred_here() -> None:
    aim = Aim(Decimal("0.3"), Comparator.AT_MOST)
    value = Fraction(1, 10) + Fraction(2, 10)
    assert 0.1 + 0.2 > 0.3
    assert status_of(value, aim, TODAY) is KpiStatus.MET


@pytest.mark.parametrize(
    ("value", "aim", "on", "status"),
    [
        (Fraction(345, 1000), RISING, TODAY, KpiStatus.MET),
        (Fraction(3225, 10000), RISING, TODAY, KpiStatus.AT_RISK),
        (Fraction(3224, 10000), RISING, TODAY, KpiStatus.NOT_MET),
        (Fraction(3225, 10000), RISING, date(2025, 3, 4), KpiStatus.NOT_MET),
        (Fraction(20, 100), FALLING, TODAY, KpiStatus.MET),
        (Fraction(25, 100), FALLING, TODAY, KpiStatus.AT_RISK),
        (Fraction(2501, 10000), FALLING, TODAY, KpiStatus.NOT_MET),
        (
            Fraction(34, 100),
            Aim(Decimal("0.345"), Comparator.AT_LEAST, Decimal("0.3")),
            TODAY,
            KpiStatus.NOT_MET,
        ),
    ],
)
def test_half_way_before_the_day_is_at_risk_and_no_longer_after_it(
    value: Fraction, aim: Aim, on: date, status: KpiStatus
) -> None:
    assert status_of(value, aim, on) is status
