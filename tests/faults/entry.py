"""`careline` as the fault tests start it: with the probes, and with what CARELINE_FAULTS_TAMPER breaks.

`unfenced` takes the fence out of the ledger: a test that passes all the same would prove nothing.
CARELINE_FAULTS_CLOCK names a file that holds how many seconds the clock of this process is ahead.
"""

import contextlib
import os
import re
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from api.__main__ import main
from domain import db
from domain.db import clock
from domain.runs import heart, ledger, work

TAMPER, CLOCK = "CARELINE_FAULTS_TAMPER", "CARELINE_FAULTS_CLOCK"


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


def turn(file: Path) -> None:
    """Have this process read a clock that is as far ahead as the file says, at every moment."""
    real = time.time

    def turned() -> float:
        with contextlib.suppress(OSError, ValueError):
            return real() + float(file.read_text())
        return real()

    time.time = turned
    clock._wall = lambda: datetime.fromtimestamp(turned(), UTC)


if __name__ == "__main__":
    if "worker" in sys.argv:
        import tests.faults.probe  # noqa: F401
    if os.environ.get(TAMPER) == "unfenced":
        unfence()
    if file := os.environ.get(CLOCK):
        turn(Path(file))
    main()
