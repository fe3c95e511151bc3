"""Wakes whoever waits for work or for news; only speed hangs on it.

Within a process a nudge is a call. Across processes on PostgreSQL it is a NOTIFY, sent outside the
transaction and at most once in a few milliseconds, since each NOTIFY takes a lock of the whole server.
A lost nudge costs latency: everybody also looks by themselves each second.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import structlog

from domain import db

CHANNEL = "careline"
GATHER_SECONDS = 0.005
RECONNECT_SECONDS = 1.0

_listeners: set[Callable[[], None]] = set()
log = structlog.get_logger(__name__)


def ring() -> None:
    """Nudge once the running transaction has committed."""
    db.after_commit(ring_now)


def ring_now() -> None:
    for listener in list(_listeners):
        listener()


@contextlib.contextmanager
def listening(listener: Callable[[], None]) -> Any:
    """Have `listener` called at each nudge, for the time of the block."""
    _listeners.add(listener)
    try:
        yield
    finally:
        _listeners.discard(listener)


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
        except (OSError, asyncpg.PostgresError, TimeoutError) as error:
            log.warning("nudges_unreachable", error=type(error).__name__)
            await asyncio.sleep(RECONNECT_SECONDS)
            continue
        try:
            await _exchange(connection)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
            log.warning("nudges_interrupted", error=type(error).__name__)
            await asyncio.sleep(RECONNECT_SECONDS)
        finally:
            connection.terminate()


async def _exchange(connection: asyncpg.Connection) -> None:
    own = asyncio.Event()
    gone = asyncio.Event()
    pid = connection.get_server_pid()

    def heard(_: Any, sender: int, __: str, ___: Any) -> None:
        if sender != pid:
            for listener in list(_listeners):
                if listener is not own.set:
                    listener()

    def lost(_: Any) -> None:
        gone.set()
        own.set()

    connection.add_termination_listener(lost)
    await connection.add_listener(CHANNEL, heard)
    tell = own.set
    _listeners.add(tell)
    try:
        while not gone.is_set():
            await own.wait()
            await asyncio.sleep(GATHER_SECONDS)
            own.clear()
            await connection.execute(f"NOTIFY {CHANNEL}")
    finally:
        _listeners.discard(tell)
