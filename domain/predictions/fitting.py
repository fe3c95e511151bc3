"""Maximum likelihood with positive parameters: from several starts, in logarithms."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

Array = NDArray[np.float64]
Likelihood = Callable[[Array], tuple[float, Array]]
"""The log-likelihood at some parameters, and its derivative by each of them."""

FLAT = 1e-5
"""So small a slope for each observation, in logarithms, counts as the top."""
SAME = 1e-6
"""Log-likelihoods for each observation that differ by less are of the same top."""


class NoFit(Exception):
    """From no start was there anything finite to be found."""


@dataclass(frozen=True)
class Fit:
    """The best parameters found. `converged`: it is a top, and no parameter lies on its bound.

    `agreeing` of the `starts` came to the same top; one alone may have been luck.
    """

    parameters: tuple[float, ...]
    log_likelihood: float
    converged: bool
    starts: int
    agreeing: int


def maximise(
    likelihood: Likelihood,
    observations: float,
    starts: Sequence[Sequence[float]],
    bounds: Sequence[tuple[float, float]],
) -> Fit:
    """The parameters between the bounds that make the log-likelihood of so many observations largest."""

    def descent(logs: Array) -> tuple[float, Array]:
        parameters = np.exp(logs)
        value, slope = likelihood(parameters)
        return -value / observations, -slope * parameters / observations

    within = [(math.log(low), math.log(high)) for low, high in bounds]
    ends = []
    for start in starts:
        first = [
            min(max(math.log(value), low), high) for value, (low, high) in zip(start, within, strict=True)
        ]
        end = optimize.minimize(
            descent,
            np.array(first),
            method="L-BFGS-B",
            jac=True,
            bounds=within,
            options={"maxiter": 2000, "maxfun": 4000, "ftol": 1e-15, "gtol": 1e-9},
        )
        if np.isfinite(end.fun) and np.all(np.isfinite(end.x)):
            ends.append((float(end.fun), end.x))
    if not ends:
        raise NoFit("the likelihood is finite at none of the starts")
    best, logs = min(ends, key=lambda end: end[0])
    inside = all(low + 1e-6 < value < high - 1e-6 for value, (low, high) in zip(logs, within, strict=True))
    slope = descent(logs)[1]
    return Fit(
        parameters=tuple(float(value) for value in np.exp(logs)),
        log_likelihood=-best * observations,
        converged=inside and bool(np.max(np.abs(slope)) < FLAT),
        starts=len(starts),
        agreeing=sum(value - best < SAME for value, _ in ends),
    )
