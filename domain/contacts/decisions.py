"""Asks the contact policy about contacts to come, for many customers in few statements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from domain import db, timekeeping, workspaces
from domain.access import Principal
from domain.contacts.models import Channel, Consent, ContactDecision, Purpose
from domain.contacts.policy import Facts, Statement, Wanted, decide
from domain.contacts.queries import holding
from domain.contacts.windows import parse
from domain.errors import NotFound


@dataclass(frozen=True)
class Request:
    """A contact with a customer that is about to be planned."""

    customer_id: int
    channel: Channel
    at: datetime
    purpose: Purpose
    personal: bool

    @property
    def wanted(self) -> Wanted:
        return Wanted(self.channel, self.at, self.purpose, self.personal)


async def preview(who: Principal, request: Request) -> ContactDecision:
    """What the contact policy would say now. The decision is not stored and has no id."""
    record = (await answers(who, [request]))[0]
    return db.hydrate(ContactDecision, [{"id": None, **record}])[0]


async def answers(who: Principal, requests: Sequence[Request]) -> list[dict[str, Any]]:
    """The contact policy's answers in the order asked, as the columns of a decision."""
    now = await timekeeping.now(who.workspace_id)
    facts = await _facts_of(who.workspace_id, {request.customer_id for request in requests})
    records = []
    for request in requests:
        decision = decide(facts[request.customer_id], request.wanted)
        records.append(
            {
                "workspace_id": who.workspace_id,
                "version": 1,
                "customer_id": request.customer_id,
                "purpose": request.purpose.value,
                "wanted_channel": request.channel.value,
                "wanted_at": request.at.astimezone(UTC),
                "verdict": decision.verdict.value,
                "channel": decision.channel and decision.channel.value,
                "at": decision.at,
                "reasons": [reason.document() for reason in decision.reasons],
                "decided_at": now,
            }
        )
    return records


async def _facts_of(workspace_id: int, customer_ids: set[int]) -> dict[int, Facts]:
    """What the contact policy must know of each customer, in three statements however many they are.

    Raises:
        NotFound: one of them is not a customer of this workspace.
    """
    zone = timekeeping.zone((await workspaces.get(workspace_id)).zone)
    found = await db.rows(
        """SELECT c.id, p.allowed, p.refused, p.windows
           FROM customers c
           LEFT JOIN contact_preferences p ON p.workspace_id = c.workspace_id AND p.customer_id = c.id
           WHERE c.workspace_id = :workspace AND c.id IN :customers""",
        workspace=workspace_id,
        customers=customer_ids,
    )
    if len(found) < len(customer_ids):
        raise NotFound("no such customer", field="customerId")
    said = await holding(workspace_id, customer_ids, list(Purpose))
    return {row["id"]: _facts(row, zone, said.get(row["id"], {})) for row in found}


def _facts(row: dict[str, Any], zone: ZoneInfo, consents: Mapping[Purpose, Consent]) -> Facts:
    said = {purpose: Statement(consent.granted, consent.stated_at) for purpose, consent in consents.items()}
    if row["allowed"] is None:
        return Facts(zone, consents=said)
    return Facts(
        zone,
        [Channel(name) for name in db.document_of(row["allowed"])],
        [Channel(name) for name in db.document_of(row["refused"])],
        parse([(pair["from"], pair["to"]) for pair in db.document_of(row["windows"])]),
        said,
    )
