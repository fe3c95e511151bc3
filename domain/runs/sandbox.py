"""Turns a sandbox's clock, as a run: what falls due on the way is done, each thing at its own instant."""

from datetime import datetime

from domain import workspaces
from domain.access import Principal, Role
from domain.errors import Forbidden, Invalid
from domain.runs.actions import enqueue
from domain.runs.models import Run, RunQueue
from domain.runs.work import Kind, kinds, unknown

CLOCK_ADVANCE = "clock_advance"

kinds[CLOCK_ADVANCE] = Kind(CLOCK_ADVANCE, unknown, queue=RunQueue.TIMERS, priority=10, limit=1)


async def advance_clock(who: Principal, to: datetime) -> Run:
    """Ask for the clock to be turned to an instant; the run ends when the sandbox stands there.

    Raises:
        NotSandbox: the workspace lives on the real clock.
    """
    if who.role is not Role.OWNER:
        raise Forbidden("only the owner turns the clock")
    workspace = await workspaces.get(who.workspace_id)
    if not workspace.sandbox or workspace.clock_at is None:
        raise workspaces.NotSandbox("this workspace lives on the real clock; only a sandbox can be turned")
    if to <= workspace.clock_at:
        raise Invalid(
            f"the clock stands at {workspace.clock_at.isoformat()}; it is only turned forward", field="to"
        )
    if (to - workspace.clock_at).days > 3660:
        raise Invalid("at most ten years at a time", field="to")
    return await enqueue(who, CLOCK_ADVANCE, {"to": to.isoformat()})
