"""A-06: a lead is touched within 24 hours, or the team lead hears of it, once (S0-22)."""

import asyncio
from datetime import timedelta

from domain import tasks as work
from domain.tasks import Task
from tests.stories.conftest import Open
from tests.stories.documents import INTERACTION_RECORD, LEAD_RECORD, TASK_COMPLETE, TASKS
from tests.stories.stage import Stage, shanghai

ACQUIRED = shanghai("2025-03-03 10:15:00")
DUE = "2025-03-04T02:15:00Z"


async def lead(stage: Stage, external_id: str = "L1") -> str:
    done = await stage.owner.do(
        LEAD_RECORD,
        input={
            "externalId": external_id,
            "customerExternalId": f"C-{external_id}",
            "source": "TRADE_FAIR",
            "acquiredAt": ACQUIRED.isoformat(),
            "consent": True,
        },
    )
    await stage.settle()
    return str(done["lead"]["customer"]["id"])


async def test_a_first_touch_opens_at_once_and_is_due_24_hours_later(stage_at: Open) -> None:
    async with stage_at(ACQUIRED) as stage:
        await lead(stage)
        await lead(stage)  # the same event again
        tasks = (await stage.owner.ask(TASKS))["tasks"]
        assert tasks["totalCount"] == 1
        task = tasks["nodes"][0]
        assert (task["kind"], task["state"], task["dueAt"]) == ("FIRST_TOUCH", "OPEN", DUE)


async def test_a_contact_at_the_due_instant_is_on_time(stage_at: Open) -> None:
    async with stage_at(ACQUIRED) as stage:
        customer = await lead(stage)
        await stage.advance(ACQUIRED + timedelta(hours=24))
        task = (await stage.owner.ask(TASKS))["tasks"]["nodes"][0]
        assert (task["overdue"], task["escalations"], task["sla"]["remainingSeconds"]) == (False, [], 0)
        await stage.executor.do(
            INTERACTION_RECORD,
            customer=customer,
            input={
                "channel": "PHONE",
                "direction": "OUTBOUND",
                "result": "REACHED",
                "occurredAt": (ACQUIRED + timedelta(hours=24)).isoformat(),
            },
        )
        await stage.settle()
        await stage.advance(ACQUIRED + timedelta(hours=30))
        task = (await stage.owner.ask(TASKS))["tasks"]["nodes"][0]
        assert (task["sla"]["state"], task["escalations"]) == ("MET", [])


async def test_a_contact_one_second_later_is_a_breach(stage_at: Open) -> None:
    async with stage_at(ACQUIRED) as stage:
        await lead(stage)
        await stage.advance(ACQUIRED + timedelta(hours=24, seconds=1))
        task = (await stage.owner.ask(TASKS))["tasks"]["nodes"][0]
        assert (task["overdue"], task["sla"]["state"]) == (True, "BREACHED")
        done = await stage.executor.do(TASK_COMPLETE, id=task["id"], input={"result": "REACHED"})
        assert done["task"]["sla"]["state"] == "MET_LATE"


async def test_a_missed_first_touch_is_escalated_to_the_team_lead_once(stage_at: Open) -> None:
    async with stage_at(ACQUIRED) as stage:
        await lead(stage)
        await stage.advance(ACQUIRED + timedelta(hours=24, seconds=1))
        task = (await stage.owner.ask(TASKS))["tasks"]["nodes"][0]
        assert [(e["rung"], e["toRole"], e["user"]["role"]) for e in task["escalations"]] == [
            (1, "TEAM_LEAD", "TEAM_LEAD")
        ]
        row = await Task.get(workspace_id=stage.house.id)
        fired = await asyncio.gather(
            *(work.escalate(stage.house.id, row.id, ACQUIRED + timedelta(hours=24)) for _ in range(4))
        )
        assert fired == [False] * 4
        await stage.advance(ACQUIRED + timedelta(hours=25))
        task = (await stage.owner.ask(TASKS))["tasks"]["nodes"][0]
        assert len(task["escalations"]) == 1


async def test_three_days_turned_at_once_fire_each_rung_at_its_own_instant(stage_at: Open) -> None:
    async with stage_at(ACQUIRED) as stage:
        await lead(stage)
        await stage.advance(ACQUIRED + timedelta(days=3))
        data = await stage.owner.ask("{ tasks { nodes { escalations { rung toRole dueAt actedAt } } } }")
        (first, second) = data["tasks"]["nodes"][0]["escalations"]
        assert (first["rung"], first["toRole"], second["rung"], second["toRole"]) == (
            1,
            "TEAM_LEAD",
            2,
            "OPS_HEAD",
        )
        assert first["dueAt"] == first["actedAt"] == "2025-03-04T02:15:00.000001Z"
        assert second["dueAt"] == second["actedAt"] == "2025-03-05T02:15:00.000001Z"
