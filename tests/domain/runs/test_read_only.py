"""An embedded file that is migrated under the runs at work: they go on where they were, as soon as they can."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog

from domain import db, nudges, runs
from domain.db.readonly import read_only
from domain.journal import JournalLine
from domain.runs import ENDINGS, Run, RunState, Work
from tests.conftest import House
from tests.domain.runs.conftest import Declare, again

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class TwoSteps:
    """Work of two steps, which waits between them to be let on."""

    def __init__(self) -> None:
        self.between, self.on = asyncio.Event(), asyncio.Event()
        self.steps: list[int] = []

    async def __call__(self, work: Work) -> None:
        if not work.cursor:
            await self.step(work, 1)
            self.between.set()
            await self.on.wait()
        await self.step(work, 2)

    async def step(self, work: Work, number: int) -> None:
        async with work.step({"did": number}):
            self.steps.append(number)


@pytest.fixture
def two(declare: Declare) -> TwoSteps:
    two = TwoSteps()
    declare("work", two)
    return two


@contextlib.asynccontextmanager
async def migrating_meanwhile(
    house: House, two: TwoSteps, *, asked_to_end: bool = False
) -> AsyncIterator[tuple[Run, Any]]:
    """A run at work that comes to its second step while nothing can be written."""
    run = await runs.claim((await runs.enqueue(house.admin, "work")).id, "w", 30)
    assert run is not None
    doing = asyncio.create_task(runs.do(run, 30))
    async with asyncio.timeout(20):
        await two.between.wait()
        if asked_to_end:
            await runs.cancel(house.admin, run.id)
        async with read_only():
            with structlog.testing.capture_logs() as logs:
                two.on.set()
                while not any(line["event"] == "run_interrupted" for line in logs):
                    await asyncio.sleep(0)
            yield run, doing


async def test_a_run_goes_on_once_its_file_can_be_written_again(house: House, two: TwoSteps) -> None:
    heard: list[None] = []
    async with migrating_meanwhile(house, two) as (run, doing):
        assert (await again(run)).state is RunState.RUNNING
        assert two.steps == [1]
    with nudges.WORK.listening(lambda: heard.append(None)):
        await doing
    back = await again(run)
    assert (back.state, back.attempt, back.failures, back.deaths) == (RunState.QUEUED, 0, 0, 0)
    assert back.errors == []
    assert back.lease_until is None
    assert heard, "whoever has free hands hears of it"
    assert await runs.perform(run.id, "w", 30)
    assert (await again(run)).state is RunState.SUCCEEDED
    assert two.steps == [1, 2]
    lines = await JournalLine.filter(workspace_id=house.id, subject="run").order_by("id")
    assert [line.name for line in lines] == [
        *["run.queued", "run.started", "run.progressed", "run.queued"],
        *["run.started", "run.progressed", "run.succeeded"],
    ]


async def test_a_run_that_somebody_asked_to_end_ends_then(house: House, two: TwoSteps) -> None:
    async with migrating_meanwhile(house, two, asked_to_end=True) as (run, doing):
        assert (await again(run)).state is RunState.CANCELLING
    await doing
    assert (await again(run)).state is RunState.CANCELLED
    assert two.steps == [1]


async def test_an_end_that_could_not_be_written_is_written_after_another_attempt(
    house: House, declare: Declare
) -> None:
    on, settled = asyncio.Event(), asyncio.Event()

    async def perform(_: Work) -> None:
        await on.wait()

    declare("work", perform)
    run = await runs.claim((await runs.enqueue(house.admin, "work")).id, "w", 30)
    assert run is not None
    doing = asyncio.create_task(runs.do(run, 30, settled.set))
    async with asyncio.timeout(20):
        async with read_only():
            with structlog.testing.capture_logs() as logs:
                on.set()
                while not any(line["event"] == "run_interrupted" for line in logs):
                    await asyncio.sleep(0)
            assert not settled.is_set(), "it is still in hand"
        await doing
        await ENDINGS.settled()
    assert settled.is_set()
    assert (await again(run)).state is RunState.QUEUED
    assert await runs.perform(run.id, "w", 30)
    assert (await again(run)).state is RunState.SUCCEEDED


async def test_a_worker_that_stops_meanwhile_need_not_wait(house: House, two: TwoSteps) -> None:
    async with migrating_meanwhile(house, two) as (run, doing):
        doing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await doing
        assert db.is_read_only()
    assert (await again(run)).state is RunState.RUNNING, "as after a kill"
    assert await runs.rescue(everything=True) == 1
    assert await runs.claim(run.id, "w", 30) is not None
