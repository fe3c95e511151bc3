"""Tortoise's SQLite engine, with transactions that survive cancellation and begin as writers.

Stock Tortoise takes its lock before BEGIN and never gives it back when the task is cancelled there:
one cancelled request would stop the process for ever. BEGIN IMMEDIATE makes two writers queue
instead of failing when the second one upgrades its lock.
"""

import re
from collections.abc import Sequence
from typing import Any

from tortoise.backends.base.client import NestedTransactionContext, TransactionalDBClient, TransactionContext
from tortoise.backends.sqlite.client import SqliteClient, SqliteTransactionContext, SqliteTransactionWrapper
from tortoise.connection import get_connections

from domain.db.breaking import breakable
from domain.db.ending import finished
from domain.db.readonly import check_writable
from domain.db.slowness import timed

_CHANGES = re.compile(r"\s*(INSERT|UPDATE|DELETE|REPLACE|CREATE|ALTER|DROP)\b", re.IGNORECASE)


class _Transaction(SqliteTransactionContext):
    async def __aenter__(self) -> TransactionalDBClient:
        await self._trxlock.acquire()
        token = None
        try:
            check_writable()
            await self.ensure_connection()
            token = self.token = get_connections().set(self.connection_name, self.connection)
            await self.connection.begin()
        except BaseException:
            if token is not None:
                get_connections().reset(token)
            try:
                if self.connection._connection:
                    await finished(self.connection._connection.rollback())
            finally:
                self._trxlock.release()
            raise
        return self.connection  # type: ignore[no-any-return]

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        # The end of a transaction is one step: a cancel that arrives during COMMIT waits for it, so
        # that the lock is never released over an open transaction.
        try:
            await finished(self._end(exc_type))
        finally:
            get_connections().reset(self.token)
            self._trxlock.release()

    async def _end(self, exc_type: Any) -> None:
        if self.connection._finalized:
            return
        if exc_type is None:
            try:
                await self.connection.commit()
                return
            except BaseException:
                await self.connection._connection.rollback()
                raise
        await self.connection.rollback()


class _Watched:
    """Notes the slow statements, and gives rows as they come."""

    acquire_connection: Any
    log: Any

    async def execute_insert(self, query: str, values: list[Any]) -> Any:
        with timed(query, "sqlite"):
            return await super().execute_insert(query, values)  # type: ignore[misc]

    async def execute_query(self, query: str, values: list[Any] | None = None) -> Any:
        with timed(query, "sqlite"):
            return await super().execute_query(query, values)  # type: ignore[misc]

    async def execute_query_dict(self, query: str, values: list[Any] | None = None) -> Any:
        with timed(query, "sqlite"):
            return await super().execute_query_dict(query, values)  # type: ignore[misc]

    async def raw_rows(self, text: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """The rows as the driver gives them."""
        async with self.acquire_connection() as connection:
            self.log.debug("%s: %s", text, values)
            with timed(text, "sqlite"):
                found: Sequence[Sequence[Any]] = await connection.execute_fetchall(text, list(values))
        return found


class _Writer(_Watched, SqliteTransactionWrapper):
    def _in_transaction(self) -> TransactionContext:
        return NestedTransactionContext(_Writer(self))

    async def begin(self) -> None:
        await self._connection.execute("BEGIN IMMEDIATE")


class Client(_Watched, SqliteClient):
    """The engine that `domain.db.connection` names in Tortoise's configuration."""

    async def create_connection(self, with_db: bool) -> None:
        fresh = not self._connection
        await super().create_connection(with_db)
        if fresh and self._connection:
            breakable(self._connection)

    def _in_transaction(self) -> TransactionContext:
        return _Transaction(_Writer(self), self._lock)

    async def execute_insert(self, query: str, values: list[Any]) -> Any:
        check_writable()
        return await super().execute_insert(query, values)

    async def execute_query(self, query: str, values: list[Any] | None = None) -> Any:
        if _CHANGES.match(query):
            check_writable()
        return await super().execute_query(query, values)

    async def execute_query_dict(self, query: str, values: list[Any] | None = None) -> Any:
        if _CHANGES.match(query):
            check_writable()
        return await super().execute_query_dict(query, values)

    async def execute_many(self, query: str, values: list[list[Any]]) -> None:
        async with self._in_transaction() as writer:
            await writer.execute_many(query, values)


client_class = Client
