"""Who staff are to an identity provider."""

from tortoise import fields, migrations
from tortoise.migrations.operations import AddField

from domain.db.fields import Index
from domain.db.schema import MakeIndex


class Migration(migrations.Migration):
    dependencies = [("careline", "0003_row_security")]

    operations = [
        AddField("User", "subject", fields.CharField(max_length=255, null=True)),
        MakeIndex(
            "User",
            Index(
                fields=["workspace_id", "subject"],
                name="users_subject",
                unique=True,
                where="subject IS NOT NULL",
            ),
        ),
        MakeIndex("User", Index(fields=["subject"], name="users_token", where="subject IS NOT NULL")),
    ]
