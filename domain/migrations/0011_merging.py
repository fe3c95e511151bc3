"""Records that were merged, looking customers up by how something begins, and what customers need."""

from tortoise import fields, migrations
from tortoise.migrations.operations import AddField

from domain.customers.keys import FORMS
from domain.customers.models import MergeState
from domain.db.fields import Document, Index, Instant, Reference, choice
from domain.db.schema import AddDerived, CreateTable, MakeIndex, SecureRows

TABLES = ("customer_merges", "merged_rows", "need_profiles")


class Migration(migrations.Migration):
    dependencies = [("careline", "0010_alerts")]

    operations = [
        AddField("Customer", "merged_into_id", fields.BigIntField(null=True)),
        MakeIndex(
            "Customer",
            Index(
                fields=["workspace_id", "merged_into_id"],
                name="customers_merged",
                where="merged_into_id IS NOT NULL",
            ),
        ),
        AddDerived("Customer", FORMS),
        MakeIndex(
            "Customer",
            Index(
                fields=["workspace_id", "email_form", "id"],
                name="customers_email_form",
                where="email_form IS NOT NULL",
            ),
        ),
        MakeIndex(
            "Customer",
            Index(fields=["workspace_id", "external_form", "id"], name="customers_external_form"),
        ),
        MakeIndex(
            "Customer",
            Index(
                fields=["workspace_id", "name_form", "id"],
                name="customers_name_form",
                where="name_form IS NOT NULL",
            ),
        ),
        MakeIndex(
            "Customer",
            Index(
                fields=["workspace_id", "phone_form", "id"],
                name="customers_phone_form",
                where="phone_form IS NOT NULL",
            ),
        ),
        CreateTable(
            name="CustomerMerge",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("workspace_id", fields.BigIntField()),
                ("version", fields.IntField(default=1)),
                ("kept_id", Reference("customers")),
                ("gone_id", Reference("customers")),
                ("state", choice(MergeState, default=MergeState.MERGED)),
                ("before", Document()),
                ("counts", Document()),
                ("actor", fields.CharField(max_length=64)),
                ("merged_at", Instant()),
                ("undone_at", Instant(null=True)),
            ],
            options={
                "table": "customer_merges",
                "app": "careline",
                "indexes": [
                    Index(
                        fields=["workspace_id", "gone_id"],
                        name="customer_merges_gone",
                        unique=True,
                        where="state = 'MERGED'",
                    ),
                    Index(fields=["workspace_id", "kept_id", "id"], name="customer_merges_kept"),
                ],
                "pk_attr": "id",
            },
            bases=["Record"],
        ),
        CreateTable(
            name="MergedRow",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("workspace_id", fields.BigIntField()),
                ("merge_id", Reference("customer_merges")),
                ("place", fields.CharField(max_length=64)),
                ("row_id", fields.BigIntField()),
            ],
            options={
                "table": "merged_rows",
                "app": "careline",
                "indexes": [
                    Index(fields=["workspace_id", "merge_id", "place", "row_id"], name="merged_rows_merge")
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        CreateTable(
            name="NeedProfile",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("workspace_id", fields.BigIntField()),
                ("customer_id", Reference("customers")),
                ("number", fields.IntField()),
                ("industry", fields.CharField(max_length=120, null=True)),
                ("scale", fields.CharField(max_length=120, null=True)),
                ("use_scenarios", Document()),
                ("core_needs", Document()),
                ("focus_points", Document()),
                ("preferred_channels", Document()),
                ("collected_by", fields.CharField(max_length=64)),
                ("collected_at", Instant()),
            ],
            options={
                "table": "need_profiles",
                "app": "careline",
                "indexes": [
                    Index(
                        fields=["workspace_id", "customer_id", "number"],
                        name="need_profiles_number",
                        unique=True,
                    )
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        SecureRows(TABLES),
    ]
