"""Wakes whoever waits for work or for news; only speed hangs on it.

Within a process a nudge is a call. Across processes on PostgreSQL it is a NOTIFY, sent outside the
transaction and at most once in a few milliseconds, since each NOTIFY takes a lock of the whole server.
A lost nudge costs latency: everybody also looks by themselves each second.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import asyncpg
import structlog

from domain import db, wires

CHANNEL = "careline"
GATHER_SECONDS = 0.005
RECONNECT_SECONDS = 1.0
log = structlog.get_logger(__name__)

Listener = Callable[[], None]


class Nudge:
    """One thing that may have happened, and who wants to know."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._listeners: set[Listener] = set()
        self._tell: Listener | None = None

    def ring(self) -> None:
        """Nudge once the running transaction has committed."""
        db.after_commit(self.ring_now)

    def ring_now(self) -> None:
        self.heard()
        if self._tell is not None:
            self._tell()

    def heard(self) -> None:
        """Call the listeners of this process."""
        for listener in list(self._listeners):
            listener()

    @contextlib.contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """Have `listener` called at each nudge, for the time of the block."""
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    def carried_by(self, tell: Listener | None) -> None:
        """Have `tell` carry this process's nudges to the others."""
        self._tell = tell


WORK = Nudge("work")
"""Something was written that a clock should look at: a journal line, a run, a due time."""
NEWS = Nudge("news")
"""Journal lines have been given their places: live subscribers should look."""
_ALL = {nudge.name: nudge for nudge in (WORK, NEWS)}


@contextlib.asynccontextmanager
async def across_processes(url: str) -> AsyncIterator[None]:
    """Carry nudges between the processes of one PostgreSQL database; on SQLite there is only one."""
    if not db.is_postgres():
        yield
        return
    task = asyncio.create_task(_carry(url), name="nudges")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _carry(url: str) -> None:
    while True:
        try:
            connection = await asyncpg.connect(url, timeout=5, command_timeout=5)
        except Exception as error:
            if not _away(error):
                raise
            log.warning("nudges_unreachable", error=type(error).__name__)
            await asyncio.sleep(RECONNECT_SECONDS)
            continue
        try:
            await _exchange(connection)
        except Exception as error:
            if not _away(error):
                raise
            log.warning("nudges_interrupted", error=type(error).__name__)
            await asyncio.sleep(RECONNECT_SECONDS)
        finally:
            for nudge in _ALL.values():
                nudge.carried_by(None)
            connection.terminate()


def _away(error: Exception) -> bool:
    kinds = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError)
    return isinstance(error, kinds) or wires.ended(error)


async def _exchange(connection: Any) -> None:
    """Tell the others what rings here, and hear what rings there, until the connection is gone."""
    pid = connection.get_server_pid()
    pending: set[str] = set()
    stir, gone = asyncio.Event(), asyncio.Event()

    def hear(_: Any, sender: int, __: str, name: str) -> None:
        if sender != pid and name in _ALL:
            _ALL[name].heard()

    def tell(name: str) -> Listener:
        def note() -> None:
            pending.add(name)
            stir.set()

        return note

    def lost(_: Any) -> None:
        gone.set()
        stir.set()

    connection.add_termination_listener(lost)
    await connection.add_listener(CHANNEL, hear)
    for name, nudge in _ALL.items():
        nudge.carried_by(tell(name))
        nudge.heard()  # whatever was missed while there was no connection
    while not gone.is_set():
        await stir.wait()
        await asyncio.sleep(GATHER_SECONDS)
        stir.clear()
        names = sorted(pending)
        pending.clear()
        for name in names:
            await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, name)
