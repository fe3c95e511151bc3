"""`careline` as the fault tests start it: with the probes, and with what CARELINE_FAULTS_TAMPER breaks.

`unfenced` takes the fence out of the ledger: a test that passes all the same would prove nothing.
`clock+600` puts this process's clock so many seconds ahead.
"""

import os
import re
from datetime import timedelta
from typing import Any

from api.__main__ import main
from domain import db, timekeeping
from domain.runs import heart, ledger, work
from tests.faults import probe

TAMPER = "CARELINE_FAULTS_TAMPER"


GUARD = re.compile(r"AND fence = :fence\s+AND state IN \('RUNNING', 'CANCELLING'\)")
OPEN = "AND CAST(:fence AS bigint) > 0"


class _Unguarded:
    """The database as the ledger's steps see it, with the guard taken out of their statement."""

    def __getattr__(self, name: str) -> Any:
        return getattr(db, name)

    async def rows(self, statement: str, **params: Any) -> Any:
        return await db.rows(GUARD.sub(OPEN, statement), **params)


def unfence() -> None:
    """Let an attempt commit whoever has the run by now."""
    work.db = _Unguarded()  # type: ignore[assignment]
    ledger.OURS = f"id = :id {OPEN}"
    heart.Hold.lose = lambda self: None  # type: ignore[method-assign]


def tamper(how: str) -> None:
    if how == "unfenced":
        unfence()
    elif how.startswith("clock"):
        real, ahead = timekeeping.machine_now, timedelta(seconds=float(how.removeprefix("clock")))
        timekeeping.machine_now = lambda: real() + ahead


if __name__ == "__main__":
    assert probe.PROBE in work.kinds
    if how := os.environ.get(TAMPER):
        tamper(how)
    main()
