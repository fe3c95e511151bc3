"""What customers will do and are worth, by models fitted to the workspace's own orders and by formulas."""

import domain.predictions.merging  # noqa: F401
from domain import customers
from domain.predictions.actions import assumptions_set, refit
from domain.predictions.lifetime_value import (
    MOST_MINOR,
    Assumptions,
    AssumptionsVersion,
    LifetimeValue,
    assumptions,
    lifetime_value,
)
from domain.predictions.models import Prediction, PredictionModel
from domain.predictions.outcomes import Bucket, Holdout, Warned, WarningRule
from domain.predictions.queries import Foretold, by_customer, is_stale, latest, page

customers.computed_about_customers(predictions="customer_id")

__all__ = [
    "MOST_MINOR",
    "Assumptions",
    "AssumptionsVersion",
    "Bucket",
    "Foretold",
    "Holdout",
    "LifetimeValue",
    "Prediction",
    "PredictionModel",
    "Warned",
    "WarningRule",
    "assumptions",
    "assumptions_set",
    "by_customer",
    "is_stale",
    "latest",
    "lifetime_value",
    "page",
    "refit",
]
