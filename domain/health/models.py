"""How healthy each customer was found to be by a run, from which figures; and how that moved."""

from enum import StrEnum

from tortoise import Model, fields

from domain.db import Index, Instant, Reference, choice


class HealthBand(StrEnum):
    """How a score is to be read."""

    GREEN = "GREEN"
    YELLOW = "YELLOW"
    RED = "RED"


class HealthPublication(Model):
    """One run's scores, in force from when this row is there until the next one is."""

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    run_id = Reference("runs")
    number = fields.IntField()
    weights = fields.IntField()
    """The version of the weights that it went by."""
    customers = fields.BigIntField()
    as_of = Instant()
    computed_at = Instant()

    class Meta:
        table = "health_publications"
        indexes = [
            Index(("workspace_id", "number"), "health_publications_number", unique=True),
            Index(("workspace_id", "run_id"), "health_publications_run", unique=True),
        ]


class HealthScore(Model):
    """A customer's score by one run, and what it was made of; a figure without data is null.

    Rows of a run count once it is published; until then nobody reads them.
    """

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    run_id = Reference("runs")
    customer_id = Reference("customers")
    recency_days = fields.IntField()
    orders = fields.IntField()
    orders_before = fields.IntField()
    asked = fields.IntField()
    answered = fields.IntField()
    ratings = fields.IntField()
    rating_total = fields.IntField()
    engaged = fields.IntField()
    engaged_long = fields.IntField()
    score = fields.IntField()
    band = choice(HealthBand)

    class Meta:
        table = "health_scores"
        indexes = [
            Index(("workspace_id", "run_id", "customer_id"), "health_scores_run", unique=True),
            Index(("workspace_id", "customer_id"), "health_scores_customer"),
        ]


class HealthMove(Model):
    """A customer's score as it became by a run, where that was another than before; kept for good."""

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    run_id = Reference("runs")
    customer_id = Reference("customers")
    score = fields.IntField()
    band = choice(HealthBand)

    class Meta:
        table = "health_moves"
        indexes = [
            Index(("workspace_id", "customer_id", "run_id"), "health_moves_customer", unique=True),
            Index(("workspace_id", "run_id"), "health_moves_run"),
        ]
