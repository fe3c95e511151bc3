"""Asks about webhooks and what they were sent."""

from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from domain.access import Principal
from domain.journal import JournalLine
from domain.paging import Order, Page, Slice
from domain.paging import page as paged
from domain.webhooks.models import Webhook, WebhookAttempt, WebhookDelivery
from domain.webhooks.topics import is_told, subjects_of

LOOKED_BACK = 100


async def page(who: Principal, part: Slice) -> Page[Webhook]:
    """The webhooks of a workspace, the oldest first."""
    return await paged(Webhook.filter(workspace_id=who.workspace_id), Order("id"), part)


def deliveries(workspace_id: int, where: Q) -> QuerySet[WebhookDelivery]:
    return WebhookDelivery.filter(where, workspace_id=workspace_id)


def attempts(workspace_id: int) -> QuerySet[WebhookAttempt]:
    return WebhookAttempt.filter(workspace_id=workspace_id)


async def latest_line(webhook: Webhook) -> JournalLine | None:
    """The latest line that is a message to it."""
    lines = (
        await JournalLine.filter(
            workspace_id=webhook.workspace_id,
            position__isnull=False,
            subject__in=subjects_of(webhook.topics),
        )
        .order_by("-position")
        .limit(LOOKED_BACK)
    )
    return next((line for line in lines if is_told(line)), None)
