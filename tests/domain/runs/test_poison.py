"""A run that kills its workers is given up; those that happened to be there are not."""

import pytest

from domain import db, runs
from domain.runs import Run, RunState, Work
from domain.runs.rescue import IN_COMPANY
from domain.runs.work import Kind
from tests.conftest import House

DEATHS = 3


@pytest.fixture
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    async def perform(_: Work) -> None: ...

    monkeypatch.setitem(runs.kinds, "thing", Kind("thing", perform, max_deaths=DEATHS))


async def _die(worker: str, *ids: int) -> None:
    """A worker takes these and goes away."""
    await db.execute("UPDATE runs SET run_at = {now}")  # whatever the wait was
    for run_id in ids:
        assert await runs.claim(run_id, worker, 30)
    assert await runs.rescue(everything=True) == len(ids)


async def test_a_run_that_dies_alone_again_and_again_is_poison(house: House, kinds: None) -> None:
    run = await runs.enqueue(house.admin, "thing")
    for death in range(DEATHS):
        assert (await Run.get(id=run.id)).state is RunState.QUEUED, death
        await _die(f"w{death}", run.id)
    ended = await Run.get(id=run.id)
    assert (ended.state, ended.error_code, ended.attempt) == (RunState.FAILED, "POISONED", DEATHS)


async def test_those_that_die_with_a_poison_run_are_not_taken_for_one(house: House, kinds: None) -> None:
    bystander, poison = [await runs.enqueue(house.admin, "thing") for _ in range(2)]
    for death in range(DEATHS):
        await _die(f"w{death}", bystander.id, poison.id)
    assert {(await Run.get(id=run.id)).state for run in (bystander, poison)} == {RunState.QUEUED}
    await _die("last", poison.id)
    assert (await Run.get(id=poison.id)).error_code == "POISONED"
    await db.execute("UPDATE runs SET run_at = {now} WHERE state = 'QUEUED'")
    await runs.perform(bystander.id, "next", 30)
    assert (await Run.get(id=bystander.id)).state is RunState.SUCCEEDED


async def test_who_always_dies_in_company_is_given_up_in_the_end(house: House, kinds: None) -> None:
    one, other = [await runs.enqueue(house.admin, "thing") for _ in range(2)]
    for death in range(DEATHS * IN_COMPANY):
        await _die(f"w{death}", one.id, other.id)
    assert {(await Run.get(id=run.id)).error_code for run in (one, other)} == {"POISONED"}
