"""What customers do besides buying: log-ins, pages, clicks."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from domain import db, journal, texts, timekeeping
from domain.access import Principal
from domain.customers import rules, totals
from domain.customers.models import BehaviourEvent
from domain.customers.profile import resolve
from domain.customers.rows import insert_new
from domain.customers.sheets import LARGEST_DATA
from domain.errors import Duplicate, Invalid, Reasons
from domain.journal import Entry


async def record_event(
    who: Principal,
    external_id: str,
    *,
    customer_id: int | None = None,
    customer_external_id: str | None = None,
    name: str,
    occurred_at: datetime,
    data: Mapping[str, Any] | None = None,
    create_customer: bool = False,
) -> BehaviourEvent:
    """Record an event, which moves the customer's last interaction forward.

    The same event again changes nothing; another one under the same external id is refused.
    """
    content = dict(data or {})
    reasons = Reasons()
    with reasons.gathered():
        key = rules.external_id(external_id)
    with reasons.gathered():
        name = texts.text(name, "name", 64)
    with reasons.gathered():
        occurred_at = rules.instant(occurred_at, "occurredAt")
    with reasons.gathered():
        if customer_external_id is not None:
            rules.external_id(customer_external_id, "customerExternalId")
    with reasons.gathered():
        encoded = _encoded(content)
    reasons.refuse()
    async with db.transaction():
        customer = await resolve(
            who, customer_id, customer_external_id, create_since=occurred_at if create_customer else None
        )
        row = {
            "workspace_id": who.workspace_id,
            "version": 1,
            "external_id": key,
            "customer_id": customer,
            "name": name,
            "occurred_at": occurred_at,
            "data": encoded,
            "created_at": await timekeeping.now(who.workspace_id),
        }
        made = await insert_new("behaviour_events", [row], "id")
        event = await BehaviourEvent.get(workspace_id=who.workspace_id, external_id=key)
        if not made:
            stored = (event.customer_id, event.name, event.occurred_at, event.data)
            if stored != (customer, name, occurred_at, content):
                raise Duplicate("another event has this external id", field="externalId", current=event)
            return event
        await totals.note_interaction(who.workspace_id, customer, occurred_at)
        await journal.write(who, Entry("event.recorded", event.id, customer))
    return event


def _encoded(data: dict[str, Any]) -> str:
    if not rules.storable(data):
        raise Invalid("data has a value that cannot be stored", field="data")
    encoded = db.encode(data)
    if len(encoded) > LARGEST_DATA:
        raise Invalid(f"data has at most {LARGEST_DATA} characters", field="data")
    return encoded
