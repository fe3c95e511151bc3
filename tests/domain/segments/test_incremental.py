"""Quick passes look at whom something happened to, exact ones rank all; both leave what a full one would."""

import importlib
from datetime import timedelta
from typing import Any

import pytest

from domain import customers, db, runs, segments
from domain.customers.models import OrderStatus
from domain.runs import Run
from domain.segments import RecomputeMode, Segmentation
from domain.segments.incremental import EXACT
from tests.conftest import NOON, House, build_house
from tests.domain.segments.population import (
    Bought,
    Person,
    at,
    buy,
    placements,
    settle,
    shopper,
    table,
)

QUICK, EXACTLY, FULL = RecomputeMode


async def place(house: House, mode: RecomputeMode = FULL) -> Segmentation:
    run = await segments.recompute(house.admin, mode)
    assert await runs.perform(run.id, "worker", 30)
    assert (await Run.get(id=run.id)).result is not None, (await Run.get(id=run.id)).errors
    return await Segmentation.get(run_id=run.id)


async def published() -> list[list[dict[str, Any]]]:
    """Placements and stays, without what names the run and the row."""
    hidden = {"id", "run_id", "entered_run_id", "left_run_id"}
    found = []
    for name, order in (
        ("placements", "customer_id"),
        ("memberships", "customer_id, segment_id, entered_at"),
    ):
        rows = await db.rows(f"SELECT * FROM {name} ORDER BY {order}")
        found.append([{key: row[key] for key in row if key not in hidden} for row in rows])
    return found


async def _town(house: House, size: int = 20) -> dict[str, int]:
    ids = await settle(
        house.id, [shopper(f"P{n}", NOON, n + 1, 1 + n % 4, 100_000 * (size - n)) for n in range(size)]
    )
    await place(house)
    return ids


async def test_an_order_marks_its_customer_in_the_same_transaction_and_a_pass_takes_the_mark(
    house: House,
) -> None:
    ids = await _town(house)
    assert await segments.waiting(house.id) == 0
    with pytest.raises(ZeroDivisionError):
        async with db.transaction():
            await customers.record_order(
                house.admin, "gone", customer_id=ids["P9"], ordered_at=NOON, amount_minor=1
            )
            raise ZeroDivisionError
    assert await segments.waiting(house.id) == 0
    await customers.record_order(house.admin, "A", customer_id=ids["P9"], ordered_at=NOON, amount_minor=100)
    assert await segments.marked(house.id, [ids["P9"], ids["P8"]]) == {ids["P9"]: True, ids["P8"]: False}
    done = await place(house, QUICK)
    assert (done.mode, done.marked, done.changed) == (QUICK, 1, 1)
    assert await segments.waiting(house.id) == 0
    assert (await placements(house.id))[ids["P9"]].frequency == 3


@pytest.mark.parametrize("change", ["refund", "register", "cancel", "exclude", "event", "new", "move"])
async def test_whatever_a_placement_depends_on_marks(house: House, change: str) -> None:
    ids = await _town(house)
    who, customer = house.admin, ids["P3"]
    order = await db.value("SELECT MIN(id) FROM orders WHERE customer_id = :id", id=customer)
    wanted = {customer}
    if change == "refund":
        await customers.set_order_status(who, order, OrderStatus.REFUNDED)
    elif change == "register":
        await customers.upsert(who, "P3", registered_at=NOON - timedelta(days=5))
    elif change == "cancel":
        await customers.cancel_relationship(who, customer, NOON)
    elif change == "exclude":
        await customers.set_excluded(who, customer, True)
    elif change == "event":
        await customers.record_event(who, "E", customer_id=customer, name="login", occurred_at=NOON)
    elif change == "new":
        made, _ = await customers.upsert(who, "somebody new")
        wanted = {made.id}
    else:
        await db.execute("UPDATE orders SET customer_id = :to WHERE id = :id", to=ids["P4"], id=order)
        wanted = {customer, ids["P4"]}
    assert {row["customer_id"] for row in await table("placement_marks")} == wanted
    await place(house, EXACTLY)
    exact = await published()
    assert (await place(house)).drift == 0
    assert await published() == exact


async def test_what_a_placement_does_not_depend_on_marks_nobody(house: House) -> None:
    ids = await _town(house)
    await customers.upsert(house.admin, "P3", name="Another name", tags=["vegetarian"])
    order = await db.value("SELECT MIN(id) FROM orders WHERE customer_id = :id", id=ids["P3"])
    await db.execute("UPDATE orders SET quantity = 7 WHERE id = :id", id=order)
    assert await segments.waiting(house.id) == 0


async def test_a_quick_pass_decides_tiers_by_the_boundaries_and_leaves_ranks_alone(house: House) -> None:
    ids = await _town(house)
    before = await placements(house.id)
    assert {i for i, p in before.items() if p.tier.value == "GOLD"} == {ids[f"P{n}"] for n in range(3)}
    await buy(house.id, "P9", ids["P9"], [Bought(NOON, 10_000_000)])
    made = await settle(house.id, [shopper("new", NOON, 0, 2, 20_000_000)])
    await place(house, QUICK)
    after = await placements(house.id)
    assert after[ids["P9"]].tier.value == after[made["new"]].tier.value == "GOLD"
    assert after[ids["P9"]].r_rank == before[ids["P9"]].r_rank
    assert (after[made["new"]].r_rank, after[made["new"]].r_estimate) == (0, 1)
    assert all(after[i].tier == before[i].tier for i in before if i != ids["P9"])
    explained = await segments.explain(house.id, made["new"])
    assert ("rRank", "about 1", "<= 4", True) in [(c.name, c.value, c.threshold, c.holds) for c in explained]
    assert {c.answer for c in explained if c.decisive} >= {"GOLD"}
    await place(house, EXACTLY)
    ranked = await placements(house.id)
    assert ranked[made["new"]].m_rank == 1 and ranked[made["new"]].r_estimate is None
    exact = await published()
    assert (await place(house)).changed == 0
    assert await published() == exact


async def test_lifecycle_boundaries_are_crossed_by_those_who_reach_them_alone(database: str) -> None:
    start = at("2025-02-28T09:59:59")
    house = await build_house(clock_at=start)
    heard = {"A": at("2024-08-31T10:00:00"), "B": at("2024-09-03T10:00:00")}
    ids = await settle(
        house.id,
        [
            *(Person(name, at("2024-01-01T10:00:00"), moment) for name, moment in heard.items()),
            *(Person(f"other {n}", start, start) for n in range(10)),
            Person("leaves", start - timedelta(days=200), start, cancelled=start + timedelta(hours=1)),
            Person("new", start - timedelta(days=90), start),
        ],
    )
    await place(house)

    async def stages() -> dict[str, str]:
        found = await placements(house.id)
        return {name: found[ids[name]].lifecycle.value for name in ("A", "B", "leaves", "new")}

    assert await stages() == {"A": "GROWTH", "B": "GROWTH", "leaves": "GROWTH", "new": "NEW"}
    await house.turn(start + timedelta(seconds=1))
    done = await place(house, QUICK)
    assert await stages() == {"A": "SILENT", "B": "GROWTH", "leaves": "GROWTH", "new": "GROWTH"}
    assert done.marked == done.changed == 2
    await house.turn(start + timedelta(hours=1))
    await place(house, QUICK)
    assert (await stages())["leaves"] == "CHURNED"
    await house.turn(at("2025-03-03T10:00:00"))
    await place(house, QUICK)
    assert (await stages())["B"] == "SILENT"
    quick = await published()
    assert (await place(house)).drift == 0
    assert await published() == quick


async def test_without_a_publication_to_start_from_or_with_other_lines_a_pass_is_full(house: House) -> None:
    await settle(house.id, [shopper(f"P{n}", NOON, n, 1, 1000) for n in range(3)])
    assert (await place(house, QUICK)).mode is FULL
    assert (await place(house, QUICK)).mode is QUICK
    await segments.thresholds_set(house.admin, "CDNOW_USD")
    assert (await place(house, EXACTLY)).mode is FULL


async def test_a_full_pass_tells_of_drift_that_no_mark_accounts_for(house: House) -> None:
    ids = await _town(house)
    await db.execute("UPDATE placements SET frequency = 9 WHERE customer_id = :id", id=ids["P3"])
    await buy(house.id, "P4", ids["P4"], [Bought(NOON, 100)])
    done = await place(house)
    assert (done.drift, done.marked) == (1, 20)
    assert (await place(house)).drift == 0


async def test_all_are_ranked_anew_once_enough_has_moved(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await _town(house)
    monkeypatch.setattr("domain.segments.incremental.FEW", 1)
    for name, asked in (("P3", 0), ("P4", 1)):
        await buy(house.id, name, ids[name], [Bought(NOON, 100)])
        await place(house, QUICK)
        assert await Run.filter(kind=EXACT).count() == asked


async def test_a_pass_that_is_overtaken_between_its_steps_is_done_anew(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full run that has worked all out fails, and is tried again behind a quick one: nothing is lost."""
    ids = await _town(house)
    await buy(house.id, "P3", ids["P3"], [Bought(NOON, 100)])
    full = await segments.recompute(house.admin)
    inside = importlib.import_module("domain.segments.recompute")

    async def dies(_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(inside, "_publish", dies)
        await runs.perform(full.id, "first", 30)
    assert (await placements(house.id))[ids["P3"]].frequency == 4
    done = await place(house, QUICK)
    assert (done.marked, (await placements(house.id))[ids["P3"]].frequency) == (1, 5)
    await runs.cancel(house.admin, full.id)
    await runs.retry(house.admin, full.id)
    assert await runs.perform(full.id, "second", 30)
    assert (await Segmentation.get(run_id=full.id)).drift == 0
    assert await table("placement_drafts") == await table("placement_marks") == []
