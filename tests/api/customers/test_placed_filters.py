"""Customers are found by where the segmentation places them, in their own workspace and in one statement."""

from datetime import timedelta
from typing import Any

import pytest

from api.ids import global_id
from domain import segments
from domain.access import Role
from tests.api.conftest import Ask, ask_for_result
from tests.api.test_statement_counts import counted
from tests.conftest import NOON, House, build_house
from tests.domain.segments.population import Person, recompute, settle, shopper

DOCUMENT = """query ($where: CustomerWhere) { customers(first: 50, where: $where) {
  totalCount nodes { externalId } } }"""
EVERYBODY = {"new", "rich", "steady", "silent", "unplaced"}


@pytest.fixture
async def settled(house: House) -> House:
    await settle(
        house.id,
        [
            Person("new", NOON),
            shopper("rich", NOON, 200, 3, 20_000_000),
            shopper("steady", NOON, 1, 3, 3_000),
            Person("silent", NOON - timedelta(days=300)),
        ],
    )
    await recompute(house.admin)
    await settle(house.id, [Person("unplaced", NOON)])
    return house


async def segment_id(house: House, key: str) -> str:
    found = await segments.find_by_key(house.id, key)
    assert found is not None
    return global_id("Segment", found.id)


async def found(ask: Ask, where: dict[str, Any], **more: Any) -> set[str]:
    page = (await ask(DOCUMENT, where=where, **more))["customers"]
    names = {node["externalId"] for node in page["nodes"]}
    assert page["totalCount"] == len(page["nodes"]) == len(names)
    return names


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"lifecycleStage": {"eq": "NEW"}}, {"new"}),
        ({"lifecycleStage": {"in": ["NEW", "SILENT"]}}, {"new", "rich", "silent"}),
        ({"lifecycleStage": {"in": []}}, set()),
        ({"lifecycleStage": {"eq": None}}, {"unplaced"}),
        ({"lifecycleStage": {"eq": "NEW", "in": ["SILENT"]}}, set()),
        ({"valueLevel": {"eq": "HIGH"}}, {"rich"}),
        ({"valueLevel": {"in": ["HIGH", "MEDIUM"]}}, {"rich"}),
        ({"rfmTier": {"in": ["GOLD", "SILVER"]}}, {"rich"}),
        ({"rfmTier": {"eq": None}}, {"unplaced"}),
        ({"lifecycleStage": {"eq": "SILENT"}, "valueLevel": {"eq": "ORDINARY"}}, {"silent"}),
        ({"not": {"lifecycleStage": {"eq": "SILENT"}}}, {"new", "steady", "unplaced"}),
        ({"not": {"lifecycleStage": {"eq": None}}}, EVERYBODY - {"unplaced"}),
        ({"or": [{"valueLevel": {"eq": "HIGH"}}, {"rfmTier": {"eq": None}}]}, {"rich", "unplaced"}),
    ],
)
async def test_by_stage_value_and_tier(
    settled: House, ask: Ask, where: dict[str, Any], expected: set[str]
) -> None:
    stored = await segments.placements_by_customer(settled.id, range(1, 100))
    assert len(stored) == 4
    assert await found(ask, where) == expected


async def test_by_segment(settled: House, ask: Ask) -> None:
    vip, new = await segment_id(settled, "VIP"), await segment_id(settled, "cell:NEW:ORDINARY")
    assert await found(ask, {"segment": {"eq": vip}}) == {"rich"}
    assert await found(ask, {"segment": {"in": [vip, new]}}) == {"rich", "new"}
    assert await found(ask, {"segment": {"in": []}}) == set()
    assert await found(ask, {"segment": {"eq": None}}) == {"unplaced"}
    assert await found(ask, {"not": {"segment": {"eq": vip}}}) == EVERYBODY - {"rich"}
    assert await found(ask, {"segment": {"eq": vip}}, who=settled.staff[Role.ANALYST]) == {"rich"}


async def test_what_is_no_segment_here_matches_nobody(settled: House, ask: Ask) -> None:
    stranger = await build_house("Other")
    await settle(stranger.id, [shopper("rich", NOON, 200, 3, 20_000_000)])
    await recompute(stranger.admin)
    theirs, vip = await segment_id(stranger, "VIP"), await segment_id(settled, "VIP")
    for other in (theirs, global_id("Segment", 10**9), global_id("Customer", 1), "nonsense"):
        assert await found(ask, {"segment": {"eq": other}}) == set()
        assert await found(ask, {"segment": {"in": [vip, other]}}) == {"rich"}
    assert await found(ask, {"segment": {"eq": theirs}}, who=stranger.owner) == {"rich"}
    assert await found(ask, {"valueLevel": {"eq": "HIGH"}}, who=stranger.owner) == {"rich"}


async def test_such_a_filter_costs_no_statement_of_its_own(
    settled: House, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = {
        "lifecycleStage": {"in": ["NEW", "SILENT"]},
        "valueLevel": {"eq": "HIGH"},
        "segment": {"eq": await segment_id(settled, "VIP")},
    }
    counts = []
    for where in ({}, wanted):
        with counted(monkeypatch) as sent:
            await ask(DOCUMENT, where=where)
        counts.append(len(sent))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("name", ["lifecycleStage", "valueLevel", "rfmTier", "segment"])
async def test_null_is_no_list(house: House, name: str) -> None:
    result = await ask_for_result(DOCUMENT, house.admin, {"where": {name: {"in": None}}})
    assert [error.message for error in result.errors] == [f"where.{name}: `in` takes a list of at most 100"]
