"""Quick, exact and full passes through the schema, and how fresh each says what it decided is."""

from datetime import timedelta

from domain import runs
from domain.runs import Run
from tests.api.conftest import Ask
from tests.conftest import NOON, House
from tests.domain.segments.population import Bought, buy, settle, shopper

ASKED = """mutation ($mode: RecomputeMode!) { segmentationRecompute(mode: $mode) {
  ... on SegmentationRecomputePayload { run { kind } } } }"""
FRESH = """{ segmentation { mode asOf rankedAsOf stale customers changed marked drift waiting }
  customer(externalId: "P3") { rfm { frequency tier rRank exact asOf rankedAsOf stale } } }"""


async def _place(ask: Ask, mode: str) -> str:
    kind = (await ask(ASKED, mode=mode))["segmentationRecompute"]["run"]["kind"]
    run = await Run.get(kind=kind, state="QUEUED")
    assert await runs.perform(run.id, "worker", 30)
    return str(kind)


async def test_each_mode_says_what_it_decided_and_how_fresh_that_is(ask: Ask, house: House) -> None:
    ids = await settle(house.id, [shopper(f"P{n}", NOON, n + 1, 1, 100_000 * (20 - n)) for n in range(20)])
    assert await _place(ask, "FULL") == "segmentation_recompute"
    at_noon = "2025-03-03T04:00:00Z"
    first = await ask(FRESH)
    assert first["segmentation"] == {
        "mode": "FULL",
        "asOf": at_noon,
        "rankedAsOf": at_noon,
        "stale": False,
        "customers": 20,
        "changed": 20,
        "marked": 20,
        "drift": None,
        "waiting": 0,
    }
    placed = {"frequency": 1, "tier": "SILVER", "rRank": 4, "exact": True, "stale": False}
    assert first["customer"]["rfm"] == {**placed, "asOf": at_noon, "rankedAsOf": at_noon}

    await house.turn(NOON + timedelta(hours=1))
    await buy(house.id, "P3", ids["P3"], [Bought(NOON, 100_000_000)])
    waiting = await ask(FRESH)
    assert waiting["segmentation"]["waiting"] == 1
    assert waiting["customer"]["rfm"] == {**first["customer"]["rfm"], "stale": True}

    assert await _place(ask, "QUICK") == "segmentation_quick"
    quick, an_hour_later = await ask(FRESH), "2025-03-03T05:00:00Z"
    assert quick["segmentation"] == {
        **first["segmentation"],
        "mode": "QUICK",
        "asOf": an_hour_later,
        "changed": 1,
        "marked": 1,
    }
    placed = {"frequency": 2, "tier": "GOLD", "rRank": 4, "exact": False, "stale": False}
    assert quick["customer"]["rfm"] == {**placed, "asOf": an_hour_later, "rankedAsOf": at_noon}

    assert await _place(ask, "EXACT") == "segmentation_exact"
    exact = await ask(FRESH)
    placed = {"frequency": 2, "tier": "GOLD", "rRank": 1, "exact": True, "stale": False}
    assert exact["customer"]["rfm"] == {**placed, "asOf": an_hour_later, "rankedAsOf": an_hour_later}
    await _place(ask, "FULL")
    full = (await ask(FRESH))["segmentation"]
    assert (full["drift"], full["changed"], full["marked"]) == (0, 0, 20)
