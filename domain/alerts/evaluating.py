"""Brings customers' alerts in line with what is known of them, one line of the journal for each change."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from domain import db, journal, timekeeping
from domain.access import Principal
from domain.alerts import facts
from domain.alerts.facts import Standing
from domain.alerts.models import (
    Alert,
    AlertLevel,
    AlertOutcome,
    AlertReasonCode,
    AlertState,
    ContactStreak,
)
from domain.alerts.rules import Compared, Facts, Reason, Streak, judge, level_of, streak
from domain.journal import Entry

Muted = dict[AlertReasonCode, datetime]


async def evaluate(who: Principal, customers: Collection[int]) -> int:
    """Open, raise, change and close the alerts of these customers as things stand now; how many changed.

    Doing it twice changes nothing more. Of customers who are excluded or have left, none stays open.
    """
    ids = sorted(set(customers))
    if not ids:
        return 0
    async with db.transaction():
        await hold(who.workspace_id)
        now = await timekeeping.now(who.workspace_id)
        standing = await facts.standings(who.workspace_id, ids)
        open_alerts = {
            alert.customer_id: alert
            for alert in await Alert.filter(
                workspace_id=who.workspace_id, customer_id__in=ids, state=AlertState.OPEN
            )
        }
        muted, answered = await _said_by_hand(who.workspace_id, ids)
        streaks = await _streaks(who.workspace_id, ids, now, answered)
        activity = await facts.activity(who.workspace_id, ids, now)
        orders = await facts.orders(who.workspace_id, ids, now)
        fresh: list[tuple[int, Standing, list[Reason]]] = []
        entries: list[Entry] = []
        for customer_id, customer in standing.items():
            alert = open_alerts.get(customer_id)
            if customer.excluded or customer.cancelled_at is not None:
                if alert is not None:
                    outcome = AlertOutcome.WITHDRAWN if customer.excluded else AlertOutcome.LOST
                    entries.append(await close(alert, outcome, now))
                continue
            known = Facts(
                streaks.get(customer_id, Streak()),
                activity.get(customer_id, Compared()),
                orders.get(customer_id, Compared()),
            )
            before = reasons_of(alert) if alert is not None else []
            reasons = judge(known, before, now, muted.get(customer_id, {}))
            if alert is None:
                if reasons:
                    fresh.append((customer_id, customer, reasons))
            elif not reasons:
                entries.append(await close(alert, AlertOutcome.REACTIVATED, now))
            elif (entry := await _move(alert, customer, before, reasons, now)) is not None:
                entries.append(entry)
        entries += await _open(who.workspace_id, fresh, now)
        await journal.write_all(who, entries)
    return len(entries)


def reasons_of(alert: Alert) -> list[Reason]:
    return [Reason.of(document) for document in alert.reasons]


async def hold(workspace_id: int) -> None:
    """One at a time changes a workspace's alerts, so that of two who look, the second sees the first's."""
    await db.lock(f"alerts:{workspace_id}")


async def _open(
    workspace_id: int, fresh: Sequence[tuple[int, Standing, list[Reason]]], now: datetime
) -> list[Entry]:
    if not fresh:
        return []
    made = await db.insert_many(
        "alerts",
        [
            {
                "workspace_id": workspace_id,
                "version": 1,
                "customer_id": customer_id,
                "level": level_of(reasons).value,
                "state": AlertState.OPEN.value,
                "reasons": db.encode([reason.document for reason in reasons]),
                "owner_id": customer.owner_id,
                "opened_at": now,
                "raised_at": now,
                "by_hand": False,
                "note": "",
                "updated_at": now,
            }
            for customer_id, customer, reasons in fresh
        ],
        returning="id, customer_id",
    )
    reasons_by = {customer_id: reasons for customer_id, _, reasons in fresh}
    return [
        Entry(
            "alert.opened",
            row["id"],
            row["customer_id"],
            _told(level_of(reasons_by[row["customer_id"]]), reasons_by[row["customer_id"]]),
        )
        for row in sorted(made, key=lambda row: row["id"])
    ]


async def _move(
    alert: Alert, customer: Standing, before: Sequence[Reason], reasons: Sequence[Reason], now: datetime
) -> Entry | None:
    """Other reasons, or a higher level; figures that moved within the same reasons tell nothing new."""
    level = level_of(reasons, least=alert.level)
    if level is alert.level and {r.code for r in reasons} == {r.code for r in before}:
        return None
    raised = level is not alert.level
    await alert.must_change(
        level=level,
        reasons=[reason.document for reason in reasons],
        owner_id=customer.owner_id,
        raised_at=now if raised else alert.raised_at,
        updated_at=now,
    )
    name = "alert.raised" if raised else "alert.changed"
    return Entry(name, alert.id, alert.customer_id, _told(level, reasons))


async def close(
    alert: Alert, outcome: AlertOutcome, now: datetime, *, by_hand: bool = False, note: str = ""
) -> Entry:
    await alert.must_change(
        {"state": AlertState.OPEN},
        state=AlertState.CLOSED,
        outcome=outcome,
        closed_at=now,
        by_hand=by_hand,
        note=note,
        updated_at=now,
    )
    data = {"level": alert.level.value, "outcome": outcome.value}
    return Entry("alert.closed", alert.id, alert.customer_id, data)


def _told(level: AlertLevel, reasons: Sequence[Reason]) -> Mapping[str, object]:
    return {"level": level.value, "reasons": [reason.code.value for reason in reasons]}


async def _said_by_hand(workspace_id: int, ids: list[int]) -> tuple[dict[int, Muted], dict[int, datetime]]:
    """When people last closed an alert of each customer: of each reason, and of any."""
    muted: dict[int, Muted] = {}
    answered: dict[int, datetime] = {}
    closed = Alert.filter(
        workspace_id=workspace_id, customer_id__in=ids, state=AlertState.CLOSED, by_hand=True
    )
    for alert in await closed.order_by("closed_at", "id"):
        answered[alert.customer_id] = alert.closed_at
        for reason in reasons_of(alert):
            muted.setdefault(alert.customer_id, {})[reason.code] = alert.closed_at
    return muted, answered


async def _streaks(
    workspace_id: int, ids: list[int], now: datetime, answered: Mapping[int, datetime]
) -> dict[int, Streak]:
    """Each customer's contacts without answer, counted anew, and their timers set to what comes next.

    What a person has closed counts as answered.
    """
    contacts = await facts.unanswered(workspace_id, ids, now)
    stored = {
        row.customer_id: row
        for row in await ContactStreak.filter(workspace_id=workspace_id, customer_id__in=ids)
    }
    found: dict[int, Streak] = {}
    fresh = []
    for customer_id in sorted(contacts.keys() | stored.keys()):
        since = answered.get(customer_id)
        counted = [at for at in contacts.get(customer_id, []) if since is None or at > since]
        found[customer_id] = now_is = streak(counted, now)
        row = stored.get(customer_id)
        if row is None:
            fresh.append(
                {
                    "workspace_id": workspace_id,
                    "version": 1,
                    "customer_id": customer_id,
                    "unanswered": now_is.unanswered,
                    "next_at": now_is.next_at,
                    "attempts": 0,
                }
            )
        elif (row.unanswered, row.next_at) != (now_is.unanswered, now_is.next_at):
            await row.must_change(
                unanswered=now_is.unanswered, next_at=now_is.next_at, attempts=0, retry_at=None
            )
    await db.insert_many("contact_streaks", fresh)
    return found
