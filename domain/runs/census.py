"""What an operator asks about the machine work of all workspaces; a few steps in partial indexes each."""

from dataclasses import dataclass
from datetime import datetime

from domain import db
from domain.runs.leading import LEASE_SECONDS
from domain.runs.models import RunState
from domain.runs.work import performed_here


@dataclass(frozen=True)
class Group:
    """The runs of one queue, kind and state that have not ended."""

    queue: str
    kind: str
    state: RunState
    number: int
    oldest_at: datetime
    """When the first of them may start or could have started."""

    @property
    def known(self) -> bool:
        """Whether this process can do them; others wait for a version that can."""
        return self.kind in performed_here()


CENSUS = " UNION ALL ".join(
    f"""SELECT queue, kind, state, count(*) AS number, min(run_at) AS oldest_at
        FROM runs WHERE {condition} GROUP BY queue, kind, state"""
    for condition in (
        "state = 'QUEUED'",
        "state IN ('SCHEDULED', 'RETRYING')",
        "state IN ('RUNNING', 'CANCELLING')",
    )
)
"""Each condition is that of a partial index: what has ended, however much, costs nothing."""


async def census() -> list[Group]:
    """The runs of all workspaces that have not ended, counted."""
    return [
        Group(
            row["queue"], row["kind"], RunState(row["state"]), row["number"], db.instant_of(row["oldest_at"])
        )
        for row in await db.rows(CENSUS)
    ]


async def clock_seen() -> float | None:
    """Seconds since some clock last said that it leads; none when none ever did."""
    lease = await db.one("SELECT until, {now} AS now FROM leases WHERE name = 'clock'")
    if lease is None:
        return None
    since = db.instant_of(lease["now"]) - db.instant_of(lease["until"])
    return max(0.0, since.total_seconds() + LEASE_SECONDS)
