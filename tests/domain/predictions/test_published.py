"""The models, fitted to the data of their authors, give what the authors printed."""

import numpy as np
import pytest

from domain.predictions import purchasing, spending
from tests.domain.predictions import cdnow


def test_the_sample_is_the_published_one() -> None:
    histories, means = cdnow.histories(), cdnow.means()
    assert histories.customers.sum() == 2357
    assert histories.customers @ histories.x == 2457
    assert means.customers.sum() == 946  # those of 946 + 1,411 who bought again


def test_the_estimates_of_fader_hardie_and_lee_are_reproduced() -> None:
    model, fit = purchasing.fit(cdnow.histories())
    printed = {name: f"{getattr(model, name):.3f}" for name in ("r", "alpha", "a", "b")}
    assert printed == {"r": "0.243", "alpha": "4.414", "a": "0.793", "b": "2.426"}
    assert f"{fit.log_likelihood:.1f}" == "-9582.4"
    assert fit.converged
    assert fit.agreeing == fit.starts == 4


def test_the_estimates_of_the_gamma_gamma_note_are_reproduced() -> None:
    model, fit = spending.fit(cdnow.means())
    assert (f"{model.p:.2f}", f"{model.q:.2f}", f"{model.gamma:.2f}") == ("6.25", "3.74", "15.44")
    assert fit.converged
    assert fit.agreeing == fit.starts


def test_the_expectation_of_the_authors_customer_is_reproduced() -> None:
    """Two repeat purchases, the last in week 30.43 of 38.86: 1.226 in the 39 weeks to come."""
    model, _ = purchasing.fit(cdnow.histories())
    one = [np.array([value]) for value in (2.0, 30.43, 38.86)]
    assert f"{purchasing.expected_orders(model, 39, *one)[0]:.3f}" == "1.226"


def test_a_maximum_is_a_maximum_in_every_direction() -> None:
    histories = cdnow.histories()
    model, fit = purchasing.fit(histories)
    best = [model.r, model.alpha, model.a, model.b]
    for place in range(4):
        for step in (0.98, 1.02):
            moved = [*best[:place], best[place] * step, *best[place + 1 :]]
            beside = purchasing.log_likelihood(
                purchasing.Purchasing(*moved), histories.x, histories.t_x, histories.age
            )
            assert histories.customers @ beside < fit.log_likelihood


def test_money_in_another_unit_gives_the_same_model() -> None:
    means = cdnow.means()
    model, fit = spending.fit(means)
    minor, _ = spending.fit(spending.Means(means.x, means.mean * 100, means.customers))
    assert (minor.p, minor.q, minor.gamma) == pytest.approx((model.p, model.q, model.gamma * 100), rel=1e-4)
    plain = means.customers @ spending.log_likelihood(model, means.x, means.mean)
    assert fit.log_likelihood == pytest.approx(plain, rel=1e-9)
