"""The run that looks at everybody: activity falls by time alone, when nothing happens that would tell."""

from typing import Any

from domain import runs, timekeeping
from domain.alerts import facts
from domain.alerts.evaluating import evaluate
from domain.runs import Work

KIND = "alert_evaluation"
PAGE = 2000


@runs.kind(KIND, queue="recompute", schedulable=True, unique_key="all")
async def perform(work: Work) -> dict[str, Any]:
    """Evaluate the customers for whom anything might stand or clear, page by page, each page a step.

    One that is killed goes on with the pages left. A page that holds nobody to look at writes nothing.
    """
    while True:
        cursor = {"after": 0, "done": 0, "changed": 0} | work.cursor
        upto = await facts.page_end(work.workspace_id, cursor["after"], PAGE)
        if upto is None:
            return {"evaluated": cursor["done"], "changed": cursor["changed"]}
        now = await timekeeping.now(work.workspace_id)
        found = await facts.suspects(work.workspace_id, cursor["after"], upto, now)
        async with work.step(unit="customers") as step:
            changed = await evaluate(work.who, found)
            step.done = cursor["done"] + len(found)
            step.cursor = {"after": upto, "done": step.done, "changed": cursor["changed"] + changed}
