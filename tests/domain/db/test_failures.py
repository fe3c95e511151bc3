"""What a database's failure is called, whoever raised it, and what is only a mistake of ours."""

import asyncio
import contextlib
import sqlite3
from typing import Any

import asyncpg
import pytest
from tortoise.connection import get_connections
from tortoise.exceptions import IntegrityError, OperationalError

from domain import db
from domain.db import Failure, Unavailable, failure_of
from domain.db import asyncpg as engine


def of_sqlite(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("from the driver")
    error.sqlite_errorcode = code
    return error


def wrapped(error: Exception) -> Exception:
    return OperationalError(error)


def led_to(cause: Exception) -> Exception:
    error = RuntimeError("something failed")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (ConnectionRefusedError(), Failure.AWAY),
        (asyncpg.ConnectionDoesNotExistError("gone"), Failure.AWAY),
        (asyncpg.AdminShutdownError("bye"), Failure.AWAY),
        (asyncpg.CannotConnectNowError("starting up"), Failure.AWAY),
        (asyncpg.ReadOnlySQLTransactionError("a replica"), Failure.AWAY),
        (asyncpg.InternalClientError("got result for unknown protocol state"), Failure.AWAY),
        (asyncpg.InterfaceError("connection is closed"), Failure.AWAY),
        (asyncpg.InterfaceError("the server expects 1 argument"), None),
        (asyncpg.TooManyConnectionsError("sorry"), Failure.BUSY),
        (asyncpg.LockNotAvailableError("lock timeout"), Failure.BUSY),
        (asyncpg.QueryCanceledError("statement timeout"), Failure.SLOW),
        (asyncpg.DiskFullError("no space left"), Failure.FULL),
        (asyncpg.DeadlockDetectedError("deadlock"), Failure.CLASH),
        (asyncpg.SerializationError("try again"), Failure.CLASH),
        (asyncpg.UniqueViolationError("a row is there"), None),
        (of_sqlite(sqlite3.SQLITE_BUSY), Failure.BUSY),
        (of_sqlite(sqlite3.SQLITE_FULL), Failure.FULL),
        (of_sqlite(sqlite3.SQLITE_IOERR_WRITE), Failure.FULL),
        (of_sqlite(sqlite3.SQLITE_ERROR), None),
        (RuntimeError("unable to perform operation on <TCPTransport>; the handler is closed"), Failure.AWAY),
        (RuntimeError("dictionary changed size during iteration"), None),
        (ValueError("ours"), None),
        (TimeoutError(), None),
    ],
    ids=repr,
)
def test_a_failure_has_one_name_however_it_is_wrapped(error: Exception, failure: Failure | None) -> None:
    assert failure_of(error) is failure
    assert failure_of(wrapped(error)) is failure
    assert failure_of(led_to(wrapped(error))) is failure


def test_only_a_clash_is_known_to_be_undone() -> None:
    assert [failure for failure in Failure if failure.undone] == [Failure.CLASH]


def test_errors_that_contain_each_other_are_looked_at_once() -> None:
    first, second = RuntimeError(), IntegrityError()
    first.__cause__, second.__cause__ = second, first
    assert failure_of(first) is None


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_who_waits_in_vain_for_a_connection_hears_that_the_database_is_busy(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "ACQUIRE_SECONDS", 0.2)
    pool: Any = get_connections().get("postgres")
    await db.value("SELECT 1")
    held = [await pool._pool.acquire() for _ in range(pool._pool.get_max_size())]
    for asking in (db.value("SELECT 1"), db.execute("SELECT 1"), in_a_transaction()):
        with pytest.raises(Unavailable) as caught:
            await asking
        assert caught.value.failure is Failure.BUSY
    for connection in held:
        await pool._pool.release(connection)
    assert await db.value("SELECT 1") == 1


async def in_a_transaction() -> None:
    async with db.transaction():
        await db.value("SELECT 1")


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_slow_statement_is_ended_by_the_server_and_a_silent_server_by_the_driver(
    database_url: str,
) -> None:
    async with db.open_database(database_url, statement_seconds=0.2):
        with pytest.raises(Exception, match="statement timeout") as caught:
            await db.value("SELECT pg_sleep(5)")
        assert failure_of(caught.value) is Failure.SLOW
        with pytest.raises(Unavailable) as given_up:
            async with asyncio.timeout(10), db.transaction():
                await db.execute("SET LOCAL statement_timeout = 0")
                await db.value("SELECT pg_sleep(9)")
        assert given_up.value.failure is Failure.SLOW
        assert await db.value("SELECT 1") == 1


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_the_statements_of_a_request_share_its_time(database: str) -> None:
    async def request() -> None:
        db.answer_within(1.0)
        async with db.transaction():
            for _ in range(20):
                await db.value("SELECT pg_sleep(0.2)")

    began = asyncio.get_running_loop().time()
    with pytest.raises(Unavailable):
        await asyncio.create_task(request())
    assert asyncio.get_running_loop().time() - began < 3
    assert await db.value("SELECT 1 FROM pg_sleep(1.2)") == 1  # whoever has not set a time has it


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_transaction_that_lost_its_session_never_says_that_it_committed(database: str) -> None:
    await db.execute("CREATE TABLE kept (n int)")

    async def request() -> None:
        async with db.transaction():
            await db.execute("INSERT INTO kept VALUES (1)")
            db.answer_within(0.2)
            with contextlib.suppress(Unavailable):
                await db.value("SELECT pg_sleep(5)")

    with pytest.raises(Unavailable):
        await asyncio.create_task(request())
    assert await db.value("SELECT count(*) FROM kept") == 0


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_terminated_backends_cost_the_statements_under_way_and_no_more(database: str) -> None:
    sleeping = asyncio.create_task(db.value("SELECT pg_sleep(30)"))
    async with asyncio.timeout(20):
        while not await db.value(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(30)%' AND state = 'active'"
        ):
            await asyncio.sleep(0.02)
        await db.value(
            """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()"""
        )
        with pytest.raises(Exception, match="conne") as caught:
            await sleeping
        assert failure_of(caught.value) is Failure.AWAY
        assert [await db.value("SELECT 1") for _ in range(5)] == [1] * 5
