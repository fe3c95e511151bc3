"""Kinds of run that only a fault test asks for: their effects are rows that nothing keeps from doubling."""

import asyncio
import os
import signal
import time
from typing import Any

from domain import db, runs
from domain.runs import Work

TABLE = "CREATE TABLE probe_effects (run_id bigint NOT NULL, step int NOT NULL, attempt int NOT NULL)"
PROBE, POISON, HANG = "probe", "probe_poison", "probe_hang"


@runs.kind(PROBE)
async def _probe(work: Work) -> dict[str, Any]:
    """So many steps, a row each; between them it waits, so that a fault finds it at work."""
    steps = int(work.args["steps"])
    for number in range(work.cursor.get("next", 0), steps):
        await asyncio.sleep(work.args["pause"])
        async with work.step({"next": number + 1}, done=number + 1, total=steps):
            await db.execute(
                "INSERT INTO probe_effects (run_id, step, attempt) VALUES (:run, :step, :attempt)",
                run=work.run.id,
                step=number,
                attempt=work.run.attempt,
            )
    return {"steps": steps}


@runs.kind(POISON)
async def _poison(work: Work) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@runs.kind(HANG, deadline_seconds=2)
async def _hang(work: Work) -> None:
    """`how`: wait for ever, swallow every cancel, or block the event loop; the first attempt only."""
    if work.run.attempt > 1:
        return
    while work.args["how"] == "blocks":
        time.sleep(0.1)
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            if work.args["how"] != "deaf":
                raise


def asked(workspace_id: int, kind: str = PROBE, args: str = '{"steps": 5, "pause": 0.3}') -> str:
    """The statement that queues such a run; it returns the run's id."""
    return f"""INSERT INTO runs (workspace_id, version, kind, queue, priority, state, args, run_at, attempt,
          max_attempts, fence, deadline_seconds, progress_done, progress_unit, progress_message, errors,
          started_by, queued_at)
        VALUES ({workspace_id}, 1, '{kind}', 'default', 100, 'QUEUED', '{args}', now(), 0, 8, 0,
          {runs.kinds[kind].deadline_seconds}, 0, '', '', '[]', 'probe', now()) RETURNING id"""
