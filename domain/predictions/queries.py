"""Asks which models there are, which is in force, and what it foretells."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from domain import timekeeping
from domain.access import Principal
from domain.paging import Order, Page, Slice
from domain.paging import page as paged
from domain.predictions.models import Prediction, PredictionModel

STALE_AFTER = timedelta(days=46)
"""A monthly refit may be half a month late before its results count as stale."""


@dataclass(frozen=True)
class Foretold:
    """A prediction, the model that made it, and whether that is too old to be relied on."""

    prediction: Prediction
    model: PredictionModel
    stale: bool


async def latest(workspace_id: int) -> PredictionModel | None:
    """The model whose predictions are in force."""
    return await PredictionModel.filter(workspace_id=workspace_id).order_by("-number").first()


async def is_stale(model: PredictionModel) -> bool:
    return bool(await timekeeping.now(model.workspace_id) - model.as_of > STALE_AFTER)


async def page(who: Principal, part: Slice) -> Page[PredictionModel]:
    """All models that were ever published, the latest first."""
    query = PredictionModel.filter(workspace_id=who.workspace_id)
    return await paged(query, Order("id", descending=True), part)


async def by_customer(workspace_id: int, ids: Collection[int]) -> dict[int, Foretold]:
    """What the model in force foretells of these customers; of who has never bought, nothing."""
    model = await latest(workspace_id)
    if model is None:
        return {}
    stale = await is_stale(model)
    found = await Prediction.filter(workspace_id=workspace_id, run_id=model.run_id, customer_id__in=list(ids))
    return {each.customer_id: Foretold(each, model, stale) for each in found}
