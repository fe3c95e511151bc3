"""What each import found in its file, and what it changed, so that it can be undone."""

from tortoise import fields, migrations

from domain.db.fields import Document, Index, Instant, Reference
from domain.db.schema import CreateTable, SecureRows

TABLES = ("import_reports", "import_changes")


class Migration(migrations.Migration):
    dependencies = [("careline", "0007_rule_segments")]

    operations = [
        CreateTable(
            name="ImportReport",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("workspace_id", fields.BigIntField()),
                ("run_id", Reference("runs")),
                ("dry_run", fields.BooleanField(default=False)),
                ("rows", fields.BigIntField()),
                ("inaccurate", fields.BigIntField()),
                ("repeated", fields.BigIntField()),
                ("figures", Document()),
                ("error_file_id", fields.BigIntField(null=True)),
                ("created_at", Instant()),
            ],
            options={
                "table": "import_reports",
                "app": "careline",
                "indexes": [Index(fields=["workspace_id", "run_id"], name="import_reports_run", unique=True)],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        CreateTable(
            name="ImportChange",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("workspace_id", fields.BigIntField()),
                ("run_id", Reference("runs")),
                ("subject", fields.CharField(max_length=32)),
                ("created", Document()),
                ("updated", Document()),
                ("undone", fields.BooleanField(default=False)),
            ],
            options={
                "table": "import_changes",
                "app": "careline",
                "indexes": [
                    Index(fields=["workspace_id", "run_id", "subject", "id"], name="import_changes_run")
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        SecureRows(TABLES),
    ]
