"""An import killed again and again, between any two statements, ends as one that was not; so does its undoing."""

import io
import random
from typing import Any

import openpyxl
import pytest

from domain import customers, db, files, runs
from domain.customers import ImportPolicy
from domain.db import sql
from domain.runs import Run, RunState
from tests.conftest import NOON, House, build_house
from tests.domain.customers.test_import_killed import BATCH, ROWS, Killed, state

KILLS = 17
"""For each format: some fifty on each database."""


def table(bad: bool = True) -> list[list[str]]:
    rows = [["order_id", "customer_id", "ordered_at", "amount"]]
    rows += [[f"O-{n}", f"C-{n % 7}", f"2025-02-{1 + n % 28:02}", f"{n}.5"] for n in range(ROWS)]
    if bad:
        rows[12:12] = [["O-3", "C-1", "2025-02-01", "1"], ["O-X", "C-1", "2025-02-01", "-1"]]
    return rows


def content(form: str) -> bytes:
    rows = table()
    if form == "csv":
        return "".join(",".join(row) + "\n" for row in rows).encode()
    if form == "jsonl":
        header, *others = rows
        lines = (
            ", ".join(f'"{name}": "{cell}"' for name, cell in zip(header, row, strict=True)) for row in others
        )
        return "".join(f"{{{line}}}\n" for line in lines).encode()
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


class Dying:
    """Counts the statements of a worker, and kills it before the one that it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.at = 0
        client = sql._client

        def counted() -> Any:
            self.count += 1
            if self.count == self.at:
                raise Killed
            return client()

        monkeypatch.setattr(sql, "_client", counted)

    async def perform(self, run: Run, chance: random.Random, kills: int) -> int:
        """Kill it so often at random, then let it come to its end; how many statements the last try took."""
        done = 0
        while True:
            self.count, self.at = 0, chance.randint(1, 120) if done < kills else 0
            try:
                await runs.perform(run.id, "worker", 30)
            except Killed:
                done += 1
                self.at = 0
                await runs.rescue(everything=True)
                continue
            if (await Run.get(id=run.id)).state in runs.ENDED:
                assert done or not kills
                return self.count


async def queued(house: House, form: str, **options: Any) -> Run:
    file = await files.save(house.admin, f"o.{form}", "application/octet-stream", "import", content(form))
    return await customers.import_orders(house.admin, file.id, ImportPolicy.REJECT_FAILED_ROWS, **options)


async def kept_changes(run: Run) -> tuple[list[int], list[int]]:
    """The ids of all orders in the change set of an import, and of all that it stored."""
    rows = await db.rows(
        "SELECT created FROM import_changes WHERE run_id = :run AND subject = 'order'", run=run.id
    )
    told = [number for row in rows for number, _ in db.document_of(row["created"])]
    stored = await db.rows("SELECT id FROM orders WHERE run_id = :run", run=run.id)
    return sorted(told), sorted(row["id"] for row in stored)


@pytest.mark.parametrize("form", ["csv", "jsonl", "xlsx"])
async def test_an_import_killed_between_any_two_statements_loses_and_doubles_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr("domain.customers.importing.BATCH", BATCH)
    chance, dying = random.Random(f"{form} 5"), Dying(monkeypatch)
    whole = await queued(house, form)
    await dying.perform(whole, chance, 0)
    expected = await state(house, whole)
    assert (expected["run"][0], len(expected["orders"]), len(expected["errors"])) == (
        RunState.SUCCEEDED,
        ROWS,
        2,
    )
    other = await build_house("Other")
    run = await queued(other, form)
    await dying.perform(run, chance, KILLS)
    assert await state(other, run) == expected
    told, stored = await kept_changes(run)
    assert told == stored
    (report,) = await customers.ImportReport.filter(run_id=run.id)
    (intact,) = await customers.ImportReport.filter(run_id=whole.id)
    assert (report.rows, report.inaccurate, report.figures) == (
        intact.rows,
        intact.inaccurate,
        intact.figures,
    )


async def test_an_undoing_killed_between_any_two_statements_takes_back_all_of_it_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.customers.importing.BATCH", BATCH)
    chance, dying = random.Random(9), Dying(monkeypatch)
    await customers.record_order(
        house.admin,
        "O-5",
        customer_external_id="C-0",
        ordered_at=NOON,
        amount_minor=7,
        create_customer=True,
    )
    run = await queued(house, "csv")
    await dying.perform(run, chance, 0)
    undoing = await customers.undo_import(house.admin, run.id)
    await dying.perform(undoing, chance, KILLS)
    ended = await Run.get(id=undoing.id)
    assert ended.state is RunState.SUCCEEDED
    assert ended.result == {"removed": ROWS - 1 + 6, "restored": 1, "kept": 0}
    (order,) = await db.rows("SELECT external_id, amount_minor FROM orders")
    assert (order["external_id"], order["amount_minor"]) == ("O-5", 7)
    (customer,) = await db.rows("SELECT external_id, order_count, order_total_minor FROM customers")
    assert tuple(customer.values()) == ("C-0", 1, 7)
