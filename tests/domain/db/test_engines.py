"""Whatever await a task is cancelled at, the database serves the next one, and stores all or nothing."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tortoise.connection import get_connections
from tortoise.transactions import in_transaction

from domain import db
from tests.domain.db.cancelling import Manner, at_rest, cancelled_at, every_await

MANNERS = pytest.mark.parametrize("manner", list(Manner), ids=lambda manner: manner.name.lower())


class Failed(Exception):
    """What a piece of work raises so that it is rolled back."""


@pytest.fixture
async def marks(database: str) -> AsyncIterator[None]:
    """A scratch table: which half of which piece of work was stored."""
    await db.execute("CREATE TABLE marks (work BIGINT NOT NULL, half BIGINT NOT NULL)")
    yield
    await _whole()


async def _halves(work: int) -> None:
    await db.execute("INSERT INTO marks (work, half) VALUES (:work, 1)", work=work)
    assert await db.value("SELECT count(*) FROM marks WHERE work = :work", work=work) == 1
    await db.execute("INSERT INTO marks (work, half) VALUES (:work, 2)", work=work)


async def _plain(work: int) -> None:
    async with db.transaction():
        await _halves(work)


async def _nested(work: int) -> None:
    async with db.transaction():
        await db.execute("INSERT INTO marks (work, half) VALUES (:work, 1)", work=work)
        async with db.transaction():
            await db.execute("INSERT INTO marks (work, half) VALUES (:work, 2)", work=work)


async def _savepoint(work: int) -> None:
    async with db.transaction():
        await db.execute("INSERT INTO marks (work, half) VALUES (:work, 1)", work=work)
        async with in_transaction(db.dialect()):
            await db.execute("INSERT INTO marks (work, half) VALUES (:work, 2)", work=work)


async def _failing(work: int) -> None:
    with pytest.raises(Failed):
        async with db.transaction():
            await _halves(work)
            raise Failed


def _client() -> Any:
    return get_connections().get(db.dialect())


async def _stored() -> dict[int, int]:
    found = await db.rows("SELECT work, count(*) AS halves FROM marks GROUP BY work")
    return {row["work"]: row["halves"] for row in found}


async def _whole() -> None:
    """A transaction works at once, no transaction is open, and every connection is free."""
    async with asyncio.timeout(10):
        async with db.transaction():
            await db.execute("INSERT INTO marks (work, half) VALUES (-1, 1)")
            await db.execute("DELETE FROM marks WHERE work = -1")
        await at_rest()


async def _together(barrier: asyncio.Barrier) -> None:
    async with db.transaction():
        await db.value("SELECT 1")
        await barrier.wait()


async def _all_places_free() -> None:
    """Hold as many transactions at once as the pool has places."""
    if not db.is_postgres():
        return
    size = _client()._pool.get_max_size()
    barrier = asyncio.Barrier(size)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        for _ in range(size):
            group.create_task(_together(barrier))


@MANNERS
@pytest.mark.parametrize("work", [_plain, _nested, _savepoint, _failing])
async def test_a_task_may_be_cancelled_at_any_await(marks: None, work: Any, manner: Manner) -> None:
    last = -1
    async for k in every_await(work, manner):
        await _whole()
        stored = await _stored()
        assert stored.get(k, 0) in ((0,) if work is _failing else (0, 2)), f"await {k}"
        last = k
    assert last >= 4, "the work has more awaits than that: nothing was tried"
    assert (await _stored()).get(last, 0) == (0 if work is _failing else 2), "the undisturbed one"
    await _all_places_free()


@MANNERS
async def test_a_single_statement_may_be_cancelled_at_any_await(marks: None, manner: Manner) -> None:
    async def work(k: int) -> None:
        await db.execute("INSERT INTO marks (work, half) VALUES (:work, 1)", work=k)

    async for _ in every_await(work, manner):
        await _whole()
    await _all_places_free()


@MANNERS
async def test_many_rows_at_once_may_be_cancelled_at_any_await(marks: None, manner: Manner) -> None:
    """The mapper's own way to write many rows opens a transaction by itself."""
    places = ("$1", "$2") if db.is_postgres() else ("?", "?")

    async def work(k: int) -> None:
        await _client().execute_many(
            f"INSERT INTO marks (work, half) VALUES ({', '.join(places)})", [[k, half] for half in (1, 2)]
        )

    async for k in every_await(work, manner):
        await _whole()
        assert (await _stored()).get(k, 0) in (0, 2)
    await _all_places_free()


@MANNERS
async def test_waiting_for_a_connection_may_be_cancelled_at_any_await(marks: None, manner: Manner) -> None:
    """All connections are in others' hands; the queue behind them stays in order."""
    size = _client()._pool.get_max_size() if db.is_postgres() else 1
    for k in range(12):
        held, go_on = asyncio.Barrier(size + 1), asyncio.Event()

        async def hold(held: asyncio.Barrier, go_on: asyncio.Event) -> None:
            async with db.transaction():
                await held.wait()
                await go_on.wait()

        holders = [asyncio.create_task(hold(held, go_on)) for _ in range(size)]
        await held.wait()
        waiting = asyncio.create_task(cancelled_at(lambda k=k: _plain(k), k, manner))  # type: ignore[misc]
        for _ in range(10):
            await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(waiting, *holders)
        await _whole()
        assert (await _stored()).get(k, 0) in (0, 2)
    await _all_places_free()


@pytest.mark.parametrize("ending", ["commit", "rollback"])
@pytest.mark.parametrize("cancels", [1, 3])
async def test_a_cancel_during_the_end_waits_for_it(
    marks: None, monkeypatch: pytest.MonkeyPatch, ending: str, cancels: int
) -> None:
    reached, go_on = asyncio.Event(), asyncio.Event()
    wrapper = type(_client()._in_transaction().client if db.is_postgres() else _sqlite_writer())
    original = getattr(wrapper, ending)

    async def slow(self: Any) -> None:
        reached.set()
        await go_on.wait()
        await original(self)

    work = _plain if ending == "commit" else _failing
    with monkeypatch.context() as patch:
        patch.setattr(wrapper, ending, slow)
        task = asyncio.create_task(work(1))
        await reached.wait()
        for _ in range(cancels):
            task.cancel()
            for _ in range(5):
                await asyncio.sleep(0)
        assert not task.done()
        assert not await _somebody_else_gets_in()
        go_on.set()
        await asyncio.wait([task], timeout=10)
    assert task.cancelled()
    await _whole()
    assert await _stored() == ({1: 2} if ending == "commit" else {})


def _sqlite_writer() -> Any:
    return _client()._in_transaction().connection


async def _somebody_else_gets_in() -> bool:
    """Whether the connection of the ending transaction is free for another."""
    client = _client()
    if db.is_postgres():
        return bool(client._pool.get_idle_size() == client._pool.get_size())
    return not client._lock.locked()


async def test_a_commit_that_fails_stores_nothing(marks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A constraint that is only checked at COMMIT refuses there."""
    await db.execute(
        "CREATE TABLE firsts (id BIGINT PRIMARY KEY)"
        if db.is_postgres()
        else "CREATE TABLE firsts (id BIGINT NOT NULL PRIMARY KEY)"
    )
    await db.execute(
        """CREATE TABLE seconds (id BIGINT NOT NULL REFERENCES firsts (id) DEFERRABLE INITIALLY DEFERRED)"""
    )
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        async with db.transaction():
            await _halves(1)
            await db.execute("INSERT INTO seconds (id) VALUES (7)")
    await _whole()
    assert await _stored() == {}


@pytest.mark.parametrize("seed", range(6))
async def test_thirty_tasks_cancelled_at_random_leave_nothing_half_done(marks: None, seed: int) -> None:
    await _all_places_free()  # connected: asyncpg complains aloud of a cancelled attempt to connect
    chance = random.Random(seed)
    works = [_plain, _nested, _savepoint, _failing]
    plan = [
        (n, chance.choice(works), chance.randrange(0, 30), chance.choice(list(Manner))) for n in range(30)
    ]

    async def one(n: int, work: Any, k: int, manner: Manner) -> bool:
        return await cancelled_at(lambda: work(n), k, manner)

    async with asyncio.timeout(60):
        disturbed = await asyncio.gather(*(one(*item) for item in plan))
    await _whole()
    stored = await _stored()
    assert any(disturbed)
    for (n, work, _, _), cancelled in zip(plan, disturbed, strict=True):
        if work is _failing:
            assert n not in stored
        elif cancelled:
            assert stored.get(n, 0) in (0, 2)
        else:
            assert stored.get(n) == 2
    await _all_places_free()


async def test_thirty_tasks_write_side_by_side(marks: None) -> None:
    async with asyncio.timeout(60):
        await asyncio.gather(*(_plain(n) for n in range(30)))
    assert await _stored() == dict.fromkeys(range(30), 2)
