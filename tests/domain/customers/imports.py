"""Uploads a CSV text and imports it, as the tests of imports do."""

import gzip
from pathlib import Path
from typing import Any

from domain import customers, db, files, runs
from domain.customers import ImportPolicy
from domain.runs import Run
from tests.conftest import House

CDNOW = Path(__file__).parents[3] / "examples" / "cdnow_orders.csv.gz"
TAKE, ALL = ImportPolicy.REJECT_FAILED_ROWS, ImportPolicy.REJECT_EVERYTHING


def cdnow() -> bytes:
    return gzip.decompress(CDNOW.read_bytes())


async def upload(house: House, content: str | bytes) -> int:
    data = content if isinstance(content, bytes) else content.encode()
    return int((await files.save(house.admin, "rows.csv", "text/csv", "import", data)).id)


async def queue_orders(
    house: House, content: str | bytes, policy: ImportPolicy = TAKE, create_customers: bool = True
) -> Run:
    return await customers.import_orders(house.admin, await upload(house, content), policy, create_customers)


async def performed(run: Run) -> Run:
    assert await runs.perform(run.id, "worker", 30)
    return await Run.get(id=run.id)


async def import_orders(
    house: House, content: str | bytes, policy: ImportPolicy = TAKE, create_customers: bool = True
) -> Run:
    return await performed(await queue_orders(house, content, policy, create_customers))


async def import_customers(house: House, content: str | bytes, policy: ImportPolicy = TAKE) -> Run:
    run = await customers.import_customers(house.admin, await upload(house, content), policy)
    return await performed(run)


async def row_errors(run: Run) -> list[tuple[int, str | None, str, str]]:
    found = await db.rows(
        'SELECT line, "column", code, message FROM row_errors WHERE run_id = :run ORDER BY line, id',
        run=run.id,
    )
    return [(row["line"], row["column"], row["code"], row["message"]) for row in found]


def result(run: Run, *names: str) -> tuple[Any, ...]:
    assert run.result is not None, run.errors
    return tuple(run.result[name] for name in names)


async def nothing_stored(house: House) -> bool:
    counts = [
        await db.value(f"SELECT COUNT(*) FROM {table} WHERE workspace_id = :id", id=house.id)
        for table in ("customers", "orders", "customer_tags")
    ]
    lines = await db.value(
        "SELECT COUNT(*) FROM journal WHERE workspace_id = :id AND name LIKE '%.imported'", id=house.id
    )
    return [*counts, lines] == [0, 0, 0, 0]
