"""Planned work on a segment, towards a measurable goal."""

from enum import StrEnum

from tortoise import Model, fields

from domain.contacts.models import Channel
from domain.db import Index, Instant, Reference, choice
from domain.records import Record


class CampaignState(StrEnum):
    """Where a campaign stands."""

    DRAFT = "DRAFT"
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    CLOSED = "CLOSED"


class Campaign(Record):
    name = fields.CharField(max_length=120)
    state = choice(CampaignState, default=CampaignState.DRAFT)
    segment_id = Reference("segments")
    owner_id = Reference("users", null=True)
    channel = choice(Channel)
    goal_kpi = fields.CharField(max_length=64, null=True)
    baseline = fields.DecimalField(max_digits=20, decimal_places=6, null=True)
    target = fields.DecimalField(max_digits=20, decimal_places=6, null=True)
    target_on = fields.DateField(null=True)
    task_title = fields.CharField(max_length=200)
    script = fields.TextField(default="")
    due_within_hours = fields.IntField(default=72)
    activated_at = Instant(null=True)
    closed_at = Instant(null=True)
    created_at = Instant()
    updated_at = Instant()

    class Meta:
        table = "campaigns"
        indexes = [Index(("workspace_id", "state", "id"), "campaigns_state")]


class Enrolment(Model):
    """A customer reached by a campaign: once, whatever is repeated. `task_id` is the work it opened."""

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    campaign_id = Reference("campaigns")
    customer_id = Reference("customers")
    task_id = Reference("tasks", null=True)
    verdict = fields.CharField(max_length=32)
    enrolled_at = Instant()

    class Meta:
        table = "enrolments"
        indexes = [Index(("workspace_id", "campaign_id", "customer_id"), "enrolments_customer", unique=True)]
