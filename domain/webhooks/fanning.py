"""Turns lines of the feed into deliveries, each once for a webhook, and wakes webhooks at their time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog

from domain import db, feeds, figures, journal, runs, timekeeping
from domain.access import Principal, system
from domain.journal import Entry, JournalLine
from domain.webhooks.models import DisabledReason, Webhook
from domain.webhooks.signing import make_message_id
from domain.webhooks.topics import DELIVER, is_told, subjects_of

BATCH = 500
LOOKED_AFTER = timedelta(minutes=10)
"""A webhook whose run was asked for is looked at again, whatever became of the run."""
log = structlog.get_logger(__name__)

HEADS = """workspace_id = :workspace AND webhook_id = :webhook AND state = 'PENDING'
  AND NOT EXISTS (SELECT 1 FROM webhook_deliveries earlier
    WHERE earlier.workspace_id = webhook_deliveries.workspace_id
      AND earlier.webhook_id = webhook_deliveries.webhook_id
      AND earlier.subject = webhook_deliveries.subject
      AND earlier.subject_id = webhook_deliveries.subject_id
      AND earlier.state = 'PENDING' AND earlier.position < webhook_deliveries.position)"""
"""The first message of each subject that has not arrived: what follows it waits, so that order holds."""
PROBES = f"{HEADS} AND first_at IS NOT NULL"
MOST_PROBES = 8
"""While nothing arrives, it is tried with so many subjects: one alone may be what is not wanted."""


async def open_of(webhook: Webhook) -> str:
    """The condition of the messages that may be sent when their time comes."""
    if webhook.failing_since is None:
        return HEADS
    here = {"workspace": webhook.workspace_id, "webhook": webhook.id}
    tried = await db.value(f"SELECT count(*) FROM webhook_deliveries WHERE {PROBES}", **here)
    return HEADS if tried < MOST_PROBES else PROBES


async def due(now: datetime, workspace_id: int | None, limit: int = 100) -> list[dict[str, Any]]:
    """Webhooks with lines to read or messages to send: of one sandbox, or of all workspaces that are none."""
    whose = (
        "webhooks.workspace_id = :workspace"
        if workspace_id
        else "webhooks.workspace_id NOT IN (SELECT id FROM workspaces WHERE sandbox = :sandbox)"
    )
    given: dict[str, Any] = {"workspace": workspace_id} if workspace_id else {"sandbox": True}
    return await db.rows(
        f"""SELECT webhooks.id, webhooks.workspace_id,
              CASE WHEN wake_at <= :now THEN wake_at ELSE :now END AS due_at
            FROM webhooks JOIN feeds ON feeds.workspace_id = webhooks.workspace_id
            WHERE disabled_at IS NULL AND (position < head OR wake_at <= :now) AND {whose}
            ORDER BY webhooks.id LIMIT :limit""",
        now=now,
        limit=limit,
        **given,
    )


async def next_due(workspace_id: int, until: datetime) -> datetime | None:
    """The earliest instant up to `until` at which a webhook of a workspace is to be woken."""
    found = await db.value(
        """SELECT min(wake_at) AS at FROM webhooks
           WHERE workspace_id = :workspace AND wake_at <= :until AND disabled_at IS NULL""",
        workspace=workspace_id,
        until=until,
    )
    return db.instant_of(found) if found is not None else None


async def held(workspace_id: int, webhook_id: int) -> Webhook | None:
    """The webhook as it is, until the end of the transaction."""
    query = Webhook.filter(workspace_id=workspace_id, id=webhook_id)
    return await query.select_for_update().first()


async def wake(workspace_id: int, webhook_id: int, _: datetime) -> bool:
    """Read on for a webhook, and ask for a run where something is to be sent; whether anything moved.

    Deliveries and the step forward are one transaction, so that each line becomes one delivery.
    """
    async with db.transaction():
        webhook = await held(workspace_id, webhook_id)
        if webhook is None or webhook.disabled_at is not None:
            return False
        seen = webhook.position
        webhook.position = await _read_on(webhook)
        now = await timekeeping.now(workspace_id)
        wake_at = await next_wake(webhook)
        wanted = wake_at is not None and wake_at <= now
        if wanted:
            await runs.enqueue(
                system(workspace_id, "webhook", webhook.id),
                DELIVER,
                {"webhook": webhook.id},
                unique_key=str(webhook.id),
            )
            wake_at = now + LOOKED_AFTER
        await Webhook.filter(id=webhook.id).update(position=webhook.position, wake_at=wake_at)
        return wanted or webhook.position > seen


async def _read_on(webhook: Webhook) -> int:
    """Make deliveries of the next lines; how far the feed is read then."""
    head = await feeds.head(webhook.workspace_id)
    lines = await lines_between(webhook, webhook.position, head, BATCH)
    await deliver_lines(webhook, lines)
    last = lines[-1].position if len(lines) == BATCH else head
    assert last is not None
    return int(max(last, webhook.position))


async def lines_between(webhook: Webhook, after: int, until: int, limit: int) -> list[JournalLine]:
    """The lines of its topics in a stretch of the feed, the first so many."""
    return (
        await JournalLine.filter(
            workspace_id=webhook.workspace_id,
            position__gt=after,
            position__lte=until,
            subject__in=subjects_of(webhook.topics),
        )
        .order_by("position")
        .limit(limit)
    )


async def deliver_lines(webhook: Webhook, lines: Sequence[JournalLine], *, again: bool = False) -> int:
    """Have these lines delivered; `again` also those that had been. How many are to be."""
    now = await timekeeping.now(webhook.workspace_id)
    created = timekeeping.machine_now()
    told = [line for line in lines if is_told(line)]
    then = "ON CONFLICT (workspace_id, webhook_id, position) WHERE position IS NOT NULL DO "
    then += (
        """UPDATE SET state = 'PENDING', tries = 0, first_at = NULL, delivered_at = NULL,
             next_at = excluded.next_at, version = webhook_deliveries.version + 1"""
        if again
        else "NOTHING"
    )
    await db.insert_many(
        "webhook_deliveries",
        [
            {
                "workspace_id": webhook.workspace_id,
                "version": 1,
                "webhook_id": webhook.id,
                "position": line.position,
                "message_id": make_message_id(),
                "name": line.name,
                "subject": line.subject,
                "subject_id": line.subject_id,
                "state": "PENDING",
                "tries": 0,
                "next_at": now,
                "created_at": created,
            }
            for line in told
        ],
        then=then,
    )
    return len(told)


async def next_wake(webhook: Webhook) -> datetime | None:
    """When the next of its messages is to be sent, by what is written now; its row is held."""
    found = await db.value(
        f"SELECT min(next_at) AS at FROM webhook_deliveries WHERE {await open_of(webhook)}",
        workspace=webhook.workspace_id,
        webhook=webhook.id,
    )
    return db.instant_of(found) if found is not None else None


async def disable(who: Principal, webhook: Webhook, reason: DisabledReason) -> None:
    """Tell a webhook nothing more, and say so in the journal; its row is held."""
    await webhook.must_change(
        disabled_at=await timekeeping.now(webhook.workspace_id), disabled_reason=reason, wake_at=None
    )
    db.after_commit(figures.WEBHOOKS_DISABLED.labels(reason.value).inc)
    log.warning("webhook_disabled", webhook=webhook.id, reason=reason.value)
    await journal.write(who, Entry("webhook.disabled", webhook.id, data={"reason": reason.value}))


async def set_apart(workspace_id: int, webhook_id: int, error: BaseException) -> None:
    """A webhook could not be read on for: it is disabled, so that it holds up no other."""
    log.error("webhook_failed", webhook=webhook_id, error=type(error).__name__, exc_info=error)
    async with db.transaction():
        webhook = await held(workspace_id, webhook_id)
        if webhook is not None and webhook.disabled_at is None:
            await disable(system(workspace_id, "webhook", webhook.id), webhook, DisabledReason.INTERNAL)
