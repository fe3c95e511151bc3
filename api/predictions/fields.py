"""Questions about fitted models, and how they are fitted anew."""

from typing import Annotated, cast

import strawberry

from api.connections import After, Before, Connection, First, Last, connection, part
from api.context import Info, who
from api.mutations import Refusal, mutation, payload, result
from api.permissions import query
from api.predictions.types import PredictionModel
from api.runs.types import Run
from domain import predictions
from domain.access import BUILDERS


@strawberry.type
class PredictionQueries:
    @query("The model whose predictions are in force; null before the first refit.")
    async def prediction_model(self, info: Info) -> PredictionModel | None:
        return cast(PredictionModel | None, await predictions.latest(who(info).workspace_id))

    @query("Every model that was published, the latest first.", left=True)
    async def prediction_models(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[PredictionModel]:
        page = await predictions.page(who(info), part(first, last, after, before))
        return cast(Connection[PredictionModel], connection(page))


@payload("A refit was asked for.")
class PredictionRefitPayload:
    run: Run = strawberry.field(description="The run that will do it; one that already waits serves all.")


@strawberry.type
class PredictionMutations:
    @mutation("Fit the prediction models to all orders and foretell every customer anew.", allow=BUILDERS)
    async def prediction_refit(
        self, info: Info
    ) -> Annotated[PredictionRefitPayload | Refusal, result("PredictionRefitResult")]:
        return PredictionRefitPayload(run=cast(Run, await predictions.refit(who(info))))
