"""Measurements are kept as counts, once a run, and read with their freshness."""

from datetime import timedelta
from decimal import Decimal

import pytest

from domain import kpis, runs
from domain.access import BUILDERS, Role
from domain.errors import Forbidden, Invalid
from domain.journal import JournalLine
from domain.kpis import KpiSnapshot, KpiStatus
from domain.runs import Fenced, Run, Work
from domain.timekeeping import TICK
from tests.conftest import NOON, House, build_house
from tests.domain.kpis import scene
from tests.domain.kpis.scene import local


async def gold(house: House, covered: int, customers: int) -> None:
    ids = await scene.customers(house.id, customers)
    await scene.placements(house.admin, ids)
    await scene.tasks(
        house.id, [scene.visit(c, local(2025, 3, 1, hour)) for c in ids[:covered] for hour in (9, 10, 11)]
    )


async def test_a_snapshot_measures_every_kpi_as_of_now(house: House) -> None:
    await gold(house, 19, 20)
    run = await scene.performed(await kpis.snapshot(house.staff[Role.ANALYST]))
    assert run.result == {"kpis": 4}
    coverage = await kpis.get(house.admin, "VISIT_COVERAGE")
    assert (coverage.value, coverage.numerator, coverage.denominator) == (Decimal("0.95"), 19, 20)
    assert (coverage.status, coverage.as_of, coverage.run_id) == (KpiStatus.MET, NOON, run.id)
    assert coverage.snapshot is not None and coverage.computed_at is not None
    assert coverage.snapshot.period_start == local(2025, 3, 1, 0)
    assert coverage.snapshot.period_end == local(2025, 4, 1, 0)
    rate = await kpis.get(house.admin, "REPURCHASE_RATE")
    assert (rate.value, rate.denominator, rate.status, rate.stale) == (None, 0, KpiStatus.NO_DATA, False)
    line = await JournalLine.get(name="kpi.measured")
    assert (line.subject_id, line.actor, line.data) == (run.id, f"run:{run.id}", {})


async def test_who_may_not_build_starts_nothing(house: House) -> None:
    for role in set(Role) - BUILDERS:
        with pytest.raises(Forbidden):
            await kpis.snapshot(house.staff[role])
        with pytest.raises(Forbidden):
            await kpis.build_report(house.staff[role])
    assert await Run.all().count() == 0


async def test_those_who_ask_together_get_one_run(house: House) -> None:
    first, second = await kpis.snapshot(house.admin), await kpis.snapshot(house.owner)
    assert first.id == second.id


async def test_a_snapshot_killed_after_its_step_is_kept_once(house: House) -> None:
    run = await kpis.snapshot(house.admin)
    taken = await runs.claim(run.id, "killed", 30)
    assert taken is not None
    await runs.kinds["kpi_snapshot"].perform(Work(taken))
    assert await runs.rescue(everything=True) == 1
    await scene.performed(run)
    assert await KpiSnapshot.all().count() == 4
    assert await JournalLine.filter(name="kpi.measured").count() == 1


async def test_an_attempt_that_was_given_up_on_keeps_nothing(house: House) -> None:
    run = await kpis.snapshot(house.admin)
    zombie = await runs.claim(run.id, "zombie", 30)
    assert zombie is not None
    await runs.rescue(everything=True)
    with pytest.raises(Fenced):
        await runs.kinds["kpi_snapshot"].perform(Work(zombie))
    assert await KpiSnapshot.all().count() == 0
    assert await JournalLine.filter(name="kpi.measured").count() == 0


async def test_the_latest_measurement_stands_and_the_earlier_ones_are_history(house: House) -> None:
    other = await build_house("Other")
    await scene.performed(await kpis.snapshot(other.admin))
    for number in range(3):
        await scene.placements(house.admin, await scene.customers(house.id, 1), lifecycle="SILENT")
        await scene.performed(await kpis.snapshot(house.admin))
        await house.turn(NOON + timedelta(hours=number + 1))
    assert (await kpis.latest_by_code(house.id))["SILENT_SHARE"].denominator == 3
    found = await kpis.history(house.id, ["SILENT_SHARE", "REPURCHASE_RATE"], 2)
    assert [snapshot.denominator for snapshot in found["SILENT_SHARE"]] == [3, 2]
    assert [snapshot.as_of for snapshot in found["REPURCHASE_RATE"]] == [
        NOON + timedelta(hours=2),
        NOON + timedelta(hours=1),
    ]
    assert await kpis.history(house.id, [], 2) == {}
    for limit in (0, 101):
        with pytest.raises(Invalid):
            await kpis.history(house.id, ["SILENT_SHARE"], limit)


async def test_a_value_is_stale_a_day_and_a_half_after_it_was_measured(house: House) -> None:
    await scene.performed(await kpis.snapshot(house.admin))
    await house.turn(NOON + timedelta(hours=36))
    assert not any(kpi.stale for kpi in await kpis.all_kpis(house.admin))
    await house.turn(NOON + timedelta(hours=36) + TICK)
    assert all(kpi.stale for kpi in await kpis.all_kpis(house.admin))


async def test_the_dashboard_shows_kpis_matrix_and_open_work(house: House) -> None:
    other = await build_house("Other")
    ids = await scene.customers(house.id, 5)
    await scene.placements(house.admin, ids[:2], lifecycle="SILENT", value_level="ORDINARY", tier="BRONZE")
    await scene.placements(house.admin, ids[2:], lifecycle="NEW", value_level="HIGH", tier="GOLD")
    await scene.segmentation(house.admin, NOON)
    executor = house.staff[Role.EXECUTOR]
    lead = house.staff[Role.TEAM_LEAD]
    await scene.tasks(
        house.id,
        [
            {"customer_id": ids[0], "assignee_id": executor.user_id, "due_at": NOON},
            {"customer_id": ids[1], "assignee_id": executor.user_id, "due_at": NOON - TICK},
            {"customer_id": ids[2], "assignee_id": lead.user_id, "due_at": NOON - TICK},
            {"customer_id": ids[3], "assignee_id": lead.user_id, "due_at": NOON - TICK, "satisfied_at": NOON},
            scene.visit(ids[4], NOON),
        ],
    )
    await scene.tasks(other.id, [{"customer_id": (await scene.customers(other.id, 1))[0]}])
    await scene.performed(await kpis.snapshot(house.admin))
    shown = await kpis.dashboard(house.admin)
    assert (shown.open_tasks, shown.overdue_tasks, shown.as_of) == (4, 2, NOON)
    assert [kpi.code for kpi in shown.kpis] == list(kpis.CATALOGUE)
    assert (shown.silent_share.value, shown.silent_share.status) == (Decimal("0.4"), KpiStatus.NOT_MET)
    assert (len(shown.census.cells), shown.census.customers) == (15, 5)
    assert sorted(shown.census.cells.values())[-2:] == [2, 3]
    assert list(shown.census.tiers.values()) == [3, 0, 2]
    assert shown.census.freshness.latest is not None and not shown.census.freshness.stale
    own = await kpis.dashboard(executor)
    assert (own.open_tasks, own.overdue_tasks) == (2, 1)
