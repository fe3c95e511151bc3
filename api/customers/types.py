"""The types of customers and what they did."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, cast

import strawberry

import api.customers.enums  # noqa: F401
from api.connections import After, Before, Connection, First, Last, connection, nested, part
from api.context import Info, load, who
from api.customers.timeline import TimelineEntry
from api.filters import DateTimeFilter, EnumFilter, where_q
from api.mapping import EACH, one, reads
from api.nodes import Node, extends, node_type, row_type
from api.permissions import personal
from api.runs.types import Run
from api.scalars import Money, money
from api.workspaces.types import User
from domain import customers, workspaces
from domain.customers import ExclusionReason, LeadPotential, LeadSource, OrderStatus
from domain.paging import Order as Sorted


@node_type(customers.Order, description="One purchase of a customer.")
class Order(Node):
    external_id: str = strawberry.field(description="Its id in the system it comes from.")
    status: OrderStatus = strawberry.field(description="Where it stands.")
    ordered_at: datetime = strawberry.field(description="When it was placed.")
    ordered_on: date = strawberry.field(description="The local day on which it was placed.")
    delivered_at: datetime | None = strawberry.field(description="When it was delivered.")
    refunded_at: datetime | None = strawberry.field(description="When it was refunded.")
    quantity: int = strawberry.field(description="How many pieces.")
    version: int = strawberry.field(description="Rises with each change.")

    @strawberry.field(description="What was paid.", metadata=reads("amount_minor", "currency"))
    def amount(self: Any) -> Money:
        return money(self.amount_minor, self.currency)

    @strawberry.field(description="Who bought.", metadata=one(customers.Customer, "customer_id"))
    async def customer(
        self: Any, info: Info
    ) -> Annotated["Customer", strawberry.lazy("api.customers.types")]:
        return cast(Customer, await load(info, customers.by_ids, self.customer_id))


@node_type(customers.Lead, description="A first sign of interest.")
class Lead(Node):
    external_id: str = strawberry.field(description="Its id in the system it comes from.")
    source: LeadSource = strawberry.field(description="How it was gained.")
    potential: LeadPotential = strawberry.field(description="What it may become.")
    industry: str | None = strawberry.field(description="The lead's industry.")
    consent: bool = strawberry.field(description="Whether outbound contact was agreed to.")
    acquired_at: datetime = strawberry.field(
        description="When it was gained: the first touch is counted from here."
    )

    @strawberry.field(description="Who it is.", metadata=one(customers.Customer, "customer_id"))
    async def customer(
        self: Any, info: Info
    ) -> Annotated["Customer", strawberry.lazy("api.customers.types")]:
        return cast(Customer, await load(info, customers.by_ids, self.customer_id))


@node_type(customers.BehaviourEvent, description="Something a customer did: a log-in, a page, a click.")
class BehaviourEvent(Node):
    external_id: str = strawberry.field(description="Its id in the system it comes from.")
    name: str = strawberry.field(description="What was done.")
    occurred_at: datetime = strawberry.field(description="When.")

    @strawberry.field(description="Who did it.", metadata=one(customers.Customer, "customer_id"))
    async def customer(
        self: Any, info: Info
    ) -> Annotated["Customer", strawberry.lazy("api.customers.types")]:
        return cast(Customer, await load(info, customers.by_ids, self.customer_id))


@row_type(customers.RowError, description="One row of an import that was not taken.")
class RowError:
    line: int = strawberry.field(description="Line of the file, from 1; the header is line 1.")
    column: str | None = strawberry.field(description="The column, if one is to blame.")
    code: str = strawberry.field(description="The kind of mistake.")
    message: str = strawberry.field(description="What is wrong; never the value itself.")


@strawberry.input(description="Which orders.")
class OrderWhere:
    status: EnumFilter[OrderStatus] | None = strawberry.field(
        default=strawberry.UNSET, description="By status."
    )
    ordered_at: DateTimeFilter | None = strawberry.field(default=strawberry.UNSET, description="By instant.")


ORDER_COLUMNS = {"status": "status", "ordered_at": "ordered_at"}


@node_type(customers.Customer, description="Somebody who buys from us, or may.")
class Customer(Node):
    external_id: str = strawberry.field(description="The customer's id in the system it comes from.")
    name: str | None = personal("name", "The customer's name.")
    company: str | None = personal("company", "The company they stand for.")
    phone: str | None = personal("phone", "Telephone number.")
    email: str | None = personal("email", "E-mail address.")
    registered_at: datetime = strawberry.field(description="When they became known to us.")
    cancelled_at: datetime | None = strawberry.field(description="When they ended the relationship.")
    excluded: bool = strawberry.field(
        description="Whether the record is left out of every segment, ranking and figure."
    )
    first_order_at: datetime | None = strawberry.field(description="Their first order.")
    last_order_at: datetime | None = strawberry.field(description="Their latest order.")
    order_count: int = strawberry.field(description="How many orders, without refunded ones.")
    last_interaction_at: datetime | None = strawberry.field(
        description="Their latest order, event or answered contact: silence is counted from here."
    )
    created_at: datetime = strawberry.field(description="When the record was made.")
    updated_at: datetime = strawberry.field(description="When the record last changed.")
    version: int = strawberry.field(description="Rises with each change.")

    @strawberry.field(
        description="What all their orders come to, without refunded ones.",
        metadata=reads("workspace_id", "order_total_minor"),
    )
    async def order_total(self: Any, info: Info) -> Money:
        workspace = await load(info, _workspaces, self.workspace_id)
        assert workspace is not None
        return money(self.order_total_minor, workspace.currency)

    @strawberry.field(
        description="Why the record is left out; null when it is not.", metadata=reads("id", "excluded")
    )
    async def excluded_because(self: Any, info: Info) -> ExclusionReason | None:
        return await load(info, customers.exclusion_reasons, self.id) if self.excluded else None

    @strawberry.field(
        description="The member of staff who looks after them.", metadata=one(workspaces.User, "owner_id")
    )
    async def owner(self: Any, info: Info) -> User | None:
        return cast(User | None, await load(info, workspaces.User.by_ids, self.owner_id))

    @strawberry.field(description="Their tags, in alphabetical order.", metadata=reads("id"))
    async def tags(self: Any, info: Info) -> list[str]:
        return await load(info, customers.tags_of, self.id) or []

    @strawberry.field(description="Their orders, the earliest first.", metadata=EACH)
    async def orders(
        self: Any,
        info: Info,
        where: Annotated[OrderWhere | None, strawberry.argument(description="Which ones.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Order]:
        own = customers.Order.filter(where_q(where, ORDER_COLUMNS), workspace_id=who(info).workspace_id)
        page = part(first, last, after, before)
        return cast(
            Connection[Order],
            await nested(info, "orders", own, "customer_id", self.id, Sorted("ordered_at"), page),
        )

    @strawberry.field(description="Their leads, in the order in which they were recorded.", metadata=EACH)
    async def leads(
        self: Any,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Lead]:
        own = customers.Lead.filter(workspace_id=who(info).workspace_id)
        page = part(first, last, after, before)
        return cast(
            Connection[Lead], await nested(info, "leads", own, "customer_id", self.id, Sorted("id"), page)
        )

    @strawberry.field(description="What they did, the latest first.", metadata=EACH)
    async def events(
        self: Any,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[BehaviourEvent]:
        own = customers.BehaviourEvent.filter(workspace_id=who(info).workspace_id)
        latest = Sorted("occurred_at", descending=True)
        page = part(first, last, after, before)
        return cast(
            Connection[BehaviourEvent],
            await nested(info, "events", own, "customer_id", self.id, latest, page),
        )

    @strawberry.field(
        description="What happened to and around them, imported orders included, the latest first.",
        metadata=reads("id"),
    )
    async def timeline(
        self: Any,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[TimelineEntry]:
        page = part(first, last, after, before)

        async def fetch(workspace_id: int, ids: list[int]) -> Mapping[int, Any]:
            return await customers.timelines(workspace_id, ids, page)

        found = await info.context.loaders.load(fetch, self.id, ("timeline", page))
        assert found is not None
        return cast(Connection[TimelineEntry], connection(found))


async def _workspaces(workspace_id: int, ids: list[int]) -> dict[int, workspaces.Workspace]:
    return {workspace_id: await workspaces.get(workspace_id)}


@extends(Run)
class RunRowErrors:
    @strawberry.field(description="Rows of an import that were not taken, in the order of the file.")
    async def row_errors(
        self: Any,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[RowError]:
        page = await customers.row_errors_page(who(info), self.id, part(first, last, after, before))
        return cast(Connection[RowError], connection(page))
