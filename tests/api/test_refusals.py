"""A refusal names every value that will not do, by its path from the arguments on, and nothing happens."""

from typing import Any

import pytest

from api.ids import global_id
from domain import contacts, customers, workspaces
from domain.access import Role
from domain.contacts import Channel
from tests.api.conftest import Ask, ask_for_result
from tests.conftest import NOON, House
from tests.security import surface
from tests.security.rows import differences, snapshot

NOBODY = global_id("User", 4_000_000_000)
LONG = "x" * 20_000
LATER = "2025-03-04T00:00:00Z"

WRONG: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "customerUpsert": (
        {
            "externalId": " ",
            "name": LONG,
            "company": "",
            "phone": "call me",
            "email": "nobody",
            "ownerId": NOBODY,
            "registeredAt": None,
            "tags": [LONG],
        },
        {
            "externalId": "REQUIRED",
            "name": "INVALID",
            "company": "REQUIRED",
            "phone": "INVALID",
            "email": "INVALID",
            "registeredAt": "REQUIRED",
            "ownerId": "NOT_FOUND",
            "tags": "INVALID",
        },
    ),
    "leadRecord": (
        {
            "externalId": "",
            "customerExternalId": LONG,
            "source": "WEBSITE",
            "acquiredAt": LATER,
            "consent": True,
            "industry": " ",
            "email": "nobody",
        },
        {
            "externalId": "REQUIRED",
            "industry": "REQUIRED",
            "customerExternalId": "INVALID",
            "email": "INVALID",
        },
    ),
    "eventRecord": (
        {"externalId": "", "customerExternalId": "", "name": " ", "occurredAt": LATER},
        {"externalId": "REQUIRED", "name": "REQUIRED", "customerExternalId": "REQUIRED"},
    ),
    "orderRecord": (
        {
            "externalId": "",
            "customerExternalId": "",
            "orderedAt": LATER,
            "amount": {"amount": "-1", "currency": "CHF"},
            "quantity": 0,
            "deliveredAt": LATER,
        },
        {
            "externalId": "REQUIRED",
            "customerExternalId": "REQUIRED",
            "amount": "INVALID",
            "quantity": "INVALID",
            "amount.currency": "INVALID",
            "deliveredAt": "INVALID",
        },
    ),
    "taskCreate": (
        {
            "customerId": global_id("Customer", 4_000_000_000),
            "title": " ",
            "script": LONG,
            "assigneeId": NOBODY,
            "teamId": "nonsense",
            "dedupeKey": LONG,
        },
        {
            "title": "REQUIRED",
            "script": "INVALID",
            "dedupeKey": "INVALID",
            "customerId": "NOT_FOUND",
            "assigneeId": "NOT_FOUND",
            "teamId": "NOT_FOUND",
        },
    ),
    "campaignCreate": (
        {
            "name": "",
            "segmentId": "nonsense",
            "channel": "PHONE",
            "taskTitle": LONG,
            "script": LONG,
            "ownerId": NOBODY,
            "baseline": "2",
            "target": "7",
            "dueWithinHours": 0,
        },
        {
            "taskTitle": "INVALID",
            "script": "INVALID",
            "name": "INVALID",
            "dueWithinHours": "INVALID",
            "baseline": "INVALID",
            "target": "INVALID",
            "segmentId": "NOT_FOUND",
            "ownerId": "NOT_FOUND",
        },
    ),
    "apiKeyCreate": (
        {
            "name": " ",
            "role": "OWNER",
            "userId": NOBODY,
            "scopes": ["viewer", "custommers"],
            "topics": ["everything"],
            "expiresAt": "2020-01-01T00:00:00Z",
        },
        {
            "name": "REQUIRED",
            "role": "FORBIDDEN",
            "scopes": "INVALID",
            "topics": "INVALID",
            "expiresAt": "INVALID",
            "userId": "NOT_FOUND",
        },
    ),
}


@pytest.mark.parametrize("name", WRONG)
async def test_all_that_is_wrong_with_an_input_is_told_at_once(ask: Ask, house: House, name: str) -> None:
    given, expected = WRONG[name]
    before = await snapshot()
    document = surface.document("mutation", name, {"input": given}, 1)
    told = (await ask(document, house.admin, input=given))[name]
    found = {".".join(reason["field"]): reason["code"] for reason in told["userErrors"]}
    assert found == {f"input.{field}": code for field, code in expected.items()}
    assert len(told["userErrors"]) == len(expected)
    assert differences(before, await snapshot()) == {}


KEY = """mutation ($input: ApiKeyCreateInput!) { apiKeyCreate(input: $input) { __typename
  ... on ApiKeyCreatePayload { apiKey { scopes topics } }
  ... on Refusal { userErrors { code message field } } } }"""


async def test_a_key_is_kept_to_operations_and_topics_that_there_are(ask: Ask) -> None:
    # One of each root: a question, a change, a stream; doubled names are one.
    scopes = ["viewer", "taskCreate", "taskChanged", "viewer"]
    given = {"name": "k", "role": "PLANNER", "scopes": scopes, "topics": ["tasks", "runs", "kpis"]}
    made = (await ask(KEY, input=given))["apiKeyCreate"]
    assert made["apiKey"] == {"scopes": sorted(set(scopes)), "topics": ["kpis", "runs", "tasks"]}
    for kind, name in (("scopes", "Viewer"), ("scopes", "task_create"), ("topics", "Tasks"), ("scopes", "")):
        before = await snapshot()
        (reason,) = (await ask(KEY, input={**given, kind: [name]}))["apiKeyCreate"]["userErrors"]
        assert (reason["code"], reason["field"]) == ("INVALID", ["input", kind])
        assert repr(name) in reason["message"]
        assert differences(before, await snapshot()) == {}


async def test_no_key_is_made_for_somebody_who_has_left(ask: Ask, house: House) -> None:
    await workspaces.User.filter(id=house.staff[Role.PLANNER].id).update(active=False)
    before = await snapshot()
    given = {"name": "k", "role": "PLANNER", "userId": global_id("User", house.staff[Role.PLANNER].id)}
    (reason,) = (await ask(KEY, input=given))["apiKeyCreate"]["userErrors"]
    assert (reason["code"], reason["field"]) == ("NOT_FOUND", ["input", "userId"])
    assert differences(before, await snapshot()) == {}


async def test_what_the_contact_policy_refuses_is_the_channel_of_the_input(ask: Ask, house: House) -> None:
    customer, _ = await customers.upsert(house.admin, "C-1", registered_at=NOON)
    await contacts.set_preference(house.admin, customer.id, [], list(Channel), [])
    given = {"customerId": global_id("Customer", customer.id), "title": "Call", "channel": "PHONE"}
    result: Any = await ask_for_result(
        surface.document("mutation", "taskCreate", {"input": given}, 1), house.admin, {"input": given}
    )
    (reason,) = result.data["taskCreate"]["userErrors"]
    assert (reason["code"], reason["field"]) == ("CHANNEL_REFUSED", ["input", "channel"])
