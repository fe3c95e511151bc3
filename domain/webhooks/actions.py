"""What admins do about webhooks: make, change, end, replace secrets, and have messages sent again."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from domain import db, feeds, journal, sealing, timekeeping, workspaces
from domain.access import ADMINS, Principal, Role
from domain.errors import Duplicate, Forbidden, Invalid, NotReady, Reasons, Required
from domain.feeds import TOPICS
from domain.journal import Entry
from domain.texts import text
from domain.webhooks import signing
from domain.webhooks.delivering import TEST, encoded, place_of, readable_secrets
from domain.webhooks.fanning import deliver_lines, disable, held, lines_between
from domain.webhooks.models import (
    DeliveryState,
    DisabledReason,
    Webhook,
    WebhookDelivery,
)
from domain.webhooks.queries import latest_line
from domain.webhooks.shaping import WAYS, principal, principal_of, the_shaper

LONGEST_DOCUMENT = 16_384
REPLAYED_AT_MOST = 1000
LONGEST_OVERLAP = timedelta(days=30)


async def create(
    who: Principal,
    *,
    name: str,
    url: str,
    topics: Collection[str],
    role: Role,
    document: str | None = None,
) -> tuple[Webhook, str]:
    """A new webhook, told what happens from now on, and its secret, which is nowhere to be read again."""
    _must_be_admin(who)
    if not sealing.is_unlocked():
        raise NotReady("webhooks have secrets to keep: the operator has to set CARELINE_SECRET_KEY first")
    reasons = Reasons()
    good = _checked(reasons, who, {"name": name, "url": url, "topics": topics, "role": role})
    async with db.transaction():
        await workspaces.hold(who.workspace_id)
        with reasons.gathered():
            await _must_be_free(who, good.get("name"))
        reasons.refuse()
        webhook = Webhook(
            workspace_id=who.workspace_id,
            scopes=sorted(who.scopes),
            document=await _document(document, who, {**good, "scopes": who.scopes}),
            secret="",
            position=await feeds.head(who.workspace_id),
            created_by=who.label,
            created_at=timekeeping.machine_now(),
            **good,
        )
        await webhook.save()
        secret = signing.make_secret()
        # Sealed for its place, which has a number only now.
        webhook.secret = sealing.seal(secret, place_of(webhook, "secret"))
        await Webhook.filter(id=webhook.id).update(secret=webhook.secret)
        data = {"topics": good["topics"], "role": role.value}
        await journal.write(who, Entry("webhook.created", webhook.id, data=data))
    return webhook, secret


async def update(
    who: Principal, webhook_id: int, expected_version: int | None = None, **given: Any
) -> Webhook:
    """Change what is given of `name`, `url`, `topics`, `role` and `document`; an empty one takes it away."""
    reasons = Reasons()
    document = given.pop("document", None)
    async with db.transaction():
        await workspaces.hold(who.workspace_id)
        webhook = await _held(who, webhook_id, expected_version)
        good = _checked(reasons, who, given)
        with reasons.gathered():
            if good.get("name") not in (None, webhook.name):
                await _must_be_free(who, good["name"])
        reasons.refuse()
        whole = {"topics": webhook.topics, "role": webhook.role, "scopes": webhook.scopes} | good
        if document is not None or (webhook.document and {"topics", "role"} & good.keys()):
            wanted = webhook.document if document is None else document
            good["document"] = await _document(wanted, who, whole)
        changes = {field: value for field, value in good.items() if value != getattr(webhook, field)}
        if changes:
            await webhook.must_change(**changes)
            await journal.write(who, Entry("webhook.changed", webhook.id, data={"fields": sorted(changes)}))
    return webhook


async def disable_by_hand(who: Principal, webhook_id: int, expected_version: int | None = None) -> Webhook:
    """Send it nothing more until it is enabled; what happens meanwhile waits. Told again, nothing changes."""
    async with db.transaction():
        webhook = await _held(who, webhook_id, expected_version)
        if webhook.disabled_at is None:
            await disable(who, webhook, DisabledReason.BY_HAND)
    return webhook


async def enable(
    who: Principal, webhook_id: int, *, skip: bool = False, expected_version: int | None = None
) -> Webhook:
    """Go on where it stopped, with a fresh day for what has not arrived; or, with `skip`, from now on."""
    async with db.transaction():
        webhook = await _held(who, webhook_id, expected_version)
        if webhook.disabled_at is None:
            return webhook
        now = await timekeeping.now(who.workspace_id)
        pending = WebhookDelivery.filter(
            workspace_id=who.workspace_id, webhook_id=webhook.id, state=DeliveryState.PENDING
        )
        if skip:
            await pending.update(state=DeliveryState.SKIPPED, next_at=None)
            webhook.position = await feeds.head(who.workspace_id)
        else:
            await pending.update(next_at=now, first_at=None, tries=0)
        await webhook.must_change(
            disabled_at=None,
            disabled_reason=None,
            failing_since=None,
            position=webhook.position,
            wake_at=now,
        )
        await journal.write(who, Entry("webhook.enabled", webhook.id, data={"skipped": skip}))
    return webhook


async def delete(who: Principal, webhook_id: int, expected_version: int | None = None) -> None:
    """Remove a webhook and the record of what it was sent; the journal keeps that it was."""
    async with db.transaction():
        webhook = await _held(who, webhook_id, expected_version)
        here = {"workspace": who.workspace_id, "webhook": webhook.id}
        await db.execute(
            """DELETE FROM webhook_attempts WHERE workspace_id = :workspace AND delivery_id IN (
                 SELECT id FROM webhook_deliveries
                 WHERE workspace_id = :workspace AND webhook_id = :webhook)""",
            **here,
        )
        await db.execute(
            "DELETE FROM webhook_deliveries WHERE workspace_id = :workspace AND webhook_id = :webhook", **here
        )
        await db.execute("DELETE FROM webhooks WHERE workspace_id = :workspace AND id = :webhook", **here)
        await journal.write(who, Entry("webhook.deleted", webhook.id))


async def rotate_secret(
    who: Principal, webhook_id: int, *, overlap: timedelta, expected_version: int | None = None
) -> tuple[Webhook, str]:
    """A new secret; for the time of the overlap messages are signed with the one before as well."""
    if not timedelta() <= overlap <= LONGEST_OVERLAP:
        raise Invalid(f"between 0 and {int(LONGEST_OVERLAP.total_seconds())}", field="overlapSeconds")
    if not sealing.is_unlocked():
        raise NotReady("webhooks have secrets to keep: the operator has to set CARELINE_SECRET_KEY first")
    async with db.transaction():
        webhook = await _held(who, webhook_id, expected_version)
        secret = signing.make_secret()
        until = timekeeping.machine_now() + overlap
        await webhook.must_change(
            secret=sealing.seal(secret, place_of(webhook, "secret")),
            previous_secret=webhook.secret if overlap and _is_readable(webhook) else None,
            previous_until=until if overlap else None,
        )
        await journal.write(who, Entry("webhook.secret_rotated", webhook.id))
    return webhook, secret


def _is_readable(webhook: Webhook) -> bool:
    try:
        return bool(readable_secrets(webhook))
    except sealing.Locked:
        return False


async def replay(
    who: Principal, webhook_id: int, after: int, until: int | None = None
) -> tuple[int, int | None]:
    """Send a stretch of the feed (again), at most so many lines of it.

    Lines from before the webhook was made are sent too. How many messages are to be sent, and the place
    from which to ask for more, if there is more.
    """
    async with db.transaction():
        webhook = await _held(who, webhook_id)
        head = await feeds.head(who.workspace_id)
        until = head if until is None else min(until, head)
        lines = await lines_between(webhook, after, until, REPLAYED_AT_MOST)
        count = await deliver_lines(webhook, lines, again=True)
        more = lines[-1].position if len(lines) == REPLAYED_AT_MOST else None
        await _stir(who, webhook, {"after": after, "until": until, "count": count})
    return count, more


async def replay_one(
    who: Principal, delivery_id: int, expected_version: int | None = None
) -> WebhookDelivery:
    """Send one message again, under the id it had; one that waits for its next try is tried now."""
    async with db.transaction():
        delivery = await WebhookDelivery.load(who.workspace_id, delivery_id)
        webhook = await _held(who, delivery.webhook_id)
        delivery.expect(expected_version)
        await delivery.must_change(
            state=DeliveryState.PENDING,
            tries=0,
            first_at=None,
            delivered_at=None,
            next_at=await timekeeping.now(who.workspace_id),
        )
        await _stir(who, webhook, {"delivery": delivery.id, "count": 1})
    return delivery


async def _stir(who: Principal, webhook: Webhook, data: dict[str, Any]) -> None:
    """Wake a webhook for what was asked of it, and tell of it. One that was failing is tried afresh."""
    now = await timekeeping.now(who.workspace_id)
    await Webhook.filter(id=webhook.id).update(wake_at=now, failing_since=None)
    await journal.write(who, Entry("webhook.replayed", webhook.id, data=data))


async def rehearse(who: Principal, webhook_id: int) -> tuple[dict[str, str], str] | None:
    """The headers and body of the message about the latest fitting line, without sending it.

    None where there is no such line yet, or the document leaves it out.
    """
    webhook = await _held(who, webhook_id, lock=False)
    line = await latest_line(webhook)
    if line is None:
        return None
    message = await the_shaper().shape(principal_of(webhook), webhook.document, line)
    if message is None:
        return None
    body = encoded(message)
    try:
        secrets = readable_secrets(webhook)
    except sealing.Locked:
        raise NotReady("its secret cannot be read under the present CARELINE_SECRET_KEY; rotate it") from None
    timestamp = int(timekeeping.machine_now().timestamp())
    return signing.headers(secrets, signing.make_message_id(), timestamp, body), body.decode()


async def send_test(who: Principal, webhook_id: int) -> WebhookDelivery:
    """Have a message `webhook.test` sent, to see it arrive; its delivery tells how that went."""
    async with db.transaction():
        webhook = await _held(who, webhook_id)
        if webhook.disabled_at is not None:
            raise Invalid("the webhook is disabled: enable it first", field="id", current=webhook)
        now = await timekeeping.now(who.workspace_id)
        delivery = await WebhookDelivery.create(
            workspace_id=who.workspace_id,
            webhook_id=webhook.id,
            message_id=signing.make_message_id(),
            name=TEST,
            subject="webhook",
            subject_id=webhook.id,
            state=DeliveryState.PENDING,
            next_at=now,
            created_at=timekeeping.machine_now(),
        )
        await _stir(who, webhook, {"delivery": delivery.id, "count": 1})
    return delivery


async def _held(
    who: Principal, webhook_id: int, expected_version: int | None = None, *, lock: bool = True
) -> Webhook:
    """The webhook, which the caller may handle and nobody else changes until the transaction ends."""
    _must_be_admin(who)
    webhook = await held(who.workspace_id, webhook_id) if lock else None
    webhook = webhook or await Webhook.load(who.workspace_id, webhook_id)
    if webhook.role is Role.OWNER and who.role is not Role.OWNER:
        raise Forbidden("only an owner handles a webhook with the role OWNER", field="id")
    for own, its in ((who.scopes, webhook.scopes), (who.topics, webhook.topics)):
        if own and not (its and own.issuperset(its)):
            # Who points it elsewhere, or rehearses it, reads what it reads.
            raise Forbidden("this key has less than the webhook is told", field="id")
    webhook.expect(expected_version)
    return webhook


def _checked(reasons: Reasons, who: Principal, given: dict[str, Any]) -> dict[str, Any]:
    """What was given and will do, as it is stored; what will not is added to the reasons."""
    good: dict[str, Any] = {}
    if (name := given.get("name")) is not None:
        with reasons.gathered():
            good["name"] = text(name, "name", 120)
    if (url := given.get("url")) is not None:
        with reasons.gathered():
            good["url"] = WAYS.outbound.check(url)
    if (topics := given.get("topics")) is not None:
        with reasons.gathered():
            good["topics"] = _topics(who, topics)
    if (role := given.get("role")) is not None:
        with reasons.gathered():
            if role is Role.OWNER and who.role is not Role.OWNER:
                raise Forbidden("only an owner has somebody told as an OWNER", field="role")
            good["role"] = role
    return good


def _topics(who: Principal, topics: Collection[str]) -> list[str]:
    if not topics:
        raise Required(f"topics is empty: name some of {', '.join(sorted(TOPICS))}", field="topics")
    if not TOPICS.keys() >= set(topics):
        raise Invalid(f"there are only the topics {', '.join(sorted(TOPICS))}", field="topics")
    if who.topics and not who.topics.issuperset(topics):
        raise Forbidden("this key cannot give topics that it has not", field="topics")
    return sorted(set(topics))


async def _document(given: str | None, who: Principal, whole: dict[str, Any]) -> str | None:
    if given is None or not given.strip():
        return None
    if len(given) > LONGEST_DOCUMENT:
        raise Invalid(f"document has at most {LONGEST_DOCUMENT} characters", field="document")
    told = principal(whole["role"], who.workspace_id, whole["topics"], whole["scopes"])
    await the_shaper().check(told, given)
    return given


async def _must_be_free(who: Principal, name: str | None) -> None:
    if name is not None and await Webhook.exists(workspace_id=who.workspace_id, name=name):
        raise Duplicate("there is a webhook of this name already", field="name")


def _must_be_admin(who: Principal) -> None:
    if who.role not in ADMINS:
        raise Forbidden("only an owner or admin looks after webhooks")
