"""Two records of one customer are found, looked at, made one, and taken apart again."""

from datetime import timedelta
from typing import Any

from domain.access import Role
from tests.conftest import NOON
from tests.stories.documents import (
    CUSTOMER_UPSERT,
    LEAD_RECORD,
    ORDER_RECORD,
    PREFERENCE_SET,
    REFUSAL,
    TASK_CREATE,
)
from tests.stories.stage import Asker, Stage

DUPLICATES = (
    "query ($reason: DuplicateReason!, $after: String, $first: Int) { customerDuplicates(reason: $reason, "
    "after: $after, first: $first) { totalCount nodes { value size customers { externalId } } "
    "pageInfo { hasNextPage endCursor } } }"
)
PREVIEW = (
    "query ($into: ID!, $from: ID!) { customersMergePreview(into: $into, from: $from) "
    "{ values { name kept other becomes } handedOver { kind rows } } }"
)
MERGE = (
    "mutation ($into: ID!, $from: ID!, $take: [MergeField!]) { customersMerge(into: $into, from: $from, take: $take) "
    "{ __typename ... on CustomersMergePayload { merge { id state handedOver { kind rows } } } "
    + REFUSAL
    + " } }"
)
UNDO = (
    "mutation ($id: ID!, $keep: Boolean! = false) { customersMergeUndo(id: $id, keepChanged: $keep) { __typename "
    "... on CustomersMergeUndoPayload { merge { state into { externalId } from { externalId } } } "
    + REFUSAL
    + " } }"
)
CUSTOMER = (
    "query ($name: String!) { customer(externalId: $name) { id name phone email tags excluded excludedBecause "
    "mergedInto { externalId } merges { state from { externalId } } orders { nodes { externalId } } "
    "leads { nodes { externalId } } tasks { nodes { title } } currentConsents { purpose granted } "
    "contactPreference { refused } timeline(first: 3) { nodes { event } } } }"
)


async def upsert(asker: Asker, key: str, **more: Any) -> str:
    made = await asker.do(CUSTOMER_UPSERT, input={"externalId": key, **more})
    return str(made["customer"]["id"])


async def seen(asker: Asker, name: str) -> dict[str, Any]:
    found: dict[str, Any] = (await asker.ask(CUSTOMER, name=name))["customer"]
    return found


async def order(stage: Stage, name: str, customer: str) -> None:
    amount = {"amount": "10.00", "currency": "CNY"}
    given = {"externalId": name, "customerExternalId": customer, "amount": amount}
    await stage.owner.do(ORDER_RECORD, input={**given, "orderedAt": NOON.isoformat()})


async def test_a_customer_recorded_twice_becomes_one_and_is_taken_apart_again(stage: Stage) -> None:
    lead = stage[Role.TEAM_LEAD]
    shop = await upsert(stage.owner, "SHOP-7", name="王芳", phone="+86 138-0000-0000", tags=["shop"])
    web = await upsert(
        stage.owner, "WEB-9", name="Fang", phone="13800000000", email="Fang@care.test", tags=["web"]
    )
    await upsert(stage.owner, "WEB-10", phone="13800000001", email="fang@CARE.test")
    await order(stage, "O-1", "SHOP-7")
    await order(stage, "O-2", "WEB-9")
    await stage.owner.do(
        LEAD_RECORD,
        input={
            "externalId": "L-1",
            "customerExternalId": "WEB-9",
            "source": "WEBSITE",
            "acquiredAt": (NOON - timedelta(hours=1)).isoformat(),
            "consent": False,
        },
    )
    await stage.owner.do(PREFERENCE_SET, customer=web, input={"refused": ["SMS"]})
    await stage.owner.do(TASK_CREATE, input={"customerId": web, "title": "Call Fang"})
    await stage.settle()
    was = [await seen(stage.owner, name) for name in ("SHOP-7", "WEB-9")]

    by_phone = (await lead.ask(DUPLICATES, reason="PHONE"))["customerDuplicates"]
    assert by_phone["nodes"] == [
        {
            "value": "13800000000",
            "size": 2,
            "customers": [{"externalId": "SHOP-7"}, {"externalId": "WEB-9"}],
        }
    ]
    by_address = (await lead.ask(DUPLICATES, reason="EMAIL"))["customerDuplicates"]
    assert [group["value"] for group in by_address["nodes"]] == ["fang@care.test"]

    looked = (await lead.ask(PREVIEW, into=shop, **{"from": web}))["customersMergePreview"]
    values = {value.pop("name"): value for value in looked["values"]}
    assert values["name"] == {"kept": "王芳", "other": "Fang", "becomes": "王芳"}
    assert values["email"] == {"kept": None, "other": "Fang@care.test", "becomes": "Fang@care.test"}
    assert values["consent.MARKETING"] == {"kept": None, "other": "refused", "becomes": "refused"}
    assert values["preference.refused"] == {"kept": None, "other": "SMS", "becomes": "SMS"}

    done = (await lead.do(MERGE, into=shop, **{"from": web}))["merge"]
    assert (done["state"], done["handedOver"]) == ("MERGED", looked["handedOver"])
    rows = {each["kind"]: each["rows"] for each in done["handedOver"]}
    assert (rows["orders.customer_id"], rows["leads.customer_id"]) == (1, 1)
    one = await seen(stage.owner, "SHOP-7")
    assert (one["name"], one["email"], one["tags"]) == ("王芳", "Fang@care.test", ["shop", "web"])
    assert {node["externalId"] for node in one["orders"]["nodes"]} == {"O-1", "O-2"}
    assert [node["externalId"] for node in one["leads"]["nodes"]] == ["L-1"]
    assert "Call Fang" in {node["title"] for node in one["tasks"]["nodes"]}
    assert one["currentConsents"] == [{"purpose": "MARKETING", "granted": False}]
    assert one["contactPreference"] == {"refused": ["SMS"]}
    assert one["merges"] == [{"state": "MERGED", "from": {"externalId": "WEB-9"}}]
    gone = await seen(stage.owner, "WEB-9")
    assert (gone["excludedBecause"], gone["mergedInto"]) == ("MERGED", {"externalId": "SHOP-7"})
    assert (gone["orders"]["nodes"], gone["tasks"]["nodes"]) == ([], [])
    assert (await lead.ask(DUPLICATES, reason="PHONE"))["customerDuplicates"]["totalCount"] == 0
    assert (await lead.refused(MERGE, into=shop, **{"from": web}))[0]["code"] == "CONFLICT"
    await order(stage, "O-3", "WEB-9")
    assert len((await seen(stage.owner, "SHOP-7"))["orders"]["nodes"]) == 3

    back = (await lead.do(UNDO, id=done["id"]))["merge"]
    assert back == {"state": "UNDONE", "into": {"externalId": "SHOP-7"}, "from": {"externalId": "WEB-9"}}
    now = [await seen(stage.owner, name) for name in ("SHOP-7", "WEB-9")]
    assert [node["externalId"] for node in now[0]["orders"]["nodes"]] == ["O-1", "O-3"]
    for before, after in zip(was, now, strict=True):
        for name in ("name", "email", "phone", "tags", "excluded", "leads", "tasks", "currentConsents"):
            assert after[name] == before[name], name
        assert (after["mergedInto"], after["contactPreference"]) == (None, before["contactPreference"])
    assert (await lead.refused(UNDO, id=done["id"]))[0]["code"] == "CONFLICT"


async def test_duplicates_come_in_pages_and_placeholders_are_counted_not_listed(stage: Stage) -> None:
    for number in range(25):
        await upsert(stage.owner, f"P-{number}", phone="000 000 5555")
    for number in range(4):
        await upsert(stage.owner, f"Q-{number}", phone=f"70000{number // 2}")
    await upsert(stage.owner, "Z-1", phone="000")
    await upsert(stage.owner, "z-1", phone="0000")
    page = (await stage.owner.ask(DUPLICATES, reason="PHONE", first=2))["customerDuplicates"]
    assert [(group["value"], group["size"], len(group["customers"])) for group in page["nodes"]] == [
        ("5555", 25, 20),
        ("700000", 2, 2),
    ]
    assert (page["totalCount"], page["pageInfo"]["hasNextPage"]) == (3, True)
    after = page["pageInfo"]["endCursor"]
    page = (await stage.owner.ask(DUPLICATES, reason="PHONE", after=after))["customerDuplicates"]
    assert ([group["value"] for group in page["nodes"]], page["totalCount"]) == (["700001"], 3)
    page = (await stage.owner.ask(DUPLICATES, reason="EXTERNAL_ID"))["customerDuplicates"]
    assert [[each["externalId"] for each in group["customers"]] for group in page["nodes"]] == [
        ["Z-1", "z-1"]
    ]


async def test_a_later_change_is_named_and_left_only_when_told_to(stage: Stage) -> None:
    kept = await upsert(stage.owner, "A")
    gone = await upsert(stage.owner, "B", phone="13800000002", name="Bo")
    merge = (await stage.owner.do(MERGE, into=kept, **{"from": gone}))["merge"]["id"]
    await upsert(stage.owner, "A", phone="13800000003")
    refused = await stage.owner.refused(UNDO, id=merge)
    assert [(each["code"], each["message"]) for each in refused] == [
        ("CONFLICT", "phone has been changed since")
    ]
    assert (await seen(stage.owner, "B"))["mergedInto"] == {"externalId": "A"}
    await stage.owner.do(UNDO, id=merge, keep=True)
    alone = await seen(stage.owner, "A")
    assert (alone["name"], alone["phone"]) == (None, "13800000003")


async def test_a_change_to_a_record_that_is_gone_is_refused_with_the_one_that_is_current(
    stage: Stage,
) -> None:
    kept = await upsert(stage.owner, "A")
    gone = await upsert(stage.owner, "B")
    await stage.owner.do(MERGE, into=kept, **{"from": gone})
    document = CUSTOMER_UPSERT.replace("... on Refusal {", "... on Refusal { current { id }")
    answer = (await stage.owner.ask(document, input={"externalId": "B", "name": "Bo"}))["customerUpsert"]
    assert (answer["userErrors"][0]["code"], answer["current"]) == ("CONFLICT", {"id": kept})
