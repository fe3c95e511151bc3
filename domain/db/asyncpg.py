"""Tortoise's asyncpg engine, with transactions that survive cancellation and waits that end.

Stock Tortoise leaks the pool's connection when the task is cancelled at BEGIN: a client that sends
mutations and hangs up would drain the pool within a few requests. It also waits for ever for a
connection that nobody gives back.
"""

from typing import Any

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import (
    PoolConnectionWrapper,
    TransactionalDBClient,
    TransactionContext,
    TransactionContextPooled,
)
from tortoise.connection import get_connections
from tortoise.exceptions import TransactionManagementError

from domain.db.ending import finished
from domain.db.failures import Failure, Unavailable
from domain.db.slowness import timed

ACQUIRE_SECONDS = 5.0
"""How long a statement waits for a connection: longer, and the caller had better hear no."""


async def _acquired(pool: Any) -> Any:
    try:
        return await pool.acquire(timeout=ACQUIRE_SECONDS)
    except TimeoutError as error:
        raise Unavailable(Failure.BUSY) from error


class _Connection(PoolConnectionWrapper[Any]):
    """A connection for one statement."""

    async def __aenter__(self) -> Any:
        await self.ensure_connection()
        self.connection = await _acquired(self.client._pool)
        return self.connection


class _Impatient:
    """Notes slow statements; `Unavailable` where the driver gives up on one (its `command_timeout`)."""

    async def _translate_exceptions(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            with timed(args[0] if args else func.__name__):
                return await super()._translate_exceptions(func, *args, **kwargs)  # type: ignore[misc]
        except TimeoutError as error:
            raise Unavailable(Failure.SLOW) from error


class _Wrapper(_Impatient, TransactionWrapper):
    pass


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


class Client(_Impatient, AsyncpgDBClient):
    """The engine that `domain.db.connection` names in Tortoise's configuration."""

    def acquire_connection(self) -> Any:
        return _Connection(self, self._pool_init_lock)

    def _in_transaction(self) -> TransactionContext:
        return _Transaction(_Wrapper(self), self._pool_init_lock)

    async def create_pool(self, **kwargs: Any) -> asyncpg.Pool:
        # No session state is ever left on a connection, so the reset query at each release is waste.
        return await asyncpg.create_pool(None, reset=_keep, **kwargs)


async def _keep(connection: asyncpg.Connection) -> None:
    """Leave the session as it is."""


client_class = Client
