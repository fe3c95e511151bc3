"""Segments are archived and restored; marks say whose change is still to be followed by rule segments."""

from tortoise import fields, migrations
from tortoise.migrations.operations import AddField

from domain.db.fields import Index, Instant, Reference
from domain.db.schema import CreateTable, SecureRows

TABLES = ("segment_marks",)


class Migration(migrations.Migration):
    dependencies = [("careline", "0011_merging")]

    operations = [
        AddField("Segment", "archived_at", Instant(null=True)),
        AddField("SegmentPublication", "exact", fields.BooleanField(default=True, db_default=True)),
        CreateTable(
            name="SegmentMark",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("workspace_id", fields.BigIntField()),
                ("customer_id", Reference("customers")),
                ("marked_at", Instant()),
            ],
            options={
                "table": "segment_marks",
                "app": "careline",
                "indexes": [Index(fields=["workspace_id", "id"], name="segment_marks_waiting")],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        SecureRows(TABLES),
    ]
