"""Care tiers by recency, frequency and monetary value."""

from datetime import timedelta

import pytest

from domain import segments
from domain.segments import RfmTier, SilverRule
from tests.conftest import NOON, House
from tests.domain.segments.population import Person, placements, recompute, settle, shopper, table

TWENTY = {
    "C01": (3, 14, 88_000),
    "C02": (5, 4, 2_100),
    "C03": (8, 11, 64_000),
    "C04": (12, 9, 41_000),
    "C05": (15, 12, 97_000),
    "C06": (20, 6, 18_000),
    "C07": (25, 7, 22_000),
    "C08": (30, 3, 5_200),
    "C09": (41, 5, 15_000),
    "C10": (47, 2, 3_000),
    "C11": (55, 8, 30_000),
    "C12": (63, 2, 2_600),
    "C13": (72, 4, 9_000),
    "C14": (88, 3, 6_100),
    "C15": (95, 1, 1_200),
    "C16": (120, 2, 3_900),
    "C17": (150, 1, 900),
    "C18": (180, 1, 700),
    "C19": (240, 6, 52_000),
    "C20": (365, 1, 300),
}
"""Recency in days, orders and spend in yuan within twelve months (A-01)."""


async def _twenty(house: House) -> dict[int, str]:
    people = [shopper(name, NOON, days, orders, yuan * 100) for name, (days, orders, yuan) in TWENTY.items()]
    return {customer_id: name for name, customer_id in (await settle(house.id, people)).items()}


def _first(placed: dict[int, segments.Placement], names: dict[int, str], rank: str, size: int) -> list[str]:
    order = sorted(placed.values(), key=lambda placement: getattr(placement, rank))
    return [names[placement.customer_id] for placement in order[:size]]


def _in(placed: dict[int, segments.Placement], names: dict[int, str], tier: RfmTier) -> set[str]:
    return {names[customer_id] for customer_id, placement in placed.items() if placement.tier is tier}


async def test_the_twenty_customers_get_their_tiers(house: House) -> None:
    names = await _twenty(house)
    run = await recompute(house.admin)
    placed = await placements(house.id)
    assert _first(placed, names, "r_rank", 4) == ["C01", "C02", "C03", "C04"]
    assert _first(placed, names, "m_rank", 3) == ["C05", "C01", "C03"]
    assert _first(placed, names, "composite_rank", 8) == [
        *("C01", "C05", "C03", "C04"),
        *("C07", "C11", "C06", "C09"),
    ]
    assert _in(placed, names, RfmTier.GOLD) == {"C01", "C03"}
    assert _in(placed, names, RfmTier.SILVER) == {"C04", "C05", "C06", "C07", "C09", "C11"}
    assert len(_in(placed, names, RfmTier.BRONZE)) == 12
    assert run.result == {"customers": 20, "changed": 20}
    assert await segments.tier_counts(house.id) == {
        RfmTier.GOLD: 2,
        RfmTier.SILVER: 6,
        RfmTier.BRONZE: 12,
    }
    figures = {names[i]: (p.frequency, p.monetary_minor) for i, p in placed.items()}
    assert figures == {name: (orders, yuan * 100) for name, (_, orders, yuan) in TWENTY.items()}
    today = NOON.date()
    assert {names[i]: (today - p.last_order_on).days for i, p in placed.items() if p.last_order_on} == {
        name: days for name, (days, _, _) in TWENTY.items()
    }


@pytest.mark.parametrize(
    ("rule", "silver"),
    [
        (SilverRule.M_ONLY, {"C04", "C05", "C06", "C07", "C11", "C19"}),
        (SilverRule.R_AND_M, {"C04", "C05", "C06", "C07"}),
    ],
)
async def test_silver_follows_the_rule_that_is_set(house: House, rule: SilverRule, silver: set[str]) -> None:
    names = await _twenty(house)
    await segments.thresholds_set(house.admin, silver_rule=rule)
    await recompute(house.admin)
    placed = await placements(house.id)
    assert _in(placed, names, RfmTier.GOLD) == {"C01", "C03"}
    assert _in(placed, names, RfmTier.SILVER) == silver


async def test_a_second_run_writes_no_placement_and_no_membership(house: House) -> None:
    await _twenty(house)
    await recompute(house.admin)
    before = await table("placements"), await table("memberships"), await table("segments")
    second = await recompute(house.admin)
    assert second.result == {"customers": 20, "changed": 0}
    assert (await table("placements"), await table("memberships"), await table("segments")) == before
    assert await table("placement_drafts") == []
    last = await segments.latest(house.id)
    assert last is not None
    assert (last.run_id, last.changed, last.customers) == (second.id, 0, 20)


@pytest.mark.parametrize(("size", "gold", "silver"), [(6, 0, 2), (7, 1, 1)])
async def test_quotas_are_rounded_down(house: House, size: int, gold: int, silver: int) -> None:
    """Six: floor(0.9) = 0 gold, floor(2.4) = 2 silver. Seven: one first in both, and one more (A-02)."""
    await settle(house.id, [shopper(f"P{n}", NOON, n, 9 - n, 1000 - n * 100) for n in range(size)])
    await recompute(house.admin)
    counts = await segments.tier_counts(house.id)
    assert (counts[RfmTier.GOLD], counts[RfmTier.SILVER]) == (gold, silver)


async def test_of_seven_nobody_is_gold_when_two_customers_lead(house: House) -> None:
    people = [shopper(f"P{n}", NOON, n, 1, 10_000 + n * 100) for n in range(7)]
    await settle(house.id, people)
    await recompute(house.admin)
    assert (await segments.tier_counts(house.id))[RfmTier.GOLD] == 0


async def test_ties_are_broken_by_the_other_figures_and_then_by_id(house: House) -> None:
    ids = await settle(
        house.id,
        [
            shopper("late twin", NOON, 10, 2, 5_000),
            shopper("poorer", NOON, 10, 2, 4_000),
            shopper("twin", NOON, 10, 2, 5_000),
            shopper("rarer", NOON, 10, 1, 5_000),
            shopper("longer ago", NOON, 11, 2, 5_000),
        ],
    )
    await recompute(house.admin)
    placed = await placements(house.id)
    ranks = {
        name: (placed[i].r_rank, placed[i].f_rank, placed[i].m_rank, placed[i].composite_rank)
        for name, i in ids.items()
    }
    assert ranks == {
        "late twin": (1, 1, 1, 1),
        "twin": (2, 2, 2, 2),
        "rarer": (3, 5, 3, 3),
        "poorer": (4, 4, 5, 5),
        "longer ago": (5, 3, 4, 4),
    }


async def test_customers_without_purchase_count_and_are_bronze_but_excluded_ones_do_not(house: House) -> None:
    long_ago = NOON - timedelta(days=500)
    ids = await settle(
        house.id,
        [
            Person("looker", long_ago),
            Person("test record", long_ago, excluded=True),
            *(shopper(f"P{n}", NOON, n + 1, 3, 9_000) for n in range(3)),
        ],
    )
    await recompute(house.admin)
    placed = await placements(house.id)
    assert ids["test record"] not in placed
    looker = placed[ids["looker"]]
    assert (looker.r_rank, looker.f_rank, looker.m_rank, looker.tier) == (4, 4, 4, RfmTier.BRONZE)
    assert (looker.last_order_on, looker.frequency, looker.monetary_minor) == (None, 0, 0)
    assert len(placed) == 4


async def test_an_excluded_customer_leaves_and_so_do_its_memberships(house: House) -> None:
    from domain.customers.models import Customer

    ids = await settle(house.id, [shopper(f"P{n}", NOON, n + 1, 3, 9_000) for n in range(2)])
    await recompute(house.admin)
    await Customer.filter(id=ids["P0"]).update(excluded=True)
    run = await recompute(house.admin)
    assert list(await placements(house.id)) == [ids["P1"]]
    assert run.result is not None and run.result["customers"] == 1
    assert await segments.segments_by_customer(house.id, [ids["P0"]]) == {ids["P0"]: []}
    assert {row["left_run_id"] for row in await table("memberships") if row["customer_id"] == ids["P0"]} == {
        run.id
    }
