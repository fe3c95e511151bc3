"""Rule segments and lists made by hand: their versions, what a run has worked out, and what was published."""

from tortoise import fields, migrations

from domain.db.fields import Document, Index, Instant, Reference
from domain.db.schema import CreateTable, SecureRows

TABLES = ("segment_versions", "segment_picks", "segment_moves", "segment_publications")


class Migration(migrations.Migration):
    dependencies = [("careline", "0006_predictions")]

    operations = [
        CreateTable(
            name="SegmentVersion",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("workspace_id", fields.BigIntField()),
                ("segment_id", Reference("segments")),
                ("number", fields.IntField()),
                ("document", Document()),
                ("actor", fields.CharField(max_length=64)),
                ("created_at", Instant()),
            ],
            options={
                "table": "segment_versions",
                "app": "careline",
                "indexes": [
                    Index(
                        fields=["workspace_id", "segment_id", "number"],
                        name="segment_versions_number",
                        unique=True,
                    )
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        CreateTable(
            name="SegmentPick",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("workspace_id", fields.BigIntField()),
                ("segment_id", Reference("segments")),
                ("customer_id", Reference("customers")),
            ],
            options={
                "table": "segment_picks",
                "app": "careline",
                "indexes": [
                    Index(
                        fields=["workspace_id", "segment_id", "customer_id"],
                        name="segment_picks_customer",
                        unique=True,
                    )
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        CreateTable(
            name="SegmentMove",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("workspace_id", fields.BigIntField()),
                ("run_id", Reference("runs")),
                ("segment_id", Reference("segments")),
                ("customer_id", Reference("customers")),
                ("enters", fields.BooleanField()),
            ],
            options={
                "table": "segment_moves",
                "app": "careline",
                "indexes": [
                    Index(
                        fields=["workspace_id", "segment_id", "run_id", "customer_id"],
                        name="segment_moves_customer",
                        unique=True,
                    )
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        CreateTable(
            name="SegmentPublication",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("workspace_id", fields.BigIntField()),
                ("segment_id", Reference("segments")),
                ("run_id", Reference("runs")),
                ("number", fields.IntField()),
                ("as_of", Instant()),
                ("computed_at", Instant()),
                ("milliseconds", fields.IntField()),
                ("members", fields.BigIntField()),
                ("entered", fields.BigIntField()),
                ("departed", fields.BigIntField()),
            ],
            options={
                "table": "segment_publications",
                "app": "careline",
                "indexes": [
                    Index(fields=["workspace_id", "segment_id", "id"], name="segment_publications_latest")
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        SecureRows(TABLES),
    ]
