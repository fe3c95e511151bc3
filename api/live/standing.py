"""Whether those who listen may still: their credentials are read again, at once when the journal says so."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import structlog

from domain import db
from domain.access import Principal
from domain.journal import JournalLine

SWEEP_SECONDS = 3.0
"""How often a credential is read that no line of the journal spoke of: it may have expired."""
ABOUT_PEOPLE = frozenset({"api_key", "user", "team"})
log = structlog.get_logger(__name__)

Authenticate = Callable[[str | None], Awaitable[Any | None]]
Scope = tuple[Any, ...]


def scope_of(principal: Principal) -> Scope:
    """What an event looks like depends on this of its reader, and on nothing else."""
    own = (principal.user_id, frozenset(principal.team_ids)) if principal.own_work_only else ()
    return (principal.workspace_id, principal.role, principal.scopes, principal.topics, own)


class Standing:
    """One credential, for all streams that were opened with it."""

    def __init__(self, caller: Any, authenticate: Authenticate) -> None:
        self.caller = caller
        self.scope = scope_of(caller.principal)
        self.stale = self.ended = False
        self.watchers: set[Callable[[], None]] = set()
        self._authenticate = authenticate
        self._lock = asyncio.Lock()

    async def confirm(self) -> None:
        """Read it again; who watches is told when it is not what it was."""
        async with self._lock:
            if self.ended or not self.stale:
                return
            found = await self._authenticate(self.caller.authorization)
            self.stale = False
            if found is None:
                self.ended = True
            else:
                self.caller, scope = found, scope_of(found.principal)
                if scope == self.scope:
                    return
                self.scope = scope  # another object, too: that is how a stream sees it
        for watcher in list(self.watchers):
            watcher()


class Credentials:
    """The credentials of the open streams of this process."""

    def __init__(self, authenticate: Authenticate) -> None:
        self._authenticate = authenticate
        self._held: dict[str, Standing] = {}
        self._sweeper: asyncio.Task[None] | None = None

    def noted(self, workspace_id: int, lines: list[JournalLine]) -> None:
        """Lines that are about to be pushed: who may see them is asked again if they are about people."""
        if any(line.subject in ABOUT_PEOPLE for line in lines):
            for standing in self._held.values():
                if standing.caller.principal.workspace_id == workspace_id:
                    standing.stale = True
                    for watcher in list(standing.watchers):
                        watcher()

    @contextlib.asynccontextmanager
    async def watching(self, caller: Any, changed: Callable[[], None]) -> AsyncIterator[Standing]:
        """A caller's standing, for the time of the block; `changed` is called when to look at it."""
        standing = self._held.get(caller.authorization)
        if standing is None:
            standing = self._held[caller.authorization] = Standing(caller, self._authenticate)
        standing.watchers.add(changed)
        if self._sweeper is None:
            self._sweeper = asyncio.create_task(self._sweep(), name="standing")
        try:
            yield standing
        finally:
            standing.watchers.discard(changed)
            if not standing.watchers and self._held.get(caller.authorization) is standing:
                del self._held[caller.authorization]
            if not self._held and self._sweeper is not None:
                self._sweeper.cancel()
                self._sweeper = None

    async def _sweep(self) -> None:
        db.enter_everywhere()
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            for standing in list(self._held.values()):
                standing.stale = True
                try:
                    await standing.confirm()
                except Exception as error:  # the database is away: it stays to be read
                    log.warning("standing_unread", error=type(error).__name__)
