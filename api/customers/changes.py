"""What is recorded about customers, one by one."""

from datetime import datetime
from typing import Annotated, Any, cast

import strawberry
from strawberry import UNSET

from api.context import Info, who
from api.customers.types import BehaviourEvent, Customer, Lead, Order
from api.ids import row_id, row_or_nothing
from api.mutations import Expected, Refusal, mutation, payload, result
from api.scalars import MoneyInput, minor_units
from domain import customers
from domain.access import FRONT_LINE, PLANNERS
from domain.customers import LeadPotential, LeadSource, OrderStatus

WRITERS = FRONT_LINE | PLANNERS


@strawberry.input(description="A customer; what is left out stays as it is, and null empties it.")
class CustomerUpsertInput:
    external_id: str = strawberry.field(description="The customer's id in the system it comes from.")
    name: str | None = strawberry.field(default=UNSET, description="Name.")
    company: str | None = strawberry.field(default=UNSET, description="Company.")
    phone: str | None = strawberry.field(default=UNSET, description="Telephone number.")
    email: str | None = strawberry.field(default=UNSET, description="E-mail address.")
    owner_id: strawberry.ID | None = strawberry.field(default=UNSET, description="Who looks after them.")
    registered_at: datetime | None = strawberry.field(
        default=UNSET, description="When they became known to us."
    )
    tags: list[str] | None = strawberry.field(default=UNSET, description="All their tags.")


@strawberry.input(description="An order.")
class OrderRecordInput:
    external_id: str = strawberry.field(description="Its id in the system it comes from.")
    customer_external_id: str = strawberry.field(
        description="Who bought; an unknown one is recorded with it."
    )
    ordered_at: datetime = strawberry.field(description="When it was placed.")
    amount: MoneyInput = strawberry.field(description="What was paid; not negative.")
    quantity: int = strawberry.field(default=1, description="How many pieces.")
    status: OrderStatus = strawberry.field(default=OrderStatus.PAID, description="Where it stands.")
    delivered_at: datetime | None = strawberry.field(default=None, description="When it was delivered.")


@strawberry.input(description="A lead.")
class LeadRecordInput:
    external_id: str = strawberry.field(description="Its id in the system it comes from.")
    customer_external_id: str = strawberry.field(description="Who it is; an unknown one is recorded with it.")
    source: LeadSource = strawberry.field(description="How it was gained.")
    acquired_at: datetime = strawberry.field(description="When it was gained.")
    consent: bool = strawberry.field(
        description="Whether outbound contact was agreed to; false is recorded as a refusal of marketing."
    )
    potential: LeadPotential = strawberry.field(
        default=LeadPotential.NORMAL, description="What it may become."
    )
    industry: str | None = strawberry.field(default=None, description="The lead's industry.")
    name: str | None = strawberry.field(default=UNSET, description="Name.")
    company: str | None = strawberry.field(default=UNSET, description="Company.")
    phone: str | None = strawberry.field(default=UNSET, description="Telephone number.")
    email: str | None = strawberry.field(default=UNSET, description="E-mail address.")


@strawberry.input(description="Something a customer did.")
class EventRecordInput:
    external_id: str = strawberry.field(description="Its id in the system it comes from.")
    customer_external_id: str = strawberry.field(description="Who did it.")
    name: str = strawberry.field(description="What was done.")
    occurred_at: datetime = strawberry.field(description="When.")


@payload("A customer was recorded.")
class CustomerUpsertPayload:
    customer: Customer = strawberry.field(description="The customer.")
    created: bool = strawberry.field(description="Whether they are new.")


@payload("An order was recorded.")
class OrderRecordPayload:
    order: Order = strawberry.field(description="The order.")


@payload("An order's status was set.")
class OrderStatusSetPayload:
    order: Order = strawberry.field(description="The order as it is now.")


@payload("A lead was recorded.")
class LeadRecordPayload:
    lead: Lead = strawberry.field(description="The lead.")


@payload("An event was recorded.")
class EventRecordPayload:
    event: BehaviourEvent = strawberry.field(description="The event.")


def _given(input: Any, *names: str) -> dict[str, Any]:
    """The fields of an input that were given; the domain has its own word for what was not."""
    return {name: getattr(input, name) for name in names if getattr(input, name) is not UNSET}


@strawberry.type
class CustomerMutations:
    @mutation("Record a customer, or what has changed about them, by external id.", allow=WRITERS)
    async def customer_upsert(
        self,
        info: Info,
        input: Annotated[CustomerUpsertInput, strawberry.argument(description="The customer.")],
        expected_version: Expected = None,
    ) -> Annotated[CustomerUpsertPayload | Refusal, result("CustomerUpsertResult")]:
        given = _given(input, "name", "company", "phone", "email", "registered_at")
        if input.tags is not UNSET:
            given["tags"] = input.tags or []
        if input.owner_id is not UNSET:
            owner = input.owner_id
            given["owner_id"] = None if owner is None else row_or_nothing("User", owner)
        customer, created = await customers.upsert(
            who(info), input.external_id, expected_version=expected_version, **given
        )
        return CustomerUpsertPayload(customer=cast(Customer, customer), created=created)

    @mutation("Record an order, or what has changed about it, by external id.", allow=WRITERS)
    async def order_record(
        self,
        info: Info,
        input: Annotated[OrderRecordInput, strawberry.argument(description="The order.")],
        expected_version: Expected = None,
    ) -> Annotated[OrderRecordPayload | Refusal, result("OrderRecordResult")]:
        order = await customers.record_order(
            who(info),
            input.external_id,
            customer_external_id=input.customer_external_id,
            ordered_at=input.ordered_at,
            amount_minor=minor_units(input.amount, "input.amount"),
            currency=input.amount.currency,
            quantity=input.quantity,
            status=input.status,
            delivered_at=input.delivered_at,
            create_customer=True,
            expected_version=expected_version,
        )
        return OrderRecordPayload(order=cast(Order, order))

    @mutation("Move an order on; told twice, it is done once.", allow=WRITERS)
    async def order_status_set(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The order's id.")],
        status: Annotated[OrderStatus, strawberry.argument(description="Where it stands now.")],
        at: Annotated[
            datetime | None, strawberry.argument(description="Since when; now, if left out.")
        ] = None,
        expected_version: Expected = None,
    ) -> Annotated[OrderStatusSetPayload | Refusal, result("OrderStatusSetResult")]:
        order = await customers.set_order_status(who(info), row_id("Order", id), status, at, expected_version)
        return OrderStatusSetPayload(order=cast(Order, order))

    @mutation("Record a lead by external id; its first touch is opened as work.", allow=WRITERS)
    async def lead_record(
        self, info: Info, input: Annotated[LeadRecordInput, strawberry.argument(description="The lead.")]
    ) -> Annotated[LeadRecordPayload | Refusal, result("LeadRecordResult")]:
        lead = await customers.record_lead(
            who(info),
            input.external_id,
            customer_external_id=input.customer_external_id,
            source=input.source,
            acquired_at=input.acquired_at,
            consent=input.consent,
            potential=input.potential,
            industry=input.industry,
            **_given(input, "name", "company", "phone", "email"),
        )
        return LeadRecordPayload(lead=cast(Lead, lead))

    @mutation("Record something a customer did, by external id.", allow=WRITERS)
    async def event_record(
        self, info: Info, input: Annotated[EventRecordInput, strawberry.argument(description="The event.")]
    ) -> Annotated[EventRecordPayload | Refusal, result("EventRecordResult")]:
        event = await customers.record_event(
            who(info),
            input.external_id,
            customer_external_id=input.customer_external_id,
            name=input.name,
            occurred_at=input.occurred_at,
            create_customer=True,
        )
        return EventRecordPayload(event=cast(BehaviourEvent, event))
