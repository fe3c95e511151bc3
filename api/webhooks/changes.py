"""What admins do about webhooks."""

from datetime import timedelta
from typing import Annotated, Any, cast

import strawberry

from api.context import Info, who
from api.ids import row_id
from api.live import TOPICS, cursor_at, position
from api.mutations import Expected, Refusal, mutation, payload, result
from api.webhooks.types import Webhook, WebhookDelivery
from domain import webhooks
from domain.access import ADMINS, Role
from domain.errors import Invalid

WebhookId = Annotated[strawberry.ID, strawberry.argument(description="The webhook's id.")]
URL = (
    "Where messages are sent: https:// in production, to a public address, on port 443 or 8443 unless the "
    "operator allows others; without user and fragment."
)
DOCUMENT = (
    "Shapes the `data` of messages. A subscription, whose event about the change it is; its `where` leaves "
    "out what does not fit. Or a query, which may declare `$id: ID`, `$change: String` and `$cursor: String`."
)
MOST_SECONDS = 30 * 86_400


@strawberry.input(description="A new webhook.")
class WebhookCreateInput:
    name: str = strawberry.field(description="Its name; no other webhook has it.")
    url: str = strawberry.field(description=URL)
    topics: list[str] = strawberry.field(description=f"What it is told about: {', '.join(TOPICS)}.")
    role: Role = strawberry.field(description="As what it is told; only an owner names OWNER.")
    document: str | None = strawberry.field(default=None, description=f"{DOCUMENT} Without one: the id only.")


@strawberry.input(description="What changes about a webhook; what is left out or null stays.")
class WebhookUpdateInput:
    name: str | None = strawberry.field(default=None, description="Its name; no other webhook has it.")
    url: str | None = strawberry.field(default=None, description=URL)
    topics: list[str] | None = strawberry.field(default=None, description="All that it is told about.")
    role: Role | None = strawberry.field(
        default=None, description="As what it is told; only an owner names OWNER."
    )
    document: str | None = strawberry.field(
        default=None, description=f"{DOCUMENT} Empty: messages have the id only."
    )


@payload("A webhook was made.")
class WebhookCreatePayload:
    webhook: Webhook = strawberry.field(description="The webhook.")
    secret: str | None = strawberry.field(
        description="With which its messages are signed. It is shown now and never again, a repeated call "
        "included."
    )


@payload("A webhook was changed.")
class WebhookUpdatePayload:
    webhook: Webhook = strawberry.field(description="The webhook as it is now.")


@payload("A webhook is told nothing more.")
class WebhookDisablePayload:
    webhook: Webhook = strawberry.field(description="The webhook as it is now.")


@payload("A webhook is told things again.")
class WebhookEnablePayload:
    webhook: Webhook = strawberry.field(description="The webhook as it is now.")


@payload("A webhook was removed, with the record of what it was sent.")
class WebhookDeletePayload:
    deleted: bool = strawberry.field(description="True.")


@payload("A webhook has a new secret.")
class WebhookSecretRotatePayload:
    webhook: Webhook = strawberry.field(description="The webhook as it is now.")
    secret: str | None = strawberry.field(
        description="The new secret. It is shown now and never again, a repeated call included."
    )


@payload("Messages are sent again.")
class WebhookReplayPayload:
    count: int = strawberry.field(description="How many messages are to be sent.")
    next_after: str | None = strawberry.field(
        description="Where more is to be replayed than is at once: the `after` of the next call."
    )


@payload("A message is sent again.")
class WebhookDeliveryReplayPayload:
    delivery: WebhookDelivery = strawberry.field(description="The delivery as it is now.")


@strawberry.type(description="One header of a message.")
class WebhookHeader:
    name: str = strawberry.field(description="Its name.")
    value: str = strawberry.field(description="Its value.")


@payload("What a webhook would be sent, or a test that is being sent.")
class WebhookTestPayload:
    headers: list[WebhookHeader] | None = strawberry.field(
        description="The headers of the message about the latest change; null where there is none that fits."
    )
    body: str | None = strawberry.field(description="Its body, with which the signature fits.")
    delivery: WebhookDelivery | None = strawberry.field(
        description="The message `webhook.test` that is being sent, where that was asked for."
    )


def _terms(given: WebhookUpdateInput) -> dict[str, Any]:
    names = ("name", "url", "topics", "role", "document")
    return {name: getattr(given, name) for name in names if getattr(given, name) is not None}


@strawberry.type
class WebhookMutations:
    @mutation("Have a partner's tool told what happens, from now on.", allow=ADMINS)
    async def webhook_create(
        self,
        info: Info,
        input: Annotated[WebhookCreateInput, strawberry.argument(description="Whom and what.")],
    ) -> Annotated[WebhookCreatePayload | Refusal, result("WebhookCreateResult")]:
        made, secret = await webhooks.create(
            who(info),
            name=input.name,
            url=input.url,
            topics=input.topics,
            role=input.role,
            document=input.document,
        )
        return WebhookCreatePayload(webhook=cast(Webhook, made), secret=secret)

    @mutation("Change a webhook; messages that wait are sent as it is then.", allow=ADMINS)
    async def webhook_update(
        self,
        info: Info,
        id: WebhookId,
        input: Annotated[WebhookUpdateInput, strawberry.argument(description="What changes.")],
        expected_version: Expected = None,
    ) -> Annotated[WebhookUpdatePayload | Refusal, result("WebhookUpdateResult")]:
        changed = await webhooks.update(who(info), row_id("Webhook", id), expected_version, **_terms(input))
        return WebhookUpdatePayload(webhook=cast(Webhook, changed))

    @mutation("Send a webhook nothing until it is enabled; what happens meanwhile waits.", allow=ADMINS)
    async def webhook_disable(
        self, info: Info, id: WebhookId, expected_version: Expected = None
    ) -> Annotated[WebhookDisablePayload | Refusal, result("WebhookDisableResult")]:
        changed = await webhooks.disable_by_hand(who(info), row_id("Webhook", id), expected_version)
        return WebhookDisablePayload(webhook=cast(Webhook, changed))

    @mutation("Let a webhook go on where it stopped, or from now on.", allow=ADMINS)
    async def webhook_enable(
        self,
        info: Info,
        id: WebhookId,
        skip: Annotated[
            bool, strawberry.argument(description="Whether what it missed and what waits is left out.")
        ] = False,
        expected_version: Expected = None,
    ) -> Annotated[WebhookEnablePayload | Refusal, result("WebhookEnableResult")]:
        changed = await webhooks.enable(
            who(info), row_id("Webhook", id), skip=skip, expected_version=expected_version
        )
        return WebhookEnablePayload(webhook=cast(Webhook, changed))

    @mutation("Give a webhook a new secret; for a while messages are signed with both.", allow=ADMINS)
    async def webhook_secret_rotate(
        self,
        info: Info,
        id: WebhookId,
        overlap_seconds: Annotated[
            int,
            strawberry.argument(
                description="How long the secret before still signs: 0 to 30 days, one day if left out."
            ),
        ] = 86_400,
        expected_version: Expected = None,
    ) -> Annotated[WebhookSecretRotatePayload | Refusal, result("WebhookSecretRotateResult")]:
        if not 0 <= overlap_seconds <= MOST_SECONDS:
            raise Invalid(f"between 0 and {MOST_SECONDS}", field="overlapSeconds")
        changed, secret = await webhooks.rotate_secret(
            who(info),
            row_id("Webhook", id),
            overlap=timedelta(seconds=overlap_seconds),
            expected_version=expected_version,
        )
        return WebhookSecretRotatePayload(webhook=cast(Webhook, changed), secret=secret)

    @mutation(
        "Send a stretch of the feed (again), in order and under the ids its messages had: at most 1,000 "
        "lines at once. Lines from before the webhook was made are sent too.",
        allow=ADMINS,
    )
    async def webhook_replay(
        self,
        info: Info,
        id: WebhookId,
        after: Annotated[str, strawberry.argument(description="The cursor behind which the stretch begins.")],
        until: Annotated[
            str | None,
            strawberry.argument(description="The cursor of its last line; up to now if left out."),
        ] = None,
    ) -> Annotated[WebhookReplayPayload | Refusal, result("WebhookReplayResult")]:
        caller, number = who(info), row_id("Webhook", id)
        begin = await position(caller, after)
        end = None if until is None else await position(caller, until, "until")
        count, more = await webhooks.replay(caller, number, begin, end)
        following = None if more is None else await cursor_at(caller.workspace_id, more)
        return WebhookReplayPayload(count=count, next_after=following)

    @mutation("Send one message again, under the id it had; one that waits is tried now.", allow=ADMINS)
    async def webhook_delivery_replay(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The delivery's id.")],
        expected_version: Expected = None,
    ) -> Annotated[WebhookDeliveryReplayPayload | Refusal, result("WebhookDeliveryReplayResult")]:
        number = row_id("WebhookDelivery", id)
        delivery = await webhooks.replay_one(who(info), number, expected_version)
        return WebhookDeliveryReplayPayload(delivery=cast(WebhookDelivery, delivery))

    @mutation(
        "Show the message about the latest change as it would be sent, without sending it; or send a test.",
        allow=ADMINS,
    )
    async def webhook_test(
        self,
        info: Info,
        id: WebhookId,
        send: Annotated[
            bool, strawberry.argument(description="Whether a message `webhook.test` is sent.")
        ] = False,
    ) -> Annotated[WebhookTestPayload | Refusal, result("WebhookTestResult")]:
        caller, number = who(info), row_id("Webhook", id)
        if send:
            sent = await webhooks.send_test(caller, number)
            return WebhookTestPayload(headers=None, body=None, delivery=cast(WebhookDelivery, sent))
        shown = await webhooks.rehearse(caller, number)
        if shown is None:
            return WebhookTestPayload(headers=None, body=None, delivery=None)
        headers, body = shown
        named = [WebhookHeader(name=name, value=value) for name, value in headers.items()]
        return WebhookTestPayload(headers=named, body=body, delivery=None)

    @mutation("Remove a webhook and the record of what it was sent.", allow=ADMINS)
    async def webhook_delete(
        self, info: Info, id: WebhookId, expected_version: Expected = None
    ) -> Annotated[WebhookDeletePayload | Refusal, result("WebhookDeleteResult")]:
        await webhooks.delete(who(info), row_id("Webhook", id), expected_version)
        return WebhookDeletePayload(deleted=True)
