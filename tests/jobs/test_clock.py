"""The loop that turns rows into messages: several do nothing twice, and nothing that fails stops one."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain import customers, db, feeds, files, idempotency, runs, tasks, timekeeping
from domain.customers import LeadSource
from domain.files import File
from domain.idempotency import IdempotencyKey
from domain.journal import JournalLine
from domain.runs import Run, RunState, Schedule, Work
from domain.runs.work import Kind
from domain.tasks import Escalation, Task
from jobs import clock as clocks
from jobs.actors import do_due, do_run
from jobs.clock import Clock
from jobs.crontab import CRONTAB
from jobs.hands import Hands
from tests.conftest import House, build_house

DEADLINE_SECONDS = 30
LEADS, RUNS, SCHEDULES = 12, 12, 8


class Direct:
    """Stands where a bell does: notes what is rung for, and has it done at once beside the clock."""

    answers = True

    def __init__(self, hands: Hands | None = None) -> None:
        self.rung: Counter[int] = Counter()
        self.hands = hands or Hands(8)
        self._doing: set[asyncio.Task[None]] = set()

    async def run(self, run_id: int, queue: str) -> bool:
        self.rung[run_id] += 1
        return self._begin(do_run(run_id, self.hands, 30))

    async def due(self, kind: str) -> bool:
        return self._begin(do_due(kind))

    def _begin(self, work: Any) -> bool:
        task = asyncio.create_task(work)
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)
        return True

    async def finish(self) -> None:
        for task in list(self._doing):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def clock_of(inner: Direct, outer: Direct | None = None) -> Clock:
    """A clock that believes that it leads, whatever others believe."""
    return Clock(inner, outer, inner.hands, 30)  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def ticking(*bells: Direct) -> AsyncIterator[list[Clock]]:
    """One clock for each bell, for the time of the block."""
    made = [clock_of(bell) for bell in bells]
    running = [asyncio.create_task(clock.run()) for clock in made]
    try:
        yield made
        assert not any(task.done() for task in running), "a clock goes on until it is cancelled"
    finally:
        for task in running:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        for bell in bells:
            await bell.finish()


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await true():
            await asyncio.sleep(0.02)


@pytest.fixture
async def home(database: str, monkeypatch: pytest.MonkeyPatch) -> House:
    """A workspace on the real clock."""
    monkeypatch.setattr(clocks, "TICK_SECONDS", 0.02)
    return await build_house(clock_at=None)


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> Counter[int]:
    """How often each run's work was done."""
    counted: Counter[int] = Counter()

    async def perform(work: Work) -> None:
        async with work.step(done=1):
            counted[work.run.id] += 1

    monkeypatch.setitem(runs.kinds, "count", Kind("count", perform))
    return counted


async def quiet() -> bool:
    return not (
        await Run.filter(state__not_in=list(runs.ENDED)).exists()
        or await feeds.unnumbered()
        or await feeds.unreacted()
        or await tasks.due_escalations(timekeeping.machine_now(), None)
    )


async def test_two_clocks_at_once_do_nothing_twice(home: House, done: Counter[int]) -> None:
    long_ago = timekeeping.machine_now() - timedelta(days=30)
    bells = Direct(), Direct()
    async with ticking(*bells):
        asked = [await runs.enqueue(home.admin, "count") for _ in range(RUNS)]
        for number in range(LEADS):
            await customers.record_lead(
                home.admin,
                f"L{number}",
                customer_external_id=f"C{number}",
                source=LeadSource.WEBSITE,
                acquired_at=long_ago,
                consent=True,
            )
        await until(quiet)

    assert done == {run.id: 1 for run in asked}
    ended = await Run.filter(workspace_id=home.id)
    assert {(run.state, run.attempt, run.fence) for run in ended} == {(RunState.SUCCEEDED, 1, 1)}
    assert bells[0].rung + bells[1].rung == {run.id: 1 for run in asked}, "each was pulled by one clock"
    opened = await Task.filter(workspace_id=home.id)
    assert sorted(task.customer_id for task in opened) == sorted(
        customer.id for customer in await customers.Customer.filter(workspace_id=home.id)
    )
    climbed = Counter([(e.task_id, e.rung) for e in await Escalation.filter(workspace_id=home.id)])
    assert climbed == {(task.id, rung): 1 for task in opened for rung in (1, 2)}
    lines = await JournalLine.filter(workspace_id=home.id)
    assert sorted(line.position for line in lines) == list(range(1, len(lines) + 1))
    assert Counter(line.name for line in lines)["task.escalated"] == 2 * LEADS


async def test_two_clocks_at_once_fire_a_slot_once(
    home: House, done: Counter[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(runs.kinds, "count", replace(runs.kinds["count"], schedulable=True))
    made = [
        await runs.create_schedule(home.admin, name=f"S{number}", kind="count", cron="0 0 1 1 *")
        for number in range(SCHEDULES)
    ]
    slot = timekeeping.machine_now().replace(second=0, microsecond=0)
    await Schedule.filter(workspace_id=home.id).update(next_at=slot, next_slot_at=slot, cron="* * * * *")

    async def fired() -> bool:
        return await Run.filter(workspace_id=home.id).count() >= SCHEDULES and await quiet()

    async with ticking(Direct(), Direct()):
        await until(fired)
    asked = Counter([(run.schedule_id, run.slot_at) for run in await Run.filter(workspace_id=home.id)])
    assert {schedule for schedule, _ in asked} == {schedule.id for schedule in made}
    assert set(asked.values()) == {1}, "each slot once, and each schedule"
    assert set(done.values()) == {1}
    lines = await JournalLine.filter(workspace_id=home.id, name="schedule.fired")
    assert len(lines) == sum(asked.values())


async def test_a_clock_whose_database_fails_goes_on(
    home: House, done: Counter[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = 3
    promote, pull = runs.promote, runs.pull_for

    def fail() -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise ConnectionError("the database is away")

    async def promoting() -> int:
        fail()
        return await promote()

    async def pulling(*args: Any) -> list[Run]:
        fail()
        return await pull(*args)

    monkeypatch.setattr(runs, "promote", promoting)
    monkeypatch.setattr(runs, "pull_for", pulling)
    run = await runs.enqueue(home.admin, "count")
    async with ticking(Direct()) as (clock,):
        began = clock.ticked
        await until(quiet)
        assert clock.ticked > began
    assert (failures, done) == (0, {run.id: 1})


async def test_a_clock_whose_database_hangs_goes_on(
    home: House, done: Counter[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    hung = 0
    pull = runs.pull_for

    async def hanging(*args: Any) -> list[Run]:
        nonlocal hung
        if not hung:
            hung += 1
            await asyncio.Event().wait()
        return await pull(*args)

    monkeypatch.setattr(clocks, "SLOW_SECONDS", 0.3)
    monkeypatch.setattr(runs, "pull_for", hanging)
    run = await runs.enqueue(home.admin, "count")
    async with ticking(Direct()):
        await until(quiet)
    assert (hung, done) == (1, {run.id: 1})


async def test_what_a_pull_has_claimed_is_done_though_the_pull_is_broken_off(
    home: House, done: Counter[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    pull = runs.pull_for

    async def late(*args: Any) -> list[Run]:
        pulled = await pull(*args)
        await asyncio.sleep(0.5)
        return pulled

    monkeypatch.setattr(clocks, "SLOW_SECONDS", 0.3)
    monkeypatch.setattr(runs, "pull_for", late)
    run = await runs.enqueue(home.admin, "count")
    async with ticking(Direct()):
        await until(quiet)
    after = await Run.get(id=run.id)
    assert (after.state, after.attempt, done) == (RunState.SUCCEEDED, 1, {run.id: 1})


async def test_a_run_whose_worker_went_away_is_found_and_done(home: House, done: Counter[int]) -> None:
    run = await runs.enqueue(home.admin, "count")
    assert await runs.claim(run.id, "gone", -1) is not None
    async with ticking(Direct()):
        await until(quiet)
    after = await Run.get(id=run.id)
    assert (after.state, after.attempt, done) == (RunState.SUCCEEDED, 2, {run.id: 1})
    assert [error["code"] for error in after.errors] == ["LOST"]


async def test_a_bell_that_is_not_heard_is_followed_by_the_next(home: House) -> None:
    class Deaf(Direct):
        async def due(self, kind: str) -> bool:
            self.rung[0] += 1
            return False

    await customers.record_lead(
        home.admin,
        "L",
        customer_external_id="C",
        source=LeadSource.WEBSITE,
        acquired_at=timekeeping.machine_now(),
        consent=True,
    )
    deaf, inner = Deaf(), Direct()
    await clock_of(inner, deaf).tick()
    await until(lambda: Task.filter(workspace_id=home.id).exists())
    await inner.finish()
    assert deaf.rung[0] >= 1
    assert await Task.filter(workspace_id=home.id).count() == 1


async def test_doorbells_call_the_others_for_what_still_waits(home: House, done: Counter[int]) -> None:
    asked = [await runs.enqueue(home.admin, "count") for _ in range(3)]
    inner, outer = Direct(), Direct()
    await clock_of(inner, outer).tick()
    await until(lambda: _gone(Run, state__not_in=list(runs.ENDED)))
    await outer.finish()
    assert (inner.rung, outer.rung) == ({}, {run.id: 1 for run in asked})
    assert done == {run.id: 1 for run in asked}


async def test_the_crontab_forgets_what_is_old_and_nothing_else(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timekeeping.machine_now()
    for name, expires_at in (("old", now - timedelta(seconds=1)), ("kept", now + timedelta(days=1))):
        await files.save(home.admin, name, "text/csv", "import", b"a", expires_at=expires_at)
    async with db.transaction():
        await idempotency.begin(home.admin, "old", "m", "h")
        await idempotency.begin(home.admin, "kept", "m", "h")
    await IdempotencyKey.filter(key="old").update(
        created_at=now - timedelta(hours=idempotency.KEPT_HOURS + 1)
    )

    await clock_of(Direct()).tick()
    assert await File.all().count() == 2, "not before its time"
    monkeypatch.setattr(clocks, "CRONTAB", [(timedelta(0), job) for _, job in CRONTAB])
    async with ticking(Direct()):
        await until(lambda: _gone(File, name="old"))
        await until(lambda: _gone(IdempotencyKey, key="old"))
    assert [file.name for file in await File.all()] == ["kept"]
    assert [key.key for key in await IdempotencyKey.all()] == ["kept"]


async def _gone(model: Any, **which: Any) -> bool:
    return not await model.filter(**which).exists()


async def test_housekeeping_that_fails_holds_up_nothing(
    home: House, done: Counter[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    called = 0

    async def fail() -> None:
        nonlocal called
        called += 1
        raise RuntimeError

    monkeypatch.setattr(clocks, "CRONTAB", [(timedelta(0), fail)])
    async with ticking(Direct()):
        run = await runs.enqueue(home.admin, "count")
        await until(quiet)

        async def again() -> bool:
            return called > 1

        await until(again)
    assert done == {run.id: 1}


@pytest.mark.parametrize("turns", range(6))
async def test_a_clock_that_is_told_to_end_at_the_instant_of_a_nudge_ends(
    monkeypatch: pytest.MonkeyPatch, turns: int
) -> None:
    clock = clock_of(Direct())

    async def nothing() -> None:
        pass

    monkeypatch.setattr(clock, "tick", nothing)
    monkeypatch.setattr(clock, "pull", nothing)
    running = asyncio.create_task(clock.run())
    for _ in range(3):
        await asyncio.sleep(0)
    clock._leading.set()
    clock._pulling.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    running.cancel()
    done, _ = await asyncio.wait({running}, timeout=5)
    assert done == {running}
    assert running.cancelled()


async def test_a_clock_that_ends_waits_for_what_its_pull_has_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, asked, answer = clock_of(Direct()), asyncio.Event(), asyncio.Event()
    answered: list[bool] = []

    async def nothing() -> None:
        pass

    async def slowly(*_: Any) -> list[Run]:
        asked.set()
        await answer.wait()
        answered.append(True)
        return []

    monkeypatch.setattr(clock, "tick", nothing)
    monkeypatch.setattr(runs, "pull_for", slowly)
    running = asyncio.create_task(clock.run())
    await asked.wait()
    running.cancel()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not running.done()
    answer.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert answered == [True]
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "take"]
