"""How well a model of the earlier orders would have foretold the later ones."""

from datetime import date, datetime, timedelta

from domain.predictions import purchasing
from domain.predictions.estimating import MONTH_WEEKS, WEEK_DAYS, Estimate, estimate
from domain.predictions.fitting import Array
from domain.predictions.outcomes import Bucket, Holdout, Warned, WarningRule
from domain.predictions.statements import SOON_DAYS, Seen
from domain.runs import Refused

MOST_WEEKS = 52
LEAST_WEEKS = 8
MOST_REPEATS = 7
"""The last bucket holds all who bought again so often, or more often."""
LINE = 0.5
"""Warned is who is likelier than not to be lost."""


async def backtest(workspace_id: int, as_of: datetime, first: date, today: date) -> Holdout | None:
    """Fit to the first half of the history and count in the second, at most a year, what came of it.

    None where the history is shorter than sixteen weeks, or its first half cannot carry a fit.
    """
    weeks = min(round((today - first).days / WEEK_DAYS / 2), MOST_WEEKS)
    if weeks < LEAST_WEEKS:
        return None
    cut = today - timedelta(weeks=weeks)
    try:
        found = await estimate(Seen(workspace_id, as_of, cut, cut + timedelta(days=SOON_DAYS)))
    except Refused:
        return None
    return Holdout(
        cut_on=cut,
        until=today,
        customers=int(found.histories.customers.sum()),
        buckets=_buckets(found, weeks),
        warned=_warned(found, weeks),
    )


def _buckets(found: Estimate, weeks: int) -> list[Bucket]:
    histories = found.histories
    expected = purchasing.expected_orders(found.purchasing, weeks, histories.x, histories.t_x, histories.age)
    buckets = []
    for repeats in range(MOST_REPEATS + 1):
        inside = histories.x >= repeats if repeats == MOST_REPEATS else histories.x == repeats
        number = float(histories.customers[inside].sum())
        if number:
            predicted = float(histories.customers[inside] @ expected[inside])
            actual = float(found.outcomes["later"][inside].sum())
            buckets.append(Bucket(repeats, int(number), predicted / number, actual / number))
    return buckets


def _warned(found: Estimate, weeks: int) -> list[Warned]:
    model, past = found.purchasing, found.histories
    at = (past.x, past.t_x, past.age)
    gone, quiet_soon = found.outcomes["gone"], found.outcomes["quiet_soon"]

    def counted(rule: WarningRule, probability: Array, lost: Array) -> Warned:
        told = probability >= LINE
        return Warned(
            rule,
            customers=int(past.customers.sum()),
            warned=int(past.customers[told].sum()),
            lost=int(lost.sum()),
            both=int(lost[told].sum()),
        )

    return [
        counted(WarningRule.NOT_ALIVE, 1 - purchasing.p_alive(model, *at), gone),
        counted(WarningRule.NO_ORDER, purchasing.p_quiet(model, weeks, *at), gone),
        counted(WarningRule.QUIET_30_DAYS, purchasing.p_quiet(model, MONTH_WEEKS, *at), quiet_soon),
    ]
