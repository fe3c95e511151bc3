"""Questions about customers."""

from enum import Enum
from typing import Annotated, cast

import strawberry

from api.connections import After, Before, Connection, First, Last, connection, part
from api.context import Info, who
from api.customers.filters import CustomerWhere, columns
from api.customers.types import Customer, Lead, Order
from api.filters import Direction, where_q
from api.ids import row_id
from api.permissions import query
from domain import customers
from domain.errors import Invalid, NotFound
from domain.paging import Order as Sorted

ExternalId = Annotated[
    str | None, strawberry.argument(description="The id in the system it comes from, instead of `id`.")
]


@strawberry.enum(description="By what customers are sorted.")
class CustomerOrder(Enum):
    EXTERNAL_ID = strawberry.enum_value("external_id", description="By external id.")
    REGISTERED_AT = strawberry.enum_value("registered_at", description="By when they became known.")
    CREATED_AT = strawberry.enum_value("id", description="In the order in which they were recorded.")


@strawberry.type
class CustomerQueries:
    @query("One customer, by id or by external id; null when there is none here.", left=True)
    async def customer(
        self,
        info: Info,
        id: Annotated[strawberry.ID | None, strawberry.argument(description="The customer's id.")] = None,
        external_id: ExternalId = None,
    ) -> Customer | None:
        if (id is None) == (external_id is None):
            raise Invalid("give id or externalId", field="id")
        if external_id is not None:
            return cast(Customer | None, await customers.find_external(who(info), external_id))
        try:
            number = row_id("Customer", id or "")
        except NotFound:
            return None
        return cast(Customer | None, await customers.find(who(info), number))

    @query("Customers.", left=True)
    async def customers(
        self,
        info: Info,
        where: Annotated[CustomerWhere | None, strawberry.argument(description="Which ones.")] = None,
        order_by: Annotated[
            CustomerOrder, strawberry.argument(description="Sorted by what.")
        ] = CustomerOrder.CREATED_AT,
        direction: Annotated[Direction, strawberry.argument(description="Which way.")] = Direction.ASC,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Customer]:
        principal = who(info)
        order = Sorted(str(order_by.value), descending=direction is Direction.DESC)
        condition = where_q(where, columns(principal))
        page = await customers.page(principal, condition, order, part(first, last, after, before))
        return cast(Connection[Customer], connection(page))

    @query("One order by its external id; null when there is none here.", left=True)
    async def order(
        self,
        info: Info,
        external_id: Annotated[str, strawberry.argument(description="The id in the system it comes from.")],
    ) -> Order | None:
        return cast(Order | None, await customers.by_external_id(who(info), customers.Order, external_id))

    @query("One lead by its external id; null when there is none here.", left=True)
    async def lead(
        self,
        info: Info,
        external_id: Annotated[str, strawberry.argument(description="The id in the system it comes from.")],
    ) -> Lead | None:
        return cast(Lead | None, await customers.by_external_id(who(info), customers.Lead, external_id))
