"""What health scores are made of, and how they are computed anew."""

from typing import Annotated, Any, cast

import strawberry

import api.customer_health.types  # noqa: F401
from api.context import Info, who
from api.mutations import Expected, Refusal, mutation, payload, result
from api.permissions import query
from api.runs.types import Run
from domain import health
from domain.access import ADMINS, BUILDERS
from domain.health import WeightsVersion

_MEANING = {
    "recency": "What RECENCY weighs, 1 to 100.",
    "frequency": "What FREQUENCY weighs, 0 to 100.",
    "response": "What RESPONSE weighs, 0 to 100.",
    "satisfaction": "What SATISFACTION weighs, 0 to 100.",
    "engagement": "What ENGAGEMENT weighs, 0 to 100.",
    "green_from": "The lowest score that is GREEN.",
    "yellow_from": "The lowest score that is YELLOW; below it is RED.",
}


def _said(name: str, **default: Any) -> Any:
    return strawberry.field(description=_MEANING[name], **default)


@strawberry.type(
    description="What each signal weighs, and where the bands begin. The documents name no formula: what "
    "holds until others are set is a proposal."
)
class HealthWeights:
    number: int = strawberry.field(description="The version; 0 before any was set.")
    recency: int = _said("recency")
    frequency: int = _said("frequency")
    response: int = _said("response")
    satisfaction: int = _said("satisfaction")
    engagement: int = _said("engagement")
    green_from: int = _said("green_from")
    yellow_from: int = _said("yellow_from")


@strawberry.input(description="What is to weigh how much; what is left out or null stays as it is.")
class HealthWeightsInput:
    recency: int | None = _said("recency", default=None)
    frequency: int | None = _said("frequency", default=None)
    response: int | None = _said("response", default=None)
    satisfaction: int | None = _said("satisfaction", default=None)
    engagement: int | None = _said("engagement", default=None)
    green_from: int | None = _said("green_from", default=None)
    yellow_from: int | None = _said("yellow_from", default=None)


def _weights(version: WeightsVersion) -> HealthWeights:
    return HealthWeights(number=version.number, **version.weights.document())


@strawberry.type
class HealthQueries:
    @query("What the signals of health scores weigh now.")
    async def health_weights(self, info: Info) -> HealthWeights:
        return _weights(await health.weights(who(info).workspace_id))


@payload("What signals weigh was changed.")
class HealthWeightsSetPayload:
    number: int = strawberry.field(description="The version that holds now.")


@payload("A scoring was asked for.")
class HealthRecomputePayload:
    run: Run = strawberry.field(description="The run that will do it; one that already waits serves all.")


@strawberry.type
class HealthMutations:
    @mutation("Compute the health score of every customer anew.", allow=BUILDERS)
    async def health_recompute(
        self, info: Info
    ) -> Annotated[HealthRecomputePayload | Refusal, result("HealthRecomputeResult")]:
        return HealthRecomputePayload(run=cast(Run, await health.recompute(who(info))))

    @mutation(
        "Change what the signals of health scores weigh, or where the bands begin. Scores follow with the "
        "next scoring.",
        allow=ADMINS,
    )
    async def health_weights_set(
        self,
        info: Info,
        input: Annotated[HealthWeightsInput, strawberry.argument(description="What is to weigh how much.")],
        expected_version: Expected = None,
    ) -> Annotated[HealthWeightsSetPayload | Refusal, result("HealthWeightsSetResult")]:
        changes = {name: value for name, value in vars(input).items() if value is not None}
        version = await health.weights_set(who(info), expected=expected_version, **changes)
        return HealthWeightsSetPayload(number=version.number)
