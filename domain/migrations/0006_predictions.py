"""Fitted models, and what they foretell of customers."""

from tortoise import fields, migrations

from domain.db.fields import Document, Index, Instant, Reference
from domain.db.schema import CreateTable, SecureRows

TABLES = ("prediction_models", "predictions")


class Migration(migrations.Migration):
    dependencies = [("careline", "0005_partners")]

    operations = [
        CreateTable(
            name="PredictionModel",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("workspace_id", fields.BigIntField()),
                ("run_id", Reference("runs")),
                ("number", fields.IntField()),
                ("as_of", Instant()),
                ("computed_at", Instant()),
                ("resolution_days", fields.IntField()),
                ("customers", fields.BigIntField()),
                ("repeaters", fields.BigIntField()),
                ("r", fields.FloatField()),
                ("alpha", fields.FloatField()),
                ("a", fields.FloatField()),
                ("b", fields.FloatField()),
                ("log_likelihood", fields.FloatField()),
                ("converged", fields.BooleanField()),
                ("starts", fields.IntField()),
                ("agreeing", fields.IntField()),
                ("spenders", fields.BigIntField()),
                ("p", fields.FloatField()),
                ("q", fields.FloatField()),
                ("gamma", fields.FloatField()),
                ("spending_log_likelihood", fields.FloatField()),
                ("spending_converged", fields.BooleanField()),
                ("clv_years", fields.IntField()),
                ("clv_rate", fields.DecimalField(max_digits=20, decimal_places=6)),
                ("holdout", Document(null=True)),
            ],
            options={
                "table": "prediction_models",
                "app": "careline",
                "indexes": [
                    Index(fields=["workspace_id", "number"], name="prediction_models_number", unique=True),
                    Index(fields=["workspace_id", "run_id"], name="prediction_models_run", unique=True),
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        CreateTable(
            name="Prediction",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("workspace_id", fields.BigIntField()),
                ("run_id", Reference("runs")),
                ("customer_id", Reference("customers")),
                ("repeats", fields.IntField()),
                ("recency_days", fields.IntField()),
                ("age_days", fields.IntField()),
                ("p_alive", fields.FloatField()),
                ("quiet_30d", fields.FloatField()),
                ("orders_30d", fields.FloatField()),
                ("orders_12m", fields.FloatField()),
                ("value_minor", fields.BigIntField()),
                ("value_12m_minor", fields.BigIntField()),
                ("clv_minor", fields.BigIntField()),
            ],
            options={
                "table": "predictions",
                "app": "careline",
                "indexes": [
                    Index(
                        fields=["workspace_id", "run_id", "customer_id"], name="predictions_run", unique=True
                    ),
                    Index(fields=["workspace_id", "customer_id"], name="predictions_customer"),
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        SecureRows(TABLES),
    ]
