"""Wishes, consents, contacts and the contact policy through the schema."""

import logging
from typing import Any

import pytest

from api.ids import global_id
from domain.access import Role
from domain.contacts import Consent, ContactDecision, ContactPreference, Interaction
from tests.api.conftest import Ask, ask_for_result
from tests.conftest import House, build_house
from tests.domain.contacts.conftest import add_customers

SET = """mutation($id: ID!, $input: ContactPreferenceInput!, $seen: Int, $key: String) {
  contactPreferenceSet(customerId: $id, input: $input, expectedVersion: $seen, idempotencyKey: $key) {
    ... on ContactPreferenceSetPayload {
      contactPreference { id allowed refused windows { from to } version } }
    ... on Refusal { userErrors { code field } current { ... on ContactPreference { version } } } } }"""
SAY = """mutation($id: ID!, $input: ConsentInput!) { consentRecord(customerId: $id, input: $input) {
    ... on ConsentRecordPayload { consent { purpose granted source noticeVersion statedAt } }
    ... on Refusal { userErrors { code field } } } }"""
MEET = """mutation($id: ID!, $input: InteractionInput!) { interactionRecord(customerId: $id, input: $input) {
    ... on InteractionRecordPayload { interaction { id channel direction personal result note staff { id } } }
    ... on Refusal { userErrors { code field } } } }"""
DECIDE = """query($id: ID!, $channel: Channel!, $at: DateTime!, $purpose: Purpose!, $personal: Boolean!) {
  contactDecision(customerId: $id, channel: $channel, at: $at, purpose: $purpose, personal: $personal) {
    verdict channel at wantedChannel wantedAt purpose decidedAt
    reasons { rule code verdict value limit } } }"""

LIMITED = {"allowed": ["SMS", "WECHAT"], "windows": [{"from": "09:00", "to": "12:00"}]}
AGREED = {
    "purpose": "MARKETING",
    "granted": True,
    "source": "web",
    "noticeVersion": "2025-01",
    "statedAt": "2025-03-03T12:00:00+08:00",
}
CALL = {
    "channel": "PHONE",
    "direction": "OUTBOUND",
    "result": "REACHED",
    "note": "moves to Hangzhou in May",
    "occurredAt": "2025-03-03T11:30:00+08:00",
}


@pytest.fixture
async def customer(house: House) -> str:
    return global_id("Customer", (await add_customers(house.id, 1))[0])


@pytest.fixture
async def stranger(house: House) -> str:
    other = await build_house("Other")
    return global_id("Customer", (await add_customers(other.id, 1))[0])


async def decided(ask: Ask, customer: str, channel: str, at: str, **given: Any) -> dict[str, Any]:
    wanted = {"purpose": "SERVICE", "personal": False, **given}
    found = await ask(DECIDE, id=customer, channel=channel, at=at, **wanted)
    decision: dict[str, Any] = found["contactDecision"]
    return decision


async def test_a_wish_is_set_seen_and_heeded(ask: Ask, customer: str) -> None:
    made = (await ask(SET, id=customer, input=LIMITED))["contactPreferenceSet"]["contactPreference"]
    assert {name: made[name] for name in ("allowed", "refused", "windows", "version")} == {
        "allowed": ["SMS", "WECHAT"],
        "refused": [],
        "windows": [{"from": "09:00", "to": "12:00"}],
        "version": 1,
    }
    seen = await ask(
        "query($id: ID!) { customer(id: $id) { contactPreference { id version } } }", id=customer
    )
    assert seen == {"customer": {"contactPreference": {"id": made["id"], "version": 1}}}

    late = await decided(ask, customer, "SMS", "2025-03-03T20:00:00+08:00")
    assert late == {
        "verdict": "DEFERRED",
        "channel": "SMS",
        "at": "2025-03-04T01:00:00Z",
        "wantedChannel": "SMS",
        "wantedAt": "2025-03-03T12:00:00Z",
        "purpose": "SERVICE",
        "decidedAt": "2025-03-03T04:00:00Z",
        "reasons": [
            {
                "rule": "CONSENT",
                "code": "CONSENT_NOT_NEEDED",
                "verdict": "ALLOWED",
                "value": "no consent needed",
                "limit": "SERVICE",
            },
            {
                "rule": "CHANNEL",
                "code": "CHANNEL_ALLOWED",
                "verdict": "ALLOWED",
                "value": "SMS",
                "limit": "WECHAT, SMS",
            },
            {
                "rule": "WINDOW",
                "code": "RECEIVE_WINDOW",
                "verdict": "DEFERRED",
                "value": "20:00",
                "limit": "09:00-12:00",
            },
        ],
    }
    visit = await decided(ask, customer, "PHONE", "2025-03-04T10:00:00+08:00", personal=True)
    assert (visit["verdict"], visit["channel"], visit["at"]) == (
        "SUBSTITUTED",
        "WECHAT",
        "2025-03-04T02:00:00Z",
    )
    assert not await ContactDecision.all()


async def test_a_wish_that_makes_no_sense_is_refused(ask: Ask, customer: str) -> None:
    both = {"allowed": ["SMS"], "refused": ["SMS"]}
    overnight = {"windows": [{"from": "22:00", "to": "02:00"}]}
    for wish, field in ((both, "refused"), (overnight, "windows")):
        answer = (await ask(SET, id=customer, input=wish))["contactPreferenceSet"]
        assert [(e["code"], e["field"]) for e in answer["userErrors"]] == [("INVALID", ["input", field])]
    assert not await ContactPreference.all()


async def test_a_wish_seen_in_another_version_is_a_conflict(ask: Ask, customer: str) -> None:
    await ask(SET, id=customer, input=LIMITED)
    answer = (await ask(SET, id=customer, input={}, seen=7))["contactPreferenceSet"]
    assert [(e["code"], e["field"]) for e in answer["userErrors"]] == [("CONFLICT", ["expectedVersion"])]
    assert answer["current"] == {"version": 1}
    assert [p.version for p in await ContactPreference.all()] == [1]


async def test_the_same_key_sets_a_wish_once(ask: Ask, customer: str) -> None:
    first, again = [await ask(SET, id=customer, input=LIMITED, key="k") for _ in range(2)]
    assert first == again
    assert [p.version for p in await ContactPreference.all()] == [1]


async def test_a_withdrawal_refuses_marketing(ask: Ask, customer: str) -> None:
    at = "2025-03-03T20:00:00+08:00"
    silent = await decided(ask, customer, "SMS", at, purpose="MARKETING")
    assert (silent["verdict"], silent["reasons"][0]["code"]) == ("ALLOWED", "NO_STATEMENT")
    for granted in (True, False):
        made = (await ask(SAY, id=customer, input={**AGREED, "granted": granted}))["consentRecord"]["consent"]
        assert made == {**AGREED, "granted": granted, "statedAt": "2025-03-03T04:00:00Z"}
    refused = await decided(ask, customer, "SMS", at, purpose="MARKETING")
    assert (refused["verdict"], refused["channel"], refused["at"]) == ("REFUSED", None, None)
    assert (refused["reasons"][0]["code"], refused["reasons"][0]["value"]) == (
        "NO_CONSENT",
        "withdrawn 2025-03-03T04:00:00+00:00",
    )
    seen = await ask(
        """query($id: ID!) { customer(id: $id) {
             currentConsents { purpose granted } consents { totalCount nodes { granted } } } }""",
        id=customer,
    )
    assert seen["customer"] == {
        "currentConsents": [{"purpose": "MARKETING", "granted": False}],
        "consents": {"totalCount": 2, "nodes": [{"granted": False}, {"granted": True}]},
    }


async def test_a_statement_from_the_future_is_refused(ask: Ask, customer: str) -> None:
    said = {**AGREED, "statedAt": "2025-03-03T12:00:01+08:00"}
    answer = (await ask(SAY, id=customer, input=said))["consentRecord"]
    assert answer == {"userErrors": [{"code": "INVALID", "field": ["input", "statedAt"]}]}
    assert not await Consent.all()


async def test_a_note_is_masked_for_roles_without_personal_data(
    house: House, ask: Ask, customer: str
) -> None:
    made = (await ask(MEET, who=house.staff[Role.EXECUTOR], id=customer, input=CALL))["interactionRecord"]
    executor = global_id("User", house.staff[Role.EXECUTOR].user_id or 0)
    assert {name: value for name, value in made["interaction"].items() if name != "id"} == {
        "channel": "PHONE",
        "direction": "OUTBOUND",
        "personal": True,
        "result": "REACHED",
        "note": "moves to Hangzhou in May",
        "staff": {"id": executor},
    }
    read = "query($id: ID!) { customer(id: $id) { interactions { nodes { note occurredAt } } } }"
    for role in Role:
        seen = await ask(read, who=house.staff[role], id=customer)
        hidden = role in (Role.ANALYST, Role.SUPPORT)
        note = "mo********************ay" if hidden else "moves to Hangzhou in May"
        assert seen["customer"]["interactions"]["nodes"] == [
            {"note": note, "occurredAt": "2025-03-03T03:30:00Z"}
        ], role


async def test_a_contact_of_unknown_staff_is_refused(house: House, ask: Ask, customer: str) -> None:
    other = await build_house("Other")
    for unknown in (global_id("User", other.owner.user_id or 0), customer, ""):
        answer = (await ask(MEET, id=customer, input={**CALL, "staffId": unknown}))["interactionRecord"]
        assert answer == {"userErrors": [{"code": "NOT_FOUND", "field": ["input", "staffId"]}]}
    assert not await Interaction.all()


async def test_a_contact_in_the_future_is_refused(ask: Ask, customer: str) -> None:
    answer = (await ask(MEET, id=customer, input={**CALL, "occurredAt": "2025-03-03T12:30:00+08:00"}))[
        "interactionRecord"
    ]
    assert answer == {"userErrors": [{"code": "INVALID", "field": ["input", "occurredAt"]}]}
    assert not await Interaction.all()


@pytest.mark.parametrize(
    ("document", "given", "name"),
    [
        (SET, LIMITED, "contactPreferenceSet"),
        (SAY, AGREED, "consentRecord"),
        (MEET, CALL, "interactionRecord"),
    ],
)
async def test_another_workspaces_customer_is_not_found(
    ask: Ask, house: House, stranger: str, document: str, given: dict[str, Any], name: str
) -> None:
    for unknown in (stranger, "nonsense"):
        answer = (await ask(document, id=unknown, input=given))[name]
        assert [(e["code"], e["field"]) for e in answer["userErrors"]] == [("NOT_FOUND", ["customerId"])]
    assert not await ContactPreference.all()
    assert not await Consent.all()
    assert not await Interaction.all()


async def test_nobody_decides_about_another_workspaces_customer(house: House, stranger: str) -> None:
    wanted = {"channel": "SMS", "at": "2025-03-03T20:00:00+08:00", "purpose": "SERVICE", "personal": False}
    answer = await ask_for_result(DECIDE, house.owner, {"id": stranger, **wanted})
    assert answer.data == {"contactDecision": None}


@pytest.mark.parametrize("role", [Role.ANALYST, Role.SUPPORT, Role.PLANNER])
async def test_only_the_front_line_records(house: House, customer: str, role: Role) -> None:
    for document, given in ((SET, LIMITED), (SAY, AGREED), (MEET, CALL)):
        answer = await ask_for_result(document, house.staff[role], {"id": customer, "input": given})
        assert answer.errors is not None
        assert answer.errors[0].extensions == {"code": "FORBIDDEN"}
    assert not await Consent.all()


async def test_interactions_are_paged_latest_first(ask: Ask, customer: str) -> None:
    for minute in (30, 10, 20):
        await ask(MEET, id=customer, input={**CALL, "occurredAt": f"2025-03-03T11:{minute}:00+08:00"})
    read = """query($id: ID!, $first: Int, $after: String, $last: Int) { customer(id: $id) {
      interactions(first: $first, after: $after, last: $last) {
        nodes { occurredAt } pageInfo { hasNextPage hasPreviousPage endCursor } } } }"""

    async def page(**given: Any) -> tuple[list[str], bool, bool, str]:
        found = (await ask(read, id=customer, **given))["customer"]["interactions"]
        info = found["pageInfo"]
        times = [node["occurredAt"][14:16] for node in found["nodes"]]
        return times, info["hasNextPage"], info["hasPreviousPage"], info["endCursor"]

    times, more, _, cursor = await page(first=2)
    assert (times, more) == (["30", "20"], True)
    assert (await page(first=2, after=cursor))[:3] == (["10"], False, True)
    assert (await page(last=1))[0] == ["10"]


async def test_a_page_that_cannot_be_is_the_callers_fault(house: House, customer: str) -> None:
    read = "query($id: ID!) { customer(id: $id) { interactions(first: 0) { totalCount } } }"
    answer = await ask_for_result(read, house.owner, {"id": customer})
    assert answer.errors[0].extensions == {"code": "BAD_REQUEST"}


@pytest.mark.one_path
async def test_many_customers_cost_as_many_statements_as_one(
    house: House, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    read = """query($first: Int!) { customers(first: $first) { nodes {
      contactPreference { version } currentConsents { granted }
      consents(first: 3) { nodes { granted } } interactions(first: 3) { nodes { note } } } } }"""
    costs = []
    for person in await add_customers(house.id, 10):
        customer = global_id("Customer", person)
        await ask(SET, id=customer, input=LIMITED)
        await ask(SAY, id=customer, input=AGREED)
        await ask(MEET, id=customer, input=CALL)
    for size in (1, 10):
        with caplog.at_level(logging.DEBUG, "tortoise.db_client"):
            caplog.clear()
            seen = await ask(read, first=size)
            costs.append(sum(" " in record.getMessage() for record in caplog.records))
    assert costs == [5, 5]
    assert (
        seen["customers"]["nodes"]
        == [
            {
                "contactPreference": {"version": 1},
                "currentConsents": [{"granted": True}],
                "consents": {"nodes": [{"granted": True}]},
                "interactions": {"nodes": [{"note": "moves to Hangzhou in May"}]},
            }
        ]
        * 10
    )
