"""Row-level security on every table of a workspace, forced on the owner too; PostgreSQL only."""

from tortoise import migrations

from domain.db.schema import SecureRows

TABLES = (
    "api_keys",
    "behaviour_events",
    "campaigns",
    "consents",
    "contact_decisions",
    "contact_preferences",
    "customer_tags",
    "customers",
    "enrolments",
    "escalations",
    "feeds",
    "file_chunks",
    "files",
    "idempotency_keys",
    "interactions",
    "journal",
    "kpi_snapshots",
    "kpi_targets",
    "leads",
    "memberships",
    "orders",
    "parked_lines",
    "placement_drafts",
    "placements",
    "reports",
    "row_errors",
    "run_pauses",
    "runs",
    "schedules",
    "segmentations",
    "segments",
    "setting_versions",
    "tasks",
    "team_members",
    "teams",
    "users",
    "workspaces",
)


class Migration(migrations.Migration):
    dependencies = [("careline", "0002_ledger")]

    operations = [SecureRows(TABLES)]
