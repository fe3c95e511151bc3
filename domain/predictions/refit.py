"""The refit: fits the models to all orders, foretells every customer, and publishes both at one instant."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from domain import db, journal, runs, timekeeping, workspaces
from domain.journal import Entry
from domain.predictions import statements
from domain.predictions.lifetime_value import assumptions
from domain.predictions.models import PredictionModel
from domain.predictions.queries import latest
from domain.predictions.statements import Seen
from domain.runs import Refused, Work

KIND = "prediction_refit"
PAGE = 2000
SWEPT = 10_000


@runs.kind(KIND, queue="recompute", schedulable=True, unique_key="all")
async def perform(work: Work) -> dict[str, Any]:
    """Fit to the orders as of one instant and foretell everybody who has bought.

    Readers see the old predictions until the last step commits; a run that fails, is refused or cancelled
    before changes nothing. One that is killed goes on with the parameters it had and the customers left.
    """
    published = await PredictionModel.get_or_none(workspace_id=work.workspace_id, run_id=work.run.id)
    if published is None:
        if not await _resumable(work):
            await _begin(work)
            await _fit(work)
        while await _foretell(work):
            pass
        published = await _publish(work)
    # Nobody reads these any more; they go outside of steps, which would end a run that is cancelled now.
    while await statements.remove_superseded(work.workspace_id, published.number, SWEPT) == SWEPT:
        pass
    return {
        "number": published.number,
        "customers": work.cursor["done"],
        "converged": published.converged and published.spending_converged,
    }


async def _resumable(work: Work) -> bool:
    """Whether what an earlier attempt wrote is still whole, and not overtaken by another run."""
    cursor = work.cursor
    if not cursor or await statements.written(work.workspace_id, work.run.id) != cursor["done"]:
        return False
    last = await latest(work.workspace_id)
    return last is None or last.as_of <= db.instant_of(cursor["as_of"])


async def _fit(work: Work) -> None:
    """The statements read outside of any transaction, since fitting takes its time."""
    from domain.predictions.backtest import backtest
    from domain.predictions.estimating import estimate

    workspace = await workspaces.get(work.workspace_id)
    as_of = await timekeeping.now(workspace.id)
    today = timekeeping.local_day(as_of, timekeeping.zone(workspace.zone))
    first = await statements.first_day(workspace.id, as_of)
    if first is None:
        raise Refused("TOO_FEW_CUSTOMERS", "nobody has ordered")
    await work.checkpoint(done=0, unit="customers", message="fitting")
    found = await estimate(Seen(workspace.id, as_of, today, today))
    await work.checkpoint(message="back-testing")
    held_out = await backtest(workspace.id, as_of, first, today)
    assumed = (await assumptions(workspace.id)).assumptions
    model = found.columns() | {
        "clv_years": assumed.lifetime_years,
        "clv_rate": str(assumed.discount_rate),
        "holdout": held_out.document() if held_out else None,
    }
    cursor = {"as_of": as_of.isoformat(), "today": today.isoformat(), "model": model, "after": 0, "done": 0}
    async with work.step(cursor, total=model["customers"], message="foretelling"):
        pass


async def _foretell(work: Work) -> bool:
    """One page of customers, in the order of their ids; whether there was one."""
    from domain.predictions.foretelling import foretell

    cursor = work.cursor
    upto = await statements.page_end(work.workspace_id, cursor["after"], PAGE)
    if upto is None:
        return False
    today = db.day_of(cursor["today"])
    seen = Seen(work.workspace_id, db.instant_of(cursor["as_of"]), today, today)
    customers = await statements.page(seen, cursor["after"], upto)
    whose = {"workspace_id": work.workspace_id, "run_id": work.run.id}
    told = await asyncio.to_thread(foretell, cursor["model"], customers)
    records = [whose | record for record in told]
    done = cursor["done"] + len(records)
    async with work.step(cursor | {"after": upto, "done": done}, done=done):
        await db.insert_many("predictions", records)
    return True


async def _publish(work: Work) -> PredictionModel:
    cursor = work.cursor
    columns: Mapping[str, Any] = cursor["model"]
    async with work.step(done=cursor["done"], message="published"):
        last = await latest(work.workspace_id)
        published = await PredictionModel.create(
            workspace_id=work.workspace_id,
            run_id=work.run.id,
            number=last.number + 1 if last else 1,
            as_of=db.instant_of(cursor["as_of"]),
            computed_at=timekeeping.machine_now(),
            **{**columns, "clv_rate": Decimal(columns["clv_rate"])},
        )
        await journal.write(
            work.who,
            Entry("prediction_model.published", published.id, data={"number": published.number}),
        )
    return published


async def _begin(work: Work) -> None:
    """Forget what earlier attempts left, this run's and those that came to nothing."""
    removed = SWEPT
    while removed == SWEPT:
        async with work.step({}):
            removed = await statements.remove_unpublished(work.workspace_id, SWEPT)
