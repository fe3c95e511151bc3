"""Segments, the matrix, tiers and thresholds through the schema."""

import logging
from datetime import timedelta
from typing import Any

import pytest

from api.ids import global_id
from domain import segments
from domain.access import Role
from domain.language import Language
from domain.runs import Run
from domain.workspaces import Workspace
from tests.api.conftest import Ask, ask_for_result
from tests.conftest import NOON, House, build_house
from tests.domain.segments.population import Bought, Person, buy, recompute, settle, shopper, table

MATRIX = "{ strategyMatrix { lifecycleStage valueLevel count source inheritedFrom { valueLevel } } }"
PLACED = """query ($key: String!) { customer(externalId: $key) {
  lifecycleStage valueLevel
  strategyCell { lifecycleStage valueLevel count goal(language: EN) goalKpis kpis { code } }
  rfm { recencyDays frequency monetary { amount currency } rRank fRank mRank tier asOf runId stale }
  segments { key } } }"""
SET = """mutation ($preset: String, $input: SegmentationThresholdsInput, $seen: Int, $key: String) {
  segmentationThresholdsSet(preset: $preset, input: $input, expectedVersion: $seen, idempotencyKey: $key) {
    __typename
    ... on SegmentationThresholdsSetPayload {
      number thresholds { preset newDays highAbove { amount currency } silverRule } }
    ... on Refusal { userErrors { code field } } } }"""


async def test_the_matrix_has_nine_own_cells_and_counts_everybody(ask: Ask, house: House) -> None:
    await settle(house.id, [shopper(f"P{n}", NOON, n * 4, 1 + n % 4, 1 + n * 15_000) for n in range(100)])
    before = (await ask(MATRIX))["strategyMatrix"]
    assert [cell["count"] for cell in before] == [0] * 15
    await recompute(house.admin)
    cells = (await ask(MATRIX))["strategyMatrix"]
    assert len({(cell["lifecycleStage"], cell["valueLevel"]) for cell in cells}) == 15
    assert sum(cell["count"] for cell in cells) == 100
    assert [cell["source"] for cell in cells].count("OWN") == 9
    found = {(cell["lifecycleStage"], cell["valueLevel"]): cell for cell in cells}
    assert found["SILENT", "HIGH"]["source"] == "INHERITED"
    assert found["SILENT", "HIGH"]["inheritedFrom"] == {"valueLevel": "MEDIUM"}
    assert found["SILENT", "MEDIUM"]["inheritedFrom"] is None


async def test_texts_are_in_the_workspaces_language_unless_another_is_asked_for(
    ask: Ask, house: House
) -> None:
    document = """{ strategyMatrix { lifecycleStage valueLevel goal en: goal(language: EN)
      components(language: ZH_CN) } }"""
    first = (await ask(document))["strategyMatrix"][0]
    assert (first["goal"], first["en"]) == (
        "建立信任，引导首次消费",
        "Build trust, lead to the first purchase",
    )
    assert first["components"] == ["破冰关怀", "需求引导", "权益激活"]
    await Workspace.filter(id=house.id).update(language=Language.EN)
    assert (await ask(document))["strategyMatrix"][0]["goal"] == first["en"]


async def test_a_customer_shows_where_it_is_placed_and_by_what(ask: Ask, house: House) -> None:
    assert (await ask("{ segmentation { stale } }"))["segmentation"] is None
    await settle(house.id, [shopper("P", NOON, 3, 4, 30_000_050), Person("looker", NOON)])
    assert (await ask(PLACED, key="P"))["customer"] == {
        "lifecycleStage": None,
        "valueLevel": None,
        "strategyCell": None,
        "rfm": None,
        "segments": [],
    }
    run = await recompute(house.admin)
    await house.turn(NOON + timedelta(days=2))
    assert (await ask(PLACED, key="P"))["customer"] == {
        "lifecycleStage": "MATURE",
        "valueLevel": "HIGH",
        "strategyCell": {
            "lifecycleStage": "MATURE",
            "valueLevel": "HIGH",
            "count": 1,
            "goal": "Strengthen loyalty, dig deep needs",
            "goalKpis": ["VISIT_COVERAGE", "REPURCHASE_RATE"],
            "kpis": [{"code": "VISIT_COVERAGE"}, {"code": "REPURCHASE_RATE"}],
        },
        "rfm": {
            "recencyDays": 3,
            "frequency": 4,
            "monetary": {"amount": "300000.50", "currency": "CNY"},
            "rRank": 1,
            "fRank": 1,
            "mRank": 1,
            "tier": "BRONZE",
            "asOf": "2025-03-03T04:00:00Z",
            "runId": global_id("Run", run.id),
            "stale": True,
        },
        "segments": [
            {"key": "cell:MATURE:HIGH"},
            {"key": "tier:BRONZE"},
            {"key": "VIP"},
            {"key": "PROFIT_KEY"},
            {"key": "NEW_3M"},
        ],
    }
    assert (await ask(PLACED, key="looker"))["customer"]["rfm"]["recencyDays"] is None
    assert (await ask("{ segmentation { asOf stale customers changed run { id state } } }"))[
        "segmentation"
    ] == {
        "asOf": "2025-03-03T04:00:00Z",
        "stale": True,
        "customers": 2,
        "changed": 2,
        "run": {"id": global_id("Run", run.id), "state": "SUCCEEDED"},
    }


@pytest.mark.one_path
async def test_a_page_of_customers_costs_the_same_statements_whatever_its_size(
    ask: Ask, house: House, caplog: pytest.LogCaptureFixture
) -> None:
    await settle(house.id, [shopper(f"P{n}", NOON, n, 1 + n, 100_000 * (n + 1)) for n in range(12)])
    await recompute(house.admin)
    document = """query ($first: Int) { customers(first: $first) { nodes {
      lifecycleStage valueLevel strategyCell { count goal } rfm { tier monetary { amount } stale }
      segments { name memberCount } placementExplain { holds }
      memberships(first: 2) { nodes { segment { key } enteredBy { state } } } } } }"""
    counts = []
    for size in (2, 12):
        caplog.clear()
        with caplog.at_level(logging.DEBUG, "tortoise.db_client"):
            found = (await ask(document, first=size))["customers"]["nodes"]
        assert len(found) == size
        assert all(node["rfm"]["tier"] for node in found)
        counts.append(len([record for record in caplog.records if record.name == "tortoise.db_client"]))
    assert counts[0] == counts[1] <= 18


async def test_every_condition_of_a_placement_is_explained(ask: Ask, house: House) -> None:
    await settle(house.id, [shopper("P", NOON, 200, 1, 300_000)])
    await recompute(house.admin)
    document = """{ customer(externalId: "P") {
      placementExplain { decides answer name value threshold holds decisive } } }"""
    found = (await ask(document))["customer"]["placementExplain"]
    assert {
        "decides": "LIFECYCLE",
        "answer": "SILENT",
        "name": "lastInteractionAt",
        "value": (NOON - timedelta(days=200)).isoformat(),
        "threshold": "6 months ago",
        "holds": True,
        "decisive": True,
    } in found
    assert {
        "decides": "VALUE",
        "answer": "MEDIUM",
        "name": "monetary",
        "value": "CNY 3,000.00",
        "threshold": "> CNY 2,000.00",
        "holds": True,
        "decisive": True,
    } in found


async def test_a_segment_is_found_by_key_or_id_with_its_members(ask: Ask, house: House) -> None:
    await settle(house.id, [Person(f"P{n}", NOON) for n in range(5)])
    await recompute(house.admin)
    document = """query ($id: ID, $key: String, $after: String) { segment(id: $id, key: $key) {
      id key kind name(language: EN) zh: name(language: ZH_CN) memberCount
      customers(first: 3, after: $after) {
        totalCount nodes { externalId } pageInfo { hasNextPage endCursor } } } }"""
    found = (await ask(document, key="cell:NEW:ORDINARY"))["segment"]
    assert (found["kind"], found["name"], found["zh"], found["memberCount"]) == (
        "CELL",
        "New, ordinary value",
        "新客户·普通价值",
        5,
    )
    page = found["customers"]
    assert page["totalCount"] == 5
    assert [node["externalId"] for node in page["nodes"]] == ["P0", "P1", "P2"]
    assert page["pageInfo"]["hasNextPage"]
    again = (await ask(document, id=found["id"], after=page["pageInfo"]["endCursor"]))["segment"]
    assert [node["externalId"] for node in again["customers"]["nodes"]] == ["P3", "P4"]
    assert (await ask(document, key="NOBODY"))["segment"] is None
    assert (await ask(document, id=global_id("Run", 1)))["segment"] is None
    assert (await ask(document, id="nonsense"))["segment"] is None


async def test_a_segment_is_asked_for_by_exactly_one_name(house: House) -> None:
    for arguments in ("", '(id: "a", key: "VIP")'):
        result = await ask_for_result(f"{{ segment{arguments} {{ key }} }}", house.admin, {})
        assert [error.extensions["code"] for error in result.errors] == ["BAD_REQUEST"]


async def test_segments_are_listed_by_kind(ask: Ask, house: House) -> None:
    await recompute(house.admin)
    document = """query ($kind: [SegmentKind!]) { segments(first: 100, where: {kind: {in: $kind}}) {
      totalCount nodes { key } } }"""
    assert (await ask(document, kind=["CELL", "RFM_TIER", "PRESET"]))["segments"]["totalCount"] == 21
    found = (await ask(document, kind=["RFM_TIER"]))["segments"]["nodes"]
    assert [node["key"] for node in found] == ["tier:GOLD", "tier:SILVER", "tier:BRONZE"]


async def test_moves_between_cells_and_stays_are_shown(ask: Ask, house: House) -> None:
    ids = await settle(house.id, [Person("P", NOON, NOON)])
    first = await recompute(house.admin)
    later = NOON + timedelta(days=10)
    await house.turn(later)
    await buy(house.id, "P", ids["P"], [Bought(later, 2_000_000)])
    second = await recompute(house.admin)
    document = """query ($since: DateTime!, $until: DateTime!) {
      segmentTransitions(since: $since, until: $until) {
        source { lifecycleStage valueLevel } target { lifecycleStage valueLevel } customers } }"""
    variables = {"since": NOON.isoformat(), "until": later.isoformat()}
    assert (await ask(document, **variables))["segmentTransitions"] == [
        {
            "source": {"lifecycleStage": "NEW", "valueLevel": "ORDINARY"},
            "target": {"lifecycleStage": "NEW", "valueLevel": "HIGH"},
            "customers": 1,
        }
    ]
    backwards = {"since": variables["until"], "until": variables["since"]}
    result = await ask_for_result(document, house.admin, backwards)
    assert [error.extensions["code"] for error in result.errors] == ["BAD_REQUEST"]
    history = """{ customer(externalId: "P") { memberships(first: 10) { nodes {
      segment { key } enteredAt leftAt reason enteredBy { id } leftBy { id } } } } }"""
    stays = (await ask(history))["customer"]["memberships"]["nodes"]
    assert [stay for stay in stays if stay["segment"]["key"] == "cell:NEW:ORDINARY"] == [
        {
            "segment": {"key": "cell:NEW:ORDINARY"},
            "enteredAt": "2025-03-03T04:00:00Z",
            "leftAt": "2025-03-13T04:00:00Z",
            "reason": "recompute",
            "enteredBy": {"id": global_id("Run", first.id)},
            "leftBy": {"id": global_id("Run", second.id)},
        }
    ]


async def test_a_recompute_is_a_run_and_asking_twice_is_asking_once(ask: Ask, house: House) -> None:
    document = """mutation { segmentationRecompute {
      ... on SegmentationRecomputePayload { run { id kind state } } } }"""
    analyst = house.staff[Role.ANALYST]
    first = (await ask(document, who=analyst))["segmentationRecompute"]["run"]
    assert (first["kind"], first["state"]) == ("segmentation_recompute", "QUEUED")
    assert (await ask(document))["segmentationRecompute"]["run"]["id"] == first["id"]


async def test_who_may_not_recompute_is_told_so_and_nothing_is_queued(house: House) -> None:
    document = "mutation { segmentationRecompute { __typename } }"
    result = await ask_for_result(document, house.staff[Role.EXECUTOR], {})
    assert [error.extensions["code"] for error in result.errors] == ["FORBIDDEN"]
    assert await Run.all().count() == 0


async def test_thresholds_are_shown_and_moved_in_versions(ask: Ask, house: House) -> None:
    shown = """{ segmentationThresholds { number preset newDays silentMonths churnedMonths matureTenureMonths
      matureOrders highAbove { amount currency } mediumAbove { amount } profitKeyAbove { amount }
      vipAbove { amount } goldRPercent goldMPercent silverPercent silverRule } }"""
    assert (await ask(shown))["segmentationThresholds"] == {
        "number": 0,
        "preset": "DOCUMENTS",
        "newDays": 90,
        "silentMonths": 6,
        "churnedMonths": 12,
        "matureTenureMonths": 12,
        "matureOrders": 3,
        "highAbove": {"amount": "10000.00", "currency": "CNY"},
        "mediumAbove": {"amount": "2000.00"},
        "profitKeyAbove": {"amount": "50000.00"},
        "vipAbove": {"amount": "100000.00"},
        "goldRPercent": 20,
        "goldMPercent": 15,
        "silverPercent": 40,
        "silverRule": "COMPOSITE",
    }
    moved = {"newDays": 30, "highAbove": {"amount": "8000.50", "currency": "CNY"}, "silverRule": "M_ONLY"}
    expected = {
        "__typename": "SegmentationThresholdsSetPayload",
        "number": 1,
        "thresholds": {
            "preset": "DOCUMENTS",
            "newDays": 30,
            "highAbove": {"amount": "8000.50", "currency": "CNY"},
            "silverRule": "M_ONLY",
        },
    }
    for _ in range(2):
        found = (await ask(SET, input=moved, seen=0, key="once"))["segmentationThresholdsSet"]
        assert found == expected
    assert (await ask(SET, preset="CDNOW_USD"))["segmentationThresholdsSet"]["number"] == 2
    assert (await ask(shown))["segmentationThresholds"]["highAbove"]["amount"] == "125.00"


@pytest.mark.parametrize(
    ("variables", "code", "field"),
    [
        ({"input": {"goldRPercent": 0}}, "INVALID", ["input", "goldRPercent"]),
        ({"preset": "NOBODYS"}, "INVALID", ["preset"]),
        ({"seen": 7, "input": {"newDays": 30}}, "CONFLICT", ["expectedVersion"]),
        (
            {"input": {"vipAbove": {"amount": "1.00", "currency": "USD"}}},
            "INVALID",
            ["input", "vipAbove"],
        ),
        (
            {"input": {"vipAbove": {"amount": "1.001", "currency": "CNY"}}},
            "INVALID",
            ["input", "vipAbove"],
        ),
    ],
)
async def test_lines_that_cannot_be_are_refused_and_nothing_is_stored(
    ask: Ask, house: House, variables: dict[str, Any], code: str, field: list[str]
) -> None:
    found = (await ask(SET, **variables))["segmentationThresholdsSet"]
    assert found == {"__typename": "Refusal", "userErrors": [{"code": code, "field": field}]}
    assert await table("setting_versions") == []


async def test_an_analyst_may_not_move_the_lines(house: House) -> None:
    result = await ask_for_result(SET, house.staff[Role.ANALYST], {"input": {"newDays": 30}})
    assert [error.extensions["code"] for error in result.errors] == ["FORBIDDEN"]
    assert (await segments.thresholds(house.id)).number == 0


async def test_another_workspace_sees_nothing_of_this_one(ask: Ask, house: House) -> None:
    other = await build_house("Other")
    await settle(house.id, [Person("P", NOON)])
    await recompute(house.admin)
    group = await segments.find_by_key(house.id, "VIP")
    assert group is not None
    document = f"""{{ segment(id: "{global_id("Segment", group.id)}") {{ key }} segmentation {{ stale }}
      segments {{ totalCount }} strategyMatrix {{ count }} }}"""
    found = await ask(document, who=other.admin)
    assert found["segment"] is None and found["segmentation"] is None
    assert found["segments"]["totalCount"] == 0
    assert [cell["count"] for cell in found["strategyMatrix"]] == [0] * 15
