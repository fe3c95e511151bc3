"""What a second asking does beside a run that waits or runs, by the policy of its kind."""

import asyncio
import contextvars
from datetime import timedelta

import pytest

from domain import db, nudges, runs, timekeeping
from domain.journal import JournalLine
from domain.runs import Overlap, Run, RunState, ledger
from domain.runs.ledger import waiting_twin
from tests.conftest import House
from tests.domain.runs.conftest import Declare, again


async def asked(house: House, kind: str = "work") -> Run:
    return await runs.enqueue(house.admin, kind, unique_key="k")


async def running(house: House, kind: str = "work") -> Run:
    run = await runs.claim((await asked(house, kind)).id, "w", 30)
    assert run is not None
    return run


async def states(house: House) -> list[RunState]:
    return [run.state for run in await Run.filter(workspace_id=house.id).order_by("id")]


async def test_queue_one_lets_one_wait_beside_the_one_that_runs(house: House, declare: Declare) -> None:
    declare("work", overlap=Overlap.QUEUE_ONE)
    first = await running(house)
    second, third = await asked(house), await asked(house)
    assert first.id != second.id == third.id
    assert await states(house) == [RunState.RUNNING, RunState.QUEUED]
    assert await runs.claim(second.id, "other", 30) is None, "not while the first has the key"
    await runs.do(first, 30)
    assert await runs.claim(second.id, "other", 30) is not None


async def test_skip_gives_everybody_the_run_that_is_there(house: House, declare: Declare) -> None:
    declare("work", overlap=Overlap.SKIP)
    waiting = await asked(house)
    assert (await asked(house)).id == waiting.id
    first = await running(house)
    assert (await asked(house)).id == first.id == waiting.id
    assert await states(house) == [RunState.RUNNING]
    await runs.do(first, 30)
    assert (await asked(house)).id != first.id, "a new one once it has ended"


async def test_cancel_running_asks_the_one_that_runs_to_end(house: House, declare: Declare) -> None:
    declare("work", overlap=Overlap.CANCEL_RUNNING)
    first = await running(house)
    second = await asked(house)
    assert second.id != first.id
    assert await states(house) == [RunState.CANCELLING, RunState.QUEUED]
    lines = await JournalLine.filter(workspace_id=house.id, subject="run").order_by("id")
    assert [line.name for line in lines] == ["run.queued", "run.started", "run.queued", "run.cancelling"]


async def test_allow_gives_each_a_run_of_its_own(house: House, declare: Declare) -> None:
    declare("work", overlap=Overlap.ALLOW)
    first, second = await running(house), await running(house)
    assert first.id != second.id
    assert await states(house) == [RunState.RUNNING] * 2


@pytest.mark.parametrize("overlap", [Overlap.QUEUE_ONE, Overlap.SKIP, Overlap.CANCEL_RUNNING])
async def test_ten_askings_at_once_are_one_waiting_run(
    house: House, declare: Declare, overlap: Overlap
) -> None:
    declare("work", overlap=overlap)
    found = await asyncio.gather(*(asked(house) for _ in range(10)))
    assert len({run.id for run in found}) == 1
    assert await states(house) == [RunState.QUEUED]


async def test_keys_of_other_kinds_and_workspaces_do_not_meet(house: House, declare: Declare) -> None:
    declare("work")
    declare("other")
    assert (await asked(house)).id != (await asked(house, "other")).id


async def test_a_retry_that_meets_a_waiting_run_gives_way_to_it(house: House, declare: Declare) -> None:
    async def fail(_: object) -> None:
        raise RuntimeError

    declare("work", fail)
    first = await running(house)
    second = await asked(house)
    await runs.do(first, 30)
    ended = await again(first)
    assert (ended.state, ended.error_code, ended.merged_into) == (RunState.FAILED, "MERGED", second.id)
    assert [error["code"] for error in ended.errors] == ["INTERNAL"]
    assert (await runs.retry(house.admin, first.id)).id == second.id, "retrying it gives the same answer"
    assert await states(house) == [RunState.FAILED, RunState.QUEUED]


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)  # SQLite has one writer
@pytest.mark.parametrize("ends", ["fails", "is given back"])
async def test_an_attempt_that_ends_while_another_run_of_its_key_is_asked_for_gives_way_to_it(
    house: House, declare: Declare, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    asked_meanwhile: list[Run] = []

    async def looked_for(run: Run) -> int | None:
        found = await waiting_twin(run)
        if not asked_meanwhile:

            async def ask() -> None:
                db.enter(house.id)
                asked_meanwhile.append(await asked(house))

            # Somebody else's transaction, in this very moment.
            await asyncio.create_task(ask(), context=contextvars.Context())
        return found

    async def fail(_: object) -> None:
        raise RuntimeError

    declare("work", fail)
    first = await running(house)
    monkeypatch.setattr(ledger, "waiting_twin", looked_for)
    await (runs.do(first, 30) if ends == "fails" else runs.give_back(first))
    ended, (second,) = await again(first), asked_meanwhile
    assert (ended.state, ended.error_code, ended.merged_into) == (RunState.FAILED, "MERGED", second.id)
    assert await states(house) == [RunState.FAILED, RunState.QUEUED]


async def test_a_run_asked_for_later_waits_for_its_time(house: House, declare: Declare) -> None:
    declare("work")
    soon = timekeeping.machine_now() + timedelta(hours=1)
    run = await runs.enqueue(house.admin, "work", run_at=soon)
    assert run.state is RunState.SCHEDULED
    assert await runs.promote() == 0
    assert await runs.claim(run.id, "w", 30) is None
    await Run.filter(id=run.id).update(run_at=timekeeping.machine_now() - timedelta(seconds=1))
    assert await runs.promote() == 1
    assert (await again(run)).state is RunState.QUEUED
    assert await runs.claim(run.id, "w", 30) is not None


KEYED = [Overlap.QUEUE_ONE, Overlap.SKIP, Overlap.CANCEL_RUNNING]
HOUR = timedelta(hours=1)


async def waiting(house: House, state: RunState, hours: int) -> Run:
    """A run that waits so long for its time, or for another try."""
    at = timekeeping.machine_now() + hours * HOUR
    run = await runs.enqueue(house.admin, "work", unique_key="k", run_at=at)
    await Run.filter(id=run.id).update(state=state, failures=int(state is RunState.RETRYING))
    return await again(run)


async def told(run: Run) -> list[str]:
    lines = await JournalLine.filter(workspace_id=run.workspace_id, subject="run", subject_id=run.id)
    return [line.name for line in sorted(lines, key=lambda line: line.id)]


@pytest.mark.parametrize("overlap", KEYED)
async def test_a_scheduled_run_starts_no_later_than_its_newest_caller_wants(
    house: House, declare: Declare, overlap: Overlap
) -> None:
    declare("work", overlap=overlap)
    first = await waiting(house, RunState.SCHEDULED, hours=3)
    heard: list[None] = []
    with nudges.WORK.listening(lambda: heard.append(None)):
        soon = timekeeping.machine_now() + HOUR
        sooner = await runs.enqueue(house.admin, "work", unique_key="k", run_at=soon)
        assert (sooner.id, sooner.state, sooner.run_at) == (first.id, RunState.SCHEDULED, soon)
        assert (await again(first)).run_at == soon
        assert len(heard) == 1
        at_once = await asked(house)
        assert (at_once.id, at_once.state) == (first.id, RunState.QUEUED)
        assert len(heard) == 2
    assert await told(first) == ["run.scheduled", "run.scheduled", "run.queued"]
    assert [row["id"] for row in await runs.ring_ready()] == [first.id], "its doorbell is rung at once"
    assert await runs.claim(first.id, "w", 30) is not None


@pytest.mark.parametrize("overlap", KEYED)
async def test_a_run_that_waits_is_not_put_off_by_who_wants_it_later(
    house: House, declare: Declare, overlap: Overlap
) -> None:
    declare("work", overlap=overlap)
    first = await waiting(house, RunState.SCHEDULED, hours=1)
    for hours in (1, 2):
        at = first.run_at + (hours - 1) * HOUR
        assert (await runs.enqueue(house.admin, "work", unique_key="k", run_at=at)).id == first.id
    after = await again(first)
    assert (after.state, after.run_at, after.version) == (RunState.SCHEDULED, first.run_at, first.version)
    assert await told(first) == ["run.scheduled"]


async def test_a_run_that_comes_back_from_a_lost_worker_keeps_its_turn(
    house: House, declare: Declare
) -> None:
    declare("work")
    first = await waiting(house, RunState.QUEUED, hours=1)
    assert (await asked(house)).id == first.id
    assert (await again(first)).run_at == first.run_at


@pytest.mark.parametrize("overlap", KEYED)
async def test_ten_who_want_it_at_once_bring_a_run_forward_once(
    house: House, declare: Declare, overlap: Overlap
) -> None:
    declare("work", overlap=overlap)
    first = await waiting(house, RunState.SCHEDULED, hours=1)
    found = await asyncio.gather(*(asked(house) for _ in range(10)))
    assert {(run.id, run.state) for run in found} == {(first.id, RunState.QUEUED)}
    assert await states(house) == [RunState.QUEUED]
    assert await told(first) == ["run.scheduled", "run.queued"]


@pytest.mark.parametrize("overlap", KEYED)
async def test_the_pause_before_another_try_is_kept_however_many_ask(
    house: House, declare: Declare, overlap: Overlap
) -> None:
    declare("work", overlap=overlap)
    first = await waiting(house, RunState.RETRYING, hours=1)
    assert {run.id for run in [await asked(house), await asked(house)]} == {first.id}
    after = await again(first)
    assert (after.state, after.run_at, after.version) == (RunState.RETRYING, first.run_at, first.version)


@pytest.mark.parametrize("state", [RunState.SCHEDULED, RunState.RETRYING])
async def test_a_retry_that_meets_a_run_that_waits_brings_it_forward(
    house: House, declare: Declare, state: RunState
) -> None:
    declare("work")
    ended = await asked(house)
    await runs.cancel(house.admin, ended.id)
    later = await waiting(house, state, hours=1)
    serving = await runs.retry(house.admin, ended.id)
    assert (serving.id, serving.state) == (later.id, RunState.QUEUED)
    assert await runs.claim(later.id, "w", 30) is not None
