"""What customers will do and are worth, as clients see it."""

from api.predictions.customers import CustomerPredictions
from api.predictions.fields import PredictionMutations, PredictionQueries
from api.predictions.worth import CustomerWorth, WorthMutations, WorthQueries

__all__ = [
    "CustomerPredictions",
    "CustomerWorth",
    "PredictionMutations",
    "PredictionQueries",
    "WorthMutations",
    "WorthQueries",
]
