"""Asks for everybody to be scored, and says what weighs how much."""

from domain import db, runs, workspaces
from domain.access import BUILDERS, Principal
from domain.errors import Conflict, Forbidden
from domain.health.scoring import KIND
from domain.health.weights import DEFAULT_PRESET, SETTING, WeightsVersion, weights
from domain.runs import Run


async def recompute(who: Principal) -> Run:
    """Ask for all customers to be scored; whoever asks while such a run waits gets that one."""
    if who.role not in BUILDERS:
        raise Forbidden("only an owner, admin, head of operations or analyst starts a scoring")
    return await runs.enqueue(who, KIND, unique_key="all")


async def weights_set(who: Principal, *, expected: int | None = None, **changes: int) -> WeightsVersion:
    """Weigh like this with the next scoring, and the rest as before; what holds then.

    Only an owner or admin may (`Forbidden`). With `expected`, refused with `Conflict` when another
    version holds by now.
    """
    async with db.transaction():
        # Held first, so that of two who change different weights at once the second adds to the first.
        await workspaces.hold(who.workspace_id)
        now = await weights(who.workspace_id)
        if expected is not None and expected != now.number:
            raise Conflict(f"expected version {expected}, it is {now.number}", field="expectedVersion")
        weighed = now.weights.moved(changes)
        number = await workspaces.preset_set(who, SETTING, DEFAULT_PRESET, weighed.document())
        return WeightsVersion(number, weighed)
