"""What staff can do of the visits that are promised."""

from datetime import date
from typing import Annotated, Any, cast

import strawberry

from api.context import Info, who
from api.nodes import row_type
from api.permissions import query
from domain import tasks
from domain.access import BUILDERS, LEADS, PLANNERS
from domain.segments import RfmTier


@row_type(tasks.Served, description="So many visits to so many customers.")
class ServedVisits:
    visits: int = strawberry.field(description="How many visits.")
    customers: int = strawberry.field(
        description="To how many customers; one who is visited in several ways counts with the last."
    )


@row_type(tasks.TierCapacity, description="A care tier's visits against what staff can do.")
class TierCapacity:
    tier: RfmTier = strawberry.field(description="The tier.")
    days_left: int = strawberry.field(description="Days left of the period, today included.")
    customers: int = strawberry.field(description="How many customers are in the tier.")
    promised: int = strawberry.field(description="Visits that each of them is promised in the period.")
    done: int = strawberry.field(description="Promised visits done, in which the customer was reached.")
    due: ServedVisits = strawberry.field(description="Promised visits still to do.")
    phone: ServedVisits = strawberry.field(description="Of those, by telephone: to whoever spent most.")
    other: ServedVisits = strawberry.field(description="By other personal channels, to those after them.")
    message: ServedVisits = strawberry.field(description="By message, which needs no staff.")
    unmet: ServedVisits = strawberry.field(
        description="What cannot be done before the period ends; it stays due, and is never counted as done."
    )

    @strawberry.field(description="The first day of the period.")
    def period_start(self: Any) -> date:
        return cast(date, self.period.first)

    @strawberry.field(description="The first day of the next period.")
    def period_end(self: Any) -> date:
        return cast(date, self.period.after)


@strawberry.type
class CapacityQueries:
    @query(
        "What staff can do of the visits still due, tier by tier, who spent most first; and what cannot be "
        "done. Nothing is planned or changed.",
        allow=LEADS | PLANNERS | BUILDERS,
    )
    async def visit_capacity(
        self,
        info: Info,
        phone_per_week: Annotated[
            int, strawberry.argument(description="Visits that staff make by telephone in a week.")
        ] = tasks.CALLS_PER_WEEK,
        other_per_week: Annotated[
            int, strawberry.argument(description="Visits by other personal channels in a week.")
        ] = 0,
    ) -> list[TierCapacity]:
        found = await tasks.capacity_plan(who(info).workspace_id, phone_per_week, other_per_week)
        return cast(list[TierCapacity], found)
