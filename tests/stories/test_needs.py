"""An account manager asks a customer what they need, and what is known of them becomes whole (S0-42, S2-39)."""

from typing import Any

from domain.access import Role
from tests.stories.documents import CUSTOMER_UPSERT, PREFERENCE_SET, REFUSAL
from tests.stories.stage import Asker, Stage

SET = (
    "mutation ($customer: ID!, $input: NeedProfileInput!, $version: Int) { needProfileSet(customerId: $customer, "
    "input: $input, expectedVersion: $version) { __typename ... on NeedProfileSetPayload "
    "{ created needProfile { number completeness missing coreNeeds } } " + REFUSAL + " } }"
)
SEEN = (
    "query ($id: ID!) { customer(id: $id) { completeness { percent missing } contactPreference { allowed refused "
    "windows { from to } } needProfile { number industry coreNeeds preferredChannels collectedBy collectedAt } "
    "needProfiles(first: 5) { totalCount nodes { number industry coreNeeds } } } }"
)


async def seen(asker: Asker, customer: str) -> dict[str, Any]:
    found: dict[str, Any] = (await asker.ask(SEEN, id=customer))["customer"]
    return found


async def test_needs_are_asked_for_in_versions_and_the_way_of_contact_follows(stage: Stage) -> None:
    manager = stage.executor
    made = await stage.owner.do(CUSTOMER_UPSERT, input={"externalId": "C-1", "name": "王芳"})
    customer = made["customer"]["id"]
    new = await seen(manager, customer)
    assert new["completeness"] == {
        "percent": 12,
        "missing": [
            "COMPANY",
            "PHONE",
            "EMAIL",
            "OWNER",
            "CONTACT_PREFERENCE",
            "MARKETING_CONSENT",
            "NEED_PROFILE",
        ],
    }
    assert (new["needProfile"], new["needProfiles"]["totalCount"]) == (None, 0)
    await stage.owner.do(
        PREFERENCE_SET,
        customer=customer,
        input={"refused": ["SMS"], "windows": [{"from": "09:00", "to": "12:00"}]},
    )
    first = await manager.do(
        SET,
        customer=customer,
        version=0,
        input={"industry": "Retail", "coreNeeds": ["lower cost", "lower cost"]},
    )
    assert first["needProfile"] == {
        "number": 1,
        "completeness": 33,
        "missing": ["scale", "useScenarios", "focusPoints", "preferredChannels"],
        "coreNeeds": ["lower cost"],
    }
    second = await manager.do(
        SET, customer=customer, input={"coreNeeds": ["speed"], "preferredChannels": ["WECOM", "PHONE"]}
    )
    assert (second["created"], second["needProfile"]["number"]) == (True, 2)
    again = await manager.do(SET, customer=customer, input={"coreNeeds": ["speed"]})
    assert (again["created"], again["needProfile"]["number"]) == (False, 2)
    known = await seen(manager, customer)
    assert (known["completeness"]["percent"], known["needProfile"]["number"]) == (37, 2)
    assert (known["needProfile"]["industry"], known["needProfile"]["coreNeeds"]) == ("Retail", ["speed"])
    assert known["needProfiles"] == {
        "totalCount": 2,
        "nodes": [
            {"number": 2, "industry": "Retail", "coreNeeds": ["speed"]},
            {"number": 1, "industry": "Retail", "coreNeeds": ["lower cost"]},
        ],
    }
    assert known["contactPreference"] == {
        "allowed": ["WECOM", "PHONE"],
        "refused": ["SMS"],
        "windows": [{"from": "09:00", "to": "12:00"}],
    }
    masked = await seen(stage[Role.ANALYST], customer)
    assert masked["needProfile"]["coreNeeds"] == ["s***d"]


async def test_what_will_not_do_is_refused_and_nothing_is_kept(stage: Stage) -> None:
    made = await stage.owner.do(CUSTOMER_UPSERT, input={"externalId": "C-1"})
    customer = made["customer"]["id"]
    await stage.owner.do(PREFERENCE_SET, customer=customer, input={"refused": ["SMS"]})
    for given, code, field in (
        ({}, "REQUIRED", ["input"]),
        ({"industry": " "}, "REQUIRED", ["input", "industry"]),
        ({"coreNeeds": ["x" * 201]}, "INVALID", ["input", "coreNeeds"]),
        ({"coreNeeds": [str(number) for number in range(21)]}, "INVALID", ["input", "coreNeeds"]),
        ({"preferredChannels": ["SMS"]}, "INVALID", ["input", "preferredChannels"]),
    ):
        (reason,) = await stage.owner.refused(SET, customer=customer, input=given)
        assert (reason["code"], reason["field"]) == (code, field)
    (reason,) = await stage.owner.refused(SET, customer=customer, version=1, input={"scale": "500"})
    assert reason["code"] == "CONFLICT"
    after = await seen(stage.owner, customer)
    assert (after["needProfile"], after["contactPreference"]["allowed"]) == (None, [])
