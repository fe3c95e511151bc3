"""What was measured, what was aimed at, and the reports made of it."""

from enum import StrEnum

from tortoise import Model, fields

from domain.db import Document, Index, Instant, Reference, choice
from domain.language import Language
from domain.records import Record


class Comparator(StrEnum):
    """Which side of its target a KPI should be on."""

    AT_LEAST = "AT_LEAST"
    AT_MOST = "AT_MOST"


class KpiTarget(Record):
    """What a workspace aims at. All three are shares, as decimals."""

    kpi = fields.CharField(max_length=64)
    baseline = fields.DecimalField(max_digits=20, decimal_places=6, null=True)
    target = fields.DecimalField(max_digits=20, decimal_places=6)
    comparator = choice(Comparator)
    due_on = fields.DateField(null=True)
    updated_at = Instant()

    class Meta:
        table = "kpi_targets"
        indexes = [Index(("workspace_id", "kpi"), "kpi_targets_kpi", unique=True)]


class KpiSnapshot(Model):
    """One measurement: the two counts that make the share, for a period, as of an instant."""

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    kpi = fields.CharField(max_length=64)
    period_start = Instant()
    period_end = Instant()
    as_of = Instant()
    numerator = fields.BigIntField()
    denominator = fields.BigIntField()
    run_id = Reference("runs")
    computed_at = Instant()

    class Meta:
        table = "kpi_snapshots"
        indexes = [
            Index(("workspace_id", "run_id", "kpi"), "kpi_snapshots_run", unique=True),
            Index(("workspace_id", "kpi", "id"), "kpi_snapshots_latest"),
        ]


class Report(Record):
    """A finished report: one HTML page and its tables, as files."""

    title = fields.CharField(max_length=200)
    language = choice(Language)
    as_of = Instant()
    run_id = Reference("runs")
    html_file_id = Reference("files")
    table_file_ids = Document()
    process_id = fields.IntField()
    created_at = Instant()

    class Meta:
        table = "reports"
        indexes = [
            Index(("workspace_id", "id"), "reports_list"),
            Index(("workspace_id", "run_id"), "reports_run", unique=True),
        ]
