"""Webhooks as admins see them, and their messages as partners do."""

from api.webhooks.changes import WebhookMutations
from api.webhooks.fields import WebhookQueries
from api.webhooks.shaping import Shaping

__all__ = ["Shaping", "WebhookMutations", "WebhookQueries"]
