"""Tells partners what happens, signed, in order, and until it arrives."""

from domain.webhooks.actions import (
    create,
    delete,
    disable_by_hand,
    enable,
    rehearse,
    replay,
    replay_one,
    rotate_secret,
    send_test,
    update,
)
from domain.webhooks.delivering import shaped_by
from domain.webhooks.fanning import due, next_due, set_apart, wake
from domain.webhooks.models import (
    REASONS,
    AttemptError,
    DeliveryState,
    DisabledReason,
    Webhook,
    WebhookAttempt,
    WebhookDelivery,
)
from domain.webhooks.queries import attempts, deliveries, page
from domain.webhooks.retention import prune
from domain.webhooks.shaping import Shaper, sent_by
from domain.webhooks.topics import DELIVER

__all__ = [
    "DELIVER",
    "REASONS",
    "AttemptError",
    "DeliveryState",
    "DisabledReason",
    "Shaper",
    "Webhook",
    "WebhookAttempt",
    "WebhookDelivery",
    "attempts",
    "create",
    "delete",
    "deliveries",
    "disable_by_hand",
    "due",
    "enable",
    "next_due",
    "page",
    "prune",
    "rehearse",
    "replay",
    "replay_one",
    "rotate_secret",
    "send_test",
    "sent_by",
    "set_apart",
    "shaped_by",
    "update",
    "wake",
]
