"""Where partners want to be told, what they are told, and how each telling went."""

from enum import StrEnum

from tortoise import Model, fields

from domain.access import Role
from domain.db import Document, Index, Instant, Reference, choice
from domain.language import Label
from domain.records import Record


class DeliveryState(StrEnum):
    """Where one message to a partner stands."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


class AttemptError(StrEnum):
    """Why an attempt was none that counts."""

    ADDRESS = "ADDRESS"
    NAME = "NAME"
    CONNECTION = "CONNECTION"
    TIMEOUT = "TIMEOUT"
    PROTOCOL = "PROTOCOL"
    TOO_LARGE = "TOO_LARGE"
    REDIRECT = "REDIRECT"
    STATUS = "STATUS"
    UNPREPARED = "UNPREPARED"


class DisabledReason(StrEnum):
    """Why a webhook is told nothing more."""

    BY_HAND = "BY_HAND"
    FAILED_FOR_A_DAY = "FAILED_FOR_A_DAY"
    GONE = "GONE"
    SECRET_UNREADABLE = "SECRET_UNREADABLE"  # noqa: S105
    INTERNAL = "INTERNAL"


REASONS = {
    DisabledReason.BY_HAND: Label("Somebody disabled it.", "已由管理人员停用。"),
    DisabledReason.FAILED_FOR_A_DAY: Label(
        "Its receiver took nothing for 24 hours.", "接收方连续24小时未能接收任何消息。"
    ),
    DisabledReason.GONE: Label(
        "Its receiver answered that it is gone for good (410).", "接收方答复该地址已永久失效（410）。"
    ),
    DisabledReason.SECRET_UNREADABLE: Label(
        "Its secret cannot be read under the present CARELINE_SECRET_KEY; rotate it.",
        "当前的 CARELINE_SECRET_KEY 无法读取其密钥，请轮换密钥。",
    ),
    DisabledReason.INTERNAL: Label(
        "Careline failed to prepare its messages; see the log.", "系统未能准备其消息，请查看日志。"
    ),
}


class Webhook(Record):
    """One receiver. What it is told it is told as a principal of its own, with a role, topics and scopes."""

    name = fields.CharField(max_length=120)
    url = fields.CharField(max_length=2000)
    topics = Document()
    document = fields.TextField(null=True)
    role = choice(Role)
    scopes = Document()
    secret = fields.CharField(max_length=255)
    """Sealed."""
    previous_secret = fields.CharField(max_length=255, null=True)
    previous_until = Instant(null=True)
    """Until then messages are signed with the secret before, too; machine time."""
    position = fields.BigIntField()
    """How far the feed has been read for it."""
    wake_at = Instant(null=True)
    """When something is to be sent next: the timer."""
    failing_since = Instant(null=True)
    """Since when nothing has arrived. Then one message at a time is tried, until one does."""
    last_success_at = Instant(null=True)
    disabled_at = Instant(null=True)
    disabled_reason = choice(DisabledReason, null=True)
    created_by = fields.CharField(max_length=64)
    created_at = Instant()

    class Meta:
        table = "webhooks"
        indexes = [Index(("workspace_id", "name"), "webhooks_name", unique=True)]


class WebhookDelivery(Record):
    """One message to one receiver: a journal line, or a test."""

    webhook_id = Reference("webhooks")
    position = fields.BigIntField(null=True)
    """The line's place in the feed; none for a test."""
    message_id = fields.CharField(max_length=40)
    name = fields.CharField(max_length=64)
    subject = fields.CharField(max_length=32)
    subject_id = fields.BigIntField()
    state = choice(DeliveryState)
    tries = fields.IntField(default=0)
    """How often it was tried since it last began."""
    next_at = Instant(null=True)
    first_at = Instant(null=True)
    """When it was tried first, since it last began."""
    delivered_at = Instant(null=True)
    created_at = Instant()

    class Meta:
        table = "webhook_deliveries"
        indexes = [
            Index(
                ("workspace_id", "webhook_id", "position"),
                "webhook_deliveries_line",
                unique=True,
                where="position IS NOT NULL",
            ),
            Index(
                ("workspace_id", "webhook_id", "position"),
                "webhook_deliveries_pending",
                where="state = 'PENDING'",
            ),
            Index(
                ("workspace_id", "webhook_id", "subject", "subject_id", "position"),
                "webhook_deliveries_order",
                where="state = 'PENDING'",
            ),
            Index(("workspace_id", "webhook_id", "id"), "webhook_deliveries_list"),
            Index(("created_at",), "webhook_deliveries_age"),
        ]


class WebhookAttempt(Model):
    """One try at a delivery, and how it was answered."""

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    delivery_id = Reference("webhook_deliveries")
    at = Instant()
    status = fields.IntField(null=True)
    error = choice(AttemptError, null=True)
    duration_ms = fields.IntField()
    answer = fields.CharField(max_length=500)
    """The beginning of what the receiver said."""

    class Meta:
        table = "webhook_attempts"
        indexes = [Index(("workspace_id", "delivery_id", "id"), "webhook_attempts_list")]
