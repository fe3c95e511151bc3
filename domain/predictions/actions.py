"""Asks for a refit, and says what lifetime values assume."""

from typing import Any

from domain import db, runs, workspaces
from domain.access import BUILDERS, Principal
from domain.errors import Conflict, Forbidden
from domain.predictions.lifetime_value import (
    DEFAULT_PRESET,
    SETTING,
    AssumptionsVersion,
    assumptions,
)
from domain.predictions.refit import KIND
from domain.runs import Run


async def refit(who: Principal) -> Run:
    """Ask for the models to be fitted anew; whoever asks while such a run waits gets that one."""
    if who.role not in BUILDERS:
        raise Forbidden("only an owner, admin, head of operations or analyst starts a refit")
    return await runs.enqueue(who, KIND, unique_key="all")


async def assumptions_set(
    who: Principal, *, expected: int | None = None, **changes: Any
) -> AssumptionsVersion:
    """Assume this from now on, and the rest as before; what holds then.

    Lifetime values follow at once, those by the models with the next refit. Only an owner or admin may
    (`Forbidden`). With `expected`, refused with `Conflict` when another version holds by now.
    """
    async with db.transaction():
        # Held first, so that of two who change different parts at once the second adds to the first.
        await workspaces.hold(who.workspace_id)
        now = await assumptions(who.workspace_id)
        if expected is not None and expected != now.number:
            raise Conflict(f"expected version {expected}, it is {now.number}", field="expectedVersion")
        assumed = now.assumptions.moved(changes)
        number = await workspaces.preset_set(who, SETTING, DEFAULT_PRESET, assumed.document())
        return AssumptionsVersion(number, assumed)
