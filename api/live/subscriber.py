"""One subscriber: replayed to until it has caught up, then told with its group; behind, replayed to again."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError

from api.edge.answers import failed, is_request_error, settled
from api.edge.pushing import Push, ending, pushed, told
from api.edge.reading import Asked
from api.errors import Code, coded
from api.live.following import STOPPING, streams
from api.live.grouping import Shape
from api.live.groups import Asking, Member
from api.live.reading import Reader
from api.live.standing import Standing
from api.live.tails import Tail
from api.metering import count_errors
from domain import db
from domain.figures import SUBSCRIBERS

if TYPE_CHECKING:
    from api.live.hub import Hub

BEHIND_SECONDS = 30.0
"""How long a subscriber may be fed from the journal because it was too slow."""
FORBIDDEN = (4403, "Forbidden")
TRY_LATER = 1013


class Subscriber:
    """What one operation of one connection is told."""

    def __init__(self, hub: "Hub", asked: Asked, shape: Shape, caller: Any, connection: Any) -> None:
        self._hub, self._asked, self._shape = hub, asked, shape
        self._caller, self._connection = caller, connection
        self._over_http = connection.scope["type"] == "http"
        self._member = Member()
        self._behind_since: float | None = None
        self._position: int | None = None
        self._first = True
        self._paid = False
        """Whether its points were taken: once, however often it is replayed to."""

    async def pushes(self) -> AsyncGenerator[Push, None]:
        """Everything it is to hear, in the order of the feed, once."""
        workspace_id = self._caller.principal.workspace_id
        db.enter(workspace_id)
        member = self._member
        async with contextlib.AsyncExitStack() as stack:
            try:
                stack.enter_context(self._hub.open.one_more(workspace_id))
            except GraphQLError as refused:
                count_errors([refused])
                yield pushed(failed(refused), first=True)
                return
            tail = await stack.enter_async_context(self._hub.tails.following(workspace_id))
            standing = await stack.enter_async_context(
                self._hub.credentials.watching(self._caller, member.ready.set)
            )
            stack.enter_context(SUBSCRIBERS.track_inprogress())
            if self._over_http:
                streams.told.add(member.ready.set)
                stack.callback(streams.told.discard, member.ready.set)
            stack.callback(member.leave)
            while True:
                async with contextlib.aclosing(self._replayed(tail, standing)) as found:
                    async for push in found:
                        yield push
                        if push.refused or push.close:
                            return
                if self._position is None:
                    return  # no stream of the feed: it has told all
                member.position = self._position
                key = (self._shape, standing.scope)
                if not self._hub.groups.join(member, key, self._asking(standing), tail):
                    continue
                self._behind_since, member.overflowed = None, False
                while member.group is not None or member.queue:
                    doubtful = standing.stale or standing.ended or (self._over_http and streams.ending)
                    if doubtful and (end := await self._end(standing)) is not None:
                        yield end
                        return
                    if standing.scope is not key[1]:
                        member.queue.clear()  # what was made for what it was is not for what it is
                        break
                    if member.queue:
                        event = member.queue.popleft()
                        member.position = event.position
                        yield event.push
                        if event.last:
                            return
                    elif member.group is not None:
                        member.ready.clear()
                        await member.ready.wait()
                if member.overflowed:
                    self._behind_since = asyncio.get_running_loop().time()
                member.leave()
                self._position = member.position

    async def _replayed(self, tail: Tail, standing: Standing) -> AsyncGenerator[Push, None]:
        """What the journal holds behind its place, made for this subscriber alone, as it may see it now."""
        changed = True
        while changed:
            changed, scope = False, standing.scope
            reader = Reader(tail, self._position, replaying=True)
            start = self._asking(standing).start(reader, paid=self._paid)
            async with contextlib.aclosing(settled(start)) as results:
                async for result in results:
                    if (end := await self._end(standing)) is not None:
                        yield end
                        return
                    if is_request_error(result):
                        yield pushed(result, first=self._first)
                        self._position = None
                        return
                    self._paid = True
                    if changed := standing.scope is not scope:
                        break  # what was made for what it was is not for what it is
                    behind = {"feed": {"behind": True}} if self._behind_since is not None else None
                    yield told(result, behind)
                    self._first = False
            self._position = reader.done if changed else reader.position
        self._first, self._paid = False, True

    def _asking(self, standing: Standing) -> Asking:
        hub = self._hub
        return Asking(hub.schema, hub.make_context, self._asked, standing.caller, self._connection)

    async def _end(self, standing: Standing) -> Push | None:
        """Why it hears no more, if so."""
        if standing.stale:
            try:
                await standing.confirm()
            except Exception:
                return ending(
                    coded(Code.UNAVAILABLE, "who you are cannot be checked just now; come back"),
                    (TRY_LATER, "Try again later"),
                )
        if standing.ended:
            return ending(coded(Code.FORBIDDEN, "this credential has ended"), FORBIDDEN)
        if self._over_http and streams.ending:
            return ending(coded(Code.UNAVAILABLE, STOPPING), (TRY_LATER, "Try again later"))
        if self._behind_since is not None:
            behind = asyncio.get_running_loop().time() - self._behind_since
            if behind > BEHIND_SECONDS:
                slow = f"too slow: {behind:.0f} seconds behind; come back with your last cursor"
                return ending(coded(Code.UNAVAILABLE, slow), (TRY_LATER, slow))
        return None
