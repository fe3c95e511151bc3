"""Raw rows with chosen columns are those of the mapper, by statements that are written once for each form."""

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from tortoise.exceptions import ValidationError
from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from domain import customers, db, paging, reading, tasks
from domain.access import system
from domain.customers import Customer
from domain.db import projected, sql, templates
from domain.paging import Order, Slice, Unread, UnreadEach
from domain.tasks import Task, TaskState
from tests.conftest import NOON, House

Query = Callable[[Random], QuerySet[Any]]


def _word(random: Random) -> str:
    return random.choice(["C-1", "C-2", "ä😀", "it's", "%", "~1~", ""])


FORMS: dict[str, Query] = {
    "one value": lambda r: Customer.filter(external_id=_word(r)),
    "equal values": lambda r: Customer.filter(workspace_id=1, order_count=1, id=1),
    "a cursor": lambda r: Customer.filter(
        Q(registered_at__gt=NOON) | Q(registered_at=NOON, id__gt=r.randrange(9)), workspace_id=1
    ).order_by("registered_at", "id"),
    "not": lambda r: Customer.filter(~Q(Q(name=_word(r)), Q(id__isnull=False)), workspace_id=r.randrange(3)),
    "a list": lambda r: Customer.filter(id__in=[r.randrange(9) for _ in range(r.randrange(4))]),
    "enums": lambda r: Task.filter(state__in=r.sample(list(TaskState), r.randrange(4)), workspace_id=1),
    "a pattern": lambda r: Customer.filter(name__contains=_word(r), workspace_id=1),
    "a null": lambda r: Customer.filter(owner_id=None, cancelled_at__isnull=r.random() < 0.5),
    "a truth value": lambda r: Customer.filter(excluded=r.random() < 0.5, order_count=r.randrange(2)),
    "a subquery": lambda r: Customer.filter(customers.tagged(system(1), [_word(r)]), workspace_id=1),
    "an instant": lambda r: Task.filter(due_at__lte=NOON + timedelta(microseconds=r.randrange(3))).limit(3),
}


@pytest.mark.parametrize("form", FORMS)
async def test_a_statement_from_its_template_is_the_mappers_own(database: str, form: str) -> None:
    random = Random(form)

    def write(query: QuerySet[Any]) -> tuple[str, list[Any]]:
        text, values = projected._chosen(query, ['"id"']).get_parameterized_sql()
        return text, values

    for _ in range(20):
        query = FORMS[form](random)
        assert templates.written(query, ("test", form), write) == write(query)


async def test_a_form_is_written_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    real = projected._chosen
    monkeypatch.setattr(projected, "_chosen", lambda *args: written.append(1) or real(*args))
    for name in ("C-1", "C-2", "C-3"):
        query = Customer.filter(workspace_id=house.id, external_id=name).limit(7)
        assert list(await db.select(query, [db.Column("id")])) == []
    assert len(written) <= 1


async def test_a_template_refuses_what_the_mapper_refuses(house: House) -> None:
    columns = [db.Column("id")]
    await db.select(Customer.filter(external_id="C-1"), columns)
    with pytest.raises(ValidationError):
        await db.select(Customer.filter(external_id="x" * 200), columns)


async def test_chosen_columns_hold_what_the_rows_hold(house: House) -> None:
    for number in range(5):
        await customers.upsert(house.owner, f"C-{number}", name="😀", registered_at=NOON)
        for k in range(3):
            await customers.record_order(
                house.owner,
                f"O-{number}-{k}",
                customer_external_id=f"C-{number}",
                ordered_at=NOON - timedelta(days=k, microseconds=1),
                amount_minor=k,
            )
    query = Customer.filter(workspace_id=house.id).order_by("-id")
    rows = await db.select(query, [db.Column("id"), db.Column("registered_at", as_text=True)])
    found = [(row[0], db.instant_of(row[1])) for row in rows]
    assert found == [(each.id, each.registered_at) for each in await query]
    ids = [row[0] for row in rows]
    by_ids = await db.select_by_ids(Customer, house.id, ids, [db.Column("name")])
    assert [row[0] for row in by_ids] == ["😀"] * 5
    assert not await db.select_by_ids(Customer, house.id + 1, ids, [db.Column("name")])
    orders = customers.Order.filter(workspace_id=house.id)
    for counted in (False, True):
        each = await db.select_each(
            orders, "customer_id", ids, ["ordered_at", "id"], 2, [db.Column("external_id")], counted=counted
        )
        of = {parent: [row[1] for row in each if row[0] == parent] for parent in ids}
        assert of == {parent: [f"O-{4 - at}-2", f"O-{4 - at}-1"] for at, parent in enumerate(ids)}
        assert not counted or {row[2] for row in each} == {3}


async def test_a_question_that_is_left_unread_reads_nothing(house: House) -> None:
    with reading.left_unread():
        page: Any = await tasks.page(house.owner, Q(), Order("due_at"), Slice(first=3))
        row: Any = await customers.find(house.owner, 7)
    assert isinstance(page, Unread) and not isinstance(page, UnreadEach)
    assert page.keys() == ["due_at", "id"]
    assert isinstance(row, reading.UnreadRow)
    assert await customers.find(house.owner, 7) is None


async def test_an_unread_page_knows_its_neighbours(database: str) -> None:
    some = Customer.all()
    for part, more, expected in (
        (Slice(first=2), True, (True, False)),
        (Slice(first=2, after="x"), False, (False, True)),
        (Slice(last=2), True, (False, True)),
        (Slice(last=2, before="x"), False, (True, False)),
    ):
        assert Unread(some, Order("id"), part).neighbours(more) == expected
    with pytest.raises(paging.BadCursor):
        Unread(some, Order("id"), Slice(after="x")).rows()


async def test_a_transaction_sees_its_own_raw_rows(house: House) -> None:
    query = Customer.filter(workspace_id=house.id)
    async with db.transaction():
        await customers.upsert(house.owner, "C-1")
        assert [row[0] for row in await db.select(query, [db.Column("external_id")])] == ["C-1"]


async def test_a_later_page_begins_where_its_index_says(house: House) -> None:
    if not db.is_postgres():
        return
    cursor = paging.encode([NOON, 7])
    text, values = await _read(
        Unread(Task.filter(workspace_id=house.id), Order("due_at"), Slice(after=cursor))
    )
    async with db.transaction():
        await db.execute("SET LOCAL enable_seqscan = off")
        await db.execute("SET LOCAL enable_bitmapscan = off")
        await db.execute("SET LOCAL enable_sort = off")
        plan = [row[0] for row in await sql.raw_rows(f"EXPLAIN {text}", values)]
    (begins,) = [line for line in plan if "Index Cond" in line]
    assert "due_at >=" in begins, plan


async def test_postgres_keeps_the_plan_of_a_page(house: House) -> None:
    if not db.is_postgres():
        return
    kept = "SELECT generic_plans, statement FROM pg_prepared_statements"
    with db.within(house.id):
        async with db.transaction():  # on one connection
            for number in range(10):
                unread = Unread(
                    Customer.filter(workspace_id=house.id), Order("id"), Slice(after=_cursor(number))
                )
                text, _ = await _read(unread)
            (generic,) = [row["generic_plans"] for row in await db.rows(kept) if row["statement"] == text]
    assert generic > 0


def _cursor(number: int) -> str:
    return paging.encode([number, number])


async def _read(asked: Unread) -> tuple[str, list[Any]]:
    """Read a page; the statement that did it."""
    seen = []
    real = projected.raw_rows

    async def noted(text: str, values: Any) -> Any:
        seen.append((text, list(values)))
        return await real(text, values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(projected, "raw_rows", noted)
        await db.select(asked.rows(), [db.Column("id")])
    ((text, values),) = seen
    return text, values
