"""A-17: gold customers are visited three times a month, and the coverage says whether it was done."""

from decimal import Decimal
from typing import Any

from tests.stories.conftest import Open
from tests.stories.documents import SNAPSHOT, TASKS
from tests.stories.population import Buyer, enter, recompute
from tests.stories.stage import Stage, shanghai

GOLD = 200
POPULATION = 1334  # 15 % of it, rounded down, is 200
KPI = '{ kpi(code: "VISIT_COVERAGE") { value numerator denominator status asOf stale } }'
QUOTA = (
    "query ($id: String!) { customer(externalId: $id) { visitQuota { tier required done remaining state } } }"
)


async def gold_visits(stage: Stage) -> dict[str, list[str]]:
    """The open visits of each gold customer."""
    found: dict[str, list[str]] = {}
    after = None
    while True:
        page = (
            await stage.owner.ask(
                TASKS,
                where={"kind": {"eq": "VISIT"}, "state": {"eq": "OPEN"}, "period": {"eq": "GOLD:2025-03-01"}},
                after=after,
            )
        )["tasks"]
        for task in page["nodes"]:
            found.setdefault(task["customer"]["externalId"], []).append(task["id"])
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]


async def complete(stage: Stage, task_ids: list[str]) -> None:
    """Complete visits five at a time: the most mutations that one request may hold."""
    for start in range(0, len(task_ids), 5):
        part = task_ids[start : start + 5]
        document = " ".join(
            f'm{n}: taskComplete(id: "{task_id}", input: {{result: REACHED}}) {{ __typename }}'
            for n, task_id in enumerate(part)
        )
        data = await stage.owner.ask(f"mutation {{ {document} }}")
        assert {payload["__typename"] for payload in data.values()} == {"TaskCompletePayload"}


async def coverage(stage: Stage) -> dict[str, Any]:
    done = await stage.owner.do(SNAPSHOT)
    await stage.owner.finish(done["run"]["id"])
    kpi: dict[str, Any] = (await stage.owner.ask(KPI))["kpi"]
    return kpi


async def test_a17_coverage_is_met_at_95_percent_and_not_below(stage_at: Open) -> None:
    start = shanghai("2025-03-01 09:00:00")
    async with stage_at(start) as stage:
        # The best by recency are the best by spend: gold is the smaller of the two quotas.
        await enter(
            stage, [Buyer(f"C{n:04}", n // 8, 1, Decimal(90_000 - n)) for n in range(POPULATION)], start
        )
        await recompute(stage)
        await stage.settle()
        await stage.advance(shanghai("2025-03-25 09:00:00"))
        await stage.owner.do("mutation { visitsPlan { __typename ... on VisitsPlanPayload { run { id } } } }")
        await stage.settle()
        visits = await gold_visits(stage)
        assert len(visits) == GOLD
        assert {len(tasks) for tasks in visits.values()} == {3}

        names = sorted(visits)
        await complete(stage, [visits[names[0]][0]])
        quota = (await stage.owner.ask(QUOTA, id=names[0]))["customer"]["visitQuota"]
        assert quota == {"tier": "GOLD", "required": 3, "done": 1, "remaining": 2, "state": "BEHIND"}

        await complete(stage, [task for name in names[1:190] for task in visits[name]])
        kpi = await coverage(stage)
        assert (kpi["value"], kpi["numerator"], kpi["denominator"]) == ("0.945000", 189, GOLD)
        assert kpi["status"] in ("AT_RISK", "NOT_MET")

        await complete(stage, visits[names[0]][1:])
        kpi = await coverage(stage)
        assert (Decimal(kpi["value"]), kpi["numerator"], kpi["status"]) == (Decimal("0.95"), 190, "MET")
        data = await stage.owner.ask(TASK_DONE, id=visits[names[0]][0])
        assert data["task"]["state"] == "DONE"


TASK_DONE = "query ($id: ID!) { task(id: $id) { state } }"
