"""A planner makes segments by rules and by hand: looked at first, published, followed, and explained."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from domain.access import Role
from tests.conftest import NOON
from tests.stories.conftest import Open
from tests.stories.documents import ORDER_RECORD, REFUSAL
from tests.stories.population import Buyer, enter, recompute
from tests.stories.stage import Asker, Stage, shanghai

PREVIEW = (
    "query ($rule: SegmentCondition!, $id: ID) { segmentPreview(rule: $rule, segmentId: $id) "
    "{ count entering leaving staying sample(first: 2) { externalId } cost { reads conditions customers moves } } }"
)
CREATE = (
    "mutation ($input: SegmentCreateInput!) { segmentCreate(input: $input) { __typename "
    "... on SegmentCreatePayload { segment { id key kind } run { id } } " + REFUSAL + " } }"
)
UPDATE = (
    "mutation ($id: ID!, $input: SegmentUpdateInput!) { segmentUpdate(id: $id, input: $input) { __typename "
    "... on SegmentUpdatePayload { segment { id } run { id } } " + REFUSAL + " } }"
)
RECOMPUTE_ONE = (
    "mutation ($id: ID!) { segmentRecompute(id: $id) { __typename "
    "... on SegmentRecomputePayload { run { id } } " + REFUSAL + " } }"
)
CHANGE = (
    "mutation ($id: ID!, $mode: PickMode!, $input: SegmentMembersInput!) { segmentMembersChange(id: $id, "
    "mode: $mode, input: $input) { __typename "
    "... on SegmentMembersChangePayload { added removed run { id } } " + REFUSAL + " } }"
)
INSTALL = (
    "mutation ($key: String!) { segmentPresetInstall(key: $key) { __typename "
    "... on SegmentPresetInstallPayload { segment { id key kind name(language: ZH_CN) } } " + REFUSAL + " } }"
)
SEGMENT = (
    "query ($key: String!) { segment(key: $key) { id kind memberCount rule { place name threshold } "
    "freshness { ruleNumber entered left stale run { state } } "
    "members(first: 10) { totalCount nodes { reason customer { externalId } } } } }"
)
EXPLAIN = (
    "query ($segment: ID!, $customer: ID!) { segmentExplain(segmentId: $segment, customerId: $customer) "
    "{ fits memberSince lines { place name value threshold met } } }"
)
YEAR_ABOVE_5000 = {
    "orders": {"total": {"gt": {"amount": "5000.00", "currency": "CNY"}}, "window": {"months": 12}}
}
NOT_LATELY = {"not": {"orders": {"count": {"gte": 1}, "window": {"days": 60}}}}


async def customer_id(asker: Asker, name: str) -> str:
    found = await asker.ask("query ($id: String!) { customer(externalId: $id) { id } }", id=name)
    return str(found["customer"]["id"])


async def members(asker: Asker, key: str) -> list[str]:
    found = (await asker.ask(SEGMENT, key=key))["segment"]
    return [stay["customer"]["externalId"] for stay in found["members"]["nodes"]]


async def order(stage: Stage, name: str, customer: str, **more: Any) -> None:
    amount = {"amount": "10.00", "currency": "CNY"}
    await stage.owner.do(
        ORDER_RECORD, input={"externalId": name, "customerExternalId": customer, "amount": amount, **more}
    )


async def test_a_planner_previews_publishes_and_watches_a_segment_by_a_rule(stage: Stage) -> None:
    planner = stage[Role.PLANNER]
    await enter(
        stage,
        [
            Buyer("QUIET", 80, 2, Decimal(9_000)),
            Buyer("FRESH", 10, 2, Decimal(9_000)),
            Buyer("SMALL", 80, 2, Decimal(900)),
        ],
        NOON,
    )
    await stage.settle()  # what an import sets off looks at everybody once more
    rule = {"all": [YEAR_ABOVE_5000, NOT_LATELY]}
    looked = (await planner.ask(PREVIEW, rule=rule))["segmentPreview"]
    assert looked == {
        "count": 1,
        "entering": 1,
        "leaving": 0,
        "staying": 0,
        "sample": [{"externalId": "QUIET"}],
        "cost": {"reads": ["customers", "orders"], "conditions": 2, "customers": 3, "moves": 1},
    }
    made = await planner.do(CREATE, input={"key": "WORTH_A_CALL", "nameEn": "Worth a call", "rule": rule})
    assert (made["segment"]["kind"], made["segment"]["key"]) == ("RULE", "WORTH_A_CALL")
    await planner.finish(made["run"]["id"])
    segment = (await planner.ask(SEGMENT, key="WORTH_A_CALL"))["segment"]
    assert segment["memberCount"] == 1
    assert segment["members"] == {
        "totalCount": 1,
        "nodes": [{"reason": "version 1", "customer": {"externalId": "QUIET"}}],
    }
    assert segment["freshness"] == {
        "ruleNumber": 1,
        "entered": 1,
        "left": 0,
        "stale": False,
        "run": {"state": "SUCCEEDED"},
    }
    assert [(".".join(line["place"]), line["threshold"]) for line in segment["rule"]] == [
        ("", "every one"),
        ("all.0.orders", "> CNY 5,000.00"),
        ("all.1", "not met"),
        ("all.1.not.orders", ">= 1"),
    ]
    # QUIET buys, and leaves; FRESH falls silent, and enters.
    await stage.advance(NOON + timedelta(days=55))
    await order(stage, "O-1", "QUIET", orderedAt=(NOON + timedelta(days=54)).isoformat())
    looked = (await planner.ask(PREVIEW, rule=rule, id=segment["id"]))["segmentPreview"]
    assert (looked["entering"], looked["leaving"], looked["staying"]) == (1, 1, 0)
    done = await planner.do(RECOMPUTE_ONE, id=segment["id"])
    run = await planner.finish(done["run"]["id"])
    assert {e["name"]: e["value"] for e in run["result"]}["entered"] == "1"
    assert await members(planner, "WORTH_A_CALL") == ["FRESH"]

    for name, fits in (("FRESH", True), ("QUIET", False)):
        told = await planner.ask(EXPLAIN, segment=segment["id"], customer=await customer_id(planner, name))
        assert told["segmentExplain"]["fits"] is fits
        assert (told["segmentExplain"]["memberSince"] is not None) is fits
        met = {".".join(line["place"]): line["met"] for line in told["segmentExplain"]["lines"]}
        assert met == {"": fits, "all.0.orders": True, "all.1": fits, "all.1.not.orders": not fits}
    stays = await planner.ask(
        '{ customer(externalId: "QUIET") { segments { key } memberships(first: 5) { nodes '
        "{ segment { key } leftAt leftBy { kind } } } } }"
    )
    assert stays["customer"]["segments"] == []
    (stay,) = stays["customer"]["memberships"]["nodes"]
    assert stay["leftAt"] is not None and stay["leftBy"] == {"kind": "segments_evaluate"}


async def test_a_recompute_of_placements_is_followed_by_the_rules_that_ask_about_them(stage: Stage) -> None:
    planner = stage[Role.PLANNER]
    await enter(stage, [Buyer(f"C{n}", n, 2, Decimal(100 * n)) for n in range(1, 9)], NOON)
    rule = {"placed": {"rfmTiers": ["GOLD", "SILVER"]}}
    made = await planner.do(CREATE, input={"key": "CARED_FOR", "nameZh": "重点关怀", "rule": rule})
    await planner.finish(made["run"]["id"])
    assert await members(planner, "CARED_FOR") == []
    await recompute(stage)
    await stage.settle()
    tiers = await planner.ask("{ customers(first: 20) { nodes { externalId rfm { tier } } } }")
    better = [node["externalId"] for node in tiers["customers"]["nodes"] if node["rfm"]["tier"] != "BRONZE"]
    assert better and await members(planner, "CARED_FOR") == better


async def test_a_list_is_made_by_hand_and_presets_are_taken_on(stage: Stage) -> None:
    planner = stage[Role.PLANNER]
    await enter(stage, [Buyer("ONE", 10, 1, Decimal(10)), Buyer("TWO", 10, 2, Decimal(10))], NOON)
    made = await planner.do(CREATE, input={"key": "BY_HAND", "nameEn": "By hand"})
    assert made["segment"]["kind"] == "STATIC"
    one = await customer_id(planner, "ONE")
    changed = await planner.do(CHANGE, id=made["segment"]["id"], mode="ADD", input={"customerIds": [one]})
    await planner.finish(changed["run"]["id"])
    assert await members(planner, "BY_HAND") == ["ONE"]
    where = {"where": {"orders": {"count": {"gte": 2}}}}
    changed = await planner.do(CHANGE, id=made["segment"]["id"], mode="REPLACE", input=where)
    assert (changed["added"], changed["removed"]) == (1, 1)
    await planner.finish(changed["run"]["id"])
    assert await members(planner, "BY_HAND") == ["TWO"]

    presets = (await planner.ask("{ segmentPresets { key name(language: EN) segment { id } } }"))[
        "segmentPresets"
    ]
    assert {"VIP", "NEW_3M", "FIRST_TIME_BUYER", "PROFIT_KEY", "POTENTIAL", "SILENT"} <= {
        p["key"] for p in presets
    }
    taken = await planner.do(INSTALL, key="FIRST_TIME_BUYER")
    assert taken["segment"]["name"] == "首次消费客户"
    await stage.settle()
    assert await members(planner, "FIRST_TIME_BUYER") == ["ONE"]


async def test_what_is_refused_says_where_and_nothing_comes_of_it(stage: Stage) -> None:
    planner = stage[Role.PLANNER]
    wrong = {"all": [YEAR_ABOVE_5000, {"orders": {"count": {"gte": -1}}}]}
    (reason,) = await planner.refused(CREATE, input={"key": "WRONG", "nameEn": "Wrong", "rule": wrong})
    assert reason == {
        "code": "INVALID",
        "message": "gte is between 0 and 1000000, got -1",
        "field": ["input", "rule", "all", "1", "orders", "count", "gte"],
    }
    foreign = {"orders": {"total": {"gt": {"amount": "1.00", "currency": "USD"}}}}
    (reason,) = await planner.refused(CREATE, input={"key": "WRONG", "nameEn": "Wrong", "rule": foreign})
    assert reason["field"] == ["input", "rule", "orders", "total", "gt"]
    made = await planner.do(CREATE, input={"key": "ROUND", "nameEn": "Round", "rule": NOT_LATELY})
    circle = {"any": [NOT_LATELY, {"member": {"segmentId": made["segment"]["id"]}}]}
    (reason,) = await planner.refused(UPDATE, id=made["segment"]["id"], input={"rule": circle})
    assert (reason["code"], reason["field"]) == ("INVALID", ["input", "rule"])
    found = await planner.ask(
        '{ segment(key: "WRONG") { id } round: segment(key: "ROUND") { version: memberCount } }'
    )
    assert found["segment"] is None
    answer = (await stage.executor.response(CREATE, input={"key": "MINE", "nameEn": "Mine"})).json()
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]


async def test_a43_the_rules_of_the_presets_agree_with_the_recompute(stage_at: Open) -> None:
    start = shanghai("2025-02-28 10:00:00")
    async with stage_at(start) as stage:
        days = (start.date() - shanghai("2024-11-30 10:00:00").date()).days
        await enter(
            stage,
            [
                Buyer("AT", 30, 2, Decimal("100000.00")),
                Buyer("ABOVE", 30, 2, Decimal("100000.01")),
                Buyer("NEW", days, 1, Decimal(10)),
            ],
            start,
        )
        await recompute(stage)
        keys = {"VIP": {"ABOVE"}, "NEW_3M": {"AT", "ABOVE", "NEW"}}
        for later, gone in ((0, set()), (1, {"NEW"})):
            if later:
                await stage.advance(start + timedelta(days=later))
            await recompute(stage)
            for key, there in keys.items():
                segment = (await stage.owner.ask(SEGMENT, key=key))["segment"]
                assert set(await members(stage.owner, key)) == there - gone
                for name in ("AT", "ABOVE", "NEW"):
                    customer = await customer_id(stage.owner, name)
                    told = await stage.owner.ask(EXPLAIN, segment=segment["id"], customer=customer)
                    assert told["segmentExplain"]["fits"] is (name in there - gone)
