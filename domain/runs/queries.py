"""Asks about machine work."""

from collections.abc import Sequence

from tortoise.expressions import Q

from domain.access import Principal
from domain.paging import Order, Page, Slice
from domain.paging import page as paged
from domain.runs.models import ACTIVE, ENDED, Run


async def page(who: Principal, where: Q, order: Order, part: Slice) -> Page[Run]:
    return await paged(Run.filter(where, workspace_id=who.workspace_id), order, part)


async def unfinished(workspace_id: int, besides: Sequence[int] = ()) -> list[Run]:
    """Runs of a workspace that have not ended, in the order in which they would be taken."""
    query = Run.filter(workspace_id=workspace_id, state__not_in=list(ENDED))
    if besides:
        query = query.filter(id__not_in=list(besides))
    return await query.order_by("priority", "run_at", "id")


async def is_active(run: Run) -> bool:
    """Whether some worker has the run now."""
    return await Run.filter(workspace_id=run.workspace_id, id=run.id, state__in=list(ACTIVE)).exists()
