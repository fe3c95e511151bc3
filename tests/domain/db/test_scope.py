"""The second wall: PostgreSQL shows a task the rows of its workspace and no others, whatever is asked."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from tortoise.functions import Count

from domain import customers, db, tasks
from domain.customers import Customer
from domain.db.scope import scope
from domain.tasks import Task
from tests.conftest import House, build_house

pytestmark = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)


@pytest.fixture
async def theirs(house: House) -> House:
    """Another workspace, with a customer and a task, as ours has."""
    other = await build_house("Theirs")
    for each in (house, other):
        customer, _ = await customers.upsert(each.admin, "C")
        async with db.transaction():
            await tasks.open_first_touch(
                each.admin,
                lead_id=1,
                customer_id=customer.id,
                acquired_at=each.workspace.clock_at or each.workspace.created_at,
            )
    return other


async def seen(model: Any) -> set[int]:
    return {row["workspace_id"] for row in await model.all().values("workspace_id")}


async def test_a_task_sees_its_workspace_only_and_without_one_nothing(house: House, theirs: House) -> None:
    assert await seen(Customer) == {house.id, theirs.id}, "the test itself sees all"
    with db.within(house.id):
        assert await seen(Customer) == {house.id}
        async with db.transaction():
            assert await seen(Task) == {house.id}
    with db.within(theirs.id):
        assert await seen(Customer) == {theirs.id}
    with db.within(0):
        assert await seen(Customer) == set()


async def test_a_task_that_says_no_scope_sees_nothing(house: House, theirs: House) -> None:
    import contextvars

    unscoped = asyncio.create_task(seen(Customer), context=contextvars.Context())
    assert await unscoped == set()


async def test_what_a_scoped_manager_leaks_the_wall_holds(house: House, theirs: House) -> None:
    """The eight ways around a manager that adds a condition: joins, values, raw, and writes by id."""
    mine = await Customer.get(workspace_id=house.id)
    other = await Customer.get(workspace_id=theirs.id)
    with db.within(house.id):
        assert await Customer.filter(id=other.id) == []
        assert await Customer.all().values_list("id", flat=True) == [mine.id]
        assert await Customer.all().annotate(n=Count("id")).values_list("n", flat=True) == [1]
        assert [c.id for c in await Customer.raw("SELECT * FROM customers")] == [mine.id]
        assert await db.value("SELECT count(*) FROM customers c JOIN tasks t ON t.customer_id = c.id") == 1
        assert await db.value("SELECT count(*) FROM customers") == 1
        await Customer.filter(id=other.id).update(name="stolen")
        other.name = "stolen"
        await Customer.bulk_update([other], ["name"])
        await other.delete()
    again = await Customer.get(id=other.id)
    assert again.name != "stolen"


async def test_nothing_is_written_into_another_workspace(house: House, theirs: House) -> None:
    with db.within(house.id):
        with pytest.raises(Exception, match="row-level security"):
            await db.execute(
                "INSERT INTO feeds (workspace_id, head, reacted) VALUES (:id, 0, 0)", id=theirs.id
            )
        with pytest.raises(LookupError):
            await customers.upsert(theirs.admin, "smuggled")
        with pytest.raises(Exception, match="row-level security"):
            await db.execute("UPDATE customers SET workspace_id = :theirs", theirs=theirs.id)
    assert await Customer.filter(workspace_id=theirs.id).count() == 1


async def test_a_transaction_keeps_the_scope_in_which_it_began(house: House, theirs: House) -> None:
    with db.within(house.id):
        async with db.transaction():
            with db.within(theirs.id):
                assert await seen(Customer) == {house.id}
    with db.within(theirs.id):
        assert await seen(Customer) == {theirs.id}, "and leaves nothing of it on its connection"


async def test_fifty_tasks_of_two_workspaces_at_once_see_their_own(house: House, theirs: House) -> None:
    async def look(number: int) -> None:
        mine = (house, theirs)[number % 2].id
        with db.within(mine):
            for _ in range(5):
                assert await seen(Customer) == {mine}
                async with db.transaction():
                    assert await seen(Task) == {mine}
                assert await db.value("SELECT current_setting('careline.workspace')") == scope()

    await asyncio.gather(*(look(number) for number in range(50)))


@pytest.mark.parametrize("end", [db.everywhere, lambda: db.within(1)])
async def test_a_block_that_fails_leaves_the_scope_before_it(
    house: House, end: Callable[[], AbstractContextManager[None]]
) -> None:
    before = scope()
    with pytest.raises(ValueError, match="wrong"), end():
        raise ValueError("wrong")
    assert scope() == before


async def test_the_role_that_serves_owns_nothing_and_passes_no_policy(database: str) -> None:
    owned = "SELECT count(*) FROM pg_class WHERE relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)"
    assert await db.value(owned) == 0
    role = await db.one("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
    assert role == {"rolsuper": False, "rolbypassrls": False}
