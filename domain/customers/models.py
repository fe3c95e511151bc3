"""Who the customers are and what they did."""

from enum import StrEnum

from tortoise import Model, fields

from domain.customers.keys import FORMS
from domain.customers.quality import passes, percent
from domain.db import Derived, Document, Index, Instant, Reference, choice
from domain.records import Record


class OrderStatus(StrEnum):
    """Where an order stands. A refunded order counts for nothing that is computed."""

    PAID = "PAID"
    DELIVERED = "DELIVERED"
    REFUNDED = "REFUNDED"


class LeadSource(StrEnum):
    """How a lead was gained."""

    TRADE_FAIR = "TRADE_FAIR"
    ONLINE_COMMUNITY = "ONLINE_COMMUNITY"
    REFERRAL = "REFERRAL"
    WEBSITE = "WEBSITE"
    OTHER = "OTHER"


class LeadPotential(StrEnum):
    """What a lead may become."""

    HIGH = "HIGH"
    NORMAL = "NORMAL"


class ExclusionReason(StrEnum):
    """Why a record is not one customer of ours to be counted (C-08)."""

    TEST = "TEST"
    MERGED = "MERGED"
    ANONYMISED = "ANONYMISED"
    OTHER = "OTHER"


class Customer(Record):
    """A customer with running totals over completed orders.

    `last_interaction_at` is the latest order, event or answered contact: what silence is counted from.
    `excluded` takes anonymised, merged and test records out of every ranking (C-08). What is recorded under
    the key of a record that was merged goes to `merged_into_id`.
    """

    external_id = fields.CharField(max_length=128)
    name = fields.CharField(max_length=200, null=True)
    company = fields.CharField(max_length=200, null=True)
    phone = fields.CharField(max_length=40, null=True)
    email = fields.CharField(max_length=254, null=True)
    owner_id = Reference("users", null=True)
    registered_at = Instant()
    cancelled_at = Instant(null=True)
    excluded = fields.BooleanField(default=False)
    merged_into_id = fields.BigIntField(null=True)
    synthetic = fields.BooleanField(default=False)
    first_order_at = Instant(null=True)
    last_order_at = Instant(null=True)
    order_count = fields.IntField(default=0)
    order_total_minor = fields.BigIntField(default=0)
    last_interaction_at = Instant(null=True)
    created_at = Instant()
    updated_at = Instant()
    email_form = Derived(FORMS["email_form"])
    external_form = Derived(FORMS["external_form"])
    name_form = Derived(FORMS["name_form"])
    phone_form = Derived(FORMS["phone_form"])

    class Meta:
        table = "customers"
        indexes = [
            Index(("workspace_id", "external_id"), "customers_external", unique=True),
            Index(("workspace_id", "name", "id"), "customers_name"),
            Index(("workspace_id", "email"), "customers_email", where="email IS NOT NULL"),
            Index(("workspace_id", "phone"), "customers_phone", where="phone IS NOT NULL"),
            Index(("workspace_id", "owner_id", "id"), "customers_owner", where="owner_id IS NOT NULL"),
            Index(("workspace_id", "registered_at", "id"), "customers_registered"),
            Index(("workspace_id", "merged_into_id"), "customers_merged", where="merged_into_id IS NOT NULL"),
            Index(
                ("workspace_id", "email_form", "id"), "customers_email_form", where="email_form IS NOT NULL"
            ),
            Index(("workspace_id", "external_form", "id"), "customers_external_form"),
            Index(("workspace_id", "name_form", "id"), "customers_name_form", where="name_form IS NOT NULL"),
            Index(
                ("workspace_id", "phone_form", "id"), "customers_phone_form", where="phone_form IS NOT NULL"
            ),
        ]


class CustomerTag(Model):
    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    customer_id = Reference("customers")
    tag = fields.CharField(max_length=64)

    class Meta:
        table = "customer_tags"
        indexes = [
            Index(("workspace_id", "customer_id", "tag"), "customer_tags_pair", unique=True),
            Index(("workspace_id", "tag", "customer_id"), "customer_tags_tag"),
        ]


class MergeState(StrEnum):
    """Whether two records still are one."""

    MERGED = "MERGED"
    UNDONE = "UNDONE"


class CustomerMerge(Record):
    """Two records that turned out to be one customer: what was `gone_id`'s is `kept_id`'s now.

    `before` holds what the record that was kept had in place of what it has now; `counts`, by table, how many
    rows were handed over. Which they were is in `merged_rows`.
    """

    kept_id = Reference("customers")
    gone_id = Reference("customers")
    state = choice(MergeState, default=MergeState.MERGED)
    before = Document()
    counts = Document()
    actor = fields.CharField(max_length=64)
    merged_at = Instant()
    undone_at = Instant(null=True)

    class Meta:
        table = "customer_merges"
        indexes = [
            Index(("workspace_id", "gone_id"), "customer_merges_gone", unique=True, where="state = 'MERGED'"),
            Index(("workspace_id", "kept_id", "id"), "customer_merges_kept"),
        ]


class MergedRow(Model):
    """One row that a merge handed over, or made as a copy; `place` names its table and column."""

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    merge_id = Reference("customer_merges")
    place = fields.CharField(max_length=64)
    row_id = fields.BigIntField()

    class Meta:
        table = "merged_rows"
        indexes = [Index(("workspace_id", "merge_id", "place", "row_id"), "merged_rows_merge")]


class Order(Record):
    """`ordered_on` is the local day of the order: ranks count whole days, in the workspace's zone."""

    external_id = fields.CharField(max_length=128)
    customer_id = Reference("customers")
    status = choice(OrderStatus)
    ordered_at = Instant()
    ordered_on = fields.DateField()
    delivered_at = Instant(null=True)
    refunded_at = Instant(null=True)
    quantity = fields.IntField(default=1)
    amount_minor = fields.BigIntField()
    currency = fields.CharField(max_length=3)
    run_id = Reference("runs", null=True)
    created_at = Instant()

    class Meta:
        table = "orders"
        indexes = [
            Index(("workspace_id", "external_id"), "orders_external", unique=True),
            Index(("workspace_id", "customer_id", "ordered_at", "id"), "orders_customer"),
            Index(("workspace_id", "ordered_at", "id"), "orders_time"),
            Index(("workspace_id", "status", "ordered_at", "id"), "orders_status"),
            Index(("workspace_id", "run_id"), "orders_run", where="run_id IS NOT NULL"),
        ]


class Lead(Record):
    """A first sign of interest. `consent` says whether outbound contact was agreed to (C-48)."""

    external_id = fields.CharField(max_length=128)
    customer_id = Reference("customers")
    source = choice(LeadSource)
    potential = choice(LeadPotential, default=LeadPotential.NORMAL)
    industry = fields.CharField(max_length=120, null=True)
    consent = fields.BooleanField(default=False)
    acquired_at = Instant()
    created_at = Instant()

    class Meta:
        table = "leads"
        indexes = [
            Index(("workspace_id", "external_id"), "leads_external", unique=True),
            Index(("workspace_id", "customer_id", "id"), "leads_customer"),
            Index(("workspace_id", "acquired_at", "id"), "leads_time"),
        ]


class BehaviourEvent(Record):
    """Something a customer did: a log-in, a page, a click."""

    external_id = fields.CharField(max_length=128)
    customer_id = Reference("customers")
    name = fields.CharField(max_length=64)
    occurred_at = Instant()
    data = Document()
    created_at = Instant()

    class Meta:
        table = "behaviour_events"
        indexes = [
            Index(("workspace_id", "external_id"), "behaviour_events_external", unique=True),
            Index(("workspace_id", "customer_id", "occurred_at", "id"), "behaviour_events_customer"),
        ]


class RowError(Model):
    """One row of an import that was not taken, and why; the value itself stays in the file."""

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    run_id = Reference("runs")
    line = fields.BigIntField()
    column = fields.CharField(max_length=64, null=True)
    code = fields.CharField(max_length=32)
    message = fields.CharField(max_length=300)

    class Meta:
        table = "row_errors"
        indexes = [Index(("workspace_id", "run_id", "line", "id"), "row_errors_run")]


class ImportReport(Model):
    """What an import found in its file, kept when it has read it to the end.

    `inaccurate` counts the records of which a mandatory field will not do or whose key is repeated (C-46).
    """

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    run_id = Reference("runs")
    dry_run = fields.BooleanField(default=False)
    rows = fields.BigIntField()
    inaccurate = fields.BigIntField()
    repeated = fields.BigIntField()
    figures = Document()
    error_file_id = fields.BigIntField(null=True)
    """The rows that were not taken whole, as a file; it expires before the report does."""
    created_at = Instant()

    @property
    def accuracy(self) -> float:
        """The share of accurate records in percent, never rounded up."""
        return percent(self.rows - self.inaccurate, self.rows)

    @property
    def accepted(self) -> bool:
        return passes(self.rows, self.inaccurate)

    def completeness(self, filled: int) -> float:
        return percent(filled, self.rows)

    class Meta:
        table = "import_reports"
        indexes = [Index(("workspace_id", "run_id"), "import_reports_run", unique=True)]


class ImportChange(Model):
    """What one batch of an import changed, so that it can be undone.

    `created` holds `[id, line]`; `updated` holds `[id, line, version after, values before]`.
    """

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    run_id = Reference("runs")
    subject = fields.CharField(max_length=32)
    created = Document()
    updated = Document()
    undone = fields.BooleanField(default=False)

    class Meta:
        table = "import_changes"
        indexes = [Index(("workspace_id", "run_id", "subject", "id"), "import_changes_run")]
