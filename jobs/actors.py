"""The two Dramatiq actors: do a run, and do what has come due. Each calls one domain action."""

import os
import platform
import secrets
import time
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

import structlog

from domain import db, feeds, runs, timekeeping, workspaces
from jobs.due import DUE, Due
from jobs.hands import Hands
from jobs.reactions import REACTIONS

WORKER = f"{platform.node()[:24]}:{os.getpid()}:{secrets.token_hex(3)}"
REACTIONS_KIND = "reactions"
BATCH = 100
log = structlog.get_logger(__name__)


async def do_run(run_id: int, hands: Hands, lease_seconds: float) -> None:
    """Do the run of that number: one that this process has pulled, or one it can still claim.

    A doorbell that comes while there is no room is dropped: the run is pulled when there is. It is in
    these hands until its end is written, which may be a moment after this returns.
    """
    run = hands.pick(run_id)
    if run is None:
        free = hands.free()
        with db.everywhere():
            run = await runs.claim(run_id, WORKER, lease_seconds, free) if free else None
        if run is None:
            return
        hands.take(run.queue)
    queue, began = run.queue, time.monotonic()
    try:
        await runs.do(run, lease_seconds, lambda: hands.release(queue))
    finally:
        hands.lasted(queue, time.monotonic() - began)


async def do_due(kind: str) -> None:
    """Everything of one kind that is due: of the workspaces on the real clock, and of each sandbox."""
    if kind == REACTIONS_KIND:
        with db.everywhere():
            lagging = await feeds.unreacted()
        for workspace_id in lagging:
            with db.within(workspace_id):
                while await feeds.react(workspace_id, REACTIONS):
                    pass
        return
    await drain(kind, None)
    with db.everywhere():
        sandboxes = await workspaces.sandboxes()
    for workspace in sandboxes:
        await drain(kind, workspace.id)


async def drain(kind: str, workspace_id: int | None) -> int:
    """Do one kind of timer until nothing of it is due; how many rows were acted on."""
    due = DUE[kind]
    acted = 0
    while True:
        with db.within(workspace_id) if workspace_id else db.everywhere():
            now = await timekeeping.now(workspace_id) if workspace_id else timekeeping.machine_now()
            rows = await due.find(now, workspace_id, BATCH)
        if not rows:
            return acted
        moved = 0
        by_workspace: dict[int, dict[int, datetime]] = defaultdict(dict)
        for row in rows:
            by_workspace[row["workspace_id"]][row["id"]] = db.instant_of(row["due_at"])
        for whose, seen in by_workspace.items():
            with db.within(whose):
                moved += await _act(due, whose, seen)
        acted += len(rows)
        if not moved and len(rows) < BATCH:
            return acted


async def _act(due: Due, workspace_id: int, seen: Mapping[int, datetime]) -> int:
    """Act on rows of a workspace in their order: together, or where that fails on each; how many moved."""
    if due.act_all is not None and len(seen) > 1:
        try:
            return await due.act_all(workspace_id, seen)
        except Exception as error:
            if due.apart is None or db.failure_of(error) is not None:
                raise
    moved = 0
    for row_id, at in seen.items():
        try:
            moved += bool(await due.act(workspace_id, row_id, at))
        except Exception as error:
            if due.apart is None or db.failure_of(error) is not None:
                raise
            await due.apart(workspace_id, row_id, error)
    return moved
