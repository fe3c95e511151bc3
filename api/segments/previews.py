"""What a rule would come to, before it is saved: how many, who, at what cost, and what would come of it."""

from datetime import datetime
from typing import Annotated, cast

import strawberry

from api.customers.types import Customer
from api.errors import bad_request
from domain import segments
from domain.errors import Invalid


@strawberry.type(description="What a rule would cost.")
class SegmentCost:
    reads: list[str] = strawberry.field(description="The kinds of rows that every publishing reads.")
    conditions: int = strawberry.field(description="How many single tests each customer is put to.")
    customers: int = strawberry.field(description="How many customers every publishing looks at.")
    moves: int = strawberry.field(description="How many rows the first publishing writes.")
    estimated_milliseconds: int = strawberry.field(
        description="How long the first publishing takes: a rough estimate from these figures."
    )


@strawberry.type(description="What would come of it if those who would come in did.")
class SegmentConsequence:
    outcome: segments.Outcome = strawberry.field(description="What.")
    count: int = strawberry.field(description="Of how many, or how many.")


@strawberry.type(description="Who would be in a segment, as of now. Nothing is saved.")
class SegmentPreview:
    as_of: datetime = strawberry.field(description="The instant for which the rule was asked.")
    count: int = strawberry.field(description="How many would be in it.")
    entering: int = strawberry.field(description="How many of them are not members now.")
    leaving: int = strawberry.field(description="How many members would no longer be.")
    staying: int = strawberry.field(description="How many members would stay.")
    cost: SegmentCost = strawberry.field(description="What it would cost.")
    found: strawberry.Private[segments.Preview]

    @strawberry.field(
        description="What would come of it: each of what can be foreseen, also where it is nothing."
    )
    async def consequences(self) -> list[SegmentConsequence]:
        return [
            SegmentConsequence(outcome=outcome, count=count)
            for outcome, count in (await segments.consequences(self.found.coming)).items()
        ]

    @strawberry.field(description="The first of them, in the order in which they were added.")
    def sample(
        self, first: Annotated[int, strawberry.argument(description="How many, 1 to 50.")] = 10
    ) -> list[Customer]:
        if not 1 <= first <= segments.MOST_SHOWN:
            raise bad_request(
                Invalid(f"first must be between 1 and {segments.MOST_SHOWN}, got {first}", field="first")
            )
        return cast(list[Customer], self.found.sample[:first])
