"""What an import takes, what it lists, and when it refuses a whole file."""

from datetime import UTC, date, datetime

import pytest
from tortoise.expressions import Q

from domain import customers, files, runs
from domain.customers import Customer, Order, OrderStatus
from domain.errors import Conflict, NotFound
from domain.journal import JournalLine
from domain.paging import Order as Sorting
from domain.paging import Slice
from domain.runs import Run, RunState
from tests.conftest import NOON, House, build_house
from tests.domain.customers.imports import (
    ALL,
    TAKE,
    import_customers,
    import_orders,
    nothing_stored,
    performed,
    queue_orders,
    result,
    row_errors,
    upload,
)

HEADER = "order_id,customer_id,ordered_at,amount,quantity,currency,status,delivered_at\n"


async def test_good_rows_become_orders_and_customers(house: House) -> None:
    run = await import_orders(
        house,
        HEADER
        + "O-1,C-1,2025-03-01,12.5,,,,\n"
        + "O-2,C-1,2025-03-02T00:30:00+08:00,0,3,CNY,DELIVERED,2025-03-02T10:00:00Z\n"
        + 'O-3,"C,2",2025-03-01T16:00:00Z,7,1,CNY,REFUNDED,\n',
    )
    assert run.state is RunState.SUCCEEDED
    assert run.result == {
        "rows": 3,
        "created": 3,
        "updated": 0,
        "unchanged": 0,
        "rejected": 0,
        "partial": 0,
        "customers_created": 2,
    }
    assert (run.progress_done, run.progress_total, run.progress_unit) == (3, 3, "rows")
    one, two, three = await Order.all().order_by("external_id")
    assert (one.ordered_at, one.ordered_on) == (datetime(2025, 2, 28, 16, tzinfo=UTC), date(2025, 3, 1))
    assert (one.amount_minor, one.quantity, one.currency, one.run_id) == (1250, 1, "CNY", run.id)
    assert (two.ordered_on, two.status, two.amount_minor) == (date(2025, 3, 2), OrderStatus.DELIVERED, 0)
    assert two.delivered_at == datetime(2025, 3, 2, 10, tzinfo=UTC)
    assert (three.ordered_on, three.status) == (date(2025, 3, 2), OrderStatus.REFUNDED)
    first = await customers.get_external(house.admin, "C-1")
    assert (first.order_count, first.order_total_minor, first.first_order_at) == (2, 1250, one.ordered_at)
    assert (first.last_interaction_at, first.registered_at) == (two.ordered_at, one.ordered_at)
    second = await customers.get_external(house.admin, "C,2")
    assert (second.order_count, second.first_order_at) == (0, None)
    lines = await JournalLine.filter(name="orders.imported")
    assert [(line.subject_id, line.data) for line in lines] == [
        (
            run.id,
            {"run_id": run.id, "created": 3, "updated": 0, "unchanged": 0, "customers_created": 2},
        )
    ]
    assert await JournalLine.filter(name="order.delivered").count() == 0  # history starts no follow-up


async def test_bad_rows_are_listed_without_their_values_and_good_ones_taken(house: House) -> None:
    run = await import_orders(
        house,
        HEADER
        + "O-1,C-1,2025-03-01,1,,,,\n"
        + ",C-1,2025-03-01,1,,,,\n"
        + "O-3,C-1,2025-02-30,-1,,,,\n"
        + "O-4,C-1,2025-03-01T10:00:00,1.234,0,USD,SENT,yesterday\n"
        + "O-5,C-1\n"
        + "O-1,C-9,2025-03-05,5,,,,\n"
        + "O-6,C\0secret,2025-03-01,1,,,,\n"
        + "O-3,C-1,2025-03-01,1,,,,\n"
        + "O-7,C-1,2025-03-01,1,,,PAID,2025-03-02\n"
        + "O-8,C-2,2025-03-01,1,,,,\n",
    )
    assert run.state is RunState.SUCCEEDED
    assert result(run, "rows", "created", "rejected", "customers_created") == (10, 2, 8, 2)
    assert await row_errors(run) == [
        (3, "order_id", "REQUIRED", "order_id is empty"),
        (4, "ordered_at", "INVALID", "ordered_at is not in the calendar"),
        (4, "amount", "INVALID", "amount is negative"),
        (5, "ordered_at", "INVALID", "ordered_at has a time without an offset from UTC"),
        (5, "amount", "INVALID", "amount is not a number with at most 2 digits after the point"),
        (5, "quantity", "INVALID", "quantity is between 1 and 1000000"),
        (5, "currency", "INVALID", "currency is not CNY, the currency of this workspace"),
        (5, "status", "INVALID", "status is not one of PAID, DELIVERED, REFUNDED"),
        (5, "delivered_at", "INVALID", "delivered_at is neither a day nor a date-time (RFC 3339)"),
        (6, None, "INVALID", "the row has 2 cells, the header has 8"),
        (7, "order_id", "DUPLICATE", "repeated order_id, first seen earlier in this file"),
        (8, "customer_id", "INVALID", "customer_id has a character that cannot be stored"),
        (9, "order_id", "DUPLICATE", "repeated order_id, first seen earlier in this file"),
        (10, "delivered_at", "INVALID", "an order that is only paid has no delivery"),
    ]
    assert [order.external_id for order in await Order.all().order_by("external_id")] == ["O-1", "O-8"]
    page = await customers.row_errors_page(house.admin, run.id, Slice(first=3))
    assert [(error.line, error.column) for error in page.items] == [
        (3, "order_id"),
        (4, "ordered_at"),
        (4, "amount"),
    ]
    rest = await customers.row_errors_page(house.admin, run.id, Slice(first=100, after=page.cursors[-1]))
    assert (len(rest.items), await page.count()) == (11, 14)


async def test_one_bad_row_rejects_everything_where_that_is_the_policy(house: House) -> None:
    content = "order_id,customer_id,ordered_at,amount\nO-1,C-1,2025-03-01,1\nO-1,C-1,2025-03-01,x\n"
    run = await import_orders(house, content, ALL)
    assert (run.state, run.error_code) == (RunState.FAILED, "IMPORT_REJECTED")
    assert run.errors[-1]["message"] == "1 of 2 rows will not do; none is taken"
    assert [(line, code) for line, _, code, _ in await row_errors(run)] == [(3, "INVALID"), (3, "DUPLICATE")]
    assert await nothing_stored(house)
    again = await performed(await runs.retry(house.admin, run.id))
    assert (again.state, again.error_code) == (RunState.FAILED, "IMPORT_REJECTED")
    assert len(await row_errors(run)) == 2
    assert await nothing_stored(house)


async def test_a_file_without_faults_is_taken_under_either_policy(house: House) -> None:
    content = "order_id,customer_id,ordered_at,amount\nO-1,C-1,2025-03-01,1\n\nO-2,C-1,2025-03-01,1\n"
    run = await import_orders(house, content, ALL)
    assert result(run, "rows", "created", "rejected") == (2, 2, 0)
    assert (run.progress_done, run.progress_total) == (4, 4)
    other = await build_house("Other")
    assert result(await import_orders(other, content, TAKE), "rows", "created", "rejected") == (2, 2, 0)


async def test_a_second_import_counts_what_is_the_same_and_updates_what_is_not(house: House) -> None:
    header = "order_id,customer_id,ordered_at,amount,quantity\n"
    await import_orders(house, header + "O-1,C-1,2025-03-01,1,2\nO-2,C-1,2025-03-01,1,2\n")
    before = await JournalLine.filter(name="orders.imported").count()
    run = await import_orders(house, header + "O-1,C-1,2025-03-01,1.00,2\n")
    assert result(run, "created", "updated", "unchanged") == (0, 0, 1)
    assert await JournalLine.filter(name="orders.imported").count() == before
    run = await import_orders(
        house,
        "order_id,customer_id,ordered_at,amount\nO-1,C-2,2025-03-01,5\nO-2,C-1,2025-03-01,1\nO-3,C-1,2025-03-01,1\n",
    )
    assert result(run, "created", "updated", "unchanged", "customers_created") == (1, 1, 1, 1)
    order = await Order.get(external_id="O-1")
    assert (order.amount_minor, order.quantity, order.version) == (500, 2, 2)
    found = {c.external_id: (c.order_count, c.order_total_minor) for c in await Customer.all()}
    assert found == {"C-1": (2, 200), "C-2": (1, 500)}


async def test_an_import_does_not_undo_a_delivery(house: House) -> None:
    content = "order_id,customer_id,ordered_at,amount,status\nO-1,C-1,2025-03-01,1,PAID\n"
    await import_orders(house, content)
    order = await Order.get(external_id="O-1")
    await customers.set_order_status(house.admin, order.id, OrderStatus.DELIVERED, NOON)
    assert result(await import_orders(house, content), "unchanged") == (1,)
    assert (await Order.get(id=order.id)).delivered_at == NOON


@pytest.mark.parametrize("policy", [TAKE, ALL])
async def test_unknown_customers_are_row_errors_where_none_are_to_be_created(
    house: House, policy: customers.ImportPolicy
) -> None:
    await customers.upsert(house.admin, "C-1")
    content = "order_id,customer_id,ordered_at,amount\nO-1,C-1,2025-03-01,1\nO-2,C-2,2025-03-01,1\n"
    run = await import_orders(house, content, policy, create_customers=False)
    assert await row_errors(run) == [(3, "customer_id", "NOT_FOUND", "there is no such customer")]
    assert await Order.all().count() == (1 if policy is TAKE else 0)
    assert await Customer.all().count() == 1


GOOD = b"order_id,customer_id,ordered_at,amount\n" + b"".join(
    b"O-%d,C-%d,2025-03-01,1\n" % (n, n) for n in range(30)
)


@pytest.mark.parametrize("policy", [TAKE, ALL])
@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (b"", "IMPORT_EMPTY", "line 1: the file is empty"),
        (b"\n\n", "IMPORT_EMPTY", "line 1: the file is empty"),
        (b"order_id,customer_id,amount\n", "IMPORT_HEADER", "line 1: the column ordered_at is missing"),
        (
            b"order_id,\xe7\x8e\x8b,a\n",
            "IMPORT_HEADER",
            "line 1, column 2: unknown; the columns are order_id,",
        ),
        (b"order_id,amount,order_id\n", "IMPORT_HEADER", "line 1, column 3: order_id is there twice"),
        (b"Order_ID,customer_id,ordered_at,amount\n", "IMPORT_HEADER", "line 1, column 1: unknown"),
        (GOOD + b"O-99,\xff,2025-03-01,1\n", "IMPORT_ENCODING", "line 32, byte 6: the file is not UTF-8"),
        (GOOD + b'O-99,"C-1,2025-03-01,1\n', "IMPORT_FORMAT", "line 32: a quote is not closed"),
    ],
)
async def test_a_file_that_cannot_be_read_to_its_end_is_refused_whole(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    policy: customers.ImportPolicy,
    content: bytes,
    code: str,
    message: str,
) -> None:
    monkeypatch.setattr("domain.customers.importing.BATCH", 5)
    run = await import_orders(house, content, policy)
    assert (run.state, run.error_code, run.attempt) == (RunState.FAILED, code, 1)
    assert run.errors[-1]["message"].startswith(message)
    assert await nothing_stored(house)
    assert await row_errors(run) == []


async def test_a_header_alone_is_an_import_of_nothing(house: House) -> None:
    run = await import_orders(house, "\ufeffamount,ordered_at,customer_id,order_id")
    assert (run.state, result(run, "rows")) == (RunState.SUCCEEDED, (0,))


async def test_the_columns_may_stand_in_any_order(house: House) -> None:
    await import_orders(house, "\ufeffamount,ordered_at,customer_id,order_id\r\n1.5,2025-03-01,C-1,O-1\r\n")
    assert (await Order.get(external_id="O-1")).amount_minor == 150


@pytest.mark.parametrize(("currency", "cell", "minor"), [("JPY", "120", 120), ("KWD", "1.5", 1500)])
async def test_amounts_follow_their_currency(database: str, currency: str, cell: str, minor: int) -> None:
    house = await build_house(currency=currency)
    await import_orders(
        house,
        f"order_id,customer_id,ordered_at,amount\nO-1,C-1,2025-03-01,{cell}\nO-2,C-1,2025-03-01,1.2345\n",
    )
    assert [order.amount_minor for order in await Order.all()] == [minor]


async def test_customers_are_imported_with_their_tags(house: House) -> None:
    await customers.upsert(house.admin, "C-1", name="Old", company="Kept", tags=["old"])
    run = await import_customers(
        house,
        "customer_id,name,company,phone,email,registered_at,tags\n"
        "C-1,New,,,,,vip; fair ;\n"
        'C-2,"王, 芳",,13800000000,fang@care.test,2024-01-31,vip\n'
        "C-3,,,,,2024-02-30,\n"
        "C-4,,,12,nobody,,\n"
        "C-2,Again,,,,,\n",
    )
    assert run.state is RunState.SUCCEEDED
    assert result(run, "rows", "created", "updated", "unchanged", "rejected") == (5, 1, 1, 0, 3)
    assert [(line, column, code) for line, column, code, _ in await row_errors(run)] == [
        (4, "registered_at", "INVALID"),
        (5, "phone", "INVALID"),
        (5, "email", "INVALID"),
        (6, "customer_id", "DUPLICATE"),
    ]
    one = await customers.get_external(house.admin, "C-1")
    assert (one.name, one.company, one.registered_at, one.version) == ("New", "Kept", NOON, 2)
    two = await customers.get_external(house.admin, "C-2")
    assert (two.name, two.phone, two.registered_at) == (
        "王, 芳",
        "+8613800000000",
        datetime(2024, 1, 30, 16, tzinfo=UTC),
    )
    assert await customers.tags_of(house.id, [one.id, two.id]) == {one.id: ["fair", "vip"], two.id: ["vip"]}
    line = await JournalLine.get(name="customers.imported")
    assert "王" not in str(line.data)


async def test_customers_imported_again_are_unchanged_until_something_differs(house: House) -> None:
    header = "customer_id,name,registered_at,tags\n"
    await import_customers(house, header + "C-1,A,2024-01-01,x\nC-2,B,,y\n")
    run = await import_customers(house, header + "C-1,A,2024-01-01,x\nC-2,B,,y\n")
    assert result(run, "created", "updated", "unchanged") == (0, 0, 2)
    run = await import_customers(house, header + "C-1,A,2024-01-01,z\nC-2,B2,,y\n")
    assert result(run, "created", "updated", "unchanged") == (0, 2, 0)
    versions = {c.external_id: c.version for c in await Customer.all()}
    assert versions == {"C-1": 2, "C-2": 2}


async def test_an_unknown_file_is_refused_and_nothing_is_queued(house: House) -> None:
    theirs = await upload(await build_house("Other"), "order_id\n")
    unfinished = (await files.begin(house.admin, "a", "text/csv", "import")).file.id
    for file_id in (10**9, theirs, unfinished):
        with pytest.raises(NotFound):
            await customers.import_orders(house.admin, file_id, TAKE)
        with pytest.raises(NotFound):
            await customers.import_customers(house.admin, file_id, TAKE)
    assert await Run.all().count() == 0


async def test_a_file_is_not_queued_twice_at_once(house: House) -> None:
    first = await queue_orders(house, GOOD)
    again = await customers.import_orders(house.admin, first.args["file_id"], TAKE)
    assert again.id == first.id
    with pytest.raises(Conflict):
        await customers.import_orders(house.admin, first.args["file_id"], ALL)
    assert await Run.all().count() == 1


async def test_an_import_stays_in_its_workspace(house: House) -> None:
    other = await build_house("Other", currency="CNY")
    await import_orders(house, GOOD)
    run = await import_orders(other, GOOD)
    assert result(run, "created", "customers_created") == (30, 30)
    nobody = Sorting("id")
    assert await (await customers.page(house.admin, Q(), nobody, Slice())).count() == 30
    assert (await customers.row_errors_page(other.admin, run.id, Slice())).items == []
