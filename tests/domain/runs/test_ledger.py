"""The ledger: one effect per run, whatever happens to its worker."""

import asyncio
from datetime import timedelta

import pytest

from domain import runs, timekeeping
from domain.runs import Run, RunState, Work
from domain.runs.work import Kind
from tests.conftest import House


async def test_a_run_is_performed_once_however_often_it_is_called(house: House, count: list[int]) -> None:
    run = await runs.enqueue(house.admin, "count")
    outcomes = await asyncio.gather(*(runs.perform(run.id, f"w{n}", 30) for n in range(5)))
    assert sorted(outcomes) == [False] * 4 + [True]
    assert count == [1]
    ended = await Run.get(id=run.id)
    assert (ended.state, ended.result, ended.fence) == (RunState.SUCCEEDED, {"done": 1}, 1)


async def test_callers_with_one_key_get_one_waiting_run(house: House, count: list[int]) -> None:
    found = await asyncio.gather(*(runs.enqueue(house.admin, "count", unique_key="k") for _ in range(5)))
    assert len({run.id for run in found}) == 1


async def test_a_lost_attempt_cannot_commit(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def perform(work: Work) -> None:
        if work.run.attempt == 1:
            reached.set()
            await go_on.wait()
        async with work.step(done=work.run.attempt * 10):
            pass

    monkeypatch.setitem(runs.kinds, "slow", Kind("slow", perform))
    run = await runs.enqueue(house.admin, "slow")
    zombie = asyncio.create_task(runs.perform(run.id, "zombie", 30))
    await reached.wait()
    assert await runs.rescue(everything=True) == 1
    assert await runs.perform(run.id, "second", 30)
    go_on.set()
    await zombie
    ended = await Run.get(id=run.id)
    assert (ended.state, ended.progress_done, ended.attempt) == (RunState.SUCCEEDED, 20, 2)
    assert ended.errors[-1]["code"] == "LOST"


async def test_whoever_asks_gets_the_run_as_it_is_stored(house: House, count: list[int]) -> None:
    soon = timekeeping.machine_now() + timedelta(hours=1)
    for asked in (
        await runs.enqueue(house.admin, "count", {"of": [1, "甲"]}),
        await runs.enqueue(house.admin, "count", unique_key="k"),
        await runs.enqueue(house.admin, "count", unique_key="l", run_at=soon, slot=(7, soon)),
    ):
        stored = await Run.get(id=asked.id)
        columns = Run._meta.db_fields
        assert {name: getattr(asked, name) for name in columns} == {
            name: getattr(stored, name) for name in columns
        }
