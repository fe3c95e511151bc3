"""A-07: a delivery is followed by one call-back within 72 hours, with two scores (S0-27)."""

from datetime import timedelta

from tests.stories.conftest import Open
from tests.stories.documents import CUSTOMER_UPSERT, ORDER_RECORD, ORDER_STATUS, TASK_COMPLETE, TASKS
from tests.stories.stage import shanghai

DELIVERED = shanghai("2025-03-03 15:00:00")


async def test_a_delivery_told_twice_opens_one_call_back_with_two_scores(stage_at: Open) -> None:
    async with stage_at(DELIVERED) as stage:
        await stage.owner.do(CUSTOMER_UPSERT, input={"externalId": "C1", "name": "王小明"})
        made = await stage.owner.do(
            ORDER_RECORD,
            input={
                "externalId": "O1",
                "customerExternalId": "C1",
                "orderedAt": (DELIVERED - timedelta(days=4)).isoformat(),
                "amount": {"amount": "199.00", "currency": "CNY"},
            },
        )
        order = made["order"]["id"]
        for _ in range(2):
            await stage.owner.do(ORDER_STATUS, id=order, status="DELIVERED", at=DELIVERED.isoformat())
            await stage.settle()
        tasks = (await stage.owner.ask(TASKS))["tasks"]
        assert tasks["totalCount"] == 1
        task = tasks["nodes"][0]
        assert (task["kind"], task["dueAt"]) == ("POST_DELIVERY_CALLBACK", "2025-03-06T07:00:00Z")

        reasons = await stage.executor.refused(TASK_COMPLETE, id=task["id"], input={"result": "REACHED"})
        assert [(r["code"], r["field"]) for r in reasons] == [
            ("REQUIRED", ["input", "smoothnessOfUse"]),
            ("REQUIRED", ["input", "needSatisfaction"]),
        ]
        reasons = await stage.executor.refused(
            TASK_COMPLETE,
            id=task["id"],
            input={"result": "REACHED", "smoothnessOfUse": 5, "needSatisfaction": 6},
        )
        assert [(r["code"], r["field"]) for r in reasons] == [("INVALID", ["input", "needSatisfaction"])]
        unchanged = (await stage.owner.ask(TASKS))["tasks"]["nodes"][0]
        assert unchanged == task

        done = await stage.executor.do(
            TASK_COMPLETE,
            id=task["id"],
            input={"result": "REACHED", "smoothnessOfUse": 5, "needSatisfaction": 4},
        )
        assert done["task"]["state"] == "DONE"
        assert done["task"]["outcome"] == {"result": "REACHED", "smoothnessOfUse": 5, "needSatisfaction": 4}
        assert done["task"]["sla"]["state"] == "MET"


async def test_a_call_back_not_made_in_72_hours_is_escalated(stage_at: Open) -> None:
    async with stage_at(DELIVERED) as stage:
        await stage.owner.do(CUSTOMER_UPSERT, input={"externalId": "C1"})
        await stage.owner.do(
            ORDER_RECORD,
            input={
                "externalId": "O1",
                "customerExternalId": "C1",
                "orderedAt": (DELIVERED - timedelta(days=4)).isoformat(),
                "amount": {"amount": "0.00", "currency": "CNY"},
                "status": "DELIVERED",
                "deliveredAt": DELIVERED.isoformat(),
            },
        )
        await stage.advance(DELIVERED + timedelta(hours=72))
        assert (await stage.owner.ask(TASKS))["tasks"]["nodes"][0]["escalations"] == []
        await stage.advance(DELIVERED + timedelta(hours=72, seconds=1))
        task = (await stage.owner.ask(TASKS))["tasks"]["nodes"][0]
        assert ([e["toRole"] for e in task["escalations"]], task["overdue"]) == (["TEAM_LEAD"], True)
