"""What each signal says, from 0 to 100, and what it adds to the score: the words to a run's figures.

The statement that scores everybody does the same sums in whole numbers; a test holds the two together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from domain.health.models import HealthBand, HealthScore
from domain.health.weights import Weights

FRESH_DAYS, GONE_DAYS = 30, 180
"""Who was heard of within the first has all of it, who was not within the second has nothing."""
ORDER_DAYS = 90
CONTACT_DAYS = 180
RATING_DAYS = 365
ENGAGED_DAYS, ENGAGED_LONG_DAYS = 30, 180
ENGAGED_POINTS = 10
"""So much for each thing done, ten of them are all there is to have."""
_HUNDREDTH = Decimal("0.01")


class HealthSignal(StrEnum):
    """One thing that a score is made of."""

    RECENCY = "RECENCY"
    FREQUENCY = "FREQUENCY"
    RESPONSE = "RESPONSE"
    SATISFACTION = "SATISFACTION"
    ENGAGEMENT = "ENGAGEMENT"


@dataclass(frozen=True)
class Part:
    """What one signal adds. Without data it says nothing, and the others weigh the more."""

    signal: HealthSignal
    value: int
    out_of: int | None
    """What the value is held against, where it is a share or a trend."""
    rating: int | None
    weight: int
    points: Decimal | None


def ratings(found: HealthScore) -> Mapping[HealthSignal, int | None]:
    """What each signal says of these figures, 0 to 100."""
    if found.recency_days <= FRESH_DAYS:
        recency = 100
    else:
        recency = max(0, (GONE_DAYS - found.recency_days) * 100 // (GONE_DAYS - FRESH_DAYS))
    frequency = None
    if found.orders or found.orders_before:
        frequency = 100 if found.orders >= found.orders_before else 100 * found.orders // found.orders_before
    return {
        HealthSignal.RECENCY: recency,
        HealthSignal.FREQUENCY: frequency,
        HealthSignal.RESPONSE: 100 * found.answered // found.asked if found.asked else None,
        HealthSignal.SATISFACTION: 25 * (found.rating_total - found.ratings) // found.ratings
        if found.ratings
        else None,
        HealthSignal.ENGAGEMENT: min(100, ENGAGED_POINTS * found.engaged) if found.engaged_long else None,
    }


def parts(found: HealthScore, weights: Weights) -> list[Part]:
    """The score signal by signal; the points of all, before they are rounded, are the score."""
    figures: dict[HealthSignal, tuple[int, int | None]] = {
        HealthSignal.RECENCY: (found.recency_days, None),
        HealthSignal.FREQUENCY: (found.orders, found.orders_before),
        HealthSignal.RESPONSE: (found.answered, found.asked),
        HealthSignal.SATISFACTION: (found.rating_total, found.ratings),
        HealthSignal.ENGAGEMENT: (found.engaged, None),
    }
    said = ratings(found)
    weigh = {signal: getattr(weights, signal.value.lower()) for signal in HealthSignal}
    whole = sum(weigh[signal] for signal, rating in said.items() if rating is not None)
    return [
        Part(
            signal,
            *figures[signal],
            rating,
            weigh[signal],
            None if rating is None else (Decimal(weigh[signal] * rating) / whole).quantize(_HUNDREDTH),
        )
        for signal, rating in said.items()
    ]


def score(found: HealthScore, weights: Weights) -> int:
    """The mean of what the known signals say, by their weights, rounded; a half goes up."""
    said: list[tuple[int, int]] = [
        (getattr(weights, signal.value.lower()), rating)
        for signal, rating in ratings(found).items()
        if rating is not None
    ]
    whole = sum(weight for weight, _ in said)
    return (2 * sum(weight * rating for weight, rating in said) + whole) // (2 * whole)


def band(score: int, weights: Weights) -> HealthBand:
    if score >= weights.green_from:
        return HealthBand.GREEN
    return HealthBand.YELLOW if score >= weights.yellow_from else HealthBand.RED
