"""The types of preferences, consents, interactions and contact decisions."""

from datetime import datetime
from typing import Any, cast

import strawberry

import api.contacts.enums  # noqa: F401
from api.connections import After, Before, Connection, First, Last, nested, part
from api.context import Info, load, who
from api.customers.types import Customer
from api.mapping import EACH, one, reads
from api.nodes import Node, extends, node_type, row_type
from api.permissions import personal as masked_by_role
from api.workspaces.types import User
from domain import contacts, workspaces
from domain.contacts import (
    Channel,
    ContactReasonCode,
    ContactResult,
    ContactRule,
    Direction,
    Purpose,
    Verdict,
)
from domain.paging import Order


@strawberry.type(description="Hours of the local day in which a customer welcomes contact.")
class ReceiveWindow:
    from_: str = strawberry.field(name="from", description="HH:MM; this minute is inside.")
    to: str = strawberry.field(description="HH:MM; this minute is not inside; 24:00 is the end of the day.")


@node_type(contacts.ContactPreference, description="How a customer wishes to be reached.")
class ContactPreference(Node):
    updated_at: datetime = strawberry.field(description="When it was last set.")
    version: int = strawberry.field(description="Rises with each change.")

    @strawberry.field(description="Channels allowed; empty: every channel that is not refused.")
    def allowed(self: Any) -> list[Channel]:
        return [Channel(name) for name in self.allowed]

    @strawberry.field(description="Channels on which nothing is ever sent.")
    def refused(self: Any) -> list[Channel]:
        return [Channel(name) for name in self.refused]

    @strawberry.field(description="Hours of the day, in the workspace's zone; empty: any time.")
    def windows(self: Any) -> list[ReceiveWindow]:
        return [ReceiveWindow(from_=window["from"], to=window["to"]) for window in self.windows]


@node_type(contacts.Consent, description="One statement of a customer about one purpose; never changed.")
class Consent(Node):
    purpose: Purpose = strawberry.field(description="What it is about.")
    granted: bool = strawberry.field(description="Whether the customer agreed.")
    source: str = strawberry.field(description="Where the statement comes from.")
    notice_version: str = strawberry.field(description="The notice that the customer was shown.")
    stated_at: datetime = strawberry.field(description="When the customer said so.")
    created_at: datetime = strawberry.field(description="When it was recorded.")


@node_type(contacts.Interaction, description="One contact that took place.")
class Interaction(Node):
    channel: Channel = strawberry.field(description="By which way.")
    direction: Direction = strawberry.field(description="Who began.")
    personal: bool = strawberry.field(description="Whether one person spoke with another.")
    result: ContactResult = strawberry.field(description="What came of it.")
    note: str | None = masked_by_role("note", "What was said, and what the customer answered.")
    occurred_at: datetime = strawberry.field(description="When it took place.")
    created_at: datetime = strawberry.field(description="When it was recorded.")

    @strawberry.field(
        description="The member of staff who spoke; null when a program recorded it.",
        metadata=one(workspaces.User, "staff_id"),
    )
    async def staff(self: Any, info: Info) -> User | None:
        return cast(User | None, await load(info, workspaces.User.by_ids, self.staff_id))


@strawberry.type(description="One step of a contact decision.")
class ContactReason:
    rule: ContactRule = strawberry.field(description="Which step.")
    code: ContactReasonCode = strawberry.field(description="What it found.")
    verdict: Verdict = strawberry.field(description="What it says for itself.")
    value: str = strawberry.field(description="What it looked at, such as 20:00.")
    limit: str = strawberry.field(description="What it held that against, such as 09:00-12:00.")


@row_type(contacts.ContactDecision, description="What the contact policy says to a contact, and why.")
class ContactDecision:
    purpose: Purpose = strawberry.field(description="What the contact is for.")
    wanted_channel: Channel = strawberry.field(description="The channel asked for.")
    wanted_at: datetime = strawberry.field(description="The time asked for.")
    verdict: Verdict = strawberry.field(description="The strongest verdict of all steps.")
    channel: Channel | None = strawberry.field(description="The channel to use; null when refused.")
    at: datetime | None = strawberry.field(description="When it may take place; null when refused.")
    decided_at: datetime = strawberry.field(description="When this was decided.")

    @strawberry.field(description="Each step with what it looked at, also those that changed nothing.")
    def reasons(self: Any) -> list[ContactReason]:
        return [
            ContactReason(
                rule=ContactRule(reason["rule"]),
                code=ContactReasonCode(reason["code"]),
                verdict=Verdict(reason["verdict"]),
                value=reason["value"],
                limit=reason["limit"],
            )
            for reason in self.reasons
        ]


@extends(Customer)
class CustomerContacts:
    @strawberry.field(
        description="How the customer wishes to be reached; null when never set.", metadata=reads("id")
    )
    async def contact_preference(self: Any, info: Info) -> ContactPreference | None:
        return cast(ContactPreference | None, await load(info, contacts.preferences_by_customer, self.id))

    @strawberry.field(
        description="The statement that holds for each purpose the customer spoke about.",
        metadata=reads("id"),
    )
    async def current_consents(self: Any, info: Info) -> list[Consent]:
        return cast(list[Consent], await load(info, contacts.current_consents, self.id) or [])

    @strawberry.field(description="All the customer said about consent, the latest first.", metadata=EACH)
    async def consents(
        self: Any,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Consent]:
        said = contacts.Consent.filter(workspace_id=who(info).workspace_id)
        order, page = Order("stated_at", descending=True), part(first, last, after, before)
        found = await nested(info, "consents", said, "customer_id", self.id, order, page)
        return cast(Connection[Consent], found)

    @strawberry.field(description="Contacts that took place, the latest first.", metadata=EACH)
    async def interactions(
        self: Any,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Interaction]:
        held = contacts.Interaction.filter(workspace_id=who(info).workspace_id)
        order, page = Order("occurred_at", descending=True), part(first, last, after, before)
        found = await nested(info, "interactions", held, "customer_id", self.id, order, page)
        return cast(Connection[Interaction], found)
