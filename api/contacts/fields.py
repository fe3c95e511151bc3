"""What the contact policy would say, and how wishes, consents and contacts are recorded."""

from datetime import datetime
from typing import Annotated, cast

import strawberry

from api.contacts.types import Consent, ContactDecision, ContactPreference, Interaction
from api.context import Info, who
from api.ids import row_id
from api.mutations import Expected, Refusal, mutation, payload, result
from api.permissions import query
from domain import contacts
from domain.access import EVERYONE, FRONT_LINE
from domain.contacts import Channel, ContactResult, Direction, Purpose, Request
from domain.errors import NotFound

CustomerId = Annotated[strawberry.ID, strawberry.argument(description="The customer's id.")]


@strawberry.type
class ContactQueries:
    @query(
        "What the contact policy would say to a contact, with its reasons; nothing is stored. "
        "Null when there is no such customer here.",
        EVERYONE,
    )
    async def contact_decision(
        self,
        info: Info,
        customer_id: CustomerId,
        channel: Annotated[Channel, strawberry.argument(description="The channel wanted.")],
        at: Annotated[datetime, strawberry.argument(description="When it is to take place.")],
        purpose: Annotated[Purpose, strawberry.argument(description="What it is for.")],
        personal: Annotated[
            bool, strawberry.argument(description="Whether one person speaks with another.")
        ] = False,
    ) -> ContactDecision | None:
        try:
            asked = Request(row_id("Customer", customer_id), channel, at, purpose, personal)
            return cast(ContactDecision, await contacts.preview(who(info), asked))
        except NotFound:
            return None


@strawberry.input(description="Hours of the local day.")
class ReceiveWindowInput:
    from_: str = strawberry.field(name="from", description="HH:MM; this minute is inside.")
    to: str = strawberry.field(description="HH:MM; this minute is not inside; 24:00 is the end of the day.")


@strawberry.input(description="How a customer wishes to be reached; replaces what stood before.")
class ContactPreferenceInput:
    allowed: list[Channel] = strawberry.field(
        default_factory=list, description="Channels allowed; empty: every channel that is not refused."
    )
    refused: list[Channel] = strawberry.field(
        default_factory=list, description="Channels on which nothing is ever sent."
    )
    windows: list[ReceiveWindowInput] = strawberry.field(
        default_factory=list,
        description="Up to 6 windows in the workspace's zone, none over midnight; empty: any time.",
    )


@strawberry.input(description="What a customer said about a purpose.")
class ConsentInput:
    purpose: Purpose = strawberry.field(description="What it is about.")
    granted: bool = strawberry.field(description="Whether the customer agreed.")
    source: str = strawberry.field(description="Where the statement comes from, up to 64 characters.")
    notice_version: str = strawberry.field(default="", description="The notice that the customer was shown.")
    stated_at: datetime = strawberry.field(description="When the customer said so; not in the future.")


@strawberry.input(description="A contact that took place.")
class InteractionInput:
    channel: Channel = strawberry.field(description="By which way.")
    direction: Direction = strawberry.field(description="Who began.")
    personal: bool = strawberry.field(default=True, description="Whether one person spoke with another.")
    result: ContactResult = strawberry.field(description="What came of it.")
    note: str = strawberry.field(
        default="", description="What was said, and what the customer answered; up to 4000 characters."
    )
    occurred_at: datetime = strawberry.field(description="When it took place; not in the future.")
    staff_id: strawberry.ID | None = strawberry.field(
        default=None, description="The member of staff who spoke; the caller if left out."
    )


@payload("The wishes were set.")
class ContactPreferenceSetPayload:
    contact_preference: ContactPreference = strawberry.field(description="The wishes as they are now.")


@payload("The statement was added.")
class ConsentRecordPayload:
    consent: Consent = strawberry.field(description="The statement.")


@payload("The contact was added.")
class InteractionRecordPayload:
    interaction: Interaction = strawberry.field(description="The contact.")


@strawberry.type
class ContactMutations:
    @mutation(
        "Set how a customer may be reached. Contacts planned from then on heed it. "
        "`expectedVersion` 0: only where none was set.",
        allow=FRONT_LINE,
    )
    async def contact_preference_set(
        self,
        info: Info,
        customer_id: CustomerId,
        input: Annotated[ContactPreferenceInput, strawberry.argument(description="The wishes.")],
        expected_version: Expected = None,
    ) -> Annotated[ContactPreferenceSetPayload | Refusal, result("ContactPreferenceSetResult")]:
        made = await contacts.set_preference(
            who(info),
            row_id("Customer", customer_id, "customerId"),
            input.allowed,
            input.refused,
            [(window.from_, window.to) for window in input.windows],
            expected_version,
        )
        return ContactPreferenceSetPayload(contact_preference=cast(ContactPreference, made))

    @mutation(
        "Add what a customer said about a purpose. Statements are never changed; the latest holds.",
        allow=FRONT_LINE,
    )
    async def consent_record(
        self,
        info: Info,
        customer_id: CustomerId,
        input: Annotated[ConsentInput, strawberry.argument(description="The statement.")],
    ) -> Annotated[ConsentRecordPayload | Refusal, result("ConsentRecordResult")]:
        made = await contacts.record_consent(
            who(info),
            row_id("Customer", customer_id, "customerId"),
            input.purpose,
            input.granted,
            input.source,
            input.notice_version,
            input.stated_at,
        )
        return ConsentRecordPayload(consent=cast(Consent, made))

    @mutation(
        "Add a contact that took place. Where the customer took part, their silence ends.", allow=FRONT_LINE
    )
    async def interaction_record(
        self,
        info: Info,
        customer_id: CustomerId,
        input: Annotated[InteractionInput, strawberry.argument(description="The contact.")],
    ) -> Annotated[InteractionRecordPayload | Refusal, result("InteractionRecordResult")]:
        made = await contacts.record_interaction(
            who(info),
            row_id("Customer", customer_id, "customerId"),
            input.channel,
            input.direction,
            input.personal,
            input.result,
            input.note,
            input.occurred_at,
            None if input.staff_id is None else row_id("User", input.staff_id, "input.staffId"),
        )
        return InteractionRecordPayload(interaction=cast(Interaction, made))
