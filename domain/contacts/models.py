"""How a customer may be reached, what they agreed to, and what was said."""

from enum import StrEnum

from tortoise import Model, fields

from domain.db import Document, Index, Instant, Reference, choice
from domain.records import Record


class Channel(StrEnum):
    """A way of reaching a customer."""

    PHONE = "PHONE"
    WECHAT = "WECHAT"
    WECOM = "WECOM"
    SMS = "SMS"
    EMAIL = "EMAIL"
    ONSITE = "ONSITE"


class Purpose(StrEnum):
    """What a contact is for; consent is given per purpose."""

    SERVICE = "SERVICE"
    MARKETING = "MARKETING"


class Direction(StrEnum):
    """Who began."""

    OUTBOUND = "OUTBOUND"
    INBOUND = "INBOUND"


class ContactResult(StrEnum):
    """What came of a contact."""

    REACHED = "REACHED"
    NO_ANSWER = "NO_ANSWER"
    REFUSED = "REFUSED"
    WRONG_ADDRESS = "WRONG_ADDRESS"


class Verdict(StrEnum):
    """What the contact policy says to a planned contact."""

    ALLOWED = "ALLOWED"
    DEFERRED = "DEFERRED"
    SUBSTITUTED = "SUBSTITUTED"
    REFUSED = "REFUSED"


class ContactPreference(Record):
    """Channels in order of liking, channels refused, and the hours of day in which contact is welcome.

    `windows` is a list of `{"from": "09:00", "to": "12:00"}` in the workspace's zone, empty: any time.
    An empty `allowed` means every channel that is not refused.
    """

    customer_id = Reference("customers")
    allowed = Document()
    refused = Document()
    windows = Document()
    updated_at = Instant()

    class Meta:
        table = "contact_preferences"
        indexes = [Index(("workspace_id", "customer_id"), "contact_preferences_customer", unique=True)]


class Consent(Record):
    """One statement of a customer about one purpose. Statements are only added; the latest holds."""

    customer_id = Reference("customers")
    purpose = choice(Purpose)
    granted = fields.BooleanField()
    source = fields.CharField(max_length=64)
    notice_version = fields.CharField(max_length=64, default="")
    stated_at = Instant()
    created_at = Instant()

    class Meta:
        table = "consents"
        indexes = [Index(("workspace_id", "customer_id", "purpose", "stated_at", "id"), "consents_customer")]


class NeedProfile(Model):
    """One version of what a customer needs (S0-42); the latest holds, and none is ever changed."""

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    customer_id = Reference("customers")
    number = fields.IntField()
    industry = fields.CharField(max_length=120, null=True)
    scale = fields.CharField(max_length=120, null=True)
    use_scenarios = Document()
    core_needs = Document()
    focus_points = Document()
    preferred_channels = Document()
    collected_by = fields.CharField(max_length=64)
    collected_at = Instant()

    class Meta:
        table = "need_profiles"
        indexes = [Index(("workspace_id", "customer_id", "number"), "need_profiles_number", unique=True)]


class Interaction(Record):
    """One contact that took place: when, how, what, and what the customer said (S2-44)."""

    customer_id = Reference("customers")
    channel = choice(Channel)
    direction = choice(Direction)
    personal = fields.BooleanField(default=True)
    result = choice(ContactResult)
    note = fields.TextField(default="")
    staff_id = Reference("users", null=True)
    occurred_at = Instant()
    created_at = Instant()

    class Meta:
        table = "interactions"
        indexes = [
            Index(("workspace_id", "customer_id", "occurred_at", "id"), "interactions_customer"),
            Index(("workspace_id", "occurred_at", "id"), "interactions_time"),
        ]


class ContactDecision(Record):
    """What was asked of the contact policy, what it answered, and by which rule."""

    customer_id = Reference("customers")
    purpose = choice(Purpose)
    wanted_channel = choice(Channel)
    wanted_at = Instant()
    verdict = choice(Verdict)
    channel = choice(Channel, null=True)
    at = Instant(null=True)
    reasons = Document()
    decided_at = Instant()

    class Meta:
        table = "contact_decisions"
        indexes = [Index(("workspace_id", "customer_id", "id"), "contact_decisions_customer")]
