"""Event → what it calls for. Each is done once, in the transaction that steps past the event."""

from datetime import datetime

from domain import alerts, contacts, runs, segments, tasks, timekeeping
from domain.access import Principal
from domain.contacts import Purpose
from domain.feeds import Reaction
from domain.journal import JournalLine
from domain.segments import RecomputeMode


async def _changed(who: Principal, line: JournalLine) -> None:
    """Rules may ask about what has changed of this customer, and of whom an order was before."""
    assert line.customer_id is not None
    before = line.data.get("customer_was")
    await segments.mark(who, [line.customer_id, *([before] if before else [])])


async def _imported(who: Principal, line: JournalLine) -> None:
    """An import's rows are no lines of their own: everybody is looked at."""
    await segments.evaluate_soon(who)


def _also(*reactions: Reaction) -> Reaction:
    """One reaction after the other."""

    async def react(who: Principal, line: JournalLine) -> None:
        for each in reactions:
            await each(who, line)

    return react


async def _lead(who: Principal, line: JournalLine) -> None:
    """A lead without consent is kept from marketing; the first touch is owed all the same (C-48)."""
    assert line.customer_id is not None
    acquired_at = datetime.fromisoformat(line.data["acquired_at"])
    if not line.data["consent"]:
        stated_at = min(acquired_at, await timekeeping.now(who.workspace_id))
        await contacts.record_consent(
            who,
            line.customer_id,
            Purpose.MARKETING,
            granted=False,
            source="lead",
            notice_version="",
            stated_at=stated_at,
        )
    await tasks.open_first_touch(
        who, lead_id=line.subject_id, customer_id=line.customer_id, acquired_at=acquired_at
    )


async def _callback(who: Principal, line: JournalLine) -> None:
    assert line.customer_id is not None
    await tasks.open_callback(
        who,
        order_id=line.subject_id,
        customer_id=line.customer_id,
        delivered_at=datetime.fromisoformat(line.data["delivered_at"]),
    )


async def _contact(who: Principal, line: JournalLine) -> None:
    assert line.customer_id is not None
    await alerts.evaluate(who, [line.customer_id])
    await tasks.note_contact(who, line.customer_id, datetime.fromisoformat(line.data["occurred_at"]))


async def _watch(who: Principal, line: JournalLine) -> None:
    """What a customer does, or that they go, may raise or clear their alert."""
    assert line.customer_id is not None
    await alerts.watch(who, line.customer_id)


async def _placed(who: Principal, line: JournalLine) -> None:
    """Own segments may ask about placements; then the visits that each tier is promised.

    A quick pass has marked whom it placed, and they alone are followed.
    """
    if line.data.get("mode") != RecomputeMode.QUICK and await segments.has_own(who.workspace_id):
        await segments.evaluate(who)
    await tasks.plan_visits(who)


async def _failed(who: Principal, line: JournalLine) -> None:
    await runs.note_failed_run(who, line.subject_id)


REACTIONS: dict[str, Reaction] = {
    "customer.upserted": _changed,
    "customer.merged": _also(_changed, _watch),
    "customer.separated": _also(_changed, _watch),
    "customer.excluded": _also(_changed, _watch),
    "customer.included": _also(_changed, _watch),
    "customer.cancelled": _also(_changed, _watch),
    "customers.imported": _imported,
    "orders.imported": _imported,
    "events.imported": _imported,
    "interactions.imported": _imported,
    "consents.imported": _imported,
    "import.undone": _imported,
    "lead.recorded": _also(_changed, _lead),
    "order.recorded": _also(_changed, _watch),
    "order.changed": _also(_changed, _watch),
    "order.delivered": _also(_changed, _callback),
    "order.refunded": _also(_changed, _watch),
    "event.recorded": _also(_changed, _watch),
    "consent.recorded": _changed,
    "interaction.recorded": _also(_changed, _contact),
    "segmentation.published": _placed,
    "run.failed": _failed,
}
