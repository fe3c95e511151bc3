"""What the type Customer gains from its health score."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import strawberry

import api.customer_health.enums  # noqa: F401
from api.context import Info, load
from api.customers.types import Customer
from api.ids import global_id
from api.mapping import reads
from api.nodes import extends
from domain import health
from domain.health import HealthBand, HealthSignal


@strawberry.type(description="What one signal adds to a health score, and by which figures.")
class HealthPart:
    signal: HealthSignal = strawberry.field(description="Which signal.")
    value: int = strawberry.field(
        description="RECENCY: days; FREQUENCY: orders; RESPONSE: contacts answered; SATISFACTION: the sum of "
        "the ratings; ENGAGEMENT: things done."
    )
    out_of: int | None = strawberry.field(
        description="FREQUENCY: orders of the period before; RESPONSE: contacts; SATISFACTION: how many "
        "ratings; null for the others."
    )
    rating: int | None = strawberry.field(
        description="What it says, 0 to 100; null where there are no data, and then the others weigh more."
    )
    weight: int = strawberry.field(description="How much it weighs.")
    points: Decimal | None = strawberry.field(
        description="What it adds to the score, to two places; all together, rounded, are the score."
    )


@strawberry.type(description="A score as it became.")
class HealthMove:
    score: int = strawberry.field(description="The score, 0 to 100.")
    band: HealthBand = strawberry.field(description="How it is to be read.")
    as_of: datetime = strawberry.field(description="The instant for which it was computed.")


@strawberry.type(description="How healthy the relationship with a customer is (S1-46).")
class CustomerHealth:
    score: int = strawberry.field(description="The weighted mean of what the signals say, 0 to 100.")
    band: HealthBand = strawberry.field(description="How it is to be read.")
    parts: list[HealthPart] = strawberry.field(description="The score signal by signal.")
    weights_version: int = strawberry.field(
        description="The version of the weights that it was computed with; 0: those proposed."
    )
    computed_at: datetime = strawberry.field(description="When it was published, in machine time.")
    as_of: datetime = strawberry.field(description="The instant for which it was computed.")
    run_id: strawberry.ID = strawberry.field(description="The run that computed it.")
    stale: bool = strawberry.field(description="Whether that is more than 36 hours ago in business time.")
    customer_id: strawberry.Private[int]

    @strawberry.field(description="The latest 24 changes of the score, the latest first.")
    async def history(self, info: Info) -> list[HealthMove]:
        moves = await load(info, health.moves_by_customer, self.customer_id) or []
        return [HealthMove(score=move.score, band=move.band, as_of=move.as_of) for move in moves]


@extends(Customer)
class CustomerHealthFields:
    @strawberry.field(
        description="Their health score; null before the first scoring, and for who was excluded, had ended "
        "the relationship, or was not there by then.",
        metadata=reads("id"),
    )
    async def health(self: Any, info: Info) -> CustomerHealth | None:
        found = await load(info, health.by_customer, self.id)
        if found is None:
            return None
        return CustomerHealth(
            score=found.score.score,
            band=found.score.band,
            parts=[HealthPart(**vars(part)) for part in found.parts],
            weights_version=found.published.weights,
            computed_at=found.published.computed_at,
            as_of=found.published.as_of,
            run_id=strawberry.ID(global_id("Run", found.published.run_id)),
            stale=found.stale,
            customer_id=self.id,
        )
