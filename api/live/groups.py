"""Groups of subscribers that are told together: an event is executed and encoded once for all of one."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import structlog
from strawberry.schema import BaseSchema
from strawberry.schema.schema import StreamResult
from strawberry.types.execution import ExecutionResult

from api.context import Context
from api.edge.answers import is_request_error, settled
from api.edge.pushing import Push, told
from api.edge.reading import Asked
from api.live.grouping import Shape
from api.live.reading import Reader
from api.live.standing import Scope
from api.live.tails import Tail

QUEUED = 256
"""How many events wait for one subscriber before it is fed from the journal."""
SECONDS = "seconds"
"""The limit that an event breaks which takes too long."""
log = structlog.get_logger(__name__)

MakeContext = Callable[[Any, Any], Context]


class Event(NamedTuple):
    """One result of a group, and its place in the feed."""

    position: int
    push: Push
    quiet: bool
    last: bool = False
    """Whether its stream ends with it."""


class Member:
    """One subscriber's end of a group: a bounded queue, in the order of the feed."""

    def __init__(self) -> None:
        self.queue: deque[Event] = deque()
        self.ready = asyncio.Event()
        self.group: Group | None = None
        self.position = -1
        """The place of the last event it took, or joined at."""
        self.overflowed = False

    def offer(self, event: Event) -> None:
        last = self.queue[-1].position if self.queue else self.position
        if event.quiet:
            if self.queue:
                return  # it has more to hear than that nothing happened
        elif event.position <= last:
            return
        if len(self.queue) >= QUEUED:
            self.overflowed = True
            self.leave()
            return
        self.queue.append(event)
        self.ready.set()

    def leave(self) -> None:
        if self.group is not None:
            group, self.group = self.group, None
            group.part(self)
        self.ready.set()


@dataclass(frozen=True)
class Asking:
    """Runs an operation for somebody, from a reader's place on."""

    schema: BaseSchema
    make_context: MakeContext
    asked: Asked
    caller: Any
    connection: Any

    def start(self, reader: Reader, *, paid: bool = True) -> Callable[[], Awaitable[StreamResult]]:
        """`paid` says that its points were taken before: what the hub does by itself costs nobody any."""

        def begin() -> Awaitable[StreamResult]:
            context = self.make_context(self.caller, self.connection)
            context.reader, context.resume = reader, self.asked.resume
            if paid:
                context.terms = replace(context.terms, buckets=None)
            return self.schema.stream(
                self.asked.query,
                variable_values=self.asked.variables,
                context_value=context,
                operation_name=self.asked.operation_name,
            )

        return begin


class Group:
    """Those who asked the same and may see the same, and the one stream that is run for them."""

    def __init__(self, asking: Asking, reader: Reader, ended: Callable[[], None]) -> None:
        self.members: set[Member] = set()
        self.reader = reader
        self._ended = ended
        self._task = asyncio.create_task(self._run(asking), name="group")

    def part(self, member: Member) -> None:
        self.members.discard(member)
        if not self.members:
            self._ended()
            self._task.cancel()

    async def _run(self, asking: Asking) -> None:
        try:
            async with contextlib.aclosing(settled(asking.start(self.reader))) as results:
                async for result in results:
                    late = _is_late(result)
                    if is_request_error(result) and not late:
                        break  # the stream has ended; each member finds out why by itself
                    assert self.reader.position is not None
                    event = Event(self.reader.position, told(result), self.reader.quiet, late)
                    for member in list(self.members):
                        member.offer(event)
                    if late:
                        break  # told to all of them: it would take each as long to find out by itself
                    self.reader.done = self.reader.position
        except Exception as error:
            log.warning("group_failed", error=type(error).__name__)
        finally:
            self._ended()
            for member in list(self.members):
                member.leave()


def _is_late(result: ExecutionResult) -> bool:
    """Whether an event took longer than it may, and its stream has ended."""
    return is_request_error(result) and any(
        (error.extensions or {}).get("limit") == SECONDS for error in result.errors or ()
    )


class Groups:
    """The groups of one application, each kept while somebody is in it."""

    def __init__(self) -> None:
        self._groups: dict[tuple[Shape, Scope], Group] = {}

    def join(self, member: Member, key: tuple[Shape, Scope], asking: Asking, tail: Tail) -> bool:
        """Have a member told what comes behind its place; not if its group is past that already."""
        group = self._groups.get(key)
        if group is None:
            reader = Reader(tail, member.position, member.position)

            def ended() -> None:
                if self._groups.get(key) is group:
                    del self._groups[key]

            group = self._groups[key] = Group(asking, reader, ended)
        elif member.position < group.reader.done:
            return False
        group.members.add(member)
        member.group = group
        return True

    def __len__(self) -> int:
        return len(self._groups)
