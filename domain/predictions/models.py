"""Fitted models, and what each foretells of every customer who has bought."""

from tortoise import Model, fields

from domain.db import Document, Index, Instant, Reference


class PredictionModel(Model):
    """One published refit: as of when, the parameters, how well they fitted, and how a back-test went.

    The predictions in force are those of the latest of these. `gamma` is in minor units.
    """

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    run_id = Reference("runs")
    number = fields.IntField()
    as_of = Instant()
    computed_at = Instant()
    resolution_days = fields.IntField()
    """To so many days histories were rounded for the fit; predictions go by whole days."""
    customers = fields.BigIntField()
    repeaters = fields.BigIntField()
    r = fields.FloatField()
    alpha = fields.FloatField()
    a = fields.FloatField()
    b = fields.FloatField()
    log_likelihood = fields.FloatField()
    converged = fields.BooleanField()
    starts = fields.IntField()
    agreeing = fields.IntField()
    spenders = fields.BigIntField()
    p = fields.FloatField()
    q = fields.FloatField()
    gamma = fields.FloatField()
    spending_log_likelihood = fields.FloatField()
    spending_converged = fields.BooleanField()
    clv_years = fields.IntField()
    clv_rate = fields.DecimalField(max_digits=20, decimal_places=6)
    holdout = Document(null=True)

    class Meta:
        table = "prediction_models"
        indexes = [
            Index(("workspace_id", "number"), "prediction_models_number", unique=True),
            Index(("workspace_id", "run_id"), "prediction_models_run", unique=True),
        ]


class Prediction(Model):
    """What a run foretells of one customer, and the history by which it does.

    Rows of a run count once its model is published; until then nobody reads them.
    """

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    run_id = Reference("runs")
    customer_id = Reference("customers")
    repeats = fields.IntField()
    recency_days = fields.IntField()
    age_days = fields.IntField()
    p_alive = fields.FloatField()
    quiet_30d = fields.FloatField()
    orders_30d = fields.FloatField()
    orders_12m = fields.FloatField()
    value_minor = fields.BigIntField()
    value_12m_minor = fields.BigIntField()
    clv_minor = fields.BigIntField()

    class Meta:
        table = "predictions"
        indexes = [
            Index(("workspace_id", "run_id", "customer_id"), "predictions_run", unique=True),
            Index(("workspace_id", "customer_id"), "predictions_customer"),
        ]
