"""The subscriptions of one application: what it takes to tell them, shared by all of them."""

from collections.abc import AsyncGenerator
from typing import Any

from strawberry.schema import BaseSchema

from api.edge.pushing import Push
from api.edge.reading import Asked
from api.live.counting import Open
from api.live.grouping import shape_of
from api.live.groups import Groups, MakeContext
from api.live.standing import Authenticate, Credentials
from api.live.subscriber import Subscriber
from api.live.tails import Tails


class Hub:
    """Follows the feeds of the workspaces that somebody here listens to, and no others."""

    def __init__(
        self,
        schema: BaseSchema,
        authenticate: Authenticate,
        make_context: MakeContext,
        per_workspace: int = 1_000,
    ) -> None:
        self.schema = schema
        self.make_context = make_context
        self.credentials = Credentials(authenticate)
        self.tails = Tails(self.credentials.noted)
        self.groups = Groups()
        self.open = Open(per_workspace)

    def follow(self, asked: Asked, caller: Any, connection: Any) -> AsyncGenerator[Push, None] | None:
        """What a subscriber is told, for as long as it listens; none for what is no subscription."""
        shape = shape_of(asked)
        return None if shape is None else Subscriber(self, asked, shape, caller, connection).pushes()
