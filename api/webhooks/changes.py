"""What admins do about webhooks."""

from datetime import timedelta
from typing import Annotated, Any, cast

import strawberry

from api.context import Info, who
from api.ids import row_id
from api.live import position
from api.mutations import Expected, Refusal, mutation, payload, result
from api.webhooks.types import Webhook, WebhookDelivery, cursor_of
from domain import webhooks
from domain.access import ADMINS, Role
from domain.errors import Invalid, Required

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
    topics: list[str] = strawberry.field(description="What it is told about: tasks, runs, kpis.")
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
    delivery: WebhookDelivery | None = strawberry.field(description="The one, where one was named.")
    next_after: str | None = strawberry.field(
        description="Where more is to be replayed than is at once: the `after` of the next call."
    )


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

    @mutation("Remove a webhook and the record of what it was sent.", allow=ADMINS)
    async def webhook_delete(
        self, info: Info, id: WebhookId, expected_version: Expected = None
    ) -> Annotated[WebhookDeletePayload | Refusal, result("WebhookDeleteResult")]:
        await webhooks.delete(who(info), row_id("Webhook", id), expected_version)
        return WebhookDeletePayload(deleted=True)

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
        "Send messages again, in their order and under the ids they had: one delivery, or a stretch of the "
        "feed, at most 1,000 lines of it at once.",
        allow=ADMINS,
    )
    async def webhook_replay(
        self,
        info: Info,
        id: Annotated[
            strawberry.ID | None, strawberry.argument(description="The webhook, for a stretch of its feed.")
        ] = None,
        delivery_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="The one delivery.")
        ] = None,
        after: Annotated[
            str | None, strawberry.argument(description="The cursor behind which the stretch begins.")
        ] = None,
        until: Annotated[
            str | None,
            strawberry.argument(description="The cursor of its last line; up to now if left out."),
        ] = None,
    ) -> Annotated[WebhookReplayPayload | Refusal, result("WebhookReplayResult")]:
        caller = who(info)
        if delivery_id is not None:
            if id is not None or after is not None or until is not None:
                raise Invalid("give a delivery alone, or a webhook and cursors", field="deliveryId")
            one = await webhooks.replay_one(caller, row_id("WebhookDelivery", delivery_id, "deliveryId"))
            return WebhookReplayPayload(count=1, delivery=cast(WebhookDelivery, one), next_after=None)
        if id is None or after is None:
            raise Required("give a delivery, or a webhook and the cursor to begin behind", field="after")
        number = row_id("Webhook", id)
        end = 2**62 if until is None else position(caller, until)
        _, count, more = await webhooks.replay(caller, number, position(caller, after), end)
        following = None if more is None else cursor_of(caller.workspace_id, more)
        return WebhookReplayPayload(count=count, delivery=None, next_after=following)

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
