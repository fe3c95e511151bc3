"""A pool of connections that gives one that is there, and takes it back, without a task or a timer for it.

asyncpg's own starts a task with a timer for each connection it gives and another for each it gets back,
since either may have to wait for the server. Mostly neither has to, and then both cost more than a small
statement does.
"""

from typing import Any

import asyncpg
from asyncpg.pool import Pool as Waiting

from domain.db.scope import EVERYWHERE

MOST_QUERIES, IDLE_SECONDS = 50_000, 300.0
"""Of one connection, before another takes its place."""


class Pool(Waiting):  # type: ignore[misc]
    """asyncpg's pool, whose waits and ends are left to it."""

    __slots__ = ()

    def __init__(self, **given: Any) -> None:
        super().__init__(
            max_queries=MOST_QUERIES,
            max_inactive_connection_lifetime=IDLE_SECONDS,
            reset=_keep,
            record_class=asyncpg.Record,
            **given,
        )

    async def idle(self, scope: str) -> Any:
        """A connection for which nobody has to wait, of this scope if there is one; None if there is none."""
        place = None if self._closing else self._place(scope)
        if place is None:
            return None
        idle = self._queue._queue  # the last in is the first out
        idle[place], idle[-1] = idle[-1], idle[place]
        return await self._queue.get_nowait().acquire()

    def _place(self, wanted: str) -> int | None:
        """Where in the queue stands who is taken next.

        A request looks everywhere for whose its key is, and then into one workspace: on one connection it
        would change the scope twice. Where it has to be changed, one that sees everywhere is spared.
        """
        found = sparing = None
        holders = self._queue._queue
        for place in range(len(holders) - 1, -1, -1):
            holder = holders[place]
            if not holder.is_connected() or holder._generation != self._generation:
                continue
            scope = holder._con.scope
            if scope == wanted:
                return place
            if sparing is None and scope != EVERYWHERE:
                sparing = place
            if found is None:
                found = place
        return found if sparing is None else sparing

    async def release(self, connection: Any, *, timeout: float | None = None) -> None:  # noqa: ASYNC109
        session, holder = connection._con, connection._holder
        if session is None or not self._is_clean(session) or holder._generation != self._generation:
            await super().release(connection, timeout=timeout)
            return
        session._on_release()
        holder._release()
        holder._setup_inactive_callback()

    def _is_clean(self, session: Any) -> bool:
        """Whether a connection can be given to the next as it is."""
        protocol = session._protocol
        return not (
            session.is_closed()
            or protocol._is_cancelling()
            or protocol.is_in_transaction()
            or session._top_xact is not None
            or session._listeners
            or session._log_listeners
            or protocol.queries_count >= MOST_QUERIES
        )


async def _keep(connection: asyncpg.Connection) -> None:
    """Leave the session as it is: no state is ever left on it, so a reset query would be waste."""
