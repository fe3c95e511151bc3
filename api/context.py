"""What one operation knows: who asks, and what it has read so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import strawberry

from api.errors import Code, coded
from api.limits import FREE, Terms
from api.loaders import Fetch, Loaders
from domain import timekeeping
from domain.access import Principal
from domain.journal import JournalLine

if TYPE_CHECKING:
    from api.live.reading import Reader

K = TypeVar("K")
V = TypeVar("V")


@dataclass
class Context:
    """Made anew for every operation, also inside a socket."""

    principal: Principal | None
    authorization: str | None = None
    over_http: bool = False
    """Whether it came as a plain request rather than through a socket."""
    terms: Terms = FREE
    reader: "Reader | None" = None
    """Of an event that is made once for many subscribers: where it stands in the feed."""
    resume: str | None = None
    """The cursor that a browser sends by itself when it comes back to a stream."""
    line: JournalLine | None = None
    """Where a message to a partner is made: the one line that its subscription hears."""
    loaders: Loaders = field(init=False)

    def __post_init__(self) -> None:
        self.loaders = Loaders(self.principal.workspace_id if self.principal else 0)


Info = strawberry.Info[Context, Any]


def who(info: Info) -> Principal:
    """The caller.

    Raises:
        GraphQLError: UNAUTHENTICATED when there is none.
    """
    principal = info.context.principal
    if principal is None:
        raise coded(Code.UNAUTHENTICATED, "send an API key or a token: Authorization: Bearer <it>")
    return principal


async def load(info: Info, fetch: Fetch[Any, V], key: Any) -> V | None:
    """One of a relation's rows, read together with its siblings; none for no key."""
    return None if key is None else await info.context.loaders.load(fetch, key)


async def _now(workspace_id: int, keys: list[int]) -> Mapping[int, datetime]:
    return dict.fromkeys(keys, await timekeeping.now(workspace_id))


async def business_now(info: Info) -> datetime:
    """Business time, read once for all of an operation."""
    found = await load(info, _now, 0)
    assert found is not None
    return found
