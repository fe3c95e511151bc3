"""Both lifetime values are the documents' formulas, whatever the figures."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import predictions
from domain.access import Role
from domain.errors import DomainError, Forbidden, Invalid
from domain.predictions import Assumptions, lifetime_value
from tests.conftest import House

ASSUMED = st.builds(
    Assumptions,
    st.decimals(0, 1, places=6),
    st.integers(1, 50),
    st.decimals(0, 1, places=6),
    st.integers(0, 10**9),
)


@settings(deadline=None)
@given(st.integers(0, 10**12), ASSUMED)
def test_the_values_are_those_of_exact_fractions_to_half_a_unit(arpu: int, given_: Assumptions) -> None:
    found = lifetime_value(arpu, given_)
    kept, rate = arpu * Fraction(given_.retention), Fraction(given_.discount_rate)
    annuity = sum(1 / (1 + rate) ** year for year in range(1, given_.lifetime_years + 1))
    cost = given_.acquisition_cost_minor
    assert abs(found.simple_minor - (kept * given_.lifetime_years - cost)) <= Fraction(1, 2)
    assert abs(found.discounted_minor - (kept * annuity - cost)) <= Fraction(1, 2) + Fraction(1, 10**6)
    assert found.discounted_minor <= found.simple_minor
    if not rate:
        assert found.discounted_minor == found.simple_minor


@pytest.mark.parametrize(
    "changes",
    [
        {"retention": Decimal("1.000001")},
        {"retention": Decimal("-0.000001")},
        {"lifetime_years": 0},
        {"discount_rate": Decimal("1.000001")},
        {"acquisition_cost_minor": -1},
    ],
)
def test_what_lies_out_of_range_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(DomainError):
        Assumptions().moved(changes)


def test_an_unknown_assumption_is_refused() -> None:
    with pytest.raises(Invalid):
        Assumptions().moved({"luck": 1})


async def test_assumptions_are_versions_and_only_admins_set_them(house: House) -> None:
    assert await predictions.assumptions(house.id) == (0, Assumptions())
    first = await predictions.assumptions_set(house.owner, retention=Decimal("0.65"))
    assert (first.number, first.assumptions.retention) == (1, Decimal("0.65"))
    again = await predictions.assumptions_set(house.admin, retention=Decimal("0.65"), expected=1)
    assert again.number == 1
    second = await predictions.assumptions_set(house.admin, lifetime_years=3)
    assert await predictions.assumptions(house.id) == second
    assert second == (2, Assumptions(retention=Decimal("0.65"), lifetime_years=3))
    with pytest.raises(Forbidden):
        await predictions.assumptions_set(house.staff[Role.OPS_HEAD], lifetime_years=4)
    assert await predictions.assumptions(house.id) == second
