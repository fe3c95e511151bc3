"""How often customers buy and when they stop: the BG/NBD model.

P. S. Fader, B. G. S. Hardie and K. L. Lee, "Counting Your Customers" the Easy Way: An Alternative to the
Pareto/NBD Model, Marketing Science 24 (2005) 275-284; below, "FHL". While alive, a customer buys at a rate
of their own (gamma: r, alpha), and after each repeat purchase may stop for good with a chance of their own
(beta: a, b). Time is in weeks. A customer is told by three figures: x, the days with a purchase after the
first one; t_x, the time from the first to the last of them; T, the time from the first until now. Who never
bought again has had no occasion to stop, so that the model holds them to be alive for certain.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from domain.predictions.fitting import Array, Fit, maximise

SHAPES, SCALES = (1e-3, 100.0), (1e-3, 1e4)
"""Where r, a and b are looked for, and alpha. Beyond, customers are as good as alike."""
_NEAR_ONE = 1e-5


@dataclass(frozen=True)
class Purchasing:
    """The parameters of a fitted model."""

    r: float
    alpha: float
    a: float
    b: float


@dataclass(frozen=True)
class Histories:
    """Distinct purchase histories, and how many customers have each: all that the likelihood depends on."""

    x: Array
    t_x: Array
    age: Array
    customers: Array


def _terms(model: Purchasing, x: Array, t_x: Array, age: Array) -> tuple[Array, Array]:
    """The logarithms of the two terms of FHL's equation 6: alive until now, or gone after the last purchase.

    Without B(a, b) and what only depends on r and alpha; who never bought again cannot be gone.
    """
    alive = special.betaln(model.a, model.b + x) - (model.r + x) * np.log(model.alpha + age)
    gone = np.where(
        x > 0,
        special.betaln(model.a + 1, model.b + np.maximum(x, 1) - 1)
        - (model.r + x) * np.log(model.alpha + t_x),
        -np.inf,
    )
    return alive, gone


def log_likelihood(model: Purchasing, x: Array, t_x: Array, age: Array) -> Array:
    """The logarithm of each history's likelihood (FHL, equation 6)."""
    return np.asarray(
        special.gammaln(model.r + x)
        - special.gammaln(model.r)
        + model.r * np.log(model.alpha)
        - special.betaln(model.a, model.b)
        + np.logaddexp(*_terms(model, x, t_x, age))
    )


def _slope(model: Purchasing, x: Array, t_x: Array, age: Array) -> Array:
    """The derivatives of each history's log-likelihood by r, alpha, a and b, in four rows."""
    r, alpha, a, b = model.r, model.alpha, model.a, model.b
    alive, gone = _terms(model, x, t_x, age)
    dead = special.expit(gone - alive)
    living = 1 - dead
    both = special.digamma(a + b + x)
    none = special.digamma(a + b)
    return np.stack(
        [
            special.digamma(r + x)
            - special.digamma(r)
            + np.log(alpha)
            - living * np.log(alpha + age)
            - dead * np.log(alpha + t_x),
            r / alpha - (r + x) * (living / (alpha + age) + dead / (alpha + t_x)),
            living * special.digamma(a) + dead * special.digamma(a + 1) - both - special.digamma(a) + none,
            living * special.digamma(b + x)
            + dead * special.digamma(b + np.maximum(x, 1) - 1)
            - both
            - special.digamma(b)
            + none,
        ]
    )


def fit(histories: Histories) -> tuple[Purchasing, Fit]:
    """The parameters under which these histories are the likeliest."""
    x, t_x, age, customers = histories.x, histories.t_x, histories.age, histories.customers

    def likelihood(parameters: Array) -> tuple[float, Array]:
        model = Purchasing(*parameters)
        return (
            float(customers @ log_likelihood(model, x, t_x, age)),
            np.asarray(_slope(model, x, t_x, age) @ customers),
        )

    mean_age = float(customers @ age / customers.sum())
    mean_x = float(customers @ x / customers.sum())
    rate = max(mean_x, 0.05) / max(mean_age, 1.0)
    starts = [(1, 1, 1, 1), (0.3, 4, 0.8, 2.5), (0.5, 0.5 / rate, 0.5, 1.5), (2, 2 / rate, 0.2, 4)]
    found = maximise(likelihood, float(customers.sum()), starts, [SHAPES, SCALES, SHAPES, SHAPES])
    return Purchasing(*found.parameters), found


def p_alive(model: Purchasing, x: Array, t_x: Array, age: Array) -> Array:
    """The probability that a customer has not stopped.

    P. S. Fader and B. G. S. Hardie, Computing P(alive) Using the BG/NBD Model (2008), in log-odds.
    """
    alive, gone = _terms(model, x, t_x, age)
    return np.asarray(special.expit(alive - gone))


def expected_orders(model: Purchasing, within: float, x: Array, t_x: Array, age: Array) -> Array:
    """The purchases to be expected of a customer in the coming `within` weeks (FHL, equation 10).

    Euler's transformation of the hypergeometric function takes the power (r + x) out of it, which would
    run out of range where somebody bought hundreds of times. Nobody buys more than at the rate of who is
    alive and never stops; that is what is said where the series is out of range all the same, of those
    who are as good as gone.
    """
    # At a = 1 the formula is 0 / 0; beside it, it is smooth.
    a = model.a if abs(model.a - 1) > _NEAR_ONE else 1 + _NEAR_ONE
    left = (model.alpha + age) / (model.alpha + age + within)
    with np.errstate(all="ignore"):
        series = special.hyp2f1(a + model.b - 1 - model.r, a - 1, a + model.b + x - 1, 1 - left)
        if_alive = (a + model.b + x - 1) / (a - 1) * (1 - left ** (a - 1) * series)
    most = (model.r + x) / (model.alpha + age) * within
    if_alive = np.where(np.isfinite(if_alive), np.clip(if_alive, 0, most), most)
    return np.asarray(if_alive * p_alive(model, x, t_x, age))


def p_quiet(model: Purchasing, within: float, x: Array, t_x: Array, age: Array) -> Array:
    """The probability of no purchase at all in the coming `within` weeks, whether alive or not.

    Nothing bought until then is the same history grown older: the ratio of its likelihood to today's.
    """
    grown = log_likelihood(model, x, t_x, age + within) - log_likelihood(model, x, t_x, age)
    return np.asarray(np.exp(np.minimum(grown, 0)))
