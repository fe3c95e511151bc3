"""What fitted models foretell of customers, many at a time."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from domain.predictions import purchasing, spending
from domain.predictions.estimating import MONTH_WEEKS, WEEK_DAYS, YEAR_WEEKS
from domain.predictions.fitting import Array
from domain.predictions.purchasing import Purchasing
from domain.predictions.spending import Spending


def foretell(model: Mapping[str, Any], customers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A record of each customer, by a model's stored columns.

    The value of a customer is that of the days on which they are expected to buy, each worth the amount
    expected of them: within twelve months as it is, over `clv_years` discounted at the end of each year.
    Nothing is taken off for having won them, since that is spent. Of who has ended the relationship
    nothing more is expected.
    """
    buys = Purchasing(*(model[name] for name in ("r", "alpha", "a", "b")))
    spends = Spending(*(model[name] for name in ("p", "q", "gamma")))
    x = np.array([float(row["repeats"]) for row in customers])
    t_x = np.array([row["recency"] / WEEK_DAYS for row in customers])
    age = np.array([row["age"] / WEEK_DAYS for row in customers])
    spent = np.array([float(row["spent"]) for row in customers])
    there = np.array([not row["cancelled"] for row in customers], dtype=float)

    # Who spent nothing on a later day tells nothing about amounts: everybody's mean is theirs.
    telling = np.where(spent > 0, x, 0)
    value = spending.expected_value(spends, telling, spent / np.maximum(telling, 1))

    def orders(weeks: float) -> Array:
        return there * purchasing.expected_orders(buys, weeks, x, t_x, age)

    alive = there * purchasing.p_alive(buys, x, t_x, age)
    quiet = 1 - there * (1 - purchasing.p_quiet(buys, MONTH_WEEKS, x, t_x, age))
    soon = orders(MONTH_WEEKS)
    years = [orders(YEAR_WEEKS * year) for year in range(1, model["clv_years"] + 1)]
    discounted = np.zeros_like(x)
    before = np.zeros_like(x)
    for number, until in enumerate(years, 1):
        discounted += (until - before) / (1 + float(model["clv_rate"])) ** number
        before = until
    return [
        {
            "customer_id": row["customer_id"],
            "repeats": row["repeats"],
            "recency_days": row["recency"],
            "age_days": row["age"],
            "p_alive": float(alive[place]),
            "quiet_30d": float(quiet[place]),
            "orders_30d": float(soon[place]),
            "orders_12m": float(years[0][place]),
            "value_minor": round(float(value[place])),
            "value_12m_minor": round(float(value[place] * years[0][place])),
            "clv_minor": round(float(value[place] * discounted[place])),
        }
        for place, row in enumerate(customers)
    ]
