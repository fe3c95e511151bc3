"""Both models fitted to a workspace's orders; imported only where that is done, since scipy is heavy."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from domain.predictions import purchasing, spending, statements
from domain.predictions.fitting import Array, Fit, NoFit
from domain.predictions.purchasing import Histories, Purchasing
from domain.predictions.spending import Means, Spending
from domain.predictions.statements import Seen
from domain.runs import Refused

LEAST_CUSTOMERS = 100
LEAST_REPEATERS = 30
WEEK_DAYS = 7
YEAR_WEEKS = 365 / WEEK_DAYS
MONTH_WEEKS = 30 / WEEK_DAYS


@dataclass(frozen=True)
class Estimate:
    """Both models, how they were come by, and the groups of customers that they were fitted to."""

    purchasing: Purchasing
    purchasing_fit: Fit
    spending: Spending
    spending_fit: Fit
    histories: Histories
    outcomes: dict[str, Array]
    repeaters: int
    spenders: int
    resolution_days: int

    def columns(self) -> dict[str, Any]:
        """As a stored model has them."""
        return {
            "resolution_days": self.resolution_days,
            "customers": int(self.histories.customers.sum()),
            "repeaters": self.repeaters,
            **vars(self.purchasing),
            "log_likelihood": self.purchasing_fit.log_likelihood,
            "converged": self.purchasing_fit.converged,
            "starts": self.purchasing_fit.starts,
            "agreeing": self.purchasing_fit.agreeing,
            "spenders": self.spenders,
            **vars(self.spending),
            "spending_log_likelihood": self.spending_fit.log_likelihood,
            "spending_converged": self.spending_fit.converged,
        }


async def estimate(seen: Seen) -> Estimate:
    """Fit both models to the orders up to a cut.

    Refused with TOO_FEW_CUSTOMERS or TOO_FEW_REPEATERS where they cannot carry four and three parameters,
    and with NO_FIT where from no start anything finite is found.
    """
    groups, resolution = await statements.histories(seen)
    table = _table(groups, ("repeats", "recency", "age", "customers"))
    customers = table["customers"]
    _enough("TOO_FEW_CUSTOMERS", customers.sum(), LEAST_CUSTOMERS, "customers have ordered", seen)
    repeaters = int(customers[table["repeats"] > 0].sum())
    _enough("TOO_FEW_REPEATERS", repeaters, LEAST_REPEATERS, "customers have ordered on a second day", seen)
    spent = _table((await statements.means(seen))[0], ("repeats", "spent", "customers"))
    spenders = int(spent["customers"].sum())
    _enough("TOO_FEW_REPEATERS", spenders, LEAST_REPEATERS, "customers have paid on a second day", seen)
    histories = Histories(table["repeats"], table["recency"] / WEEK_DAYS, table["age"] / WEEK_DAYS, customers)
    means = Means(spent["repeats"], spent["spent"] / spent["repeats"], spent["customers"])
    try:
        (bought, bought_fit), (paid, paid_fit) = await asyncio.to_thread(
            lambda: (purchasing.fit(histories), spending.fit(means))
        )
    except NoFit as error:
        raise Refused("NO_FIT", str(error)) from error
    return Estimate(
        bought,
        bought_fit,
        paid,
        paid_fit,
        histories,
        _table(groups, ("later", "quiet", "quiet_soon", "gone")),
        repeaters,
        spenders,
        resolution,
    )


def _enough(code: str, there: float, needed: int, who: str, seen: Seen) -> None:
    if there < needed:
        raise Refused(code, f"up to {seen.cut}, {there:.0f} {who}; a fit needs at least {needed}")


def _table(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, Array]:
    return {name: np.array([float(row[name]) for row in rows]) for name in names}
