"""Runs a worker in this process: Dramatiq's threads, the clock, and actors on the caller's event loop.

One event loop means one database context and, on SQLite, one writing connection: the embedded server
and a worker process of its own are the same code.
"""

import asyncio
import concurrent.futures
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

import dramatiq
import structlog
from dramatiq.asyncio import set_event_loop_thread

import jobs.sandbox  # noqa: F401
from domain import db, runs, webhooks
from domain.settings import Settings
from jobs.actors import do_due, do_run
from jobs.broker import Bell, check_redis, inner_broker, redis_broker
from jobs.clock import Clock
from jobs.hands import Hands

GRACE_SECONDS = 3.0
REDIS_LOOK_MS = 500
"""Doorbells over Redis are for when nothing else has called: looking for them is what an idle worker does."""
INNER_LOOK_MS = 1000
"""A queue in memory wakes its reader; this is only how long a thread takes to notice that it is to stop."""
SPARE_THREADS = 2
T = TypeVar("T")
log = structlog.get_logger(__name__)


class _Here:
    """Stands in for Dramatiq's event loop thread: coroutines of actors run on this loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._running: set[asyncio.Task[Any]] = set()
        """Only touched on the loop, so that no thread changes it while it is read."""

    def run_coroutine(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Called by Dramatiq on one of its threads; returns when the coroutine has ended on the loop."""
        try:
            return asyncio.run_coroutine_threadsafe(self._known(coroutine), self._loop).result()
        except concurrent.futures.CancelledError:
            # This worker is stopping. A doorbell is nothing to lose: what it rang for is in the database.
            raise dramatiq.middleware.SkipMessage("the worker is stopping") from None

    async def _known(self, coroutine: Coroutine[Any, Any, T]) -> T:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            return await coroutine
        finally:
            self._running.discard(task)

    async def finish(self) -> None:
        """Let what runs come to its end for a moment, then have it given back to the ledger."""
        if self._running:
            await asyncio.wait(set(self._running), timeout=GRACE_SECONDS)
        for task in list(self._running):
            task.cancel()


@contextlib.asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[Clock]:
    """Work for the time of the block. The database must be open.

    Raises:
        BrokerAway: REDIS_URL is set and nothing answers there.
    """
    for name in ("dramatiq", "dramatiq.worker", "dramatiq.broker"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if settings.redis_url:
        await asyncio.to_thread(check_redis, settings.redis_url)
    webhooks.sent_by(settings)
    here = _Here(asyncio.get_running_loop())
    set_event_loop_thread(here)  # type: ignore[arg-type]
    hands = Hands(settings.worker_threads, settings.worker_queues)

    async def run(run_id: int) -> None:
        await do_run(run_id, hands, settings.lease_seconds)

    inner = Bell(inner_broker(), run, do_due)
    outer = Bell(redis_broker(settings.redis_url), run, do_due) if settings.redis_url else None
    # Threads beyond the hands are for timers; over Redis come hints, which two threads can take.
    workers = [
        dramatiq.Worker(
            inner.broker,
            worker_threads=settings.worker_threads + SPARE_THREADS,
            worker_timeout=INNER_LOOK_MS,
        )
    ]
    if outer is not None:
        workers.append(
            dramatiq.Worker(outer.broker, worker_threads=SPARE_THREADS, worker_timeout=REDIS_LOOK_MS)
        )
    if settings.embedded_database:
        with db.everywhere():
            await runs.rescue(limit=10_000, everything=True)
    for worker in workers:
        await asyncio.to_thread(worker.start)
    clock = Clock(inner, outer, hands, settings.lease_seconds, alone=settings.embedded_database)
    async with runs.beating(settings.database_url, settings.lease_seconds):
        ticking = asyncio.create_task(clock.run(), name="clock")
        try:
            yield clock
        finally:
            ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ticking
            stopping = [asyncio.create_task(asyncio.to_thread(worker.stop, 8000)) for worker in workers]
            await here.finish()
            await asyncio.gather(*stopping)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GRACE_SECONDS):
                    await runs.ENDINGS.settled()
            for waiting in hands.waiting():
                with contextlib.suppress(Exception), db.within(waiting.workspace_id):
                    await runs.give_back(waiting)
            set_event_loop_thread(None)
