"""A lead without consent is owed its first touch, and spared all marketing (C-48, S2-66)."""

from datetime import datetime, timedelta
from typing import Any

from tests.stories.conftest import Open
from tests.stories.documents import LEAD_RECORD, REFUSAL, TASKS
from tests.stories.stage import Stage, shanghai

ACQUIRED = shanghai("2025-03-03 10:15:00")
CONSENT_RECORD = (
    "mutation ($customer: ID!, $input: ConsentInput!) { consentRecord(customerId: $customer, input: $input) "
    "{ __typename " + REFUSAL + " } }"
)
ASKED = """query ($customer: ID!, $external: String!, $at: DateTime!) {
  marketing: contactDecision(customerId: $customer, channel: SMS, at: $at, purpose: MARKETING) {
    verdict reasons { code } }
  service: contactDecision(customerId: $customer, channel: PHONE, at: $at, purpose: SERVICE) { verdict }
  customer(externalId: $external) { consents { nodes { purpose granted source statedAt } } } }"""


async def lead(stage: Stage, name: str, consent: bool, acquired: datetime = ACQUIRED) -> str:
    given = {
        "externalId": f"L-{name}",
        "customerExternalId": name,
        "source": "TRADE_FAIR",
        "acquiredAt": acquired.isoformat(),
        "consent": consent,
    }
    done = await stage.owner.do(LEAD_RECORD, input=given)
    await stage.settle()
    return str(done["lead"]["customer"]["id"])


async def asked(stage: Stage, customer: str, name: str) -> dict[str, Any]:
    return await stage.owner.ask(ASKED, customer=customer, external=name, at=ACQUIRED.isoformat())


async def test_a_lead_without_consent_refuses_marketing_and_is_touched_all_the_same(stage_at: Open) -> None:
    async with stage_at(ACQUIRED) as stage:
        customer = await lead(stage, "No", consent=False)
        await lead(stage, "No", consent=False)  # the same event again
        found = await asked(stage, customer, "No")
        assert found["marketing"]["verdict"] == "REFUSED"
        assert "NO_CONSENT" in {reason["code"] for reason in found["marketing"]["reasons"]}
        assert found["service"]["verdict"] == "ALLOWED"
        assert found["customer"]["consents"]["nodes"] == [
            {
                "purpose": "MARKETING",
                "granted": False,
                "source": "lead",
                "statedAt": "2025-03-03T02:15:00Z",
            }
        ]
        (task,) = (await stage.owner.ask(TASKS))["tasks"]["nodes"]
        assert (task["kind"], task["state"], task["channel"]) == ("FIRST_TOUCH", "OPEN", "PHONE")


async def test_a_lead_with_consent_states_no_refusal(stage_at: Open) -> None:
    async with stage_at(ACQUIRED) as stage:
        customer = await lead(stage, "Yes", consent=True)
        found = await asked(stage, customer, "Yes")
        assert (found["marketing"]["verdict"], found["customer"]["consents"]["nodes"]) == ("ALLOWED", [])


async def test_what_the_customer_says_later_holds_also_when_the_lead_comes_in_late(stage_at: Open) -> None:
    async with stage_at(ACQUIRED) as stage:
        customer = await lead(stage, "Later", consent=True)
        granted = {
            "purpose": "MARKETING",
            "granted": True,
            "source": "web",
            "statedAt": ACQUIRED.isoformat(),
        }
        await stage.owner.do(CONSENT_RECORD, customer=customer, input=granted)
        await stage.owner.do(
            LEAD_RECORD,
            input={
                "externalId": "L-earlier",
                "customerExternalId": "Later",
                "source": "WEBSITE",
                "acquiredAt": (ACQUIRED - timedelta(days=30)).isoformat(),
                "consent": False,
            },
        )
        await stage.settle()
        found = await asked(stage, customer, "Later")
        assert found["marketing"]["verdict"] == "ALLOWED"
        assert [said["granted"] for said in found["customer"]["consents"]["nodes"]] == [True, False]


async def test_a_lead_announced_for_the_future_refuses_from_now_on(stage_at: Open) -> None:
    async with stage_at(ACQUIRED) as stage:
        customer = await lead(stage, "Soon", consent=False, acquired=ACQUIRED + timedelta(days=1))
        found = await asked(stage, customer, "Soon")
        assert found["marketing"]["verdict"] == "REFUSED"
        assert found["customer"]["consents"]["nodes"][0]["statedAt"] == "2025-03-03T02:15:00Z"
