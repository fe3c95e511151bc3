"""A planner reads a saved rule back to edit it, sees who changed it when, and puts a segment away."""

from decimal import Decimal
from typing import Any

from domain.access import Role
from domain.campaigns import Campaign, CampaignState
from tests.conftest import NOON
from tests.stories.documents import REFUSAL
from tests.stories.population import Buyer, enter, recompute
from tests.stories.stage import Asker, Stage
from tests.stories.test_rule_segments import CREATE, RECOMPUTE_ONE, UPDATE, members

COUNT, MONEY = (
    "{ eq gt gte lt lte }",
    "{ gt { amount currency } gte { amount currency } lt { amount currency } lte { amount currency } }",
)
TIME, WINDOW = "{ withinDays withinMonths daysAgo monthsAgo gte lte }", "{ days months since until }"
TIMES = f"count {COUNT} firstAt {TIME} lastAt {TIME} window {WINDOW}"
SAVED = (
    "fragment Saved on SavedSegmentCondition { place join profile { known unknown } owner { ownerIds } "
    f"date {{ field test {TIME} }} tags {{ any }} orders {{ {TIMES} total {MONEY} average {MONEY} statuses }} "
    f"events {{ name {TIMES} }} interactions {{ channels directions results personal {TIMES} }} "
    f"leads {{ sources potentials industries {TIMES} }} consent {{ purpose granted }} "
    "placed { lifecycleStages valueLevels rfmTiers } ranked { by topPercent } member { segmentId } } "
)
DEFINITION = (
    SAVED
    + "query ($key: String!) { segment(key: $key) { id archivedAt memberCount definition { number rule { ...Saved } } "
    "versions(first: 5) { totalCount nodes { number actor createdAt mode added removed rule { place join } } } } }"
)
ARCHIVE = (
    "mutation ($id: ID!, $v: Int) { segmentArchive(id: $id, expectedVersion: $v) { __typename "
    "... on SegmentArchivePayload { segment { archivedAt memberCount } } " + REFUSAL + " } }"
)
RESTORE = (
    "mutation ($id: ID!) { segmentRestore(id: $id) { __typename "
    "... on SegmentRestorePayload { segment { archivedAt } run { id } } " + REFUSAL + " } }"
)
CAMPAIGN = (
    'mutation ($id: ID!) { campaignCreate(input: { name: "Spring", segmentId: $id, channel: PHONE, '
    'taskTitle: "Offer" }) { __typename ... on CampaignCreatePayload { campaign { id } } ' + REFUSAL + " } }"
)
CLOSE = (
    "mutation ($id: ID!) { campaignClose(id: $id) { __typename "
    "... on CampaignClosePayload { campaign { state } } " + REFUSAL + " } }"
)
MONEY_LINE = {"amount": "5000.01", "currency": "CNY"}


def nested(nodes: list[dict[str, Any]]) -> Any:
    """The input that a saved rule came from: nulls left out, and each node where its place says."""

    def without_nulls(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: without_nulls(each) for name, each in value.items() if each is not None}
        return value

    def at(place: tuple[str, ...]) -> Any:
        node = by_place[place]
        if node["join"] == "NOT":
            return {"not": at((*place, "not"))}
        if node["join"] is not None:
            name, parts = node["join"].lower(), []
            while (*place, name, str(len(parts))) in by_place:
                parts.append(at((*place, name, str(len(parts)))))
            return {name: parts}
        return without_nulls({name: value for name, value in node.items() if name not in ("place", "join")})

    by_place = {tuple(node["place"]): node for node in nodes}
    return at(())


def everything(user: str, segment: str) -> dict[str, Any]:
    """A rule with every kind of condition and every part of each."""
    time = {"withinDays": 90, "withinMonths": 12, "gte": "2020-01-01T00:00:00+00:00"}
    past = {"daysAgo": 3, "monthsAgo": 1, "lte": "2030-01-01T00:00:00+00:00"}
    window = {"since": "2020-01-01T00:00:00+00:00", "until": "2030-01-01T00:00:00+00:00"}
    counted = {"count": {"gte": 1, "lt": 9}, "firstAt": past, "lastAt": time, "window": {"days": 30}}
    return {
        "all": [
            {"profile": {"known": ["NAME"], "unknown": ["EMAIL", "PHONE"]}},
            {"any": [{"owner": {"ownerIds": [user]}}, {"not": {"member": {"segmentId": segment}}}]},
            {"date": {"field": "REGISTERED_AT", "test": time}},
            {"tags": {"any": ["a", "b"]}},
            {
                "orders": counted
                | {"total": {"gt": MONEY_LINE}, "average": {"lte": MONEY_LINE}, "statuses": ["PAID"]}
            },
            {"events": {"name": "login", **counted, "window": {"months": 3}}},
            {
                "interactions": counted
                | {
                    "channels": ["PHONE"],
                    "directions": ["INBOUND"],
                    "results": ["REACHED"],
                    "personal": False,
                }
            },
            {
                "leads": counted
                | {"sources": ["WEBSITE"], "potentials": ["HIGH"], "industries": ["steel"], "window": window}
            },
            {"consent": {"purpose": "MARKETING", "granted": False}},
            {"placed": {"lifecycleStages": ["NEW"], "valueLevels": ["HIGH"], "rfmTiers": ["GOLD", "SILVER"]}},
            {"ranked": {"by": "MONETARY", "topPercent": 20}},
        ]
    }


async def made(asker: Asker, key: str, rule: Any) -> str:
    done = await asker.do(CREATE, input={"key": key, "nameEn": key, "rule": rule})
    await asker.finish(done["run"]["id"])
    return str(done["segment"]["id"])


async def test_a_saved_rule_is_read_back_edited_and_keeps_its_versions(stage: Stage) -> None:
    planner = stage[Role.PLANNER]
    user = (await planner.ask("{ viewer { user { id } } }"))["viewer"]["user"]["id"]
    other = await made(planner, "OTHER", {"orders": {"count": {"gte": 2}}})
    rule = everything(user, other)
    segment = await made(planner, "EVERYTHING", rule)
    found = (await planner.ask(DEFINITION, key="EVERYTHING"))["segment"]
    assert found["definition"]["number"] == 1
    again = nested(found["definition"]["rule"])
    same = await planner.do(UPDATE, id=segment, input={"rule": again})
    assert same["run"] is None, "what was read back is what was saved"
    again["all"][3]["tags"]["any"] = ["c"]
    changed = await stage.owner.do(UPDATE, id=segment, input={"rule": again})
    await planner.finish(changed["run"]["id"])
    found = (await planner.ask(DEFINITION, key="EVERYTHING"))["segment"]
    assert nested(found["definition"]["rule"]) == again != rule
    versions = found["versions"]
    assert (versions["totalCount"], [each["number"] for each in versions["nodes"]]) == (2, [2, 1])
    assert len({each["actor"] for each in versions["nodes"]}) == 2
    assert versions["nodes"][0]["rule"][0] == {"place": [], "join": "ALL"}
    built_in = (await planner.ask(DEFINITION, key="VIP"))["segment"]
    assert built_in is None or built_in["definition"] is None


async def test_a_list_says_how_it_was_changed_by_whom(stage: Stage) -> None:
    planner = stage[Role.PLANNER]
    await enter(stage, [Buyer("ONE", 10, 1, Decimal(10)), Buyer("TWO", 10, 1, Decimal(10))], NOON)
    done = await planner.do(CREATE, input={"key": "LIST", "nameEn": "List"})
    await planner.finish(done["run"]["id"])
    changed = await planner.do(
        "mutation ($id: ID!) { segmentMembersChange(id: $id, mode: ADD, input: { where: { orders: "
        "{ count: { gte: 1 } } } }) { __typename ... on SegmentMembersChangePayload { run { id } } "
        + REFUSAL
        + " } }",
        id=done["segment"]["id"],
    )
    await planner.finish(changed["run"]["id"])
    versions = (await planner.ask(DEFINITION, key="LIST"))["segment"]["versions"]["nodes"]
    assert [(each["mode"], each["added"], each["removed"], each["rule"]) for each in versions] == [
        ("ADD", 2, 0, []),
        (None, None, None, []),
    ]


async def test_an_archived_segment_keeps_its_members_and_is_restored(stage: Stage) -> None:
    planner = stage[Role.PLANNER]
    await enter(stage, [Buyer("OFTEN", 10, 2, Decimal(10)), Buyer("ONCE", 10, 1, Decimal(10))], NOON)
    segment = await made(planner, "BUYERS", {"orders": {"count": {"gte": 2}}})
    outer = await made(planner, "OUTER", {"not": {"member": {"segmentId": segment}}})
    campaign = (await planner.do(CAMPAIGN, id=segment))["campaign"]["id"]
    reasons = await planner.refused(ARCHIVE, id=segment)
    assert [(each["code"], each["field"]) for each in reasons] == [("CONFLICT", ["id"])] * 2
    assert (await planner.ask(DEFINITION, key="BUYERS"))["segment"]["archivedAt"] is None

    await stage.owner.do(CLOSE, id=campaign)
    changed = await planner.do(UPDATE, id=outer, input={"rule": {"orders": {"count": {"lte": 1}}}})
    await planner.finish(changed["run"]["id"])
    done = await planner.do(ARCHIVE, id=segment)
    assert done["segment"]["archivedAt"] is not None and done["segment"]["memberCount"] == 1
    (reason,) = await planner.refused(CAMPAIGN, id=segment)
    assert (reason["code"], reason["field"]) == ("CLOSED", ["input", "segmentId"])
    (reason,) = await planner.refused(UPDATE, id=outer, input={"rule": {"member": {"segmentId": segment}}})
    assert (reason["code"], reason["field"]) == ("CLOSED", ["input", "rule", "member", "segmentId"])
    for document, more in ((RECOMPUTE_ONE, {}), (UPDATE, {"input": {"nameEn": "Other"}})):
        (reason,) = await planner.refused(document, id=segment, **more)
        assert (reason["code"], reason["field"]) == ("CLOSED", ["id"])

    await enter(stage, [Buyer("LATER", 10, 2, Decimal(10))], NOON)
    await stage.settle()
    await recompute(stage)  # what follows it looks at all segments that stand
    await stage.settle()
    assert await members(planner, "BUYERS") == ["OFTEN"]
    assert await members(planner, "OUTER") == ["ONCE"]
    listed = "query ($a: Boolean) { segments(first: 50, where: { archived: $a, kind: { eq: RULE } }) { nodes { key } } }"
    assert [s["key"] for s in (await planner.ask(listed, a=True))["segments"]["nodes"]] == ["BUYERS"]
    assert [s["key"] for s in (await planner.ask(listed, a=False))["segments"]["nodes"]] == ["OUTER"]

    restored = await planner.do(RESTORE, id=segment)
    assert restored["segment"]["archivedAt"] is None
    await planner.finish(restored["run"]["id"])
    assert await members(planner, "BUYERS") == ["OFTEN", "LATER"]
    assert (await planner.do(RESTORE, id=segment))["run"] is None


async def test_a_preview_foretells_what_would_come_of_it(stage: Stage) -> None:
    planner = stage[Role.PLANNER]
    await enter(stage, [Buyer(name, 10, 2, Decimal(10)) for name in ("YES", "NO", "SILENT")], NOON)
    for name, granted in (("YES", False), ("YES", True), ("NO", True), ("NO", False)):
        found = await planner.ask("query ($id: String!) { customer(externalId: $id) { id } }", id=name)
        await stage.owner.do(
            "mutation ($c: ID!, $g: Boolean!, $at: DateTime!) { consentRecord(customerId: $c, input: { "
            'purpose: MARKETING, granted: $g, source: "web", noticeVersion: "1", statedAt: $at }) { __typename } }',
            at=NOON.isoformat(),
            c=found["customer"]["id"],
            g=granted,
        )
    segment = await made(planner, "NOBODY", {"orders": {"count": {"gte": 9}}})
    await planner.do(CAMPAIGN, id=segment)
    asked = (
        "query ($rule: SegmentCondition!, $id: ID) { segmentPreview(rule: $rule, segmentId: $id) { entering "
        "consequences { outcome count } } }"
    )
    rule = {"orders": {"count": {"gte": 2}}}
    found = (await planner.ask(asked, rule=rule, id=segment))["segmentPreview"]
    held = {"outcome": "CONTACTS_HELD", "count": 1}
    assert found == {"entering": 3, "consequences": [held, {"outcome": "TASKS_OPENED", "count": 0}]}
    await Campaign.filter(segment_id__gt=0).update(state=CampaignState.ACTIVE)
    found = (await planner.ask(asked, rule=rule, id=segment))["segmentPreview"]
    assert found["consequences"][1]["count"] == 3
    found = (await planner.ask(asked, rule=rule))["segmentPreview"]
    assert found["consequences"] == [held, {"outcome": "TASKS_OPENED", "count": 0}]
