"""What each KPI counts, to the customer and to the instant."""

from datetime import timedelta

import pytest

from domain import tasks
from domain.kpis import FIRST_TOUCH_24H, REPURCHASE_RATE, SILENT_SHARE, VISIT_COVERAGE, KpiDefinition
from domain.kpis.measures import measure
from domain.timekeeping import TICK
from tests.conftest import NOON, House, build_house
from tests.domain.kpis import scene
from tests.domain.kpis.scene import SHANGHAI, local


async def counts(house: House, kpi: KpiDefinition, as_of=NOON) -> tuple[int, int]:
    found = {m.kpi: m for m in await measure(house.id, as_of, SHANGHAI)}
    return found[kpi.code].numerator, found[kpi.code].denominator


async def test_an_empty_workspace_has_nothing_to_divide_by(house: House) -> None:
    assert [(m.numerator, m.denominator) for m in await measure(house.id, NOON, SHANGHAI)] == [(0, 0)] * 4


@pytest.mark.parametrize("covered", [190, 189])
async def test_of_200_gold_customers_those_reached_three_times_are_covered(
    house: House, covered: int
) -> None:
    gold = await scene.customers(house.id, 200)
    await scene.placements(house.admin, gold)
    await scene.placements(house.admin, await scene.customers(house.id, 5), tier="SILVER")
    drafts = [scene.visit(c, local(2025, 3, day)) for c in gold[:covered] for day in (3, 12, 21)]
    drafts += [scene.visit(c, local(2025, 3, day)) for c in gold[covered:] for day in (3, 12)]
    await scene.tasks(house.id, drafts)
    assert await counts(house, VISIT_COVERAGE, local(2025, 3, 31, 18)) == (covered, 200)


async def test_only_visits_that_reached_the_customer_in_the_month_count(house: House) -> None:
    one, two, three, four = await scene.customers(house.id, 4)
    await scene.placements(house.admin, [one, two, three, four])
    month = [local(2025, 3, 1, 0), local(2025, 3, 15), local(2025, 4, 1, 0) - TICK]
    await scene.tasks(
        house.id,
        [scene.visit(one, at) for at in month]
        + [scene.visit(two, at) for at in (month[0] - TICK, *month[1:])]
        + [
            scene.visit(three, month[0]),
            scene.visit(three, month[1]),
            scene.visit(three, month[2], "NO_ANSWER"),
        ]
        + [
            scene.visit(four, month[0]),
            scene.visit(four, month[1]),
            {**scene.visit(four, month[2]), "kind": "GENERAL"},
        ],
    )
    assert await counts(house, VISIT_COVERAGE, month[2]) == (1, 4)
    assert await counts(house, VISIT_COVERAGE, month[1]) == (0, 4)


async def test_the_quota_is_that_of_the_care_plan(house: House) -> None:
    (gold,) = await scene.customers(house.id, 1)
    await scene.placements(house.admin, [gold])
    await scene.tasks(house.id, [scene.visit(gold, local(2025, 3, 1)), scene.visit(gold, local(2025, 3, 2))])
    assert await counts(house, VISIT_COVERAGE) == (0, 1)
    await tasks.set_care(house.admin, tasks.Care(gold=tasks.Cadence(2, 1, True)))
    assert await counts(house, VISIT_COVERAGE) == (1, 1)


async def test_the_period_is_that_of_the_care_plan(house: House) -> None:
    (gold,) = await scene.customers(house.id, 1)
    await scene.placements(house.admin, [gold])
    quarter, before = local(2025, 1, 1, 0), local(2025, 1, 1, 0) - TICK
    days = [before, quarter, local(2025, 2, 10)]
    await scene.tasks(house.id, [scene.visit(gold, day) for day in days])
    await tasks.set_care(house.admin, tasks.Care(gold=tasks.Cadence(2, 1, True)))
    assert await counts(house, VISIT_COVERAGE) == (0, 1)
    await tasks.set_care(house.admin, tasks.Care(gold=tasks.Cadence(2, 3, True)))
    assert await counts(house, VISIT_COVERAGE) == (1, 1)
    await tasks.set_care(house.admin, tasks.Care(gold=tasks.Cadence(3, 3, True)))
    assert await counts(house, VISIT_COVERAGE) == (0, 1)
    found = {m.kpi: m for m in await measure(house.id, NOON, SHANGHAI)}
    coverage, touch = found[VISIT_COVERAGE.code], found[FIRST_TOUCH_24H.code]
    assert (coverage.start, coverage.end) == (quarter, local(2025, 4, 1, 0))
    assert (touch.start, touch.end) == (local(2025, 3, 1, 0), local(2025, 4, 1, 0))


async def test_repurchase_counts_buyers_of_the_last_twelve_months(house: House) -> None:
    once, twice, refunded, late, early, never = await scene.customers(house.id, 6)
    (test_record,) = await scene.customers(house.id, 1, excluded=True)
    year_ago = local(2024, 3, 3)
    assert local(2025, 3, 3) == NOON
    await scene.orders(house.id, [(once, NOON), (twice, year_ago), (twice, NOON), (refunded, NOON)])
    await scene.orders(house.id, [(refunded, local(2025, 1, 1))], status="REFUNDED")
    await scene.orders(house.id, [(late, NOON), (late, NOON + TICK)])
    await scene.orders(house.id, [(early, NOON), (early, year_ago - TICK)])
    await scene.orders(house.id, [(test_record, NOON), (test_record, NOON)])
    assert await counts(house, REPURCHASE_RATE) == (1, 5)
    assert never


async def test_the_silent_share_is_that_of_the_published_segmentation(house: House) -> None:
    ids = await scene.customers(house.id, 10)
    await scene.placements(house.admin, ids[:3], lifecycle="SILENT")
    await scene.placements(house.admin, ids[3:8], lifecycle="CHURNED")
    assert await counts(house, SILENT_SHARE) == (3, 8)


async def test_a_first_touch_at_the_due_instant_is_in_time_and_one_tick_later_is_not(house: House) -> None:
    (customer,) = await scene.customers(house.id, 1)
    acquired, day = local(2025, 3, 1, 10, 15), timedelta(hours=24)
    await scene.lead(house.id, customer, acquired, acquired + day)
    await scene.lead(house.id, customer, acquired, acquired + day + TICK)
    assert await counts(house, FIRST_TOUCH_24H) == (1, 2)


async def test_a_lead_counts_once_touched_or_once_its_day_is_over(house: House) -> None:
    (customer,) = await scene.customers(house.id, 1)
    day = timedelta(hours=24)
    await scene.lead(house.id, customer, NOON - day)
    assert await counts(house, FIRST_TOUCH_24H) == (0, 0)
    assert await counts(house, FIRST_TOUCH_24H, NOON + TICK) == (0, 1)
    await scene.lead(house.id, customer, NOON - timedelta(hours=1), NOON)
    assert await counts(house, FIRST_TOUCH_24H) == (1, 1)
    # Touched after the instant that is asked about: not yet.
    await scene.lead(house.id, customer, NOON - timedelta(hours=2), NOON + TICK)
    assert await counts(house, FIRST_TOUCH_24H) == (1, 1)


async def test_leads_of_another_month_and_of_test_records_do_not_count(house: House) -> None:
    (customer,) = await scene.customers(house.id, 1)
    (test_record,) = await scene.customers(house.id, 1, excluded=True)
    begins = local(2025, 3, 1, 0)
    await scene.lead(house.id, customer, begins - TICK, begins)
    await scene.lead(house.id, test_record, begins, begins)
    assert await counts(house, FIRST_TOUCH_24H) == (0, 0)
    await scene.lead(house.id, customer, begins, begins)
    assert await counts(house, FIRST_TOUCH_24H) == (1, 1)


async def test_two_workspaces_do_not_mix(house: House) -> None:
    other = await build_house("Other")
    for at, share in ((house, 2), (other, 5)):
        ids = await scene.customers(at.id, share)
        await scene.placements(at.admin, ids, lifecycle="SILENT")
        await scene.orders(at.id, [(c, NOON) for c in ids] * 2)
        await scene.tasks(at.id, [scene.visit(c, local(2025, 3, 2, hour)) for c in ids for hour in (1, 2, 3)])
        for customer in ids:
            await scene.lead(at.id, customer, local(2025, 3, 1), local(2025, 3, 1))
    assert {(m.numerator, m.denominator) for m in await measure(house.id, NOON, SHANGHAI)} == {(2, 2)}
    assert {(m.numerator, m.denominator) for m in await measure(other.id, NOON, SHANGHAI)} == {(5, 5)}
