"""Imports of random files agree with a few lines of plain Python, and the example file with its sums."""

import asyncio
import csv
import io
import random
import time
from collections.abc import Iterable
from typing import Any

import pytest

from domain import db
from domain.runs import RunState
from tests.conftest import House, build_house
from tests.domain.customers.imports import cdnow, import_orders, performed, queue_orders, result, row_errors

HEADER = ["order_id", "customer_id", "ordered_at", "amount", "status"]
COURSE = ["PAID", "DELIVERED", "REFUNDED"]


def rows(chance: random.Random) -> list[list[str]]:
    return [
        [
            f"O-{chance.randrange(40)}" if chance.random() > 0.05 else "",
            f"C-{chance.randrange(9)}",
            f"2025-02-{chance.randrange(1, 31):02}",
            chance.choice(["0", "1", "2.5", "10.25", "-1", "x", "1.001"]),
            chance.choice(["", *COURSE]),
        ]
        for _ in range(chance.randrange(60))
    ]


class Oracle:
    """What is stored after some imports, as a dictionary."""

    def __init__(self) -> None:
        self.orders: dict[str, tuple[str, str, int, str]] = {}

    def take(self, table: Iterable[list[str]]) -> dict[str, int]:
        counts = {"created": 0, "updated": 0, "unchanged": 0, "rejected": 0}
        seen = set()
        for key, customer, day, amount, status in table:
            good = (
                bool(key) and key not in seen and day <= "2025-02-28" and amount not in ("-1", "x", "1.001")
            )
            seen.add(key)
            if not good:
                counts["rejected"] += 1
                continue
            known = self.orders.get(key)
            status = status or "PAID"
            if known:
                status = COURSE[max(COURSE.index(status), COURSE.index(known[3]))]
            order = (customer, day, round(float(amount) * 100), status)
            counts["created" if known is None else "unchanged" if known == order else "updated"] += 1
            self.orders[key] = order
        return counts

    def totals(self) -> dict[str, tuple[int, int]]:
        found: dict[str, tuple[int, int]] = {}
        for customer, _, amount, status in self.orders.values():
            count, total = found.get(customer, (0, 0))
            found[customer] = (count, total) if status == "REFUNDED" else (count + 1, total + amount)
        return found


@pytest.mark.parametrize("seed", range(8))
async def test_random_files_agree_with_the_oracle(
    house: House, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr("domain.customers.importing.BATCH", chance.choice([1, 3, 10, 100]))
    oracle = Oracle()
    customers_seen: set[str] = set()
    for _ in range(3):
        table = rows(chance)
        out = io.StringIO()
        csv.writer(out).writerows([HEADER, *table])
        run = await import_orders(house, out.getvalue())
        expected = oracle.take(table)
        assert dict(zip(expected, result(run, *expected), strict=True)) == expected
        customers_seen |= {order[0] for order in oracle.orders.values()}
        stored: list[dict[str, Any]] = await db.rows(
            """SELECT o.external_id AS key, c.external_id AS customer, ordered_on, amount_minor, status
               FROM orders o JOIN customers c ON c.workspace_id = o.workspace_id AND c.id = o.customer_id"""
        )
        assert {
            row["key"]: (row["customer"], str(row["ordered_on"])[:10], row["amount_minor"], row["status"])
            for row in stored
        } == oracle.orders
        counted = await db.rows("SELECT external_id, order_count, order_total_minor FROM customers")
        found = {row["external_id"]: (row["order_count"], row["order_total_minor"]) for row in counted}
        assert {name: found.get(name) for name in oracle.totals()} == oracle.totals()
        assert set(found) == customers_seen


async def test_the_cdnow_orders_are_imported_to_the_cent(database: str) -> None:
    house = await build_house(currency="USD")
    data = cdnow()
    begun = time.perf_counter()
    run = await import_orders(house, data)
    seconds = time.perf_counter() - begun
    assert run.state is RunState.SUCCEEDED
    assert result(run, "rows", "created", "rejected", "customers_created") == (69_659, 69_659, 0, 23_570)
    assert await row_errors(run) == []
    sums = await db.one(
        "SELECT COUNT(*) AS n, SUM(order_count) AS c, SUM(order_total_minor) AS t FROM customers"
    )
    assert sums is not None
    assert tuple(int(value) for value in sums.values()) == (23_570, 69_659, 250_031_563)
    assert await db.value("SELECT COUNT(*) FROM customers WHERE registered_at <> first_order_at") == 0
    assert await db.value("SELECT COUNT(*) FROM orders WHERE amount_minor = 0") == 80
    assert seconds < 60, f"{seconds:.1f} s; about 5 s on SQLite and 10 s on PostgreSQL is usual"


async def test_imports_of_the_same_customers_and_orders_at_once_all_end_well(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.customers.importing.BATCH", 20)
    chance = random.Random(7)
    waiting = []
    for _ in range(4):
        numbers = list(range(120))
        chance.shuffle(numbers)
        lines = [f"O-{n},C-{n % 11},2025-02-01,{n}" for n in numbers]
        waiting.append(await queue_orders(house, "\n".join([",".join(HEADER[:4]), *lines])))
    ended = await asyncio.gather(*(performed(run) for run in waiting))
    assert [(run.state, run.attempt) for run in ended] == [(RunState.SUCCEEDED, 1)] * 4
    assert sum(result(run, "created")[0] for run in ended) == 120
    assert sum(result(run, "unchanged")[0] for run in ended) == 360
    assert sum(result(run, "customers_created")[0] for run in ended) == 11
    sums = await db.one("SELECT SUM(order_count) AS n, SUM(order_total_minor) AS t FROM customers")
    assert sums is not None
    assert tuple(int(value) for value in sums.values()) == (120, sum(range(120)) * 100)
