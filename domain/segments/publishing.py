"""What every pass ends with: one publication at a time, recorded and told."""

from datetime import datetime
from typing import Any

from domain import db, journal, timekeeping
from domain.journal import Entry
from domain.runs import Work
from domain.segments import marks, statements
from domain.segments.models import RecomputeMode, Segmentation

REASON = "recompute"


async def alone(workspace_id: int) -> None:
    """Wait until no other pass is at work in this workspace, and keep others waiting to the end of ours."""
    await db.lock(f"segmentation:{workspace_id}")


def continues(last: Segmentation, thresholds_number: int) -> bool:
    """Whether a pass may start from what this publication left: by the same lines, with its boundaries."""
    return last.ranked is not None and last.thresholds_number == thresholds_number


async def record(
    work: Work, mode: RecomputeMode, *, as_of: datetime, changed: int, **figures: Any
) -> Segmentation:
    """Record a publication and drop what it was made from.

    The journal tells of it, unless a pass that looked at some has found nothing to change.
    """
    workspace_id, run_id = work.workspace_id, work.run.id
    published = await Segmentation.create(
        workspace_id=workspace_id,
        run_id=run_id,
        as_of=as_of,
        computed_at=timekeeping.machine_now(),
        mode=mode,
        changed=changed,
        **figures,
    )
    if changed or mode is RecomputeMode.FULL:
        data = {"as_of": as_of.isoformat(), "changed": changed, "mode": mode.value}
        await journal.write(work.who, Entry("segmentation.published", run_id, data=data))
    await statements.drop_drafts(workspace_id)
    await marks.drop(workspace_id, run_id)
    return published
