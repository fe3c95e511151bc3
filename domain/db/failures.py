"""What a failing statement says of the database: away, busy, slow or full, and what is safe then."""

import asyncio
import socket
import sqlite3
from collections.abc import Iterator
from enum import StrEnum

import asyncpg
from asyncpg import exceptions as pg

from domain import wires


class Failure(StrEnum):
    """A failure that is the database's and not the statement's; trying again later may help."""

    AWAY = "DATABASE_AWAY"
    BUSY = "DATABASE_BUSY"
    SLOW = "DATABASE_SLOW"
    FULL = "DATABASE_FULL"
    CLASH = "DATABASE_CLASH"
    MIGRATING = "DATABASE_MIGRATING"

    @property
    def undone(self) -> bool:
        """Whether the database rolled the transaction back, so that doing all of it again is safe.

        Of a connection lost at COMMIT nobody knows whether it took place: only who has an
        idempotency key or a guard may do that again.
        """
        return self is Failure.CLASH


_KINDS: tuple[tuple[Failure, tuple[type[BaseException], ...]], ...] = (
    (Failure.CLASH, (pg.DeadlockDetectedError, pg.SerializationError)),
    (Failure.SLOW, (pg.QueryCanceledError,)),
    (Failure.FULL, (pg.DiskFullError, pg.OutOfMemoryError)),
    (
        Failure.BUSY,
        (
            pg.TooManyConnectionsError,
            pg.LockNotAvailableError,
            pg.InsufficientResourcesError,
            pg.ConfigurationLimitExceededError,
        ),
    ),
    (
        Failure.AWAY,
        (
            asyncpg.PostgresConnectionError,
            pg.OperatorInterventionError,
            pg.CrashShutdownError,
            pg.ReadOnlySQLTransactionError,
            pg.PostgresIOError,
            asyncpg.InternalClientError,
            socket.gaierror,
        ),
    ),
)
_SQLITE = {
    sqlite3.SQLITE_BUSY: Failure.BUSY,
    sqlite3.SQLITE_LOCKED: Failure.BUSY,
    sqlite3.SQLITE_FULL: Failure.FULL,
    sqlite3.SQLITE_IOERR: Failure.FULL,
    sqlite3.SQLITE_CANTOPEN: Failure.AWAY,
}
_CLOSED = ("connection is closed", "connection was closed", "pool is clos", "connection has been released")


class Unavailable(Exception):
    """The database could not be had in time, or did not say in time what became of a statement."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.value)
        self.failure = failure


def failure_of(error: BaseException) -> Failure | None:
    """The database's failure behind an error; none when the error is something else."""
    for cause in _causes(error):
        if isinstance(cause, Unavailable):
            return cause.failure
        for failure, kinds in _KINDS:
            if isinstance(cause, kinds):
                return failure
        if wires.ended(cause):
            return Failure.AWAY
        # asyncpg says by this one both that a connection has died and that it was used wrongly.
        if isinstance(cause, asyncpg.InterfaceError) and any(said in str(cause) for said in _CLOSED):
            return Failure.AWAY
        if isinstance(cause, sqlite3.OperationalError):
            code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
            if code in _SQLITE:
                return _SQLITE[code]
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what it wraps (Tortoise keeps the driver's error as its argument), and what led to it."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen or isinstance(each, asyncio.CancelledError):
            continue
        seen.add(id(each))
        yield each
        waiting += [each.__cause__, *(arg for arg in each.args if isinstance(arg, BaseException))]
        waiting.append(getattr(each, "original_error", None))
