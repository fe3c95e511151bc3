"""How attempts end: with an error, a refusal, a time limit, a death, or a worker that stops."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from domain import db, runs, timekeeping
from domain.errors import Invalid
from domain.journal import JournalLine
from domain.runs import Refused, Run, RunState, Work
from tests.conftest import House
from tests.domain.runs.conftest import Declare, again


async def tried(run: Run) -> Run:
    """One more attempt, as if its time had come."""
    await Run.filter(id=run.id, state=RunState.RETRYING).update(run_at=timekeeping.machine_now())
    await runs.promote()
    claimed = await runs.claim(run.id, "w", 30)
    assert claimed is not None
    await runs.do(claimed, 30)
    return await again(run)


async def told(run: Run) -> list[str]:
    """The names of the journal's lines of a run."""
    lines = await JournalLine.filter(workspace_id=run.workspace_id, subject="run", subject_id=run.id)
    return [line.name for line in sorted(lines, key=lambda line: line.id)]


def failing(error: Exception) -> Any:
    async def perform(_: Work) -> None:
        raise error

    return perform


async def test_an_error_is_tried_again_later_and_later_until_the_attempts_are_used_up(
    house: House, declare: Declare
) -> None:
    declare("work", failing(RuntimeError("with personal data")), max_attempts=3)
    run = await runs.enqueue(house.admin, "work")
    for attempt in (1, 2):
        after = await tried(run)
        assert (after.state, after.error_code) == (RunState.RETRYING, "INTERNAL")
        wait = (after.run_at - timekeeping.machine_now()).total_seconds()
        assert 2**attempt * 0.5 - 1 < wait < 2**attempt * 1.5
    after = await tried(run)
    assert (after.state, after.attempt, after.failures) == (RunState.FAILED, 3, 3)
    assert after.finished_at is not None
    assert [error["attempt"] for error in after.errors] == [1, 2, 3]
    assert all("personal" not in error["message"] and error["worker"] == "w" for error in after.errors)
    assert [
        line.name for line in await JournalLine.filter(workspace_id=house.id, subject="run").order_by("id")
    ] == [
        *["run.queued", "run.started", "run.retrying"] * 2,
        *["run.queued", "run.started", "run.failed"],
    ]


@pytest.mark.parametrize("error", [Refused("EMPTY", "nothing to do"), Invalid("no such thing")])
async def test_a_refusal_is_never_tried_again(house: House, declare: Declare, error: Exception) -> None:
    declare("work", failing(error))
    after = await tried(await runs.enqueue(house.admin, "work"))
    assert (after.state, after.attempt) == (RunState.FAILED, 1)
    assert after.error_code in ("EMPTY", "INVALID")


async def test_a_database_that_clashed_is_named_and_tried_again(house: House, declare: Declare) -> None:
    declare("work", failing(asyncpg.DeadlockDetectedError("two at once")))
    after = await tried(await runs.enqueue(house.admin, "work"))
    assert (after.state, after.error_code) == (RunState.RETRYING, "DATABASE_CLASH")


async def test_an_attempt_past_its_time_limit_is_ended(house: House, declare: Declare) -> None:
    async def hang(_: Work) -> None:
        await asyncio.Event().wait()

    declare("work", hang, deadline_seconds=0.05)
    after = await tried(await runs.enqueue(house.admin, "work"))
    assert (after.state, after.error_code) == (RunState.RETRYING, "DEADLINE")


async def test_a_time_limit_of_its_own_is_an_ordinary_error(house: House, declare: Declare) -> None:
    declare("work", failing(TimeoutError()))
    assert (await tried(await runs.enqueue(house.admin, "work"))).error_code == "INTERNAL"


async def test_a_run_that_takes_its_workers_with_it_is_poison(house: House, declare: Declare) -> None:
    declare("work", max_deaths=3)
    run = await runs.enqueue(house.admin, "work")
    for death in (1, 2, 3):
        # Those that died together come back apart; this one need not wait for it.
        await Run.filter(id=run.id).update(run_at=timekeeping.machine_now())
        assert await runs.claim(run.id, "w", 30) is not None
        assert await runs.rescue(everything=True) == 1
        after = await again(run)
        assert after.deaths == death
    assert (after.state, after.error_code) == (RunState.FAILED, "POISONED")
    assert [error["code"] for error in after.errors] == ["LOST"] * 3


async def test_a_run_that_comes_further_each_time_is_not_poison(house: House, declare: Declare) -> None:
    declare("work", max_deaths=2)
    run = await runs.enqueue(house.admin, "work")
    for step in range(5):
        claimed = await runs.claim(run.id, "w", 30)
        assert claimed is not None
        async with Work(claimed).step({"at": step}):
            pass
        await runs.rescue(everything=True)
    after = await again(run)
    assert (after.state, after.deaths, after.cursor) == (RunState.QUEUED, 1, {"at": 4})


async def test_the_rescued_start_again_one_after_the_other(house: House, declare: Declare) -> None:
    declare("work")
    for _ in range(20):
        await runs.enqueue(house.admin, "work")
    assert len(await runs.pull("w", -1, ["default"], 20)) == 20
    assert await runs.rescue() == 20
    waiting = sorted(run.run_at for run in await Run.filter(workspace_id=house.id))
    assert timedelta(seconds=0.3) < waiting[-1] - waiting[0] < timedelta(seconds=1)


async def test_a_lost_run_gives_way_to_the_one_that_waits(house: House, declare: Declare) -> None:
    declare("work")
    first = await runs.enqueue(house.admin, "work", unique_key="k")
    await runs.claim(first.id, "w", 30)
    second = await runs.enqueue(house.admin, "work", unique_key="k")
    await runs.rescue(everything=True)
    ended = await again(first)
    assert (ended.state, ended.error_code, ended.merged_into) == (RunState.FAILED, "MERGED", second.id)


async def test_a_stopping_worker_gives_its_run_back_as_if_it_had_not_been_tried(
    house: House, declare: Declare
) -> None:
    began = asyncio.Event()

    async def hang(work: Work) -> None:
        async with work.step({"at": 7}):
            pass
        began.set()
        await asyncio.Event().wait()

    declare("work", hang)
    claimed = await runs.claim((await runs.enqueue(house.admin, "work")).id, "w", 30)
    assert claimed is not None
    doing = asyncio.create_task(runs.do(claimed, 30))
    await began.wait()
    doing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await doing
    after = await again(claimed)
    assert (after.state, after.attempt, after.cursor) == (RunState.QUEUED, 0, {"at": 7})
    assert after.errors == []
    assert after.fence == 1, "never lowered"


async def test_a_cancel_ends_a_run_at_its_next_step_and_nothing_of_the_step_stays(
    house: House, declare: Declare
) -> None:
    async def perform(work: Work) -> None:
        async with work.step({"at": 1}):
            pass
        await runs.cancel(house.admin, work.run.id)
        async with work.step({"at": 2}):
            await runs.enqueue(house.admin, "other")

    declare("work", perform)
    declare("other")
    after = await tried(await runs.enqueue(house.admin, "work"))
    assert (after.state, after.cursor) == (RunState.CANCELLED, {"at": 1})
    assert await Run.filter(kind="other").count() == 0


async def test_a_run_that_is_to_end_is_not_tried_again_after_an_error(house: House, declare: Declare) -> None:
    async def perform(work: Work) -> None:
        await runs.cancel(house.admin, work.run.id)
        raise RuntimeError

    declare("work", perform)
    after = await tried(await runs.enqueue(house.admin, "work"))
    assert (after.state, after.error_code) == (RunState.CANCELLED, None)
    assert after.finished_at is not None
    assert await told(after) == ["run.queued", "run.started", "run.cancelling", "run.cancelled"]


async def test_a_run_that_is_to_end_is_not_given_back(house: House, declare: Declare) -> None:
    began = asyncio.Event()

    async def hang(work: Work) -> None:
        await runs.cancel(house.admin, work.run.id)
        began.set()
        await asyncio.Event().wait()

    declare("work", hang)
    claimed = await runs.claim((await runs.enqueue(house.admin, "work")).id, "w", 30)
    assert claimed is not None
    doing = asyncio.create_task(runs.do(claimed, 30))
    await began.wait()
    doing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await doing
    assert (await again(claimed)).state is RunState.CANCELLED
    assert await told(claimed) == ["run.queued", "run.started", "run.cancelling", "run.cancelled"]


async def test_a_run_that_did_well_in_the_end_has_no_error_code(house: House, declare: Declare) -> None:
    async def perform(work: Work) -> None:
        if work.run.attempt == 1:
            raise RuntimeError

    declare("work", perform)
    run = await runs.enqueue(house.admin, "work")
    assert (await tried(run)).error_code == "INTERNAL"
    after = await tried(run)
    assert (after.state, after.error_code) == (RunState.SUCCEEDED, None)
    assert [error["code"] for error in after.errors] == ["INTERNAL"], "what happened on the way stays"


async def test_failed_runs_are_retried_by_filter(house: House, declare: Declare) -> None:
    from tortoise.expressions import Q

    declare("work", failing(Refused("NO", "no")))
    declare("other", failing(Refused("NO", "no")))
    asked = [await runs.enqueue(house.admin, kind) for kind in ("work", "work", "other")]
    for run in asked:
        await tried(run)
    serving, more = await runs.retry_all(house.admin, Q(kind="work"))
    assert ([run.id for run in serving], more) == ([asked[0].id, asked[1].id], False)
    assert [(await again(run)).state for run in asked] == [RunState.QUEUED] * 2 + [RunState.FAILED]
    assert (await again(asked[0])).failures == 0


async def test_old_runs_are_forgotten_unless_something_points_to_them(house: House, declare: Declare) -> None:
    from domain import segments

    declare("work")
    await segments.recompute(house.admin)
    kept, gone = await runs.enqueue(house.admin, "work"), await runs.enqueue(house.admin, "work")
    while taken := await runs.pull("w", 30, ["default", "recompute"], 5):
        for run in taken:
            await runs.do(run, 30)
    old = timekeeping.machine_now() - timedelta(days=31)
    await Run.filter(id__not=kept.id).update(finished_at=old)
    failed = await runs.enqueue(house.admin, "work")
    await Run.filter(id=failed.id).update(state=RunState.FAILED, finished_at=old)
    assert await runs.prune() >= 1
    left = {run.id: run.kind for run in await Run.filter(workspace_id=house.id)}
    assert gone.id not in left
    assert {kept.id, failed.id} <= set(left)
    assert "segmentation_recompute" in left.values(), "a published segmentation names its run"
    assert await db.value("SELECT count(*) FROM segmentations") == 1


async def test_what_gave_way_to_a_run_that_is_forgotten_names_none(house: House, declare: Declare) -> None:
    declare("work")
    pairs = []
    for key in ("forgotten", "kept"):
        first = await runs.claim((await runs.enqueue(house.admin, "work", unique_key=key)).id, "w", 30)
        serving = await runs.enqueue(house.admin, "work", unique_key=key)
        assert first is not None
        await runs.give_back(first)
        assert (await again(first)).merged_into == serving.id
        assert await runs.perform(serving.id, "w", 30)
        pairs.append((first, serving))
    (gave_way, forgotten), (other, kept) = pairs
    old = timekeeping.machine_now() - timedelta(days=31)
    await Run.filter(id__in=[gave_way.id, forgotten.id]).update(finished_at=old)
    assert await runs.prune() == 1
    assert await Run.filter(id=forgotten.id).count() == 0
    after = await again(gave_way)
    assert (after.state, after.error_code, after.merged_into) == (RunState.FAILED, "MERGED", None)
    assert (await again(other)).merged_into == kept.id
    assert await runs.prune() == 0
