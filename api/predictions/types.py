"""The types of fitted models and of their back-tests."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast

import strawberry

import api.predictions.enums  # noqa: F401
from api.context import Info, load
from api.mapping import one, reads
from api.nodes import row_type
from api.runs.types import Run
from domain import predictions, runs
from domain.predictions import WarningRule

BENCHMARK_PRECISION, BENCHMARK_RECALL = Decimal("0.85"), Decimal("0.87")
"""What the documents state of a warning 30 days ahead (B-21, S4-147, S4-70)."""


@strawberry.type(
    description="A point of the calibration plot: customers who had bought again so often before the cut, "
    "and their orders after it, for each of them."
)
class CalibrationPoint:
    repeats: int = strawberry.field(
        description="Days with an order after the first one; the last point holds all who had more, too."
    )
    customers: int = strawberry.field(description="How many customers.")
    predicted: float = strawberry.field(description="Orders that the model expected of each, on average.")
    actual: float = strawberry.field(description="Orders that came from each, on average.")


@strawberry.type(description="How right the warnings of a rule would have been.")
class WarningScore:
    rule: WarningRule = strawberry.field(description="Whom it warns of, and who counts as lost.")
    customers: int = strawberry.field(description="All customers who had bought before the cut.")
    warned: int = strawberry.field(description="How many of them it warned of.")
    lost: int = strawberry.field(description="How many were lost.")
    both: int = strawberry.field(description="How many it warned of and were lost.")
    precision: Decimal | None = strawberry.field(
        description="Of those warned of, the share that was lost, to six places; null if nobody was."
    )
    recall: Decimal | None = strawberry.field(
        description="Of those lost, the share that was warned of; null if nobody was lost."
    )
    prevalence: Decimal | None = strawberry.field(
        description="The share that was lost: what the precision of warning of everybody would be."
    )


@strawberry.type(
    description="A model of the earlier half of the orders, held against at most a year of later ones."
)
class PredictionHoldout:
    cut_on: date = strawberry.field(description="The last day that the model knew.")
    until: date = strawberry.field(description="The last day that it was held against.")
    customers: int = strawberry.field(description="How many customers had bought by the cut.")
    calibration: list[CalibrationPoint] = strawberry.field(
        description="Predicted and actual orders by how often customers had bought again."
    )
    warnings: list[WarningScore] = strawberry.field(description="Each rule's warnings on the day of the cut.")
    benchmark_precision: Decimal = strawberry.field(description="What the documents state: 0.85.")
    benchmark_recall: Decimal = strawberry.field(description="What the documents state: 0.87.")


@row_type(
    predictions.PredictionModel,
    description="A fitted model: BG/NBD of when customers buy (Fader, Hardie, Lee 2005) and gamma-gamma of "
    "what they spend (Fader and Hardie 2013). Time is in weeks, a day with any order is one purchase.",
)
class PredictionModel:
    number: int = strawberry.field(description="Its version, from 1.")
    as_of: datetime = strawberry.field(description="The instant up to which orders counted.")
    computed_at: datetime = strawberry.field(description="When it was published, in machine time.")
    customers: int = strawberry.field(description="How many customers had bought: those it was fitted to.")
    repeaters: int = strawberry.field(description="How many of them had bought on a second day.")
    spenders: int = strawberry.field(description="How many had paid on a second day.")
    resolution_days: int = strawberry.field(
        description="Times between purchases were rounded to so many days for the fit."
    )
    r: float = strawberry.field(description="BG/NBD: the shape of the purchase rates.")
    alpha: float = strawberry.field(description="BG/NBD: their scale, in weeks.")
    a: float = strawberry.field(
        description="BG/NBD: of the chance to stop after a purchase, the first shape."
    )
    b: float = strawberry.field(description="BG/NBD: the second.")
    log_likelihood: float = strawberry.field(description="BG/NBD: the logarithm of the likelihood reached.")
    converged: bool = strawberry.field(
        description="BG/NBD: whether that is a maximum, with no parameter on its bound."
    )
    starts: int = strawberry.field(description="BG/NBD: from how many starts it was looked for.")
    agreeing: int = strawberry.field(description="BG/NBD: from how many of them this maximum was found.")
    p: float = strawberry.field(description="Gamma-gamma: the shape of a customer's own amounts.")
    q: float = strawberry.field(description="Gamma-gamma: the shape of the means among customers.")
    gamma: float = strawberry.field(
        description="Gamma-gamma: their scale, in minor units of the workspace's currency."
    )
    spending_log_likelihood: float = strawberry.field(
        description="Gamma-gamma: the logarithm of the likelihood reached."
    )
    spending_converged: bool = strawberry.field(
        description="Gamma-gamma: whether that is a maximum, with no parameter on its bound."
    )
    clv_years: int = strawberry.field(description="For so many years lifetime values look ahead.")
    clv_rate: Decimal = strawberry.field(description="The yearly rate at which they are discounted.")

    @strawberry.field(description="The run that fitted it.", metadata=one(runs.Run, "run_id"))
    async def run(self: Any, info: Info) -> Run:
        return cast(Run, await load(info, runs.Run.by_ids, self.run_id))

    @strawberry.field(
        description="Whether it is more than 46 days old in business time.",
        metadata=reads("workspace_id", "as_of"),
    )
    async def stale(self: Any, info: Info) -> bool:
        return await predictions.is_stale(self)

    @strawberry.field(
        description="How a model of the earlier orders would have foretold the later ones; null where the "
        "history was too short for that.",
        metadata=reads("holdout"),
    )
    def holdout(self: Any) -> PredictionHoldout | None:
        if self.holdout is None:
            return None
        found = predictions.Holdout.of(self.holdout)
        return PredictionHoldout(
            cut_on=found.cut_on,
            until=found.until,
            customers=found.customers,
            calibration=[CalibrationPoint(**vars(bucket)) for bucket in found.buckets],
            warnings=[
                WarningScore(
                    **vars(told), precision=told.precision, recall=told.recall, prevalence=told.prevalence
                )
                for told in found.warned
            ],
            benchmark_precision=BENCHMARK_PRECISION,
            benchmark_recall=BENCHMARK_RECALL,
        )
