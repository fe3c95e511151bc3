"""The formulas agree with plain Python, with their own limits, and with what they must never do."""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.predictions import purchasing, spending
from domain.predictions.fitting import Array, NoFit, maximise
from domain.predictions.purchasing import Purchasing
from domain.predictions.spending import Spending

MODELS = st.builds(
    Purchasing,
    st.floats(0.05, 5),
    st.floats(0.1, 50),
    st.floats(0.05, 5),
    st.floats(0.05, 10),
)
SPENDING = st.builds(Spending, st.floats(0.1, 20), st.floats(1.1, 20), st.floats(0.1, 500))
History = tuple[int, float, float]


@st.composite
def histories(draw: st.DrawFn) -> History:
    x, age = draw(st.integers(0, 300)), draw(st.integers(1, 1500))
    return x, (draw(st.integers(1, age)) if x else 0) / 7, age / 7


def arrays(*found: History) -> tuple[Array, Array, Array]:
    table = np.array(found, dtype=float)
    return table[:, 0], table[:, 1], table[:, 2]


def plainly(model: Purchasing, history: History) -> float:
    """One customer's log-likelihood, written as it is printed, in plain Python."""
    x, t_x, age = history
    lgamma, log = math.lgamma, math.log

    def log_beta(one: float, other: float) -> float:
        return lgamma(one) + lgamma(other) - lgamma(one + other)

    terms = [log_beta(model.a, model.b + x) - (model.r + x) * log(model.alpha + age)]
    if x:
        terms.append(log_beta(model.a + 1, model.b + x - 1) - (model.r + x) * log(model.alpha + t_x))
    most = max(terms)
    return (
        lgamma(model.r + x)
        - lgamma(model.r)
        + model.r * log(model.alpha)
        - log_beta(model.a, model.b)
        + most
        + log(sum(math.exp(term - most) for term in terms))
    )


@settings(deadline=None)
@given(MODELS, st.lists(histories(), min_size=1, max_size=40))
def test_grouped_histories_have_the_likelihood_of_all_their_customers(
    model: Purchasing, customers: list[History]
) -> None:
    groups = Counter(customers)
    grouped = np.array(list(groups.values())) @ purchasing.log_likelihood(model, *arrays(*groups))
    assert grouped == pytest.approx(sum(plainly(model, one) for one in customers), rel=1e-9, abs=1e-9)


def _slope_by_steps(value: Callable[[Any], float], point: list[float]) -> list[float]:
    slopes = []
    for place, at in enumerate(point):
        step = at * 1e-6
        up, down = [*point], [*point]
        up[place], down[place] = at + step, at - step
        slopes.append((value(up) - value(down)) / (2 * step))
    return slopes


@settings(deadline=None)
@given(MODELS, histories())
def test_the_slope_is_that_of_the_likelihood(model: Purchasing, history: History) -> None:
    point = [model.r, model.alpha, model.a, model.b]
    exact = purchasing._slope(model, *arrays(history))[:, 0]
    near = _slope_by_steps(
        lambda p: float(purchasing.log_likelihood(Purchasing(*p), *arrays(history))[0]), point
    )
    assert exact == pytest.approx(near, rel=1e-3, abs=1e-3)


@settings(deadline=None)
@given(SPENDING, st.integers(1, 200), st.floats(0.01, 1e5))
def test_the_slope_of_spending_is_that_of_its_likelihood(model: Spending, x: int, mean: float) -> None:
    one = np.array([float(x)]), np.array([mean])
    exact = spending._slope(model, *one)[:, 0]
    near = _slope_by_steps(
        lambda p: float(spending.log_likelihood(Spending(*p), *one)[0]), [model.p, model.q, model.gamma]
    )
    assert exact == pytest.approx(near, rel=1e-3, abs=1e-2)


@settings(deadline=None)
@given(MODELS, histories(), st.floats(0, 300))
def test_a_longer_silence_never_makes_life_likelier(model: Purchasing, history: History, more: float) -> None:
    x, t_x, age = history
    now, later = purchasing.p_alive(model, *arrays(history, (x, t_x, age + more)))
    assert 0 <= later <= now + 1e-12
    assert now <= 1
    assert x > 0 or now == 1  # who never bought again has had no occasion to stop


@settings(deadline=None)
@given(MODELS, histories(), st.floats(0.1, 300), st.floats(0.1, 300))
def test_more_time_brings_more_orders_up_to_those_of_who_never_stops(
    model: Purchasing, history: History, within: float, more: float
) -> None:
    one = arrays(history)
    sooner = purchasing.expected_orders(model, within, *one)[0]
    later = purchasing.expected_orders(model, within + more, *one)[0]
    alive, rate = purchasing.p_alive(model, *one)[0], (model.r + history[0]) / (model.alpha + history[2])
    assert 0 <= sooner <= later * (1 + 1e-9)
    assert later <= alive * rate * (within + more) * (1 + 1e-6)


@settings(deadline=None)
@given(MODELS, histories())
def test_at_first_orders_come_at_the_rate_of_who_is_alive(model: Purchasing, history: History) -> None:
    one, moment = arrays(history), 1e-4 * model.alpha
    rate = (model.r + history[0]) / (model.alpha + history[2])
    alive = purchasing.p_alive(model, *one)[0]
    if alive * rate > 1e-6:
        found = purchasing.expected_orders(model, moment, *one)[0] / moment
        assert found == pytest.approx(alive * rate, rel=0.05)


@settings(deadline=None)
@given(MODELS, histories(), st.floats(0.1, 300), st.floats(0, 300))
def test_quiet_is_whoever_has_stopped_and_some_more(
    model: Purchasing, history: History, within: float, more: float
) -> None:
    one = arrays(history)
    quiet = purchasing.p_quiet(model, within, *one)[0]
    assert 1 - purchasing.p_alive(model, *one)[0] - 1e-9 <= quiet <= 1
    assert purchasing.p_quiet(model, within + more, *one)[0] <= quiet + 1e-12
    # Whoever is not quiet orders at least once.
    assert 1 - quiet <= purchasing.expected_orders(model, within, *one)[0] + 1e-9


@settings(max_examples=50, deadline=None)
@given(MODELS, histories())
def test_at_a_of_one_the_expectation_is_that_beside_it(model: Purchasing, history: History) -> None:
    one = arrays(history)
    at, beside = (
        purchasing.expected_orders(Purchasing(model.r, model.alpha, a, model.b), 52, *one)[0]
        for a in (1.0, 1.001)
    )
    assert at == pytest.approx(beside, rel=0.01, abs=1e-9)


@settings(deadline=None)
@given(SPENDING, st.integers(0, 200), st.floats(0.01, 1e5))
def test_the_expected_value_lies_between_everybody_s_mean_and_one_s_own(
    model: Spending, x: int, mean: float
) -> None:
    everybody = model.p * model.gamma / (model.q - 1)
    found = spending.expected_value(model, np.array([float(x)]), np.array([mean]))[0]
    low, high = min(everybody, mean), max(everybody, mean)
    assert low * (1 - 1e-9) <= found <= high * (1 + 1e-9) if x else found == pytest.approx(everybody)


def test_what_is_finite_nowhere_is_no_fit() -> None:
    with pytest.raises(NoFit):
        maximise(lambda _: (math.nan, np.array([math.nan])), 1, [(1.0,)], [(0.1, 10)])


def test_an_end_on_a_bound_is_told() -> None:
    found = maximise(lambda p: (float(p[0]), np.array([1.0])), 1, [(1.0,)], [(0.1, 10)])
    assert found.parameters == pytest.approx((10,))
    assert not found.converged
