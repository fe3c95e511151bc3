"""Forgets ended runs that nothing points to any more."""

from datetime import timedelta

from domain import db, timekeeping
from domain.runs.models import Run, RunState

KEPT = {
    RunState.SUCCEEDED: timedelta(days=30),
    RunState.CANCELLED: timedelta(days=30),
    RunState.FAILED: timedelta(days=90),
}
"""How long a run is kept after its end; a failed one longer, since somebody may want to know why."""
BATCH = 1000


async def prune() -> int:
    """Delete ended runs past their time, a batch for each state; how many.

    What a row of another table points to (a membership's reason, a report's origin) stays. Those that
    gave way to one are kept longer than it, as failed ones are, and then name none.
    """
    pointed_to = " ".join(
        f'AND NOT EXISTS (SELECT 1 FROM "{table}" here WHERE here.workspace_id = runs.workspace_id '
        f'AND here."{column}" = runs.id)'
        for table, column in db.references_to(Run)
    )
    pruned = 0
    for state, kept in KEPT.items():
        async with db.transaction():
            gone = await db.rows(
                f"""DELETE FROM runs WHERE id IN (
                      SELECT id FROM runs WHERE finished_at < :before AND state = :state {pointed_to}
                      ORDER BY finished_at LIMIT :limit)
                    RETURNING id, workspace_id""",
                before=timekeeping.machine_now() - kept,
                state=state.value,
                limit=BATCH,
            )
            if gone:
                await db.execute(
                    """UPDATE runs SET merged_into = NULL, version = version + 1
                       WHERE workspace_id IN :workspaces AND state = 'FAILED' AND merged_into IN :gone""",
                    workspaces={row["workspace_id"] for row in gone},
                    gone=[row["id"] for row in gone],
                )
        pruned += len(gone)
    return pruned
