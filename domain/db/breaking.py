"""Breaks off the statement of an embedded database that nobody waits for any more.

SQLite runs in a thread of its own, one statement after another: without this a cancelled read would
run on, and everybody would wait for it. Only the very statement that was cancelled is interrupted.
"""

import asyncio
import sqlite3
import threading
from functools import partial
from typing import Any


class _Work:
    """One thing that the database's thread is asked to do."""

    def __init__(self, connection: Any, what: partial[Any]) -> None:
        self._connection = connection
        self._what = what
        self._lock = threading.Lock()
        self._running = self._broken = False

    def __call__(self) -> Any:
        with self._lock:
            if self._broken:
                raise sqlite3.OperationalError("interrupted")
            self._running = True
        try:
            return self._what()
        finally:
            with self._lock:  # so an interrupt can never meet the statement behind this one
                self._running = False

    def break_off(self) -> None:
        with self._lock:
            self._broken = True
            if self._running and self._connection._connection is not None:
                self._connection._connection.interrupt()


def breakable(connection: Any) -> None:
    """Have an aiosqlite connection break off what is cancelled."""

    async def execute(function: Any, *args: Any, **kwargs: Any) -> Any:
        if not connection._running or not connection._connection:
            raise ValueError("Connection closed")
        work = _Work(connection, partial(function, *args, **kwargs))
        done = asyncio.get_running_loop().create_future()
        connection._tx.put_nowait((done, work))
        try:
            return await done
        except asyncio.CancelledError:
            work.break_off()
            raise

    connection._execute = execute
