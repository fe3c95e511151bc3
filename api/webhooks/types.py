"""Webhooks, what they are sent, and how that went."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, cast

import strawberry
from tortoise.expressions import Q

import api.webhooks.enums  # noqa: F401
from api import live
from api.connections import After, Before, Connection, First, Last, nested, part
from api.context import Info, who
from api.filters import DateTimeFilter, EnumFilter, where_q
from api.nodes import Node, node_type, row_type
from domain import feeds, timekeeping, webhooks, workspaces
from domain.access import ADMINS, Principal, Role
from domain.language import Language
from domain.paging import Order
from domain.webhooks import AttemptError, DeliveryState, DisabledReason


async def _for_admins(model: Any, who: Principal, ids: list[int]) -> Mapping[int, Any]:
    return await model.by_ids(who.workspace_id, ids) if who.role in ADMINS else {}


async def _webhooks(who: Principal, ids: list[int]) -> Mapping[int, Any]:
    return await _for_admins(webhooks.Webhook, who, ids)


async def _deliveries(who: Principal, ids: list[int]) -> Mapping[int, Any]:
    return await _for_admins(webhooks.WebhookDelivery, who, ids)


@row_type(webhooks.WebhookAttempt, description="One try at a message, and how it was answered.")
class WebhookAttempt:
    at: datetime = strawberry.field(description="When, in machine time.")
    status: int | None = strawberry.field(description="The status of the answer; null: there was none.")
    error: AttemptError | None = strawberry.field(description="Why it does not count; null: it arrived.")
    duration_ms: int = strawberry.field(description="How long it took, in milliseconds.")
    answer: str = strawberry.field(
        description="The beginning of what the receiver said, at most 500 characters."
    )


@node_type(webhooks.WebhookDelivery, description="One message to one receiver.", visible=_deliveries)
class WebhookDelivery(Node):
    message_id: str = strawberry.field(
        description="The message's `webhook-id`, the same at each try and replay."
    )
    state: DeliveryState = strawberry.field(description="Where it stands.")
    tries: int = strawberry.field(description="How often it was tried since it last began.")
    next_at: datetime | None = strawberry.field(description="When it is tried next, in business time.")
    delivered_at: datetime | None = strawberry.field(description="When it arrived, in business time.")
    created_at: datetime = strawberry.field(description="When it was written down, in machine time.")
    version: int = strawberry.field(description="Rises with each change.")

    @strawberry.field(description="What happened, such as `task.completed`; `webhook.test` for a test.")
    def change(self: Any) -> str:
        return str(self.name)

    @strawberry.field(description="Its place in the feed, as cursors name it; null for a test.")
    async def cursor(self: Any, info: Info) -> str | None:
        if self.position is None:
            return None
        line = await info.context.loaders.load(feeds.lines_at, self.position)
        return None if line is None else live.cursor(line)

    @strawberry.field(description="Each try, the first first.")
    async def attempts(
        self: Any,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[WebhookAttempt]:
        query = webhooks.attempts(who(info).workspace_id)
        chosen = part(first, last, after, before)
        found = await nested(info, "attempts", query, "delivery_id", self.id, Order("id"), chosen)
        return cast(Connection[WebhookAttempt], found)


@strawberry.input(description="Which messages.")
class WebhookDeliveryWhere:
    state: EnumFilter[DeliveryState] | None = strawberry.field(
        default=strawberry.UNSET, description="Where they stand."
    )
    created_at: DateTimeFilter | None = strawberry.field(
        default=strawberry.UNSET, description="When they were written down."
    )


@node_type(webhooks.Webhook, description="A receiver of messages about what happens.", visible=_webhooks)
class Webhook(Node):
    name: str = strawberry.field(description="Its name.")
    url: str = strawberry.field(description="Where messages are sent.")
    topics: list[str] = strawberry.field(description="What it is told about.")
    document: str | None = strawberry.field(description="The GraphQL document that shapes its messages.")
    role: Role = strawberry.field(description="As what it is told: personal data are masked accordingly.")
    disabled_at: datetime | None = strawberry.field(
        description="Since when it is told nothing, in business time."
    )
    disabled_reason: DisabledReason | None = strawberry.field(description="Why; null: it is told.")
    failing_since: datetime | None = strawberry.field(
        description="Since when nothing arrives, in business time; null: all is well."
    )
    last_success_at: datetime | None = strawberry.field(
        description="When a message arrived last, in business time."
    )
    created_at: datetime = strawberry.field(description="When it was made, in machine time.")
    version: int = strawberry.field(description="Rises with each change; sending is none.")

    @strawberry.field(description="Whether it is told what happens.")
    def enabled(self: Any) -> bool:
        return self.disabled_at is None

    @strawberry.field(description="Why it is disabled, for people to read; null: it is not.")
    async def disabled_text(
        self: Any,
        info: Info,
        language: Annotated[
            Language | None,
            strawberry.argument(description="In which language; the workspace's if left out."),
        ] = None,
    ) -> str | None:
        if self.disabled_reason is None:
            return None
        spoken = language or (await workspaces.get(who(info).workspace_id)).language
        return webhooks.REASONS[DisabledReason(self.disabled_reason)](spoken)

    @strawberry.field(
        description="Until when messages are signed with the secret before, too; null: they are not."
    )
    def rotating_until(self: Any) -> datetime | None:
        until: datetime | None = self.previous_until
        return until if until is not None and until > timekeeping.machine_now() else None

    @strawberry.field(description="Its messages, the latest first.")
    async def deliveries(
        self: Any,
        info: Info,
        where: Annotated[WebhookDeliveryWhere | None, strawberry.argument(description="Which ones.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[WebhookDelivery]:
        condition: Q = where_q(where, {"state": "state", "created_at": "created_at"})
        query = webhooks.deliveries(who(info).workspace_id, condition)
        chosen = part(first, last, after, before)
        order = Order("id", descending=True)
        found = await nested(info, "webhook_deliveries", query, "webhook_id", self.id, order, chosen)
        return cast(Connection[WebhookDelivery], found)
