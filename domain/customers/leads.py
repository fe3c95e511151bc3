"""First signs of interest: who, from where, and whether they agreed to be contacted."""

from datetime import datetime
from typing import Any

from domain import db, journal, texts, timekeeping
from domain.access import Principal
from domain.customers import rules
from domain.customers.models import Customer, Lead, LeadPotential, LeadSource
from domain.customers.profile import checked, resolve, upsert
from domain.customers.rows import insert_new
from domain.customers.rules import UNSET, Absent
from domain.errors import Duplicate, Reasons
from domain.journal import Entry


async def record_lead(
    who: Principal,
    external_id: str,
    *,
    customer_id: int | None = None,
    customer_external_id: str | None = None,
    source: LeadSource,
    acquired_at: datetime,
    consent: bool,
    potential: LeadPotential = LeadPotential.NORMAL,
    industry: str | None = None,
    name: str | Absent | None = UNSET,
    company: str | Absent | None = UNSET,
    phone: str | Absent | None = UNSET,
    email: str | Absent | None = UNSET,
    owner_id: int | Absent | None = UNSET,
) -> Lead:
    """Record a lead (S0-21); an unknown external id becomes a customer, registered since the lead.

    `consent` says whether outbound contact was agreed to; where not, a reaction to the journal line
    refuses marketing (C-48). The same lead again changes nothing; another lead under the same external
    id is refused.
    """
    reasons = Reasons()
    content: dict[str, Any] = {"source": source, "potential": potential, "consent": consent}
    with reasons.gathered():
        key = rules.external_id(external_id)
    with reasons.gathered():
        content["industry"] = None if industry is None else texts.text(industry, "industry", 120)
    with reasons.gathered():
        content["acquired_at"] = rules.instant(acquired_at, "acquiredAt")
    with reasons.gathered():
        if customer_external_id is not None:
            rules.external_id(customer_external_id, "customerExternalId")
    profile: dict[str, Any] = {
        field: value
        for field, value in (
            ("name", name),
            ("company", company),
            ("phone", phone),
            ("email", email),
            ("owner_id", owner_id),
        )
        if not isinstance(value, Absent)
    }
    profile = await checked(who, profile, reasons)
    reasons.refuse()
    async with db.transaction():
        customer = await resolve(who, customer_id, customer_external_id, create_since=content["acquired_at"])
        now = await timekeeping.now(who.workspace_id)
        row = {
            "workspace_id": who.workspace_id,
            "version": 1,
            "external_id": key,
            "customer_id": customer,
            **content,
            "source": source.value,
            "potential": potential.value,
            "created_at": now,
        }
        made = await insert_new("leads", [row], "id")
        lead = await Lead.get(workspace_id=who.workspace_id, external_id=key)
        if not made:
            content["customer_id"] = customer
            if any(getattr(lead, field) != value for field, value in content.items()):
                raise Duplicate("another lead has this external id", field="externalId", current=lead)
            return lead
        if profile:
            known = await Customer.load(who.workspace_id, customer)
            await upsert(who, known.external_id, **profile)
        data = {
            "acquired_at": content["acquired_at"].isoformat(),
            "consent": consent,
            "potential": potential.value,
            "source": source.value,
        }
        await journal.write(who, Entry("lead.recorded", lead.id, customer, data=data))
    return lead
