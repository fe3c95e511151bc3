"""Whatever is asked of the ledger, in whatever order, by however many: it holds what a plain dictionary holds.

`CARELINE_DEEP=500 pytest tests/domain/runs/test_machine.py` tries so many stories instead of a few, and new ones.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tortoise.expressions import Q

from domain import db, runs, timekeeping, workspaces
from domain.access import Principal, system
from domain.runs import QUEUES, Cancelled, Fenced, Refused, Run, RunEnded, RunNotFailed, RunState, Work
from tests.domain.runs.believed import PAUSABLE, Believed, Ledger, kinds_of

S = RunState
DEEP = int(os.environ.get("CARELINE_DEEP", "0"))
STORIES = settings(
    max_examples=DEEP or 20,
    stateful_step_count=40,
    deadline=None,
    database=None,
    derandomize=not DEEP,  # the suite tells the same stories each time; a deep search tells new ones
    phases=[Phase.generate, Phase.shrink],  # to explain a failure takes longer than to read it
    suppress_health_check=list(HealthCheck),
)
LEASE = 30.0
INDEX = st.integers(0, 30)
KIND = st.sampled_from(["skip", "one", "over", "many", "few", "newer"])


class How(Enum):
    """How an attempt ends."""

    WELL = "it succeeds"
    REFUSED = "the business says no"
    FAILING = "an error that may pass"
    STOPPED = "its worker is told to stop"


@dataclass
class Attempt:
    """A run as a worker was given it; the worker keeps it, also when the run went on without it."""

    run: Run
    how: How = How.WELL

    @property
    def did(self) -> bool:
        return bool((self.run.cursor or {}).get("did"))


@dataclass
class Bench:
    """One open database and one event loop for all the stories."""

    do: Callable[[Coroutine[Any, Any, Any]], Any]
    who: list[Principal]
    attempts: dict[tuple[int, int], Attempt]
    """The attempts in hand, by run and fence."""
    waits: asyncio.Event
    """An attempt has nothing more to do and waits to be stopped."""


async def record(work: Work) -> None:
    """The effect of a run, in a fenced step: once, whatever attempts it takes."""
    async with work.step({"did": True}, done=1, total=1):
        if not work.cursor.get("did"):
            await db.execute(
                "INSERT INTO effects (run_id, fence) VALUES (:id, :fence)",
                id=work.run.id,
                fence=work.run.fence,
            )


@pytest.fixture
def bench(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    attempts: dict[tuple[int, int], Attempt] = {}
    waits = asyncio.Event()

    async def perform(work: Work) -> dict[str, int]:
        attempt = attempts[work.run.id, work.run.fence]
        if not attempt.did:
            await record(work)
        if attempt.how is How.REFUSED:
            raise Refused("NO", "no")
        if attempt.how is How.FAILING:
            raise RuntimeError
        if attempt.how is How.STOPPED:
            waits.set()
            await asyncio.Event().wait()
        return {"did": work.run.id}

    for name, kind in kinds_of(perform).items():
        monkeypatch.setitem(runs.kinds, name, kind)

    async def prepare(stack: AsyncExitStack) -> list[Principal]:
        timekeeping.forget()
        db.enter_everywhere()
        await stack.enter_async_context(db.open_database(database_url))
        await db.execute("CREATE TABLE effects (run_id BIGINT NOT NULL, fence BIGINT NOT NULL)")
        return [system((await workspaces.create(name)).id, "test") for name in ("One", "Two")]

    with asyncio.Runner() as runner, structlog.testing.capture_logs():  # failing is what many are here for
        stack = AsyncExitStack()
        try:
            yield Bench(runner.run, runner.run(prepare(stack)), attempts, waits)
        finally:
            runner.run(stack.aclose())


class LedgerMachine(RuleBasedStateMachine):
    """Two workspaces and two workers; each rule does a thing to the ledger and to what is believed of it."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self.bench, self.do, self.attempts = bench, bench.do, bench.attempts
        self.ledger = Ledger()

    def teardown(self) -> None:
        self.attempts.clear()
        for table in ("runs", "journal", "run_pauses", "effects"):
            self.do(db.execute(f"DELETE FROM {table}"))

    def some(self, index: int) -> Believed:
        return list(self.ledger.runs.values())[index % len(self.ledger.runs)]

    def attempt(self, index: int) -> Attempt:
        return list(self.attempts.values())[index % len(self.attempts)]

    def who(self, run: Believed) -> Principal:
        return system(run.workspace, "test")

    def settle(self) -> datetime:
        """A moment in which nothing is about to fall due: some time passes at once where it must."""
        now = timekeeping.machine_now()
        soon = timedelta(seconds=20)
        while any(
            run.state in runs.WAITING and now < run.run_at < now + soon for run in self.ledger.runs.values()
        ):
            self.pass_time(20)
        return timekeeping.machine_now()

    def pass_time(self, seconds: float) -> None:
        """Time passes: everything that has a time is so much longer ago."""

        async def shift() -> None:
            ago = timedelta(seconds=seconds)
            for run in await Run.all():
                values = {
                    name: getattr(run, name) - ago
                    for name in ("run_at", "lease_until", "finished_at")
                    if getattr(run, name) is not None
                }
                await Run.filter(id=run.id).update(**values)
                for name, value in values.items():
                    setattr(self.ledger.runs[run.id], name, value)

        self.do(shift())

    # --- who asks ---

    @rule(
        where=st.integers(0, 1),
        kind=KIND,
        key=st.sampled_from([None, "a", "a", "b"]),
        later=st.sampled_from([False, False, True]),
    )
    def enqueue(self, where: int, kind: str, key: str | None, later: bool) -> None:
        now = self.settle()
        at, state = (now + timedelta(hours=1), S.SCHEDULED) if later else (now, S.QUEUED)
        who = self.bench.who[where]
        made: Run = self.do(runs.enqueue(who, kind, unique_key=key, run_at=at if later else None))
        asked = Believed(0, who.workspace_id, runs.kinds[kind], key, state, at)
        serving = self.ledger.ask(asked)
        if serving is asked:
            assert made.id not in self.ledger.runs
            asked.id = made.id
            self.ledger.add(asked, state)
        assert serving.id == made.id
        assert serving.state is not S.SCHEDULED or made.run_at <= at

    @precondition(lambda self: self.ledger.runs)
    @rule(index=INDEX)
    def cancel(self, index: int) -> None:
        run = self.some(index)
        if run.state in runs.ENDED:
            with pytest.raises(RunEnded):
                self.do(runs.cancel(self.who(run), run.id))
        else:
            self.do(runs.cancel(self.who(run), run.id))
            self.ledger.cancel(run)

    @precondition(lambda self: self.ledger.runs)
    @rule(index=INDEX)
    def retry(self, index: int) -> None:
        run = self.some(index)
        if run.state not in (S.FAILED, S.CANCELLED):
            with pytest.raises(RunNotFailed):
                self.do(runs.retry(self.who(run), run.id))
        else:
            now = self.settle()
            serving = self.do(runs.retry(self.who(run), run.id))
            assert serving.id == self.ledger.again(run, now).id

    @rule(where=st.integers(0, 1), kind=KIND)
    def retry_all(self, where: int, kind: str) -> None:
        who, now = self.bench.who[where], self.settle()
        serving, more = self.do(runs.retry_all(who, Q(kind=kind)))
        failed = [
            run
            for run in self.ledger.runs.values()
            if (run.workspace, run.kind.name) == (who.workspace_id, kind)
            and run.state in (S.FAILED, S.CANCELLED)
        ]
        expected = [self.ledger.again(run, now).id for run in sorted(failed, key=lambda run: run.id)]
        assert ([run.id for run in serving], more) == (list(dict.fromkeys(expected)), False)

    @rule(where=st.integers(0, 1), what=st.sampled_from([*QUEUES, *PAUSABLE]), on=st.booleans())
    def pause_or_resume(self, where: int, what: str, on: bool) -> None:
        who, place = self.bench.who[where], {"queue" if what in QUEUES else "kind": what}
        pause = (who.workspace_id, what)
        if on:
            assert self.do(runs.pause(who, **place)) == (pause not in self.ledger.paused)
            self.ledger.paused.add(pause)
        else:
            assert self.do(runs.resume(who, **place)) == (pause in self.ledger.paused)
            self.ledger.paused.discard(pause)

    # --- who works ---

    def given(self, taken: list[Run]) -> None:
        for run in taken:
            assert (run.id, run.fence) not in self.attempts, "a fence is given once"
            self.attempts[run.id, run.fence] = Attempt(run)

    @rule(
        worker=st.sampled_from(["w1", "w2"]),
        queues=st.sampled_from([QUEUES, QUEUES, ("timers",), ("default", "reports")]),
        limit=st.integers(1, 4),
    )
    def pull(self, worker: str, queues: tuple[str, ...], limit: int) -> None:
        now = self.settle()
        taken: list[Run] = self.do(runs.pull(worker, LEASE, queues, limit))
        expected = self.ledger.pull(now, queues, limit)
        assert [run.id for run in taken] == [run.id for run in expected]
        for run in expected:
            self.ledger.take(run, worker)
        self.given(taken)

    @precondition(lambda self: self.ledger.runs)
    @rule(index=INDEX, worker=st.sampled_from(["w1", "w2"]))
    def claim(self, index: int, worker: str) -> None:
        run, now = self.some(index), self.settle()
        taken = self.do(runs.claim(run.id, worker, LEASE))
        assert (taken is not None) == self.ledger.claim(now, run)
        if taken is not None:
            self.ledger.take(run, worker)
            self.given([taken])

    @precondition(lambda self: self.attempts)
    @rule(index=INDEX)
    def step(self, index: int) -> None:
        attempt = self.attempt(index)
        run = self.ledger.holds(attempt.run.id, attempt.run.fence)
        did = attempt.did
        if run is None:
            with pytest.raises(Fenced):
                self.do(record(Work(attempt.run, LEASE)))
        elif not self.ledger.step(run):
            with pytest.raises(Cancelled):
                self.do(record(Work(attempt.run, LEASE)))
        else:
            self.do(record(Work(attempt.run, LEASE)))
            run.effects += not did

    @precondition(lambda self: self.attempts)
    @rule(index=INDEX, how=st.sampled_from([How.WELL, *How]))
    def perform(self, index: int, how: How) -> None:
        attempt = self.attempt(index)
        attempt.how = how
        did = attempt.did
        run = self.ledger.holds(attempt.run.id, attempt.run.fence)
        self.do(self.performed(attempt))
        del self.attempts[attempt.run.id, attempt.run.fence]
        if run is None:
            return  # the check that follows says that nothing happened
        if not did:
            if not self.ledger.step(run):
                run.end(S.CANCELLED)
                return
            run.effects += 1
        match how:
            case How.WELL:
                self.ledger.succeed(run)
            case How.REFUSED:
                self.ledger.fail(run, "NO", final=True)
            case How.FAILING:
                self.ledger.fail(run, "INTERNAL", final=False)
            case How.STOPPED:
                self.ledger.give_back(run)

    async def performed(self, attempt: Attempt) -> None:
        self.bench.waits.clear()
        doing = asyncio.create_task(runs.do(attempt.run, LEASE))
        waiting = asyncio.create_task(self.bench.waits.wait())
        await asyncio.wait([doing, waiting], return_when=asyncio.FIRST_COMPLETED)
        (waiting if doing.done() else doing).cancel()
        await asyncio.gather(doing, waiting, return_exceptions=True)
        if attempt.how is not How.STOPPED:
            doing.result()

    # --- the clock ---

    @rule(seconds=st.sampled_from([1, 40, 40, 4000, 31 * 86_400, 91 * 86_400]))
    def advance(self, seconds: int) -> None:
        self.pass_time(seconds)

    @rule()
    def promote(self) -> None:
        now = self.settle()
        assert self.do(runs.promote()) == self.ledger.promote(now)

    @rule()
    def rescue(self) -> None:
        now = timekeeping.machine_now()
        found = self.do(runs.rescue())
        assert found == self.ledger.rescue(now)

    @rule()
    def prune(self) -> None:
        now = timekeeping.machine_now()
        assert self.do(runs.prune()) == self.ledger.prune(now)

    @invariant()
    def as_believed(self) -> None:
        async def read() -> tuple[list[Run], dict[int, list[str]], dict[int, int]]:
            lines: dict[int, list[str]] = defaultdict(list)
            for row in await db.rows(
                "SELECT subject_id, name FROM journal WHERE subject = 'run' ORDER BY id"
            ):
                lines[row["subject_id"]].append(row["name"])
            effects = await db.rows("SELECT run_id, count(*) AS number FROM effects GROUP BY run_id")
            return await Run.all(), lines, {row["run_id"]: row["number"] for row in effects}

        self.ledger.check(*self.do(read()))


@pytest.mark.timeout(0 if DEEP else 300)
def test_the_ledger_holds_what_a_plain_dictionary_holds(bench: Bench) -> None:
    run_state_machine_as_test(lambda: LedgerMachine(bench), settings=STORIES)
