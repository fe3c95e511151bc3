"""Keeps the leases of the runs that this process has, however busy its event loop is.

On PostgreSQL a thread of its own does it, over a connection of its own. With SQLite there is one
process, whose end is the end of all its leases: it renews them on its loop, before it looks for lost ones.
"""

import asyncio
import contextlib
import os
import sys
import threading
import time
import traceback
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import structlog

from domain import db
from domain.runs.models import Run

BEATS_PER_LEASE = 3
GRACE_SECONDS = 10.0
"""How long after its time limit an attempt may still be ending before its lease is let go."""
BLOCKED_SECONDS = 5.0
GIVE_UP_CODE = 70
log = structlog.get_logger(__name__)

_OURS = "(id, fence) IN ({held}) AND state IN ('RUNNING', 'CANCELLING')"
# A row that is locked is skipped: its own step is renewing the lease just now.
_RENEW = (
    "UPDATE runs SET lease_until = {now+lease} WHERE id IN (SELECT id FROM runs WHERE " + _OURS + " {skip})"
)
_STILL_OURS = "SELECT id FROM runs WHERE " + _OURS


def _about(statement: str, held: Sequence["Hold"]) -> str:
    """A statement about the runs in hand, each with the fence that it was given."""
    pairs = ", ".join(f"({hold.run.id:d}, {hold.run.fence:d})" for hold in held)
    skip = "FOR UPDATE SKIP LOCKED" if db.is_postgres() else ""
    return statement.replace("{held}", pairs).replace("{skip}", skip)


@dataclass(eq=False)
class Hold:
    """One run in hand: its lease is renewed until it is let go or lost."""

    run: Run
    timeout: asyncio.Timeout
    loop: asyncio.AbstractEventLoop
    until: float
    """When it must have ended, by this machine's monotonic clock."""
    lost: bool = False

    def lose(self) -> None:
        """Have the attempt end, if it has not: somebody else has the run, or may have it soon."""
        if not self.lost and self in HEART.held:
            self.lost = True
            if not self.timeout.expired():
                self.timeout.reschedule(self.loop.time())


@dataclass
class Heart:
    """The runs that this process has, and when it last could say so."""

    held: set[Hold] = field(default_factory=set)
    ticked: float = 0.0
    """When the event loop last came round, as the thread sees it."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextlib.contextmanager
    def holding(self, run: Run, timeout: asyncio.Timeout) -> Iterator[Hold]:
        until = time.monotonic() + run.deadline_seconds + GRACE_SECONDS
        hold = Hold(run, timeout, asyncio.get_running_loop(), until)
        with self.lock:
            self.held.add(hold)
        try:
            yield hold
        finally:
            with self.lock:
                self.held.discard(hold)

    def beating(self) -> list[Hold]:
        """The runs whose leases are to be renewed: one that is long past its time limit is let go."""
        with self.lock:
            held = list(self.held)
        late = [hold for hold in held if time.monotonic() > hold.until and not hold.lost]
        for hold in late:
            log.error("run_hangs", run=hold.run.id, kind=hold.run.kind)
            hold.loop.call_soon_threadsafe(hold.lose)
        return [hold for hold in held if hold not in late and not hold.lost]


HEART = Heart()


@contextlib.asynccontextmanager
async def beating(url: str, lease_seconds: float) -> AsyncIterator[None]:
    """Keep this process's leases for the time of the block."""
    if not db.is_postgres():
        task = asyncio.create_task(_renewing(lease_seconds), name="heart")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        return
    beat = _Beat(url, lease_seconds, asyncio.get_running_loop())
    thread = threading.Thread(target=beat.run, name="heart", daemon=True)
    thread.start()
    try:
        yield
    finally:
        beat.stop.set()
        await asyncio.to_thread(thread.join, 5.0)


async def renew(lease_seconds: float) -> None:
    """Renew every lease of this process, on its loop; for SQLite."""
    held = HEART.beating()
    if held:
        await db.execute(_about(_RENEW, held), lease=lease_seconds)
        _notice(held, await db.rows(_about(_STILL_OURS, held)))


def _notice(held: Sequence["Hold"], ours: Iterable[Mapping[str, Any]]) -> None:
    """Have the attempts end whose runs went on without them."""
    kept = {row["id"] for row in ours}
    for hold in held:
        if hold.run.id not in kept:
            hold.loop.call_soon_threadsafe(hold.lose)


async def _renewing(lease_seconds: float) -> None:
    while True:
        await asyncio.sleep(lease_seconds / BEATS_PER_LEASE)
        with contextlib.suppress(Exception):
            await renew(lease_seconds)


class _Beat:
    """The thread: it renews, notices what was lost, and watches the event loop."""

    def __init__(self, url: str, lease_seconds: float, loop: asyncio.AbstractEventLoop) -> None:
        self._url = url
        self._lease = lease_seconds
        self._loop = loop
        self._main = threading.get_ident()
        self._renewed = HEART.ticked = time.monotonic()  # what ticked before us says nothing of now
        self._blocked = False
        self.stop = threading.Event()

    def run(self) -> None:
        asyncio.run(self._beat())

    async def _beat(self) -> None:
        connection: asyncpg.Connection | None = None
        every = self._lease / BEATS_PER_LEASE
        try:
            while not await asyncio.to_thread(self.stop.wait, min(1.0, every / 2)):
                self._watch()
                if time.monotonic() - self._renewed < every:
                    continue
                try:
                    async with asyncio.timeout(every):
                        if connection is None or connection.is_closed():
                            connection = await asyncpg.connect(
                                self._url, server_settings={"application_name": "careline heart"}
                            )
                            # Not with the session's start, where a pooler may leave it out.
                            await connection.execute(f"SET {db.SCOPE} = '{db.EVERYWHERE}'")
                        await self._renew(connection)
                except Exception as error:
                    log.warning("heart_failed", error=type(error).__name__)
                    if connection is not None:
                        connection.terminate()
                        connection = None
                    self._doubt()
        finally:
            if connection is not None:
                connection.terminate()

    async def _renew(self, connection: asyncpg.Connection) -> None:
        began = time.monotonic()
        held = HEART.beating()
        if held:
            text, values = db.compiled(_about(_RENEW, held), lease=self._lease)
            await connection.execute(text, *values)
            _notice(held, await connection.fetch(_about(_STILL_OURS, held)))
        self._renewed = began

    def _doubt(self) -> None:
        """Without a database for most of a lease, what is in hand may be somebody else's soon."""
        if time.monotonic() - self._renewed > self._lease * 2 / 3:
            for hold in HEART.beating():
                hold.loop.call_soon_threadsafe(hold.lose)

    def _watch(self) -> None:
        """Say where the event loop hangs, and end the process when a run hangs it past its time limit."""
        now = time.monotonic()
        if not HEART.ticked or now - HEART.ticked < BLOCKED_SECONDS:
            self._blocked = False
        elif not self._blocked:
            self._blocked = True
            stack = traceback.extract_stack(sys._current_frames().get(self._main))[-5:]
            where = [f"{frame.name}:{frame.lineno}" for frame in stack]
            log.error("loop_blocked", seconds=round(now - HEART.ticked, 1), where=where)
        if self._blocked and any(now > hold.until for hold in list(HEART.held)):
            log.critical("loop_hangs", seconds=round(now - HEART.ticked, 1))
            os._exit(GIVE_UP_CODE)  # nothing else ends it; the supervisor starts another
        self._loop.call_soon_threadsafe(self._tick)

    @staticmethod
    def _tick() -> None:
        HEART.ticked = time.monotonic()
