"""Cancels a task at its k-th await, exactly, without counting on time, and says whether the database is whole."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from enum import StrEnum
from typing import Any

from tortoise.connection import get_connections

from domain import db


class Manner(StrEnum):
    """When, around the await that is meant, the cancel arrives."""

    WAITING = "while it waits"
    DONE = "when what it waits for is done and the task has not run yet"
    AGAIN = "at this await and at each one after it, as a cancel scope of anyio does"


class _At:
    """Runs a coroutine inside the current task and cancels that task when await `k` is reached."""

    def __init__(self, inner: Coroutine[Any, Any, Any], k: int, manner: Manner) -> None:
        self.inner, self.k, self.manner = inner, k, manner
        self.awaits = 0

    def __await__(self) -> Generator[Any, Any, Any]:
        task = asyncio.current_task()
        assert task is not None
        send, given = self.inner.send, None
        while True:
            try:
                waited_for = send(given)
            except StopIteration as end:
                return end.value
            hit = self.awaits == self.k or (self.manner is Manner.AGAIN and self.awaits > self.k)
            self.awaits += 1
            if hit and self.manner is Manner.DONE and waited_for is not None:
                # Ours is the first callback, so the task is cancelled before it is woken.
                waited_for.add_done_callback(lambda _: task.cancel())
            elif hit:
                task.cancel()
            try:
                given = yield waited_for
                send = self.inner.send
            except BaseException as error:
                given, send = error, self.inner.throw


async def cancelled_at(work: Callable[[], Coroutine[Any, Any, Any]], k: int, manner: Manner) -> bool:
    """Do `work` in a task of its own and cancel it at its await number `k`; whether it got that far."""
    drive = _At(work(), k, manner)

    async def run() -> None:
        await drive

    task = asyncio.create_task(run())
    await asyncio.wait([task], timeout=20)
    assert task.done(), f"cancelled at await {k} ({manner.value}), the task hangs"
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error
    return drive.awaits > k


async def every_await(
    work: Callable[[int], Coroutine[Any, Any, Any]], manner: Manner, limit: int = 400
) -> AsyncIterator[int]:
    """Cancel `work(k)` at its k-th await, for each k until it ends without having been cancelled."""
    for k in range(limit):
        reached = await cancelled_at(lambda k=k: work(k), k, manner)  # type: ignore[misc]
        yield k
        if not reached:
            return
    raise AssertionError(f"more than {limit} awaits")


async def at_rest() -> None:
    """No transaction is open, no lock is held, and every connection is free; waits where it takes a moment."""
    client: Any = get_connections().get(db.dialect())
    if not db.is_postgres():
        assert not client._lock.locked()
        assert not client._connection.in_transaction
        return
    pool = client._pool
    while pool.get_idle_size() != pool.get_size():
        await asyncio.sleep(0)  # asyncpg gives a cancelled task's connection back in its own time
    others = """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                AND state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()"""
    assert await db.value(others) == 0
