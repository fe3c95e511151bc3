"""The run that scores every customer anew, page by page, and publishes all scores at one instant."""

from typing import Any

from domain import db, journal, runs, timekeeping
from domain.health import statements
from domain.health.models import HealthPublication
from domain.health.queries import latest
from domain.health.weights import Weights, weights
from domain.journal import Entry
from domain.runs import Work

KIND = "health_scoring"
PAGE = 5000
SWEPT = 10_000


@runs.kind(KIND, queue="recompute", schedulable=True, unique_key="all")
async def perform(work: Work) -> dict[str, Any]:
    """Score everybody who counts as of one instant.

    Readers see the old scores until the last step commits; a run that fails or is cancelled before changes
    nothing. One that is killed goes on as of the same instant, with the customers left.
    """
    published = await HealthPublication.get_or_none(workspace_id=work.workspace_id, run_id=work.run.id)
    if published is None:
        if not work.cursor or await statements.written(work.workspace_id, work.run.id) != work.cursor["done"]:
            await _begin(work)
        while await _score(work):
            pass
        published = await _publish(work)
    # Nobody reads these any more; they go outside of steps, which would end a run that is cancelled now.
    while await statements.remove_superseded(work.workspace_id, work.run.id, SWEPT) == SWEPT:
        pass
    return {"number": published.number, "customers": published.customers, "moved": work.cursor["moved"]}


async def _begin(work: Work) -> None:
    """Forget what earlier attempts left, this run's and those that came to nothing, and say as of when."""
    removed = SWEPT
    while removed == SWEPT:
        async with work.step({}):
            removed = await statements.remove_unpublished(work.workspace_id, SWEPT)
    version = await weights(work.workspace_id)
    last = await latest(work.workspace_id)
    cursor = {
        "as_of": (await timekeeping.now(work.workspace_id)).isoformat(),
        "number": version.number,
        "weights": version.weights.document(),
        "last": last.run_id if last else 0,
        "after": 0,
        "done": 0,
        "moved": 0,
    }
    async with work.step(cursor, done=0, unit="customers"):
        pass


async def _score(work: Work) -> bool:
    """One page of customers, in the order of their ids; whether there was one."""
    cursor, workspace_id, run_id = work.cursor, work.workspace_id, work.run.id
    after = cursor["after"]
    upto = await statements.page_end(workspace_id, after, PAGE)
    if upto is None:
        return False
    as_of, weighed = db.instant_of(cursor["as_of"]), Weights.of(cursor["weights"])
    async with work.step() as step:
        scored = await statements.score_page(workspace_id, run_id, after, upto, as_of, weighed)
        moved = await statements.note_moves(workspace_id, run_id, cursor["last"], after, upto)
        step.done = cursor["done"] + scored
        step.cursor = cursor | {"after": upto, "done": step.done, "moved": cursor["moved"] + moved}
    return True


async def _publish(work: Work) -> HealthPublication:
    cursor = work.cursor
    async with work.step(done=cursor["done"], message="published"):
        last = await latest(work.workspace_id)
        published = await HealthPublication.create(
            workspace_id=work.workspace_id,
            run_id=work.run.id,
            number=last.number + 1 if last else 1,
            weights=cursor["number"],
            customers=cursor["done"],
            as_of=db.instant_of(cursor["as_of"]),
            computed_at=timekeeping.machine_now(),
        )
        data = {"number": published.number, "moved": cursor["moved"]}
        await journal.write(work.who, Entry("health.published", published.id, data=data))
    return published
