"""Turns rows into work: pulls runs for this process, numbers the journal, rings for timers, rescues the lost.

Every worker process runs one. What one can do for all is left to the one that leads; two that lead at
once do nothing twice all the same, since each thing they do is guarded by the row it is done to.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence

import structlog

from domain import db, feeds, nudges, runs, timekeeping
from domain.runs import Leadership
from jobs.actors import REACTIONS_KIND, WORKER
from jobs.broker import Bell
from jobs.crontab import CRONTAB
from jobs.due import DUE, anything
from jobs.hands import Hands

TICK_SECONDS = 1.0
RESCUE_SECONDS = 5.0
SLOW_SECONDS = 10.0
HAND_OVER_SECONDS = 1.0
"""How long a pull that is broken off may take to hand over what it has claimed already."""
GATHER_SECONDS = 0.002
"""How long a pull waits for more hands to become free: one statement serves them all."""
PULL_SECONDS = 0.015
"""At a crowd of nudges, how long after a pull the next one follows: it finds more, for the same price."""
LEAD_GATHER_SECONDS = 0.02
"""How long the leader waits for more lines to number."""
DUE_SECONDS = 0.1
"""At a crowd of nudges, how often is looked for what is due and for lines that call for something."""
DOORBELLS = 40
"""How many doorbells are rung in a second at most: a broker that comes back is not flooded."""
log = structlog.get_logger(__name__)


class Clock:
    """The two loops of one process: one pulls what this process can do, one leads where it may.

    `inner` is the bell of this process; `outer`, where there is Redis, calls all processes.
    """

    def __init__(
        self, inner: Bell, outer: Bell | None, hands: Hands, lease_seconds: float, alone: bool = True
    ) -> None:
        self._inner = inner
        self._outer = outer
        self._hands = hands
        self._lease_seconds = lease_seconds
        self._alone = alone
        self._leadership = Leadership(WORKER)
        self._rescued = self._called = self._pulled = 0.0
        self._looked, self._overlooked = float("-inf"), False
        self._kept_house = [time.monotonic()] * len(CRONTAB)
        self._pulling, self._leading = asyncio.Event(), asyncio.Event()
        self.ticked = time.monotonic()
        """When the slower of the loops last came round: what a health check looks at."""
        self._rounds = {"pull": self.ticked, "lead": self.ticked}

    @property
    def leads(self) -> bool:
        return self._alone or self._leadership.leads

    @property
    def broker_away(self) -> bool:
        return self._outer is not None and self._outer.away

    async def run(self) -> None:
        """Go on until cancelled; a failing database is reported and tried again."""
        self._hands.freed = self._pulling.set
        with nudges.WORK.listening(self._pulling.set), nudges.WORK.listening(self._leading.set):
            loops = [
                asyncio.create_task(
                    self._round("pull", self.pull, self._pulling, self._gather), name="puller"
                ),
                asyncio.create_task(
                    self._round("lead", self.tick, self._leading, lambda: LEAD_GATHER_SECONDS), name="leader"
                ),
            ]
            try:
                await asyncio.gather(*loops)
            finally:
                for loop in loops:
                    if not loop.cancelling():  # a second cancel would break off what ends after the first
                        loop.cancel()
                await asyncio.gather(*loops, return_exceptions=True)
                with contextlib.suppress(Exception):
                    if self._leadership.leads:
                        await self._leadership.resign()

    async def _round(
        self, name: str, what: Callable[[], Awaitable[None]], stir: asyncio.Event, gather: Callable[[], float]
    ) -> None:
        db.enter_everywhere()  # what is due, and for whom, is asked of all workspaces at once
        while True:
            try:
                async with asyncio.timeout(SLOW_SECONDS):
                    if not db.is_read_only():  # what is due meanwhile is due afterwards too
                        await what()
            except TimeoutError:
                log.error("clock_stalled", loop=name, seconds=SLOW_SECONDS)
            except Exception as error:
                log.error("clock_failed", loop=name, error=type(error).__name__, exc_info=True)
                await asyncio.sleep(TICK_SECONDS)
            self._rounds[name] = time.monotonic()
            self.ticked = min(self._rounds.values())
            # Not wait_for: before Python 3.12 it loses a cancellation that meets a nudge.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await stir.wait()
                    await asyncio.sleep(gather())
            stir.clear()

    def _gather(self) -> float:
        return max(GATHER_SECONDS, self._pulled + PULL_SECONDS - time.monotonic())

    async def pull(self) -> None:
        """Take runs for the free hands of this process; another round follows at once where more may wait."""
        for run in self._hands.overdue():  # something long came before it
            await runs.give_back(run)
        if not (rooms := self._hands.room()):
            return
        self._pulled = time.monotonic()
        taking = asyncio.create_task(self._take(rooms), name="take")
        try:
            await asyncio.wait([taking])
        except asyncio.CancelledError:
            # What is claimed by now must come into the hands, or it would wait for its lease to end.
            await asyncio.wait([taking], timeout=HAND_OVER_SECONDS)
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)
            raise
        taking.result()

    async def _take(self, rooms: Sequence[tuple[Collection[str], int]]) -> None:
        pulled = await runs.pull_for(WORKER, self._lease_seconds, rooms)
        for run in pulled:
            self._hands.put(run)
        for run in pulled:
            await self._inner.run(run.id, run.queue)
        taken = Counter(run.queue for run in pulled)
        full = any(sum(taken[queue] for queue in queues) == room for queues, room in rooms)
        if full and self._hands.room():
            self._pulling.set()

    async def tick(self) -> None:
        """Look once at everything that may want something, if this process leads."""
        if not self._alone and not await self._leadership.lead():
            return
        for workspace_id in await feeds.unnumbered():
            if await feeds.number(workspace_id) == feeds.BATCH:
                self._leading.set()
        await self._look_for_due()
        if time.monotonic() - self._rescued > RESCUE_SECONDS:
            self._rescued = time.monotonic()
            if self._alone:  # this very loop renews this process's leases: not found lost for its own delay
                await runs.renew(self._lease_seconds)
            await runs.rescue()
        await self._call_others()
        await self._keep_house()

    async def _look_for_due(self) -> None:
        """At every nudge that comes alone; in a crowd of them, ten times a second."""
        wait = self._looked + DUE_SECONDS - time.monotonic()
        if wait > 0:
            if not self._overlooked:
                self._overlooked = True
                asyncio.get_running_loop().call_later(wait, self._leading.set)
            return
        self._looked, self._overlooked = time.monotonic(), False
        if await feeds.unreacted(1):
            await self._ring(lambda bell: bell.due(REACTIONS_KIND))
        now = timekeeping.machine_now()
        for kind in DUE:
            if await anything(now, kind):
                await self._ring(lambda bell, kind=kind: bell.due(kind))  # type: ignore[misc]
        if await runs.promote():
            nudges.WORK.ring_now()

    async def _call_others(self) -> None:
        """Ring for runs that still wait: other processes may have room that no nudge reached."""
        if self._outer is None or time.monotonic() - self._called < TICK_SECONDS:
            return
        self._called = time.monotonic()
        if not self._outer.answers:
            return
        for row in await runs.ring_ready(DOORBELLS):
            if not await self._outer.run(row["id"], row["queue"]):
                return

    async def _ring(self, send: Callable[[Bell], Awaitable[bool]]) -> None:
        bells: Iterable[Bell] = (self._outer, self._inner) if self._outer else (self._inner,)
        for bell in bells:
            if await send(bell):
                return

    async def _keep_house(self) -> None:
        for index, (every, job) in enumerate(CRONTAB):
            if time.monotonic() - self._kept_house[index] > every.total_seconds():
                self._kept_house[index] = time.monotonic()
                await job()
