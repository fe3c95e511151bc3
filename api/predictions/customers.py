"""What the type Customer gains from predictions: whether they will come back, how often, and for how much."""

from datetime import datetime
from typing import Any, cast

import strawberry

from api.context import Info, load
from api.customers.types import Customer
from api.ids import global_id
from api.mapping import reads
from api.nodes import extends
from api.predictions.types import PredictionModel
from api.scalars import Money, money
from api.segments import reading
from domain import predictions


@strawberry.type(
    description="What the model in force foretells of a customer, by nothing but when and for how much they "
    "bought. Of who has ended the relationship no order is expected."
)
class CustomerPrediction:
    p_alive: float = strawberry.field(
        description="The probability that they have not stopped buying; 1 for who bought on one day only, "
        "having had no occasion to stop."
    )
    no_order_30_days: float = strawberry.field(
        description="The probability of no order in the 30 days after `asOf`."
    )
    expected_orders_30_days: float = strawberry.field(
        description="The days with an order to be expected in the 30 days after `asOf`."
    )
    expected_orders_12_months: float = strawberry.field(description="The same in 365 days.")
    expected_order_value: Money = strawberry.field(description="What such a day is expected to bring.")
    expected_value_12_months: Money = strawberry.field(description="What 365 days are expected to bring.")
    model_clv: Money = strawberry.field(
        description="What they are expected to bring in the model's `clvYears`, discounted at each year's "
        "end; without what winning them cost. Not `clv`, which is by the documents' formulas."
    )
    repeats: int = strawberry.field(description="It rests on so many days with an order after the first,")
    recency_days: int = strawberry.field(description="so many days from the first to the last of them,")
    age_days: int = strawberry.field(description="and so many days from the first until `asOf`.")
    model: PredictionModel = strawberry.field(description="The model that foretells it.")
    computed_at: datetime = strawberry.field(description="When it was published, in machine time.")
    as_of: datetime = strawberry.field(description="The instant up to which orders counted.")
    run_id: strawberry.ID = strawberry.field(description="The run that computed it.")
    stale: bool = strawberry.field(description="Whether that is more than 46 days ago in business time.")


@extends(Customer)
class CustomerPredictions:
    @strawberry.field(
        description="What is to be expected of them; null before the first refit, and for who has not "
        "bought by then.",
        metadata=reads("id"),
    )
    async def prediction(self: Any, info: Info) -> CustomerPrediction | None:
        found = await load(info, predictions.by_customer, self.id)
        if found is None:
            return None
        currency = (await reading.workspace(info)).currency
        told, model = found.prediction, found.model
        return CustomerPrediction(
            p_alive=told.p_alive,
            no_order_30_days=told.quiet_30d,
            expected_orders_30_days=told.orders_30d,
            expected_orders_12_months=told.orders_12m,
            expected_order_value=money(told.value_minor, currency),
            expected_value_12_months=money(told.value_12m_minor, currency),
            model_clv=money(told.clv_minor, currency),
            repeats=told.repeats,
            recency_days=told.recency_days,
            age_days=told.age_days,
            model=cast(PredictionModel, model),
            computed_at=model.computed_at,
            as_of=model.as_of,
            run_id=strawberry.ID(global_id("Run", model.run_id)),
            stale=found.stale,
        )
