"""A-01, A-02, A-18, A-43: customers are placed exactly as the documents say."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain import db
from tests.conftest import NOON
from tests.stories.conftest import Open
from tests.stories.documents import CUSTOMER_UPSERT, REFUSAL
from tests.stories.population import Buyer, enter, recompute
from tests.stories.stage import Stage, shanghai

TWENTY = [
    ("C01", 3, 14, 88_000), ("C02", 5, 4, 2_100), ("C03", 8, 11, 64_000), ("C04", 12, 9, 41_000),
    ("C05", 15, 12, 97_000), ("C06", 20, 6, 18_000), ("C07", 25, 7, 22_000), ("C08", 30, 3, 5_200),
    ("C09", 41, 5, 15_000), ("C10", 47, 2, 3_000), ("C11", 55, 8, 30_000), ("C12", 63, 2, 2_600),
    ("C13", 72, 4, 9_000), ("C14", 88, 3, 6_100), ("C15", 95, 1, 1_200), ("C16", 120, 2, 3_900),
    ("C17", 150, 1, 900), ("C18", 180, 1, 700), ("C19", 240, 6, 52_000), ("C20", 365, 1, 300),
]  # fmt: skip
RFM = (
    "{ customers(first: 100) { nodes { externalId lifecycleStage valueLevel rfm "
    "{ recencyDays frequency monetary { amount } rRank fRank mRank tier } } } }"
)
THRESHOLDS_SET = (
    "mutation ($input: SegmentationThresholdsInput!) { segmentationThresholdsSet(input: $input) { __typename "
    + REFUSAL
    + " } }"
)


async def rfm(stage: Stage) -> dict[str, dict[str, Any]]:
    nodes = (await stage.owner.ask(RFM))["customers"]["nodes"]
    return {node["externalId"]: node["rfm"] for node in nodes}


def of_tier(placed: dict[str, dict[str, Any]], tier: str) -> set[str]:
    return {name for name, figures in placed.items() if figures["tier"] == tier}


async def everything() -> list[Any]:
    """All that a recompute could change about where customers stand."""
    return [
        await db.rows(f"SELECT * FROM {name} ORDER BY id")
        for name in ("placements", "memberships", "segments")
    ]


async def test_a01_twenty_customers_fall_into_the_tiers_of_the_document(stage: Stage) -> None:
    await enter(stage, [Buyer(n, r, o, Decimal(s)) for n, r, o, s in TWENTY], NOON)
    await recompute(stage)
    placed = await rfm(stage)
    for name, recency, orders, spend in TWENTY:
        figures = placed[name]
        assert (figures["recencyDays"], figures["frequency"]) == (recency, orders), name
        assert Decimal(figures["monetary"]["amount"]) == spend, name
    by = {rank: sorted(placed, key=lambda n, rank=rank: placed[n][rank]) for rank in ("rRank", "mRank")}
    assert by["rRank"][:4] == ["C01", "C02", "C03", "C04"]
    assert by["mRank"][:3] == ["C05", "C01", "C03"]
    assert of_tier(placed, "GOLD") == {"C01", "C03"}
    assert of_tier(placed, "SILVER") == {"C04", "C05", "C06", "C07", "C09", "C11"}
    assert len(of_tier(placed, "BRONZE")) == 12

    before = await everything()
    assert (await recompute(stage))["changed"] == "0"
    assert await everything() == before


@pytest.mark.parametrize(
    ("rule", "silver"),
    [
        ("M_ONLY", {"C04", "C05", "C06", "C07", "C11", "C19"}),
        ("R_AND_M", {"C04", "C05", "C06", "C07"}),
    ],
)
async def test_a01_other_silver_rules(stage: Stage, rule: str, silver: set[str]) -> None:
    await enter(stage, [Buyer(n, r, o, Decimal(s)) for n, r, o, s in TWENTY], NOON)
    await stage.owner.do(THRESHOLDS_SET, input={"silverRule": rule})
    await recompute(stage)
    placed = await rfm(stage)
    assert of_tier(placed, "GOLD") == {"C01", "C03"}
    assert of_tier(placed, "SILVER") == silver


async def test_a02_quotas_are_never_exceeded_in_small_populations(stage: Stage) -> None:
    six = [Buyer(f"C{n}", n, 1, Decimal(1000 - n)) for n in range(1, 7)]
    await enter(stage, six, NOON)
    await recompute(stage)
    assert of_tier(await rfm(stage), "GOLD") == set()  # floor(0.9) = 0
    assert of_tier(await rfm(stage), "SILVER") == {"C1", "C2"}  # floor(2.4) = 2

    await enter(stage, [Buyer("C7", 7, 1, Decimal(900))], NOON)
    await recompute(stage)
    assert of_tier(await rfm(stage), "GOLD") == {
        "C1"
    }  # floor(1.4) = 1 and floor(1.05) = 1, the same customer
    assert of_tier(await rfm(stage), "SILVER") == {"C2"}  # floor(2.8) = 2, less gold


async def test_a02_gold_needs_the_same_customer_first_in_both(stage: Stage) -> None:
    seven = [Buyer(f"C{n}", n, 1, Decimal(900 + n)) for n in range(1, 8)]
    await enter(stage, seven, NOON)
    await recompute(stage)
    assert of_tier(await rfm(stage), "GOLD") == set()


async def test_a18_a_hundred_customers_stand_in_fifteen_cells(stage: Stage) -> None:
    buyers = [Buyer(f"C{n:03}", n * 5, 1 + n % 4, Decimal(500 + n * 150)) for n in range(100)]
    await enter(stage, buyers, NOON)
    await recompute(stage)
    data = await stage.owner.ask(
        "{ strategyMatrix { lifecycleStage valueLevel count source inheritedFrom { valueLevel } "
        "goal(language: EN) components(language: EN) zh: components(language: ZH_CN) } }"
    )
    matrix = data["strategyMatrix"]
    assert len(matrix) == 15
    assert sum(cell["count"] for cell in matrix) == 100
    assert [cell["source"] for cell in matrix].count("OWN") == 9
    assert [cell["source"] for cell in matrix].count("INHERITED") == 6
    (silent_high,) = [c for c in matrix if (c["lifecycleStage"], c["valueLevel"]) == ("SILENT", "HIGH")]
    assert silent_high["source"] == "INHERITED"
    assert silent_high["inheritedFrom"]["valueLevel"] == "MEDIUM"
    assert [part.lower() for part in silent_high["components"]] == [
        "cause survey",
        "pain-point solving",
        "limited-time benefit",
    ]
    assert silent_high["zh"] == ["原因调研", "痛点解决", "限时福利"]


async def test_a43_vip_is_above_a_hundred_thousand_and_new_lasts_three_clamped_months(stage_at: Open) -> None:
    start = shanghai("2025-02-28 10:00:00")
    async with stage_at(start) as stage:
        await enter(
            stage,
            [
                Buyer("AT", 30, 2, Decimal("100000.00")),
                Buyer("ABOVE", 30, 2, Decimal("100000.01")),
                Buyer("NEW", (start.date() - shanghai("2024-11-30 10:00:00").date()).days, 1, Decimal(10)),
            ],
            start,
        )

        async def members(key: str) -> set[str]:
            await recompute(stage)
            data = await stage.owner.ask(
                "query ($key: String!) { segment(key: $key) { customers(first: 10) { nodes { externalId } } } }",
                key=key,
            )
            return {node["externalId"] for node in data["segment"]["customers"]["nodes"]}

        assert await members("VIP") == {"ABOVE"}
        assert "NEW" in await members("NEW_3M")
        await stage.advance(start + timedelta(days=1))
        assert "NEW" not in await members("NEW_3M")


async def test_a10_silence_begins_at_the_instant_of_the_clamped_anniversary(stage_at: Open) -> None:
    start = shanghai("2025-02-28 09:59:59")
    async with stage_at(start) as stage:
        for name, at in (("A", "2024-09-03 10:00:00"), ("B", "2024-08-31 10:00:00")):
            made = await stage.owner.do(
                CUSTOMER_UPSERT, input={"externalId": name, "registeredAt": shanghai(at).isoformat()}
            )
            assert made["customer"]["externalId"] == name

        async def stages() -> dict[str, str]:
            await recompute(stage)
            nodes = (await stage.owner.ask(RFM))["customers"]["nodes"]
            return {node["externalId"]: node["lifecycleStage"] for node in nodes}

        assert await stages() == {"A": "GROWTH", "B": "GROWTH"}
        await stage.advance(start + timedelta(seconds=1))
        assert await stages() == {"A": "GROWTH", "B": "SILENT"}
        await stage.advance(shanghai("2025-03-03 09:59:59"))
        assert await stages() == {"A": "GROWTH", "B": "SILENT"}
        await stage.advance(shanghai("2025-03-03 10:00:00"))
        assert await stages() == {"A": "SILENT", "B": "SILENT"}
