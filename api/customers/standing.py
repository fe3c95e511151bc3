"""What is recorded about whether somebody still is a customer, and one to be counted."""

from datetime import datetime
from typing import Annotated, cast

import strawberry

from api.context import Info, who
from api.customers.types import Customer
from api.ids import row_id
from api.mutations import Expected, Refusal, mutation, payload, result
from domain import customers
from domain.access import ADMINS, FRONT_LINE, PLANNERS, Role
from domain.customers import ExclusionReason

KEEPERS = ADMINS | {Role.OPS_HEAD}
"""Whom a ranking counts moves everybody's place in it."""
CustomerId = Annotated[strawberry.ID, strawberry.argument(description="The customer's id.")]


@payload("A customer has ended the relationship.")
class CustomerCancelPayload:
    customer: Customer = strawberry.field(description="The customer as they are now.")


@payload("A record was taken out of every ranking and figure.")
class CustomerExcludePayload:
    customer: Customer = strawberry.field(description="The customer as they are now.")


@payload("A record counts again.")
class CustomerIncludePayload:
    customer: Customer = strawberry.field(description="The customer as they are now.")


@strawberry.type
class StandingMutations:
    @mutation(
        "Record that a customer has ended the relationship: from that instant they are CHURNED when segments "
        "are computed. The first date given stands.",
        allow=FRONT_LINE | PLANNERS,
    )
    async def customer_cancel(
        self,
        info: Info,
        id: CustomerId,
        cancelled_at: Annotated[
            datetime | None, strawberry.argument(description="Since when; now, if left out.")
        ] = None,
        expected_version: Expected = None,
    ) -> Annotated[CustomerCancelPayload | Refusal, result("CustomerCancelResult")]:
        customer = await customers.cancel_relationship(
            who(info), row_id("Customer", id), cancelled_at, expected_version
        )
        return CustomerCancelPayload(customer=cast(Customer, customer))

    @mutation(
        "Take a record that is not one customer out of every segment, ranking and figure, from the next time "
        "that they are computed. Told again, nothing changes.",
        allow=KEEPERS,
    )
    async def customer_exclude(
        self,
        info: Info,
        id: CustomerId,
        reason: Annotated[ExclusionReason, strawberry.argument(description="Why.")],
        expected_version: Expected = None,
    ) -> Annotated[CustomerExcludePayload | Refusal, result("CustomerExcludeResult")]:
        customer = await customers.set_excluded(
            who(info), row_id("Customer", id), True, expected_version, reason=reason
        )
        return CustomerExcludePayload(customer=cast(Customer, customer))

    @mutation("Count a record again that had been excluded.", allow=KEEPERS)
    async def customer_include(
        self, info: Info, id: CustomerId, expected_version: Expected = None
    ) -> Annotated[CustomerIncludePayload | Refusal, result("CustomerIncludeResult")]:
        customer = await customers.set_excluded(who(info), row_id("Customer", id), False, expected_version)
        return CustomerIncludePayload(customer=cast(Customer, customer))
