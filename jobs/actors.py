"""The two Dramatiq actors: do a run, and do what has come due. Each calls one domain action."""

import os
import platform
import secrets

import structlog

from domain import db, feeds, runs, timekeeping, workspaces
from jobs.clock import REACTIONS as REACTIONS_KIND
from jobs.due import DUE
from jobs.reactions import REACTIONS

WORKER = f"{platform.node()[:24]}:{os.getpid()}:{secrets.token_hex(3)}"
BATCH = 100
log = structlog.get_logger(__name__)


async def do_run(run_id: int, lease_seconds: float) -> None:
    await runs.perform(run_id, WORKER, lease_seconds)


async def do_due(kind: str) -> None:
    """Everything of one kind that is due: of the workspaces on the real clock, and of each sandbox."""
    if kind == REACTIONS_KIND:
        for workspace_id in await feeds.unreacted():
            while await feeds.react(workspace_id, REACTIONS):
                pass
        return
    await drain(kind, None)
    for workspace in await workspaces.sandboxes():
        await drain(kind, workspace.id)


async def drain(kind: str, workspace_id: int | None) -> int:
    """Do one kind of timer until nothing of it is due; how many rows were acted on."""
    due = DUE[kind]
    acted = 0
    while True:
        now = await timekeeping.now(workspace_id) if workspace_id else timekeeping.machine_now()
        rows = await due.find(now, workspace_id, BATCH)
        if not rows:
            return acted
        moved = 0
        for row in rows:
            try:
                moved += bool(await due.act(row["workspace_id"], row["id"], db.instant_of(row["due_at"])))
            except Exception as error:
                if due.apart is None:
                    raise
                await due.apart(row["workspace_id"], row["id"], error)
        acted += len(rows)
        if not moved and len(rows) < BATCH:
            return acted
