"""Changes to how customers are grouped: asks for a recompute, and moves the lines."""

from dataclasses import fields, replace
from typing import Any

from domain import db, runs, workspaces
from domain.access import BUILDERS, Principal
from domain.errors import Conflict, Forbidden, Invalid
from domain.runs import Run
from domain.segments import incremental
from domain.segments.models import RecomputeMode
from domain.segments.queries import thresholds
from domain.segments.recompute import KIND
from domain.segments.thresholds import PRESETS, SETTING, SilverRule, Thresholds, ThresholdsVersion, camel

KINDS = {
    RecomputeMode.QUICK: incremental.QUICK,
    RecomputeMode.EXACT: incremental.EXACT,
    RecomputeMode.FULL: KIND,
}
_NAMES = {field.name for field in fields(Thresholds)}


async def recompute(who: Principal, mode: RecomputeMode = RecomputeMode.FULL) -> Run:
    """Ask for customers to be placed anew; whoever asks while such a run of the mode waits gets that one."""
    if who.role not in BUILDERS:
        raise Forbidden("only an owner, admin, head of operations or analyst starts a recompute")
    return await runs.enqueue(who, KINDS[mode], unique_key="all")


async def thresholds_set(
    who: Principal, preset: str | None = None, *, expected: int | None = None, **changes: Any
) -> ThresholdsVersion:
    """Start from a preset, or from the lines as they are, and move those named; the lines that hold.

    The next recompute places by them. The same lines again make no new version. Only an owner or admin
    may (`Forbidden`); lines that contradict each other are refused with a problem for each. With
    `expected`, refused with `Conflict` when another version holds by now.
    """
    async with db.transaction():
        # Held first, so that of two who move different lines at once the second adds to the first.
        await workspaces.hold(who.workspace_id)
        now = await thresholds(who.workspace_id)
        if expected is not None and expected != now.number:
            raise Conflict(f"expected version {expected}, it is {now.number}", field="expectedVersion")
        base, name = now.thresholds, now.preset
        if preset is not None:
            if preset not in PRESETS:
                raise Invalid(f"{preset!r} is not one of {', '.join(PRESETS)}", field="preset")
            base, name = PRESETS[preset], preset
        for unknown in changes.keys() - _NAMES:
            raise Invalid(f"there is no threshold {unknown!r}", field=f"input.{camel(unknown)}")
        if "silver_rule" in changes:
            changes["silver_rule"] = SilverRule(changes["silver_rule"])
        lines = replace(base, **changes)
        lines.check()
        number = await workspaces.preset_set(who, SETTING, name, lines.document())
        return ThresholdsVersion(number, name, lines)
