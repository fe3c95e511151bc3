"""An import that is killed anywhere ends as one that was not."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from domain import customers, db, runs
from domain.customers import ImportPolicy
from domain.runs import Run, RunState, Work
from tests.conftest import House, build_house
from tests.domain.customers.imports import ALL, TAKE, queue_orders, row_errors

BATCH = 6
ROWS = 40


def content(bad: bool) -> str:
    lines = ["order_id,customer_id,ordered_at,amount"]
    for n in range(ROWS):
        # Quoted line breaks and two-byte letters: offsets and lines are not counts of characters.
        customer = f'"C-{n % 7}\né"' if n % 3 else f"C-{n % 7}"
        lines.append(f"O-{n},{customer},2025-02-{1 + n % 28:02},{n}.5")
    if bad:
        lines[12:12] = ["O-3,C-1,2025-02-01,1", "O-X,C-1,2025-02-01,-1"]
        lines.append("O-39,C-8,2025-02-01,1")
    return "\n".join(lines) + "\n"


class Killed(BaseException):
    """The process is gone: no handler runs that a kill -9 would not run."""


async def state(house: House, run: Run) -> dict[str, Any]:
    """All that an import leaves behind, without ids and times."""
    orders = await db.rows(
        """SELECT o.external_id AS o, c.external_id AS c, o.ordered_on AS d, o.amount_minor AS a,
             o.version AS v
           FROM orders o JOIN customers c ON c.workspace_id = o.workspace_id AND c.id = o.customer_id
           WHERE o.workspace_id = :id ORDER BY o.external_id""",
        id=house.id,
    )
    totals = await db.rows(
        """SELECT external_id, order_count, order_total_minor FROM customers
           WHERE workspace_id = :id ORDER BY external_id""",
        id=house.id,
    )
    lines = await db.rows(
        "SELECT data FROM journal WHERE workspace_id = :id AND name = 'orders.imported' ORDER BY id",
        id=house.id,
    )
    ended = await Run.get(id=run.id)
    return {
        "orders": [(r["o"], r["c"], str(r["d"])[:10], r["a"], r["v"]) for r in orders],
        "totals": [tuple(row.values()) for row in totals],
        "lines": [{**db.document_of(row["data"]), "run_id": 0} for row in lines],
        "errors": await row_errors(run),
        "run": (ended.state, ended.result, ended.error_code, ended.progress_done, ended.progress_total),
    }


async def import_with_kills(
    monkeypatch: pytest.MonkeyPatch,
    house: House,
    data: str,
    policy: ImportPolicy,
    kill_at: set[int],
    when: str,
) -> tuple[Run, int]:
    """Import; the attempt that reaches the n-th step dies there, before or after its commit."""
    steps = 0
    commit = Work._commit

    async def dying(self: Work, step: Any) -> None:
        nonlocal steps
        steps += 1
        if steps in kill_at and when == "before":
            raise Killed
        await commit(self, step)
        if steps in kill_at and when == "cancelled":
            raise asyncio.CancelledError

    original = customers.importing._step  # type: ignore[attr-defined]

    async def leaving(*args: Any) -> None:
        await original(*args)
        if steps in kill_at and when == "after":
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Work, "_commit", dying)
        patched.setattr("domain.customers.importing._step", leaving)
        patched.setattr("domain.customers.importing.BATCH", BATCH)
        run = await queue_orders(house, data, policy)
        while True:
            try:
                await runs.perform(run.id, "worker", 30)
                return run, steps
            except (Killed, asyncio.CancelledError):
                await runs.rescue(everything=True)


@pytest.mark.parametrize("when", ["before", "after", "cancelled"])
@pytest.mark.parametrize("policy", [TAKE, ALL])
async def test_an_import_killed_at_any_step_ends_as_if_it_had_not_been(
    house: House, monkeypatch: pytest.MonkeyPatch, policy: ImportPolicy, when: str
) -> None:
    data = content(bad=policy is TAKE)
    run, steps = await import_with_kills(monkeypatch, house, data, policy, set(), when)
    expected = await state(house, run)
    assert expected["run"][0] is RunState.SUCCEEDED
    assert steps == (9 if policy is TAKE else 15)  # the last one keeps what was found of the file
    assert len(expected["orders"]) == ROWS
    assert len(expected["errors"]) == (3 if policy is TAKE else 0)
    for number in range(1, steps + 1):
        other = await build_house(f"House {number}")
        run, _ = await import_with_kills(monkeypatch, other, data, policy, {number}, when)
        assert await state(other, run) == expected, number


async def test_an_import_killed_again_and_again_still_ends(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = content(bad=True)
    whole, _ = await import_with_kills(monkeypatch, house, data, TAKE, set(), "after")
    other = await build_house("Other")
    run, _ = await import_with_kills(monkeypatch, other, data, TAKE, {1, 2, 4, 6, 7}, "after")
    assert await state(other, run) == await state(house, whole)
    assert (await Run.get(id=run.id)).attempt == 6


@pytest.mark.parametrize("number", [1, 4, 8])
async def test_a_rejected_import_killed_while_checking_writes_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    run, _ = await import_with_kills(monkeypatch, house, content(bad=True), ALL, {number}, "after")
    found = await state(house, run)
    assert (found["orders"], found["totals"], found["lines"]) == ([], [], [])
    assert [(line, code) for line, _, code, _ in found["errors"]] == [
        (20, "DUPLICATE"),
        (21, "INVALID"),
        (70, "DUPLICATE"),
    ]
    assert found["run"][:3] == (RunState.FAILED, None, "IMPORT_REJECTED")


async def test_an_attempt_given_up_on_takes_no_more_rows(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two workers on one import: the one that lost its run is fenced and writes nothing more."""
    reached, go_on = asyncio.Event(), asyncio.Event()
    original: Callable[..., Any] = customers.importing._step  # type: ignore[attr-defined]

    async def slow(this: Any, *args: Any) -> None:
        if this.work.run.attempt == 1 and this.work.cursor:
            reached.set()
            await go_on.wait()
        await original(this, *args)

    data = content(bad=True)
    monkeypatch.setattr("domain.customers.importing.BATCH", BATCH)
    monkeypatch.setattr("domain.customers.importing._step", slow)
    run = await queue_orders(house, data)
    zombie = asyncio.create_task(runs.perform(run.id, "zombie", 30))
    await reached.wait()
    assert await runs.rescue(everything=True) == 1
    assert await runs.perform(run.id, "second", 30)
    expected = await state(house, run)
    go_on.set()
    await zombie
    assert await state(house, run) == expected
    assert expected["run"][0] is RunState.SUCCEEDED
    assert len(expected["orders"]) == ROWS


async def test_a_cancelled_import_keeps_what_it_took_and_can_go_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    original: Callable[..., Any] = customers.importing._step  # type: ignore[attr-defined]
    asked = False

    async def cancelling(this: Any, *args: Any) -> None:
        nonlocal asked
        await original(this, *args)
        if not asked:
            asked = True
            await runs.cancel(house.admin, this.work.run.id)

    monkeypatch.setattr("domain.customers.importing.BATCH", BATCH)
    monkeypatch.setattr("domain.customers.importing._step", cancelling)
    run = await queue_orders(house, content(bad=True))
    await runs.perform(run.id, "worker", 30)
    found = await state(house, run)
    assert (found["run"][0], len(found["orders"]), found["run"][3]) == (RunState.CANCELLED, BATCH, BATCH)
    await runs.retry(house.admin, run.id)
    await runs.perform(run.id, "worker", 30)
    found = await state(house, run)
    assert (found["run"][0], len(found["orders"]), len(found["errors"])) == (RunState.SUCCEEDED, ROWS, 3)
