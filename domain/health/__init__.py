"""How healthy the relationship with each customer is: a score of named, weighted signals, explained."""

import domain.health.merging  # noqa: F401
from domain.health.actions import recompute, weights_set
from domain.health.models import HealthBand, HealthMove, HealthPublication, HealthScore
from domain.health.queries import Health, Move, by_customer, latest, moves_by_customer
from domain.health.signals import HealthSignal, Part, band, parts, ratings, score
from domain.health.weights import Weights, WeightsVersion, weights

__all__ = [
    "Health",
    "HealthBand",
    "HealthMove",
    "HealthPublication",
    "HealthScore",
    "HealthSignal",
    "Move",
    "Part",
    "Weights",
    "WeightsVersion",
    "band",
    "by_customer",
    "latest",
    "moves_by_customer",
    "parts",
    "ratings",
    "recompute",
    "score",
    "weights",
    "weights_set",
]
