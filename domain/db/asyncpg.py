"""Tortoise's asyncpg engine, with transactions that survive cancellation.

Stock Tortoise leaks the pool's connection when the task is cancelled at BEGIN: a client that sends
mutations and hangs up would drain the pool within a few requests.
"""

from typing import Any

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import TransactionalDBClient, TransactionContext, TransactionContextPooled
from tortoise.connection import get_connections
from tortoise.exceptions import TransactionManagementError

from domain.db.ending import finished


class _Transaction(TransactionContextPooled):
    async def __aenter__(self) -> TransactionalDBClient:
        await self.ensure_connection()
        pool = self.client._parent._pool
        connection = await pool.acquire()
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


class Client(AsyncpgDBClient):
    """The engine that `domain.db.connection` names in Tortoise's configuration."""

    def _in_transaction(self) -> TransactionContext:
        return _Transaction(TransactionWrapper(self), self._pool_init_lock)

    async def create_pool(self, **kwargs: Any) -> asyncpg.Pool:
        # No session state is ever left on a connection, so the reset query at each release is waste.
        return await asyncpg.create_pool(None, reset=_keep, **kwargs)


async def _keep(connection: asyncpg.Connection) -> None:
    """Leave the session as it is."""


client_class = Client
