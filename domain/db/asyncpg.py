"""Tortoise's asyncpg engine, with transactions that survive cancellation and waits that end.

Stock Tortoise leaks the pool's connection when the task is cancelled at BEGIN: a client that sends
mutations and hangs up would drain the pool within a few requests. It also waits for ever for a
connection that nobody gives back, and a server that falls silent holds each statement up anew.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import (
    NestedTransactionContext,
    PoolConnectionWrapper,
    TransactionalDBClient,
    TransactionContext,
    TransactionContextPooled,
)
from tortoise.connection import get_connections
from tortoise.exceptions import TransactionManagementError

from domain.db.ending import finished
from domain.db.failures import Failure, Unavailable
from domain.db.patience import remaining
from domain.db.pool import Pool
from domain.db.scope import SETTING, scope
from domain.db.slowness import timed

UNKNOWN = "?"
ACQUIRE_SECONDS = 5.0
"""How long a statement waits for a connection: longer, and the caller had better hear no."""


async def _acquired(pool: Any) -> Any:
    left = remaining(ACQUIRE_SECONDS)
    if left is None or left <= 0:
        raise Unavailable(Failure.SLOW)
    if (idle := await pool.idle(scope())) is not None:
        return idle
    try:
        return await pool.acquire(timeout=left)
    except TimeoutError as error:
        raise Unavailable(Failure.BUSY) from error


class _Session(asyncpg.Connection):  # type: ignore[misc]
    """A connection that knows the scope it is set to, and how long whoever uses it may wait."""

    scope: str = UNKNOWN
    """Of a new one it is not known: behind a pooler its session may be an old one."""

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> Any:  # noqa: ASYNC109
        with self._in_time(timeout) as left:
            return await super().execute(query, *args, timeout=left)

    async def _execute(self, query: str, args: Any, limit: int, seconds: float | None, **more: Any) -> Any:
        with self._in_time(seconds) as left:
            return await super()._execute(query, args, limit, left, **more)

    @contextmanager
    def _in_time(self, timeout: float | None) -> Iterator[float | None]:
        """The seconds for one statement. When they are over nobody knows what it did: the session ends."""
        left = remaining(self._config.command_timeout if timeout is None else timeout)
        try:
            if left is not None and left <= 0:
                raise TimeoutError
            yield left
        except TimeoutError as error:
            # Not given back: a cancel, or ROLLBACK, would wait for the same silent server.
            self.terminate()
            raise Unavailable(Failure.SLOW) from error


class _Connection(PoolConnectionWrapper[Any]):
    """A connection for one statement, which sees what its task may see."""

    async def __aenter__(self) -> Any:
        await self.ensure_connection()
        pool: Any = self.client._pool
        self.connection = connection = await _acquired(pool)
        try:
            await _set_scope(connection._con)
        except BaseException:
            await finished(pool.release(connection))
            raise
        return connection


async def _set_scope(connection: _Session) -> None:
    """Set a session's scope, unless that is what it is set to."""
    wanted = scope()
    if connection.scope != wanted:
        connection.scope = UNKNOWN  # whatever becomes of the statement
        await connection.execute(f"SET {SETTING} = '{wanted}'")
        connection.scope = wanted


class _Watched:
    """Notes slow statements."""

    acquire_connection: Any
    log: Any

    async def _translate_exceptions(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        with timed(args[0] if args else func.__name__, "postgresql"):
            return await super()._translate_exceptions(func, *args, **kwargs)  # type: ignore[misc]

    async def raw_rows(self, text: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """The rows as the driver gives them."""
        async with self.acquire_connection() as connection:
            self.log.debug("%s: %s", text, values)
            with timed(text, "postgresql"):
                found: Sequence[Sequence[Any]] = await connection.fetch(text, *values)
        return found


class _Wrapper(_Watched, TransactionWrapper):
    """A transaction that keeps the scope in which it began, whatever its session is set to."""

    def _in_transaction(self) -> TransactionContext:
        return NestedTransactionContext(_Wrapper(self))

    async def begin(self) -> None:
        # Not asyncpg's own transaction: so both are one message to the server.
        await self._connection.execute(f"BEGIN; SET LOCAL {SETTING} = '{scope()}'")

    async def commit(self) -> None:
        await self._finish("COMMIT")

    async def rollback(self) -> None:
        await self._finish("ROLLBACK")

    async def _finish(self, how: str) -> None:
        if self._finalized:
            raise TransactionManagementError("Transaction already finalised")
        if self._connection._con is None:  # the session ended with a statement that took too long
            if how == "COMMIT":
                raise Unavailable(Failure.SLOW)
            return
        await self._connection.execute(how)
        self._finalized = True

    async def savepoint(self) -> None:
        await self._connection.execute(f"SAVEPOINT inner_{id(self)}")

    async def release_savepoint(self) -> None:
        await self._finish(f"RELEASE SAVEPOINT inner_{id(self)}")

    async def savepoint_rollback(self) -> None:
        await self._finish(f"ROLLBACK TO SAVEPOINT inner_{id(self)}")


class _Transaction(TransactionContextPooled):
    async def __aenter__(self) -> TransactionalDBClient:
        await self.ensure_connection()
        pool = self.client._parent._pool
        connection = await _acquired(pool)
        self.client._connection = connection
        token = None
        try:
            token = self.token = get_connections().set(self.connection_name, self.client)
            await self.client.begin()
        except BaseException:
            if token is not None:
                get_connections().reset(token)
            await finished(pool.release(connection))
            raise
        return self.client

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        try:
            await finished(self._end(exc_type))
        finally:
            get_connections().reset(self.token)

    async def _end(self, exc_type: Any) -> None:
        try:
            if not self.client._finalized:
                if exc_type is None:
                    await self.client.commit()
                elif exc_type is not TransactionManagementError:
                    await self.client.rollback()
        finally:
            if self.client._parent._pool:
                await self.client._parent._pool.release(self.client._connection)


class Client(_Watched, AsyncpgDBClient):
    """The engine that `domain.db.connection` names in Tortoise's configuration."""

    connection_class = _Session

    def acquire_connection(self) -> Any:
        return _Connection(self, self._pool_init_lock)

    def _in_transaction(self) -> TransactionContext:
        return _Transaction(_Wrapper(self), self._pool_init_lock)

    async def create_pool(self, **kwargs: Any) -> Pool:
        pool = Pool(**kwargs)
        await pool
        return pool


client_class = Client
