"""The run that delivers: what is due of one webhook, several subjects at once, each subject in order.

What was sent is written down behind it, so a worker that dies between the two sends the same message
again, under the same id.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from domain import db, runs, sealing, timekeeping
from domain.access import Principal
from domain.journal import JournalLine
from domain.runs import Work
from domain.webhooks import sending, signing
from domain.webhooks.fanning import disable, held, next_wake, open_of
from domain.webhooks.models import (
    AttemptError,
    DeliveryState,
    DisabledReason,
    Webhook,
    WebhookAttempt,
    WebhookDelivery,
)
from domain.webhooks.sending import GONE, Outcome
from domain.webhooks.shaping import WAYS, Shaper, principal_of, the_shaper
from domain.webhooks.timing import next_try
from domain.webhooks.topics import DELIVER

AT_ONCE = 8
ROUNDS = 100
"""So many batches and the run ends; another goes on, after those of other webhooks."""
LONG = timedelta(minutes=1)
"""After so long without an arrival, the first that arrives has all others tried at once."""
TEST = "webhook.test"
LARGEST_BODY = 2**20
TOO_LARGE = {"message": "The data are larger than 1 MB: let the document ask for less."}


@dataclass(frozen=True)
class Sent:
    """One delivery of a batch, and how it went; no outcome where the document left its line out."""

    delivery: WebhookDelivery
    outcome: Outcome | None
    tried: bool = True


async def perform(work: Work) -> dict[str, Any]:
    """Send what is due of a webhook until nothing is, and set its timer to what comes next."""
    number, delivered = work.args["webhook"], 0
    for _ in range(ROUNDS):
        webhook = await Webhook.find(work.workspace_id, number)
        if webhook is None or webhook.disabled_at is not None:
            break
        batch = await _due(webhook)
        if not batch:
            break
        try:
            secrets = readable_secrets(webhook)
        except sealing.Locked:
            await _give_up(work, number, DisabledReason.SECRET_UNREADABLE)
            break
        sent = await asyncio.gather(*(_send(webhook, delivery, secrets) for delivery in batch))
        delivered += sum(each.outcome is not None and each.outcome.arrived for each in sent)
        async with work.step(done=delivered, unit="messages"):
            await _write_down(work.who, number, sent)
    async with work.step(done=delivered, unit="messages"):
        webhook = await held(work.workspace_id, number)
        if webhook is not None and webhook.disabled_at is None:
            await Webhook.filter(id=number).update(wake_at=await next_wake(webhook))
    return {"delivered": delivered}


def readable_secrets(webhook: Webhook) -> list[str]:
    """The secrets to sign with: the present one, and the one before while it is being replaced."""
    found = [sealing.opened(webhook.secret, place_of(webhook, "secret"))]
    until = webhook.previous_until
    if webhook.previous_secret is not None and until is not None and until > timekeeping.machine_now():
        found.append(sealing.opened(webhook.previous_secret, place_of(webhook, "secret")))
    return found


def place_of(webhook: Webhook, column: str) -> str:
    """What a sealed value is bound to."""
    return f"{webhook.workspace_id}|webhooks|{webhook.id}|{column}"


async def _due(webhook: Webhook) -> list[WebhookDelivery]:
    found = await db.rows(
        f"""SELECT * FROM webhook_deliveries WHERE {await open_of(webhook)} AND next_at <= :now
            ORDER BY position, id LIMIT :limit""",
        workspace=webhook.workspace_id,
        webhook=webhook.id,
        now=await timekeeping.now(webhook.workspace_id),
        limit=AT_ONCE if webhook.failing_since is None else 1,
    )
    return db.hydrate(WebhookDelivery, found)


async def _send(webhook: Webhook, delivery: WebhookDelivery, secrets: list[str]) -> Sent:
    deadline = asyncio.timeout(WAYS.seconds)
    try:
        async with deadline:
            message = await message_of(webhook, delivery)
    except TimeoutError:
        if not deadline.expired():
            raise
        return Sent(delivery, Outcome(int(WAYS.seconds * 1000), error=AttemptError.UNPREPARED))
    if message is None:
        return Sent(delivery, None)
    body = encoded(message)
    timestamp = int(timekeeping.machine_now().timestamp())
    headers = signing.headers(secrets, delivery.message_id, timestamp, body)
    return Sent(delivery, await sending.post(webhook.url, headers, body, WAYS.outbound))


async def message_of(webhook: Webhook, delivery: WebhookDelivery) -> dict[str, Any] | None:
    """What a delivery says, as the webhook may see it now; none where there is nothing to say."""
    if delivery.name == TEST:
        return {"type": TEST, "timestamp": delivery.created_at.isoformat(), "data": {"webhook": webhook.name}}
    line = await JournalLine.get_or_none(workspace_id=webhook.workspace_id, position=delivery.position)
    if line is None:
        return None
    return await the_shaper().shape(principal_of(webhook), webhook.document, line)


def encoded(message: dict[str, Any]) -> bytes:
    body = orjson.dumps(message, default=str)
    if len(body) > LARGEST_BODY:
        return orjson.dumps(message | {"data": None, "errors": [TOO_LARGE]}, default=str)
    return body


async def _write_down(who: Principal, number: int, sent: list[Sent]) -> None:
    """What came of a batch: attempts, states, next tries, and how the webhook itself stands."""
    webhook = await held(who.workspace_id, number)
    if webhook is None:
        return
    now = await timekeeping.now(who.workspace_id)
    outcomes = [each.outcome for each in sent if each.outcome is not None]
    for each in sent:
        if each.outcome is not None:
            await _note(each.delivery, each.outcome)
    if any(outcome.arrived for outcome in outcomes):
        since = webhook.failing_since
        recovered = since is not None and now - since >= LONG
        webhook.failing_since, webhook.last_success_at = None, now
        await Webhook.filter(id=number).update(failing_since=None, last_success_at=now)
        if recovered:  # whatever waited for its next try is tried now
            await WebhookDelivery.filter(
                workspace_id=who.workspace_id, webhook_id=number, state=DeliveryState.PENDING, next_at__gt=now
            ).update(next_at=now)
    elif outcomes and webhook.failing_since is None:
        await Webhook.filter(id=number).update(failing_since=now)
    reasons = [reason for each in sent if (reason := await _settle(webhook, each, now)) is not None]
    if reasons and webhook.disabled_at is None:
        await disable(who, webhook, reasons[0])


async def _note(delivery: WebhookDelivery, outcome: Outcome) -> None:
    await WebhookAttempt.create(
        workspace_id=delivery.workspace_id,
        delivery_id=delivery.id,
        at=timekeeping.machine_now(),
        status=outcome.status,
        error=outcome.error,
        duration_ms=outcome.duration_ms,
        answer=outcome.answer,
    )


async def _settle(webhook: Webhook, sent: Sent, now: datetime) -> DisabledReason | None:
    """Write where a delivery stands now; why the webhook is to be told nothing more, if it is not."""
    delivery, outcome = sent.delivery, sent.outcome
    first_at = delivery.first_at or now
    reason = None
    if outcome is None:
        values: dict[str, Any] = {"state": DeliveryState.SKIPPED, "next_at": None}
    elif outcome.arrived:
        values = {
            "state": DeliveryState.DELIVERED,
            "next_at": None,
            "delivered_at": now,
            "tries": delivery.tries + 1,
        }
    else:
        again = next_try(now, first_at, delivery.tries + 1)
        values = {"next_at": again or now, "first_at": first_at, "tries": delivery.tries + 1}
        if outcome.status == GONE and outcome.error is AttemptError.STATUS:
            reason = DisabledReason.GONE
        elif again is None:
            lives = webhook.last_success_at is not None and webhook.last_success_at >= first_at
            if lives:  # others arrive: this one alone is not wanted
                values |= {"state": DeliveryState.FAILED, "next_at": None}
            else:
                reason = DisabledReason.FAILED_FOR_A_DAY
    # Only as it was when it was sent: somebody may have asked for it again meanwhile.
    await delivery.change({"state": DeliveryState.PENDING}, **values)
    return reason


async def _give_up(work: Work, number: int, reason: DisabledReason) -> None:
    async with work.step():
        webhook = await held(work.workspace_id, number)
        if webhook is not None and webhook.disabled_at is None:
            await disable(work.who, webhook, reason)


def shaped_by(shaper: Shaper) -> None:
    """Have messages shaped by this from now on; a process without a shaper leaves deliveries to others."""
    WAYS.shaper = shaper
    runs.performs(DELIVER)(perform)


runs.kind(DELIVER, priority=80, deadline_seconds=900, limit=4)(runs.unknown)
# Before most imports; of one workspace so many at once that slow receivers leave room to others.
