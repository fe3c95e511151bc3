"""One clock of all leads, so that the others need not do what one can do.

Nothing's correctness hangs on it: two that believe they lead do nothing twice.
"""

import time

import structlog

from domain import db

LEASE_SECONDS = 4.0
RENEW_SECONDS = 1.0
SAFETY_SECONDS = 1.0
"""How much earlier than in the database a leader believes its lease to end."""
log = structlog.get_logger(__name__)


class Leadership:
    """This process's share in leading: asked each second, it leads or it does not."""

    def __init__(self, holder: str, name: str = "clock") -> None:
        self._name = name
        self._holder = holder
        self._asked = float("-inf")
        self._until = float("-inf")

    @property
    def leads(self) -> bool:
        return time.monotonic() < self._until

    async def lead(self) -> bool:
        """Take or renew the lease when it is time to; whether this process leads now.

        After the end of a leader another leads within the lease; after a frozen one's too.
        """
        now = time.monotonic()
        if now - self._asked < RENEW_SECONDS:
            return self.leads
        self._asked = now
        led = self.leads
        won = await db.rows(
            """INSERT INTO leases (name, holder, term, until) VALUES (:name, :holder, 1, {now+lease})
               ON CONFLICT (name) DO UPDATE SET until = excluded.until, holder = excluded.holder,
                 term = leases.term + CASE WHEN leases.holder = excluded.holder THEN 0 ELSE 1 END
               WHERE leases.holder = excluded.holder OR leases.until < {now}
               RETURNING term""",
            name=self._name,
            holder=self._holder,
            lease=LEASE_SECONDS,
        )
        self._until = now + LEASE_SECONDS - SAFETY_SECONDS if won else float("-inf")
        if won and not led:
            log.info("clock_leads", holder=self._holder, term=won[0]["term"])
        return self.leads

    async def resign(self) -> None:
        """Let another lead at once."""
        self._until = float("-inf")
        await db.execute(
            "UPDATE leases SET until = {now} WHERE name = :name AND holder = :holder",
            name=self._name,
            holder=self._holder,
        )
