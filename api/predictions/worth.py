"""Lifetime values by the documents' two formulas, and what they assume."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import strawberry

from api.context import Info, load, who
from api.customers.types import Customer
from api.ids import global_id
from api.mapping import reads
from api.mutations import Expected, Refusal, mutation, payload, result
from api.nodes import extends
from api.permissions import query
from api.scalars import Money, MoneyInput, minor_units, money
from api.segments import reading
from domain import predictions
from domain.access import ADMINS
from domain.errors import Invalid
from domain.predictions import MOST_MINOR, Assumptions, AssumptionsVersion, LifetimeValue

MEANING = {
    "retention": "The share of customers who stay, from 0 to 1.",
    "lifetime_years": "For how many years, from 1 to 50.",
    "discount_rate": "The yearly rate, from 0 to 1.",
    "acquisition_cost": "What winning a customer costs, in the workspace's currency.",
}
_SIX = Decimal("0.000001")


def _said(name: str, **default: Any) -> Any:
    return strawberry.field(description=MEANING[name], **default)


@strawberry.type(description="What lifetime values assume; the documents' figures until others are set.")
class ClvAssumptions:
    number: int = strawberry.field(description="The version; 0 before any was set.")
    retention: Decimal = _said("retention")
    lifetime_years: int = _said("lifetime_years")
    discount_rate: Decimal = _said("discount_rate")
    acquisition_cost: Money = _said("acquisition_cost")


@strawberry.input(description="What to assume; what is left out or null stays as it is.")
class ClvAssumptionsInput:
    retention: Decimal | None = _said("retention", default=None)
    lifetime_years: int | None = _said("lifetime_years", default=None)
    discount_rate: Decimal | None = _said("discount_rate", default=None)
    acquisition_cost: MoneyInput | None = _said("acquisition_cost", default=None)


@strawberry.type(description="A lifetime value, by both formulas; either may be below zero.")
class ClvSimulation:
    simple: Money = strawberry.field(
        description="Yearly revenue x retention x lifetime - acquisition cost, taken literally."
    )
    discounted: Money = strawberry.field(
        description="The same with the annuity in the lifetime's place: each year's revenue at its end, "
        "discounted to today."
    )
    annuity: Decimal = strawberry.field(
        description="What 1 at each year's end is worth today, to six places."
    )
    assumptions: ClvAssumptions = strawberry.field(description="What was assumed.")


@strawberry.type(description="What a customer is worth by both of the documents' formulas, and from what.")
class Clv:
    simple: Money = strawberry.field(
        description="Yearly revenue x retention x lifetime - acquisition cost; may be below zero."
    )
    discounted: Money = strawberry.field(description="The same with the annuity in the lifetime's place.")
    arpu: Money = strawberry.field(description="Yearly revenue: what they spent in twelve months.")
    annuity: Decimal = strawberry.field(
        description="What 1 at each year's end is worth today, to six places."
    )
    assumptions: ClvAssumptions = strawberry.field(description="What is assumed.")
    computed_at: datetime = strawberry.field(
        description="When the revenue was last computed, in machine time."
    )
    as_of: datetime = strawberry.field(description="The instant for which it was computed.")
    run_id: strawberry.ID = strawberry.field(description="The run that computed it last.")
    stale: bool = strawberry.field(description="Whether that is more than 36 hours ago in business time.")


def _assumptions(version: AssumptionsVersion, currency: str) -> ClvAssumptions:
    assumed = version.assumptions
    return ClvAssumptions(
        number=version.number,
        retention=assumed.retention,
        lifetime_years=assumed.lifetime_years,
        discount_rate=assumed.discount_rate,
        acquisition_cost=money(assumed.acquisition_cost_minor, currency),
    )


async def _versions(workspace_id: int, keys: list[int]) -> Mapping[int, AssumptionsVersion]:
    return {workspace_id: await predictions.assumptions(workspace_id)}


async def _version(info: Info) -> AssumptionsVersion:
    found = await load(info, _versions, who(info).workspace_id)
    assert found is not None
    return found


def _changes(given: ClvAssumptionsInput | None, currency: str) -> dict[str, Any]:
    """What is named, as the domain calls it."""
    named = {name: value for name, value in vars(given).items() if value is not None} if given else {}
    cost = named.pop("acquisition_cost", None)
    if cost is not None:
        named["acquisition_cost_minor"] = _minor(cost, currency, "input.acquisitionCost")
    return named


def _minor(given: MoneyInput, currency: str, field: str) -> int:
    if given.currency != currency:
        raise Invalid(f"the workspace's currency is {currency}", field=field)
    return minor_units(given, field)


@extends(Customer)
class CustomerWorth:
    @strawberry.field(
        description="What they are worth by the documents' formulas; null until the first recompute.",
        metadata=reads("id"),
    )
    async def clv(self: Any, info: Info) -> Clv | None:
        placed, fresh = await reading.placement(info, self.id), await reading.freshness(info)
        if placed is None or fresh.latest is None:
            return None
        currency, version = (await reading.workspace(info)).currency, await _version(info)
        worth = predictions.lifetime_value(placed.monetary_minor, version.assumptions)
        return Clv(
            **_shown(worth, currency),
            arpu=money(worth.arpu_minor, currency),
            assumptions=_assumptions(version, currency),
            computed_at=fresh.latest.computed_at,
            as_of=fresh.latest.as_of,
            run_id=strawberry.ID(global_id("Run", fresh.latest.run_id)),
            stale=fresh.stale,
        )


def _shown(worth: LifetimeValue, currency: str) -> dict[str, Any]:
    return {
        "simple": money(worth.simple_minor, currency),
        "discounted": money(worth.discounted_minor, currency),
        "annuity": worth.annuity.quantize(_SIX),
    }


@strawberry.type
class WorthQueries:
    @query("What lifetime values assume now.")
    async def clv_assumptions(self, info: Info) -> ClvAssumptions:
        return _assumptions(await _version(info), (await reading.workspace(info)).currency)

    @query("What a customer with this yearly revenue is worth, under what holds now or under other terms.")
    async def clv_simulate(
        self,
        info: Info,
        arpu: Annotated[MoneyInput, strawberry.argument(description="The yearly revenue.")],
        input: Annotated[
            ClvAssumptionsInput | None, strawberry.argument(description="What to assume instead.")
        ] = None,
    ) -> ClvSimulation:
        currency, version = (await reading.workspace(info)).currency, await _version(info)
        assumed: Assumptions = version.assumptions.moved(_changes(input, currency))
        revenue = _minor(arpu, currency, "arpu")
        if not 0 <= revenue <= MOST_MINOR:
            raise Invalid("arpu is neither below zero nor beyond all measure", field="arpu")
        worth = predictions.lifetime_value(revenue, assumed)
        return ClvSimulation(
            **_shown(worth, currency),
            assumptions=_assumptions(version._replace(assumptions=assumed), currency),
        )


@payload("What lifetime values assume was changed.")
class ClvAssumptionsSetPayload:
    number: int = strawberry.field(description="The version that holds now.")

    @strawberry.field(description="What is assumed by that version.")
    async def assumptions(self, info: Info) -> ClvAssumptions:
        version = await predictions.assumptions(who(info).workspace_id, self.number)
        return _assumptions(version, (await reading.workspace(info)).currency)


@strawberry.type
class WorthMutations:
    @mutation(
        "Change what lifetime values assume. They follow at once, those by the prediction models with the "
        "next refit.",
        allow=ADMINS,
    )
    async def clv_assumptions_set(
        self,
        info: Info,
        input: Annotated[ClvAssumptionsInput, strawberry.argument(description="What to assume.")],
        expected_version: Expected = None,
    ) -> Annotated[ClvAssumptionsSetPayload | Refusal, result("ClvAssumptionsSetResult")]:
        currency = (await reading.workspace(info)).currency
        set_ = await predictions.assumptions_set(
            who(info), expected=expected_version, **_changes(input, currency)
        )
        return ClvAssumptionsSetPayload(number=set_.number)
