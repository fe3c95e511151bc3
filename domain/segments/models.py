"""Which group each customer is in, since when, and by which run."""

from enum import StrEnum

from tortoise import Model, fields

from domain.db import Document, Index, Instant, Reference, choice
from domain.records import Record


class LifecycleStage(StrEnum):
    """Where a customer stands in the relationship (S0-10, C-20)."""

    NEW = "NEW"
    GROWTH = "GROWTH"
    MATURE = "MATURE"
    SILENT = "SILENT"
    CHURNED = "CHURNED"


class ValueLevel(StrEnum):
    """How much a customer spent in twelve months (S0-11, C-03)."""

    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    ORDINARY = "ORDINARY"


class RfmTier(StrEnum):
    """The care tier by recency, frequency and monetary value (S4-23); not the membership tier."""

    GOLD = "GOLD"
    SILVER = "SILVER"
    BRONZE = "BRONZE"


class RecomputeMode(StrEnum):
    """How much of the placements a pass decides anew, and from what."""

    QUICK = "QUICK"
    EXACT = "EXACT"
    FULL = "FULL"


class SegmentKind(StrEnum):
    """How a segment is made."""

    CELL = "CELL"
    RFM_TIER = "RFM_TIER"
    PRESET = "PRESET"
    RULE = "RULE"
    STATIC = "STATIC"


BUILT_IN = (SegmentKind.CELL, SegmentKind.RFM_TIER, SegmentKind.PRESET)
"""The kinds that the recompute of all placements fills; the others are a workspace's own."""


class Segment(Record):
    """A named group of customers."""

    key = fields.CharField(max_length=64)
    kind = choice(SegmentKind)
    name_en = fields.CharField(max_length=120)
    name_zh = fields.CharField(max_length=120)
    created_at = Instant()
    archived_at = Instant(null=True)
    """Since when it is kept for its history only: its members stay as they were."""

    class Meta:
        table = "segments"
        indexes = [
            Index(("workspace_id", "key"), "segments_key", unique=True),
            Index(("workspace_id", "kind", "id"), "segments_kind"),
        ]


class _Placed(Model):
    """The columns of a placement. Recency is derived from `last_order_on`, in local days.

    A rank of 0 is one that no exact pass has given yet. Estimated places stand where a quick pass
    decided the tier by them, until an exact pass has ranked everybody.
    """

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    lifecycle = choice(LifecycleStage)
    value_level = choice(ValueLevel)
    tier = choice(RfmTier)
    last_order_on = fields.DateField(null=True)
    frequency = fields.IntField()
    monetary_minor = fields.BigIntField()
    r_rank = fields.BigIntField()
    f_rank = fields.BigIntField()
    m_rank = fields.BigIntField()
    composite_rank = fields.BigIntField()
    vip = fields.BooleanField()
    profit_key = fields.BooleanField()
    new_3m = fields.BooleanField()
    heard_at = Instant(null=True)
    registered_at = Instant(null=True)
    cancelled_at = Instant(null=True)
    r_estimate = fields.BigIntField(null=True)
    m_estimate = fields.BigIntField(null=True)
    composite_estimate = fields.BigIntField(null=True)

    class Meta:
        abstract = True


class Placement(_Placed):
    """Where the published segmentation places one customer, with the figures that decided it."""

    customer_id = Reference("customers")
    run_id = Reference("runs")
    """The run that last changed this row."""

    class Meta:
        table = "placements"
        indexes = [
            Index(("workspace_id", "customer_id"), "placements_customer", unique=True),
            Index(("workspace_id", "lifecycle", "value_level", "customer_id"), "placements_cell"),
            Index(("workspace_id", "tier", "customer_id"), "placements_tier"),
            Index(("workspace_id", "heard_at"), "placements_heard"),
            Index(("workspace_id", "cancelled_at"), "placements_cancelled", where="cancelled_at IS NOT NULL"),
        ]


class PlacementDraft(_Placed):
    """What a running recompute will change about a placement: what it becomes, or that it goes.

    Without references: it holds for a moment, and is written by the million.
    """

    customer_id = fields.BigIntField()
    run_id = fields.BigIntField()
    gone = fields.BooleanField(default=False)

    class Meta:
        table = "placement_drafts"
        indexes = [Index(("workspace_id", "run_id", "customer_id"), "placement_drafts_customer", unique=True)]


class PlacementMark(Model):
    """A customer whose placement may have to change; the database itself writes it with the change.

    One more row at each change, so that nobody waits for another who marks the same customer.
    `run_id` is the run that has looked at them and not yet published.
    """

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    customer_id = fields.BigIntField()
    run_id = fields.BigIntField(null=True)

    class Meta:
        table = "placement_marks"
        indexes = [Index(("workspace_id", "customer_id"), "placement_marks_customer")]


class PlacementCut(Model):
    """The whole key of whoever held a rank when everybody was ranked: a boundary, or a quantile.

    `measure` is R, F, M or C (composite). Keys rise with the rank.
    """

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    measure = fields.CharField(max_length=1)
    rank = fields.BigIntField()
    k1 = fields.BigIntField()
    k2 = fields.BigIntField()
    k3 = fields.BigIntField()
    k4 = fields.BigIntField()

    class Meta:
        table = "placement_cuts"
        indexes = [Index(("workspace_id", "measure", "rank"), "placement_cuts_rank", unique=True)]


class Membership(Model):
    """A customer's stay in a segment: when it began and ended, by which runs, and why."""

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    segment_id = Reference("segments")
    customer_id = Reference("customers")
    entered_at = Instant()
    entered_run_id = Reference("runs")
    left_at = Instant(null=True)
    left_run_id = Reference("runs", null=True)
    reason = fields.CharField(max_length=64)

    class Meta:
        table = "memberships"
        indexes = [
            Index(
                ("workspace_id", "segment_id", "customer_id"),
                "memberships_current",
                unique=True,
                where="left_at IS NULL",
            ),
            Index(("workspace_id", "customer_id", "id"), "memberships_customer"),
            Index(("workspace_id", "entered_run_id", "segment_id"), "memberships_entered"),
            Index(("workspace_id", "left_run_id", "segment_id"), "memberships_left"),
        ]


class Segmentation(Model):
    """One published recompute: as of when, by which thresholds, and what it moved.

    `ranked_as_of` and `ranked` say when everybody was last ranked, and how many that were: by this pass
    or by an earlier one. `marked` is how many it looked at, `moved` how many placements changed since all
    were ranked, `drift` how many a full pass found otherwise than the passes before had left them.
    """

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    run_id = Reference("runs")
    as_of = Instant()
    computed_at = Instant()
    thresholds_number = fields.IntField()
    customers = fields.BigIntField()
    changed = fields.BigIntField()
    counts = Document()
    mode = choice(RecomputeMode, null=True)
    ranked_as_of = Instant(null=True)
    ranked = fields.BigIntField(null=True)
    marked = fields.BigIntField(null=True)
    moved = fields.BigIntField(null=True)
    drift = fields.BigIntField(null=True)

    class Meta:
        table = "segmentations"
        indexes = [
            Index(("workspace_id", "run_id"), "segmentations_run", unique=True),
            Index(("workspace_id", "id"), "segmentations_latest"),
        ]


class SegmentVersion(Model):
    """One version of what a workspace's own segment holds: a rule, or what was done to a list by hand."""

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    segment_id = Reference("segments")
    number = fields.IntField()
    document = Document()
    actor = fields.CharField(max_length=64)
    created_at = Instant()

    class Meta:
        table = "segment_versions"
        indexes = [Index(("workspace_id", "segment_id", "number"), "segment_versions_number", unique=True)]


class SegmentPick(Model):
    """A customer picked by hand for a STATIC segment; whoever is no longer counted is picked still."""

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    segment_id = Reference("segments")
    customer_id = Reference("customers")

    class Meta:
        table = "segment_picks"
        indexes = [
            Index(("workspace_id", "segment_id", "customer_id"), "segment_picks_customer", unique=True)
        ]


class SegmentMove(Model):
    """A customer who is to enter a segment or leave it, worked out by a run and not yet published."""

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    run_id = Reference("runs")
    segment_id = Reference("segments")
    customer_id = Reference("customers")
    enters = fields.BooleanField()

    class Meta:
        table = "segment_moves"
        indexes = [
            Index(
                ("workspace_id", "segment_id", "run_id", "customer_id"), "segment_moves_customer", unique=True
            )
        ]


class SegmentPublication(Model):
    """One publishing of a workspace's own segment: of which version, as of when, and what it moved."""

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    segment_id = Reference("segments")
    run_id = Reference("runs")
    number = fields.IntField()
    as_of = Instant()
    computed_at = Instant()
    milliseconds = fields.IntField()
    members = fields.BigIntField()
    entered = fields.BigIntField()
    departed = fields.BigIntField()
    exact = fields.BooleanField(default=True, db_default=True)
    """Whether everybody was looked at, and not only those who were marked."""

    class Meta:
        table = "segment_publications"
        indexes = [Index(("workspace_id", "segment_id", "id"), "segment_publications_latest")]


class SegmentMark(Model):
    """A customer of whom something changed that a rule may ask about; gone once that was followed."""

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    customer_id = Reference("customers")
    marked_at = Instant()

    class Meta:
        table = "segment_marks"
        indexes = [Index(("workspace_id", "id"), "segment_marks_waiting")]
