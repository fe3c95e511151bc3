"""How much customers spend on a day that they buy: the gamma-gamma model.

P. S. Fader and B. G. S. Hardie, The Gamma-Gamma Model of Monetary Value (2013). Amounts vary around each
customer's own mean (gamma: p), and the means among customers (gamma: q, gamma), whatever the frequency. A
customer is told by x, the days with a purchase after the first one, and by the mean of what was spent on
each of them. It is about amounts above zero: without any, a customer tells nothing.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from domain.predictions.fitting import Array, Fit, maximise

LOWEST, HIGHEST = 1e-4, 1e5
LEAST_Q = 1.01
"""At q = 1 and below, the mean over all customers does not exist."""


@dataclass(frozen=True)
class Spending:
    """The parameters of a fitted model. `gamma` is an amount, as the means that it was fitted to."""

    p: float
    q: float
    gamma: float


@dataclass(frozen=True)
class Means:
    """Distinct pairs of x and mean amount, and how many customers have each."""

    x: Array
    mean: Array
    customers: Array


def log_likelihood(model: Spending, x: Array, mean: Array) -> Array:
    """The logarithm of each mean's density (Fader and Hardie 2013, equation 1a)."""
    p, q, gamma = model.p, model.q, model.gamma
    total = mean * x
    return np.asarray(
        -np.log(mean)
        - special.betaln(p * x, q)
        + q * np.log(gamma)
        + p * x * np.log(total)
        - (p * x + q) * np.log(gamma + total)
    )


def _slope(model: Spending, x: Array, mean: Array) -> Array:
    """The derivatives of each mean's log-density by p, q and gamma, in three rows."""
    p, q, gamma = model.p, model.q, model.gamma
    total = mean * x
    both = special.digamma(p * x + q)
    return np.stack(
        [
            x * (both - special.digamma(p * x) + np.log(total) - np.log(gamma + total)),
            both - special.digamma(q) + np.log(gamma) - np.log(gamma + total),
            q / gamma - (p * x + q) / (gamma + total),
        ]
    )


def fit(means: Means) -> tuple[Spending, Fit]:
    """The parameters under which these means are the likeliest."""
    x, mean, customers = means.x, means.mean, means.customers
    # In units of the mean over all, so that the bounds hold for any currency.
    unit = float(customers @ mean / customers.sum())
    scaled = mean / unit

    def likelihood(parameters: Array) -> tuple[float, Array]:
        model = Spending(*parameters)
        return (
            float(customers @ log_likelihood(model, x, scaled)),
            np.asarray(_slope(model, x, scaled) @ customers),
        )

    starts = [(1, 2, 1), (6, 4, 0.5), (2, 10, 5), (20, 3, 0.1)]
    bounds = [(LOWEST, HIGHEST), (LEAST_Q, HIGHEST), (LOWEST, HIGHEST)]
    found = maximise(likelihood, float(customers.sum()), starts, bounds)
    p, q, gamma = found.parameters
    model = Spending(p, q, gamma * unit)
    whole = float(found.log_likelihood - customers.sum() * np.log(unit))
    return model, Fit(found.parameters, whole, found.converged, found.starts, found.agreeing)


def expected_value(model: Spending, x: Array, mean: Array) -> Array:
    """The mean amount to be expected of a customer: between everybody's mean and their own, the nearer
    to their own the more often they bought (Fader and Hardie 2013, equation 5)."""
    p, q, gamma = model.p, model.q, model.gamma
    return np.asarray(p * (gamma + x * mean) / (p * x + q - 1))
