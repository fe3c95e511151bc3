"""Good ends are written together, and yet each stands or falls by itself."""

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest

from domain import db, runs
from domain.journal import JournalLine
from domain.runs import Run, RunState, endings
from domain.runs.endings import Endings
from tests.conftest import House, build_house
from tests.domain.runs.conftest import Declare, again

UNSTORABLE = {"text": "\0"}
"""PostgreSQL keeps no zero byte in a document."""


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The runs of each statement that ends some; nothing else is changed."""
    seen: list[list[int]] = []
    real = endings._succeeded

    async def noted(batch: Sequence[Any]) -> set[int]:
        seen.append([ending.run.id for ending in batch])
        return await real(batch)

    monkeypatch.setattr(endings, "_succeeded", noted)
    return seen


async def claimed(house: House, declare: Declare, number: int) -> list[Run]:
    declare("work")
    for _ in range(number):
        await runs.enqueue(house.admin, "work")
    taken = await runs.pull("w", 30, ["default"], number)
    assert len(taken) == number
    return taken


async def ends_told(run: Run) -> int:
    return await JournalLine.filter(
        workspace_id=run.workspace_id, name="run.succeeded", subject_id=run.id
    ).count()


async def test_what_ends_while_a_statement_is_under_way_ends_in_the_next_one(
    house: House, declare: Declare, statements: list[list[int]]
) -> None:
    taken = await claimed(house, declare, 7)
    together = Endings()
    await asyncio.gather(*(together.succeed(run, {"of": run.id}) for run in taken))
    # All seven are there before the first statement begins.
    assert statements == [[run.id for run in taken]]
    for run in taken:
        after = await again(run)
        assert (after.state, after.result, after.lease_until) == (RunState.SUCCEEDED, {"of": run.id}, None)
        assert await ends_told(run) == 1


async def test_runs_of_several_workspaces_end_together_each_in_its_own_journal(
    house: House, declare: Declare, statements: list[list[int]]
) -> None:
    other = await build_house("Other")
    taken = await claimed(house, declare, 1) + await claimed(other, declare, 1)
    together = Endings()
    await asyncio.gather(*(together.succeed(run, {}) for run in taken))
    assert len(statements) == 1
    assert {run.workspace_id for run in taken} == {house.id, other.id}
    assert [await ends_told(run) for run in taken] == [1, 1]


async def test_one_that_went_on_without_its_attempt_is_left_alone_and_the_others_end(
    house: House, declare: Declare
) -> None:
    taken = await claimed(house, declare, 3)
    lost = taken[1]
    await Run.filter(id=lost.id).update(fence=lost.fence + 1)
    together = Endings()
    await asyncio.gather(*(together.succeed(run, {"of": run.id}) for run in taken))
    states = [(await again(run)).state for run in taken]
    assert states == [RunState.SUCCEEDED, RunState.RUNNING, RunState.SUCCEEDED]
    assert ((await again(lost)).result, await ends_told(lost)) == (None, 0)


async def test_a_result_that_cannot_be_stored_fails_its_own_run_alone(
    house: House, declare: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = await claimed(house, declare, 3)
    real = endings._succeeded

    async def refusing(batch: Sequence[Any]) -> set[int]:
        if any(ending.result == UNSTORABLE for ending in batch):
            if db.is_postgres():
                return await real(batch)  # it refuses by itself
            raise ValueError("no zero bytes")
        return await real(batch)

    monkeypatch.setattr(endings, "_succeeded", refusing)
    together = Endings()
    outcomes = await asyncio.gather(
        *(together.succeed(run, UNSTORABLE if run is taken[1] else {}) for run in taken),
        return_exceptions=True,
    )
    assert [isinstance(outcome, Exception) for outcome in outcomes] == [False, True, False]
    states = [(await again(run)).state for run in taken]
    assert states == [RunState.SUCCEEDED, RunState.RUNNING, RunState.SUCCEEDED]
    assert await ends_told(taken[1]) == 0


async def test_while_the_database_is_away_none_of_them_ends_and_each_is_told(
    house: House, declare: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = await claimed(house, declare, 3)
    asked: list[int] = []

    async def away(batch: Sequence[Any]) -> set[int]:
        asked.append(len(batch))
        raise asyncpg.CannotConnectNowError("starting up")

    monkeypatch.setattr(endings, "_succeeded", away)
    together = Endings()
    outcomes = await asyncio.gather(*(together.succeed(run, {}) for run in taken), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [asyncpg.CannotConnectNowError] * 3
    assert asked == [3], "nobody tries one by one what fails for all"
    assert {(await again(run)).state for run in taken} == {RunState.RUNNING}


async def test_who_gives_up_waiting_gives_his_run_back_and_it_does_not_end_under_him(
    house: House, declare: Declare, statements: list[list[int]]
) -> None:
    taken = await claimed(house, declare, 2)
    together = Endings()
    waiting = [asyncio.ensure_future(together.succeed(run, {})) for run in taken]
    await asyncio.sleep(0)  # both are there; the statement has not begun
    waiting[0].cancel()
    await asyncio.wait(waiting)
    assert statements == [[taken[1].id]]
    assert [(await again(run)).state for run in taken] == [RunState.RUNNING, RunState.SUCCEEDED]


async def test_an_end_that_nobody_waits_for_is_settled_once_it_is_written(
    house: House, declare: Declare
) -> None:
    [run] = await claimed(house, declare, 1)
    settled = asyncio.Event()
    await runs.do(run, 30, settled.set)
    assert not settled.is_set()
    await runs.ENDINGS.settled()
    assert settled.is_set()
    assert (await again(run)).state is RunState.SUCCEEDED


async def test_an_end_that_nobody_waits_for_and_that_cannot_be_written_is_an_error_of_the_run(
    house: House, declare: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refusing(_: Sequence[Any]) -> set[int]:
        raise asyncpg.DeadlockDetectedError("two at once")

    monkeypatch.setattr(endings, "_succeeded", refusing)
    [run] = await claimed(house, declare, 1)
    settled = asyncio.Event()
    await runs.do(run, 30, settled.set)
    await runs.ENDINGS.settled()
    await asyncio.wait_for(settled.wait(), 5)
    after = await again(run)
    assert (after.state, after.error_code, after.failures) == (RunState.RETRYING, "DATABASE_CLASH", 1)
    assert await ends_told(run) == 0


async def test_whatever_ends_otherwise_settles_at_once(house: House, declare: Declare) -> None:
    async def refused(_: Any) -> None:
        raise runs.Refused("NO", "no")

    [run] = await claimed(house, declare, 1)
    declare("work", refused)
    settled: list[bool] = []
    await runs.do(run, 30, lambda: settled.append(True))
    assert settled == [True]
    assert (await again(run)).state is RunState.FAILED
