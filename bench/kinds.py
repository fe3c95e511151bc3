"""The kinds of run that only the benchmark knows: one that does nothing, one that says when it started."""

import time
from typing import Any

from domain.runs import Overlap, Work, kind

NOTHING = "bench_nothing"
STAMP = "bench_stamp"


@kind(NOTHING, overlap=Overlap.ALLOW)
async def _nothing(work: Work) -> None:
    """What a run costs that has nothing to do."""


@kind(STAMP, overlap=Overlap.ALLOW)
async def _stamp(work: Work) -> dict[str, Any]:
    """The monotonic clock is one for all processes of a machine."""
    return {"started_ns": time.monotonic_ns()}
