"""Finds the runs whose workers went away, and gives them back to the queue, not all at once."""

import random
from collections import Counter

import structlog

from domain import db, journal, timekeeping
from domain.access import system
from domain.journal import Entry
from domain.runs.ledger import another_error, waiting_twin
from domain.runs.models import Run, RunState
from domain.runs.work import Kind, kinds

PER_SECOND = 50
"""At what rate the rescued start again: after an outage they would all come at once."""
IN_COMPANY = 3
"""How many times as many deaths a run may have that never died alone: another may have killed them all."""
APART_SECONDS = 60.0
log = structlog.get_logger(__name__)


async def rescue(limit: int = 100, *, everything: bool = False) -> int:
    """Requeue runs whose lease has ended; how many.

    `everything` is for the start of an embedded server: it alone has the database, so whatever is
    marked as running was running in the process before it.
    """
    lock = "FOR UPDATE SKIP LOCKED" if db.is_postgres() else ""
    ended = "1 = 1" if everything else "lease_until < {now}"
    async with db.transaction():
        lost = db.hydrate(
            Run,
            await db.rows(
                f"""SELECT * FROM runs WHERE state IN ('RUNNING', 'CANCELLING') AND {ended}
                    ORDER BY lease_until, id LIMIT :limit {lock}""",
                limit=limit,
            ),
        )
        together = Counter(run.worker for run in lost)
        for number, run in enumerate(lost):
            await _recover(run, number / PER_SECOND, alone=together[run.worker] == 1)
    if lost:
        log.warning("runs_rescued", runs=len(lost))
    return len(lost)


async def _recover(run: Run, wait: float, *, alone: bool) -> None:
    state, code, served = RunState.QUEUED, None, None
    most = kinds.get(run.kind, Kind).max_deaths * (1 if alone else IN_COMPANY)
    if run.deaths:  # those that died together come back apart, so that it shows which of them kills
        wait += random.uniform(0, min(APART_SECONDS, 2.0 ** (run.deaths + 1)))  # noqa: S311
    if run.state is RunState.CANCELLING:
        state = RunState.CANCELLED
    elif run.deaths + 1 >= most:
        state, code = RunState.FAILED, "POISONED"
        log.error("run_poisoned", run=run.id, kind=run.kind, deaths=run.deaths + 1)
    elif (served := await waiting_twin(run)) is not None:
        state, code = RunState.FAILED, "MERGED"
    # The fence rises here too: the lost attempt cannot commit, even before the run is claimed again.
    await db.execute(
        """UPDATE runs SET state = :state, fence = fence + 1, deaths = deaths + 1, lease_until = NULL,
             errors = :errors, error_code = :code, merged_into = :served, run_at = {now+wait},
             rung_at = NULL, version = version + 1, finished_at = :finished
           WHERE id = :id""",
        state=state.value,
        errors=db.encode(another_error(run, "LOST", "the worker went away")),
        code=code,
        served=served,
        wait=wait,
        finished=None if state is RunState.QUEUED else timekeeping.machine_now(),
        id=run.id,
    )
    await journal.write(
        system(run.workspace_id, "rescue"),
        Entry(f"run.{state.value.lower()}", run.id, data={"kind": run.kind, "code": code or "LOST"}),
    )
