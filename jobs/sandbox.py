"""Turns a sandbox's clock from one due instant to the next, until it stands where asked."""

import asyncio
from datetime import datetime
from typing import Any

from domain import feeds, runs, timekeeping, workspaces
from domain.runs import CLOCK_ADVANCE, Work
from jobs.actors import WORKER, drain
from jobs.due import DUE, next_instant
from jobs.reactions import REACTIONS

POLL_SECONDS = 0.02


@runs.performs(CLOCK_ADVANCE)
async def _perform(work: Work) -> dict[str, Any]:
    target = datetime.fromisoformat(work.args["to"])
    instants = 0
    while True:
        # Read before settling, so that an instant another advance turned to meanwhile is settled, not passed.
        now = await timekeeping.now(work.workspace_id)
        await settle(work)
        if now >= target:
            return {"instants": instants, "at": now.isoformat()}
        following = await next_instant(work.workspace_id, target)
        # Something that is still due at this very instant could not be done; time goes on without it.
        to = following if following is not None and following > now else target
        async with work.step(done=instants, unit="instants", message=to.isoformat()):
            await workspaces.turn_clock(work.workspace_id, now, to)
        instants += 1


async def settle(work: Work) -> None:
    """Do all that the present instant calls for: lines, reactions, timers and runs, until all is quiet."""
    workspace_id = work.workspace_id
    while True:
        stirred = 0
        while await feeds.number(workspace_id):
            stirred += 1
        while await feeds.react(workspace_id, REACTIONS):
            stirred += 1
        for kind in DUE:
            stirred += await drain(kind, workspace_id)
        stirred += await _finish_runs(work)
        if stirred:
            continue
        if not await feeds.lags(workspace_id):
            return
        await asyncio.sleep(POLL_SECONDS)  # another worker has these lines in hand


async def _finish_runs(work: Work) -> int:
    """Do the workspace's waiting runs here, and wait for those that another worker has."""
    finished = 0
    for run in await runs.unfinished(work.workspace_id, besides=[work.run.id]):
        if run.kind == CLOCK_ADVANCE or run.run_at > timekeeping.machine_now():
            continue
        if run.state in runs.WAITING and await runs.perform(run.id, WORKER, work.lease_seconds):
            finished += 1
            continue
        while await runs.is_active(run):
            await work.checkpoint()
            await asyncio.sleep(POLL_SECONDS)
        finished += 1
    return finished
