"""The box into which somebody types the beginning of a name or number."""

from typing import Annotated, Any, cast

import strawberry

from api.context import Info, who
from api.customers.types import Customer
from api.nodes import row_type
from api.permissions import query
from domain import customers
from domain.access import SEES_PERSONAL
from domain.customers import SearchField


@row_type(customers.Match, description="A customer who was found.")
class CustomerMatch:
    found_by: SearchField = strawberry.field(description="By what; the first that fits.")
    exact: bool = strawberry.field(description="Whether all of it was typed, and not only its beginning.")

    @strawberry.field(description="Who it is.")
    def customer(self: Any) -> Customer:
        return cast(Customer, self.customer)


@strawberry.type
class SearchQueries:
    @query(
        "Customers of whom the name, telephone number, e-mail address or external id begins so: first who "
        "fits wholly, then in that order. Small letters and capitals are the same, and so are the spellings "
        "of a number. What a merged record had finds the one that it was merged into.",
        allow=SEES_PERSONAL,
    )
    async def customer_search(
        self,
        info: Info,
        starts_with: Annotated[str, strawberry.argument(description="What was typed.")],
        first: Annotated[int, strawberry.argument(description="How many at most, 1 to 50.")] = 20,
    ) -> list[CustomerMatch]:
        return cast(list[CustomerMatch], await customers.search(who(info), starts_with, first))
