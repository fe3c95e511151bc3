"""Turns rows into messages: numbers the journal, rings for runs and timers, rescues what was lost.

Every worker process runs one. Several at once do nothing twice, since each thing they do is guarded
by the row it is done to.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

import structlog

from domain import feeds, nudges, runs, timekeeping
from jobs.broker import Bell
from jobs.crontab import CRONTAB
from jobs.due import DUE, anything

TICK_SECONDS = 1.0
RESCUE_SECONDS = 5.0
SLOW_SECONDS = 10.0
REACTIONS = "reactions"
log = structlog.get_logger(__name__)


class Clock:
    """The loop of one process. `bells` are tried in order, so that Redis is first and the inner one last."""

    def __init__(self, bells: list[Bell]) -> None:
        self._bells = bells
        self._stir = asyncio.Event()
        self._rescued = 0.0
        self._kept_house = [time.monotonic()] * len(CRONTAB)
        self.ticked = time.monotonic()
        """When the loop last came round: what a health check looks at."""

    async def run(self) -> None:
        """Go on until cancelled; a failing database is reported and tried again."""
        with nudges.WORK.listening(self._stir.set):
            while True:
                try:
                    async with asyncio.timeout(SLOW_SECONDS):
                        await self.tick()
                except TimeoutError:
                    log.error("clock_stalled", seconds=SLOW_SECONDS)
                except Exception as error:
                    log.error("clock_failed", error=type(error).__name__, exc_info=True)
                    await asyncio.sleep(TICK_SECONDS)
                self.ticked = time.monotonic()
                # Not wait_for: before Python 3.12 it loses a cancellation that meets a nudge.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(TICK_SECONDS):
                        await self._stir.wait()
                self._stir.clear()

    async def tick(self) -> None:
        """Look once at everything that may want something."""
        for workspace_id in await feeds.unnumbered():
            while await feeds.number(workspace_id) == feeds.BATCH:
                pass
        if await feeds.unreacted(1):
            await self._ring(lambda bell: bell.due(REACTIONS))
        now = timekeeping.machine_now()
        for kind in DUE:
            if await anything(now, kind):
                await self._ring(lambda bell, kind=kind: bell.due(kind))  # type: ignore[misc]
        for row in await runs.ring_ready():
            await self._ring(lambda bell, row=row: bell.run(row["id"], row["queue"]))  # type: ignore[misc]
        if time.monotonic() - self._rescued > RESCUE_SECONDS:
            self._rescued = time.monotonic()
            rescued = await runs.rescue()
            if rescued:
                log.warning("runs_rescued", runs=rescued)
        await self._keep_house()

    async def _ring(self, send: Callable[[Bell], Awaitable[bool]]) -> None:
        for bell in self._bells:
            if await send(bell):
                return

    async def _keep_house(self) -> None:
        for index, (every, job) in enumerate(CRONTAB):
            if time.monotonic() - self._kept_house[index] > every.total_seconds():
                self._kept_house[index] = time.monotonic()
                await job()
