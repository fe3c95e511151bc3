"""A-05: a customer is reached where and when they like it (S0-98)."""

from tests.stories.conftest import Open
from tests.stories.documents import CUSTOMER_UPSERT, PREFERENCE_SET, TASK_CREATE
from tests.stories.stage import shanghai

EVENING = shanghai("2025-03-03 20:00:00")


async def test_an_evening_message_waits_for_the_morning_and_a_call_becomes_a_chat(stage_at: Open) -> None:
    async with stage_at(EVENING) as stage:
        made = await stage.owner.do(CUSTOMER_UPSERT, input={"externalId": "C1"})
        customer = made["customer"]["id"]
        await stage.owner.do(
            PREFERENCE_SET,
            customer=customer,
            input={"allowed": ["SMS", "WECHAT"], "windows": [{"from": "09:00", "to": "12:00"}]},
        )
        asked = await stage.owner.ask(
            "query ($customer: ID!, $at: DateTime!) { contactDecision(customerId: $customer, channel: SMS, at: $at, purpose: SERVICE) "
            "{ verdict channel at reasons { rule } } }",
            customer=customer,
            at=EVENING.isoformat(),
        )
        decision = asked["contactDecision"]
        assert (decision["verdict"], decision["channel"], decision["at"]) == (
            "DEFERRED",
            "SMS",
            "2025-03-04T01:00:00Z",
        )

        sms = await stage.owner.do(
            TASK_CREATE,
            input={
                "customerId": customer,
                "title": "News",
                "channel": "SMS",
                "contactAt": EVENING.isoformat(),
            },
        )
        assert (sms["task"]["channel"], sms["task"]["contactAt"]) == ("SMS", "2025-03-04T01:00:00Z")

        visit = await stage.owner.do(
            TASK_CREATE,
            input={
                "customerId": customer,
                "title": "Visit",
                "kind": "VISIT",
                "channel": "PHONE",
                "contactAt": EVENING.isoformat(),
            },
        )
        assert visit["task"]["channel"] == "WECHAT"
        assert visit["task"]["contactDecision"]["verdict"] == "SUBSTITUTED"
        phone = await stage.owner.ask("{ tasks(first: 10) { nodes { channel } } }")
        assert "PHONE" not in {task["channel"] for task in phone["tasks"]["nodes"]}
