"""Doorbells: what happens when Redis is away, slow or back, and where the work is done then."""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import dramatiq
import pytest

from domain import runs
from domain.runs import Run, RunState, Work
from domain.runs.work import Kind
from domain.settings import Settings
from jobs import broker, worker
from jobs.broker import KEPT_DEAD, QUEUES, Bell, inner_broker, redis_broker
from jobs.worker import working
from tests.conftest import House
from tests.servers import Valkey

DEADLINE_SECONDS = 20
LONGEST_WAIT_SECONDS = 2


async def nothing(*_: Any) -> None:
    """The body of an actor that is never performed here."""


def bell_of(url: str) -> Bell:
    return Bell(redis_broker(url), nothing, nothing)


@dataclass
class Pulse:
    """How long the event loop did not come round, at worst."""

    worst: float = 0.0

    async def beat(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            self.worst = max(self.worst, time.monotonic() - before)


@pytest.fixture
async def pulse() -> AsyncIterator[Pulse]:
    made = Pulse()
    beating = asyncio.create_task(made.beat())
    yield made
    beating.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await beating


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of something that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        yield f"redis://127.0.0.1:{mute.getsockname()[1]}/0"


@pytest.fixture
def absent() -> str:
    """The URL of a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        return f"redis://127.0.0.1:{gone.getsockname()[1]}/0"


def counting(monkeypatch: pytest.MonkeyPatch, bell: Bell) -> list[str]:
    """Note each message that is handed to the broker."""
    handed: list[str] = []
    enqueue = bell.broker.enqueue

    def counted(message: Any, **options: Any) -> Any:
        handed.append(message.actor_name)
        return enqueue(message, **options)

    monkeypatch.setattr(bell.broker, "enqueue", counted)
    return handed


@pytest.mark.parametrize("away", ["silent", "absent"])
async def test_a_breaker_opens_when_redis_is_away_and_nobody_waits_for_it_again(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, pulse: Pulse, away: str
) -> None:
    bell = bell_of(request.getfixturevalue(away))
    handed = counting(monkeypatch, bell)
    began = time.monotonic()
    assert await bell.run(1, "default") is False
    assert time.monotonic() - began < LONGEST_WAIT_SECONDS
    began = time.monotonic()
    assert [await bell.run(n, "default") for n in range(50)] == [False] * 50
    assert await bell.due("escalations") is False
    assert time.monotonic() - began < 0.5
    assert handed == ["run"], "behind the breaker nothing is tried"
    assert pulse.worst < 0.5, "the loop went round all the while"


async def test_the_breaker_tries_again_after_a_while(monkeypatch: pytest.MonkeyPatch, absent: str) -> None:
    monkeypatch.setattr(broker, "BREAK_SECONDS", 0.05)
    bell = bell_of(absent)
    handed = counting(monkeypatch, bell)
    assert await bell.due("snoozes") is False
    until = time.monotonic() + DEADLINE_SECONDS
    while len(handed) < 3:
        assert await bell.due("snoozes") is False
        assert time.monotonic() < until
        await asyncio.sleep(0.01)


async def test_a_bell_rings_again_once_redis_is_back(
    monkeypatch: pytest.MonkeyPatch, valkey_server: Valkey
) -> None:
    monkeypatch.setattr(broker, "BREAK_SECONDS", 0.05)
    bell = bell_of(valkey_server.url)
    assert await bell.run(1, "reports") is True
    await asyncio.to_thread(valkey_server.kill9)
    try:
        assert await bell.run(2, "reports") is False
    finally:
        await asyncio.to_thread(valkey_server.start)
    until = time.monotonic() + DEADLINE_SECONDS
    while not await bell.run(3, "reports"):
        assert time.monotonic() < until
        await asyncio.sleep(0.01)


async def test_a_message_holds_an_id_and_nothing_else() -> None:
    bell = Bell(inner_broker(), nothing, nothing)
    assert await bell.run(7, "reports")
    assert await bell.due("snoozes")
    for queue, actor, args in (("reports", "run", (7,)), ("timers", "due", ("snoozes",))):
        message = dramatiq.Message.decode(bell.broker.queues[queue].get_nowait())
        assert (message.actor_name, message.args, message.kwargs, message.options) == (actor, args, {}, {})


class GivesUp(dramatiq.Middleware):
    """Has a message that failed counted as dead."""

    def after_process_message(
        self, broker: Any, message: Any, *, result: Any = None, exception: Any = None
    ) -> None:
        if exception is not None:
            message.fail()


@pytest.mark.parametrize(("middleware", "kept"), [([], 0), ([GivesUp()], KEPT_DEAD)])
async def test_dead_letters_of_the_inner_broker_are_bounded(
    caplog: pytest.LogCaptureFixture, middleware: list[dramatiq.Middleware], kept: int
) -> None:
    caplog.set_level(logging.CRITICAL + 1, "dramatiq")
    made = inner_broker()
    for each in middleware:
        made.add_middleware(each)
    met: list[int] = []

    def fail(number: int) -> None:
        met.append(number)
        raise RuntimeError

    actor = dramatiq.actor(fail, broker=made, actor_name="fail", queue_name="default")
    for number in range(KEPT_DEAD + 50):
        actor.send(number)
    threads = dramatiq.Worker(made, worker_threads=2, worker_timeout=20)
    threads.start()
    try:
        await asyncio.to_thread(made.join, "default", fail_fast=False, timeout=30_000)
    finally:
        await asyncio.to_thread(threads.stop)
    assert sorted(met) == list(range(KEPT_DEAD + 50))
    assert len(made.dead_letters_by_queue["default"]) == kept


@dataclass
class Watch(dramatiq.Middleware):
    """Which messages an actor took, as Dramatiq tells it."""

    taken: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)

    def before_process_message(self, broker: dramatiq.Broker, message: Any) -> None:
        self.taken.append((message.actor_name, tuple(message.args)))


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> None:
    async def perform(work: Work) -> None:
        await work.checkpoint(done=1)

    monkeypatch.setitem(runs.kinds, "probe", Kind("probe", perform))


async def ended(run: Run) -> Run:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            found = await Run.get(id=run.id)
            if found.state in runs.ENDED:
                return found
            await asyncio.sleep(0.02)


@pytest.mark.usefixtures("probe")
async def test_found_work_is_done_in_an_actor_without_redis(
    house: House, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch, made = Watch(), inner_broker()
    made.add_middleware(watch)
    monkeypatch.setattr(worker, "inner_broker", lambda: made)
    # Asked for while no worker lives: there was no message, it can only be found in the ledger.
    run = await runs.enqueue(house.admin, "probe")
    async with working(Settings(DATABASE_URL=database_url)):
        assert (await ended(run)).state is RunState.SUCCEEDED
    assert ("run", (run.id,)) in watch.taken


@pytest.mark.usefixtures("probe")
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_found_work_is_done_in_an_actor_after_redis_is_gone(
    house: House, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch, made = Watch(), inner_broker()
    made.add_middleware(watch)
    monkeypatch.setattr(worker, "inner_broker", lambda: made)
    with Valkey() as valkey:
        async with working(Settings(DATABASE_URL=database_url, REDIS_URL=valkey.url)):
            before = await runs.enqueue(house.admin, "probe")
            assert (await ended(before)).state is RunState.SUCCEEDED
            await asyncio.to_thread(valkey.kill9)
            after = await runs.enqueue(house.admin, "probe")
            assert (await ended(after)).state is RunState.SUCCEEDED
    assert {("run", (before.id,)), ("run", (after.id,))} <= set(watch.taken)


@pytest.mark.usefixtures("probe")
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_doorbell_over_redis_finds_a_worker_that_did_not_look_by_itself(
    house: House, database_url: str, valkey_server: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def blind(*_: Any) -> list[Run]:
        return []

    monkeypatch.setattr(runs, "pull_for", blind)
    async with working(Settings(DATABASE_URL=database_url, REDIS_URL=valkey_server.url)):
        run = await runs.enqueue(house.admin, "probe")
        assert (await ended(run)).state is RunState.SUCCEEDED


def test_every_queue_that_a_kind_of_run_waits_in_is_rung() -> None:
    assert {declared.queue for declared in runs.kinds.values()} <= set(QUEUES)


async def test_a_worker_that_stops_gives_back_what_it_had_in_hand_without_a_word_of_failure(
    house: House, database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begun = asyncio.Event()

    async def perform(_: Work) -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setitem(runs.kinds, "endless", Kind("endless", perform))
    monkeypatch.setattr(worker, "GRACE_SECONDS", 0.05)
    run = await runs.enqueue(house.admin, "endless")
    async with working(Settings(DATABASE_URL=database_url)):
        await asyncio.wait_for(begun.wait(), DEADLINE_SECONDS)
    assert [record.getMessage() for record in caplog.records if record.name.startswith("dramatiq")] == []
    found = await Run.get(id=run.id)
    assert (found.state, found.attempt) == (RunState.QUEUED, 0)
