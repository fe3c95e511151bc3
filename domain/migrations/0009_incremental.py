"""Incremental placement: marks that the database itself writes, boundaries, and what a placement stood on.

Old processes may go on beside it: new columns may be empty, and what they change is marked by the triggers.
"""

from tortoise import fields, migrations
from tortoise.migrations.operations import AddField, DeleteModel

from domain.db.fields import Index, Instant, choice
from domain.db.schema import CreateTable, MakeIndex, SecureRows, Statements
from domain.segments.models import LifecycleStage, RecomputeMode, RfmTier, ValueLevel

TABLES = ("placement_drafts", "placement_marks", "placement_cuts")

_ORDER = ("customer_id", "status", "ordered_at", "ordered_on", "amount_minor")
_CUSTOMER = ("registered_at", "cancelled_at", "excluded", "last_interaction_at")


def _differs(columns: tuple[str, ...], old: str, new: str) -> str:
    return " OR ".join(f"{old}.{column} IS DISTINCT FROM {new}.{column}" for column in columns)


def _marks(source: str) -> str:
    return f"INSERT INTO placement_marks (workspace_id, customer_id) {source}"


def _postgres(table: str, customer: str, columns: tuple[str, ...]) -> list[str]:
    """Once for each statement, however many rows it writes."""
    changed = f"FROM new_rows n JOIN old_rows o ON o.id = n.id WHERE {_differs(columns, 'o', 'n')}"
    sources = {
        "INSERT": f"SELECT DISTINCT workspace_id, {customer} FROM new_rows",
        "UPDATE": f"SELECT n.workspace_id, n.{customer} {changed} "
        f"UNION SELECT o.workspace_id, o.{customer} {changed}",
        "DELETE": f"SELECT DISTINCT workspace_id, {customer} FROM old_rows",
    }
    if table == "customers":
        del sources["DELETE"]
    tables = {
        "INSERT": "NEW TABLE AS new_rows",
        "UPDATE": "OLD TABLE AS old_rows NEW TABLE AS new_rows",
        "DELETE": "OLD TABLE AS old_rows",
    }
    made = []
    for event, source in sources.items():
        name = f"{table}_{event.lower()}_marks"
        made += [
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ "
            f"BEGIN {_marks(source)}; RETURN NULL; END $$",
            f"CREATE TRIGGER {name} AFTER {event} ON {table} REFERENCING {tables[event]} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {name}()",
        ]
    return made


def _sqlite(table: str, customer: str, columns: tuple[str, ...]) -> list[str]:
    new, old = (_marks(f"VALUES ({side}.workspace_id, {side}.{customer})") for side in ("NEW", "OLD"))
    moved = f"{_marks(f'SELECT OLD.workspace_id, OLD.{customer} WHERE OLD.{customer} <> NEW.{customer}')};"
    made = [
        f"CREATE TRIGGER {table}_insert_marks AFTER INSERT ON {table} BEGIN {new}; END",
        f"CREATE TRIGGER {table}_update_marks AFTER UPDATE OF {', '.join(columns)} ON {table} "
        f"WHEN {_differs(columns, 'OLD', 'NEW')} BEGIN {new}; {moved} END",
        f"CREATE TRIGGER {table}_delete_marks AFTER DELETE ON {table} BEGIN {old}; END",
    ]
    return made[:2] if table == "customers" else made


_MARKED = (("orders", "customer_id", _ORDER), ("customers", "id", _CUSTOMER))

STOOD_ON = [
    ("heard_at", Instant),
    ("registered_at", Instant),
    ("cancelled_at", Instant),
    ("r_estimate", fields.BigIntField),
    ("m_estimate", fields.BigIntField),
    ("composite_estimate", fields.BigIntField),
]


class Migration(migrations.Migration):
    dependencies = [("careline", "0008_imports")]

    operations = [
        DeleteModel("PlacementDraft"),
        CreateTable(
            name="PlacementDraft",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("workspace_id", fields.BigIntField()),
                ("lifecycle", choice(LifecycleStage)),
                ("value_level", choice(ValueLevel)),
                ("tier", choice(RfmTier)),
                ("last_order_on", fields.DateField(null=True)),
                ("frequency", fields.IntField()),
                ("monetary_minor", fields.BigIntField()),
                ("r_rank", fields.BigIntField()),
                ("f_rank", fields.BigIntField()),
                ("m_rank", fields.BigIntField()),
                ("composite_rank", fields.BigIntField()),
                ("vip", fields.BooleanField()),
                ("profit_key", fields.BooleanField()),
                ("new_3m", fields.BooleanField()),
                *((name, field(null=True)) for name, field in STOOD_ON),
                ("customer_id", fields.BigIntField()),
                ("run_id", fields.BigIntField()),
                ("gone", fields.BooleanField(default=False)),
            ],
            options={
                "table": "placement_drafts",
                "app": "careline",
                "indexes": [
                    Index(
                        fields=["workspace_id", "run_id", "customer_id"],
                        name="placement_drafts_customer",
                        unique=True,
                    )
                ],
                "pk_attr": "id",
            },
            bases=["_Placed"],
        ),
        CreateTable(
            name="PlacementMark",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("workspace_id", fields.BigIntField()),
                ("customer_id", fields.BigIntField()),
                ("run_id", fields.BigIntField(null=True)),
            ],
            options={
                "table": "placement_marks",
                "app": "careline",
                "indexes": [Index(fields=["workspace_id", "customer_id"], name="placement_marks_customer")],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        CreateTable(
            name="PlacementCut",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("workspace_id", fields.BigIntField()),
                ("measure", fields.CharField(max_length=1)),
                *((name, fields.BigIntField()) for name in ("rank", "k1", "k2", "k3", "k4")),
            ],
            options={
                "table": "placement_cuts",
                "app": "careline",
                "indexes": [
                    Index(fields=["workspace_id", "measure", "rank"], name="placement_cuts_rank", unique=True)
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        *(AddField("Placement", name, field(null=True)) for name, field in STOOD_ON),
        MakeIndex("Placement", Index(fields=["workspace_id", "heard_at"], name="placements_heard")),
        MakeIndex(
            "Placement",
            Index(
                fields=["workspace_id", "cancelled_at"],
                name="placements_cancelled",
                where="cancelled_at IS NOT NULL",
            ),
        ),
        AddField("Segmentation", "mode", choice(RecomputeMode, null=True)),
        AddField("Segmentation", "ranked_as_of", Instant(null=True)),
        *(
            AddField("Segmentation", name, fields.BigIntField(null=True))
            for name in ("ranked", "marked", "moved", "drift")
        ),
        SecureRows(TABLES),
        Statements(
            "Mark customers whose placement may have to change",
            sqlite=[statement for each in _MARKED for statement in _sqlite(*each)],
            postgres=[statement for each in _MARKED for statement in _postgres(*each)],
        ),
    ]
