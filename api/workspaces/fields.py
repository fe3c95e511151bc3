"""Questions about the workspace, its keys, and the turning of a sandbox's clock."""

from datetime import datetime
from typing import Annotated, cast

import strawberry

from api import nodes
from api.context import Info, who
from api.ids import parse, row_id, row_or_nothing
from api.live import TOPICS
from api.mutations import Refusal, mutation, payload, result
from api.nodes import Node
from api.permissions import query
from api.runs.types import Run
from api.workspaces.types import ApiKey, Team, User, Viewer, viewer
from domain import runs, workspaces
from domain.access import ADMINS, Role
from domain.errors import Invalid

MOST_IDS = 100


async def _nodes(info: Info, ids: list[strawberry.ID]) -> list[Node | None]:
    """The objects with these ids, each as this caller may see it: one statement per type."""
    parsed = [parse(value) for value in ids]
    found: dict[tuple[str, int], Node] = {}
    for name in {p[0] for p in parsed if p is not None and p[0] in nodes.kinds}:
        rows = [p[1] for p in parsed if p is not None and p[0] == name]
        for number, row in (await nodes.kinds[name].visible(who(info), rows)).items():
            found[name, number] = row
    return [found.get(p) if p is not None else None for p in parsed]


@strawberry.type
class WorkspaceQueries:
    @query("Who is asking, and in which workspace.")
    async def viewer(self, info: Info) -> Viewer:
        return await viewer(info)

    @query("Any object by its id; null when there is none with this id here.")
    async def node(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The object's id.")]
    ) -> Node | None:
        return (await _nodes(info, [id]))[0]

    @query("Objects by their ids, at most 100, in the order asked for; null for each that is not here.")
    async def nodes(
        self,
        info: Info,
        ids: Annotated[list[strawberry.ID], strawberry.argument(description="The objects' ids.")],
    ) -> list[Node | None]:
        if len(ids) > MOST_IDS:
            raise Invalid(f"at most {MOST_IDS} ids", field="ids")
        return await _nodes(info, ids)

    @query("All staff, in the order in which they came.")
    async def staff(self, info: Info) -> list[User]:
        return cast(list[User], await workspaces.staff(who(info).workspace_id))

    @query("All teams.")
    async def teams(self, info: Info) -> list[Team]:
        return cast(list[Team], await workspaces.teams(who(info).workspace_id))

    @query("All API keys.", allow=ADMINS)
    async def api_keys(self, info: Info) -> list[ApiKey]:
        return cast(list[ApiKey], await workspaces.keys(who(info)))


@strawberry.input(description="A new API key.")
class ApiKeyCreateInput:
    name: str = strawberry.field(description="What it is for.")
    role: Role = strawberry.field(
        description="What its bearer may do; that of the member of staff, if one is named."
    )
    user_id: strawberry.ID | None = strawberry.field(
        default=None, description="The member of staff for whom the key acts."
    )
    scopes: list[str] = strawberry.field(
        default_factory=list, description="Names of the operations it may use; empty: all that its role may."
    )
    topics: list[str] = strawberry.field(
        default_factory=list, description="Topics of the live feed it may follow; empty: all."
    )
    expires_at: datetime | None = strawberry.field(default=None, description="When it ends by itself.")


def _operations(info: Info) -> set[str]:
    """The names of all operations, as scopes name them."""
    built = info._raw_info.schema
    roots = (built.query_type, built.mutation_type, built.subscription_type)
    return {name for root in roots if root is not None for name in root.fields}


@payload("A key was created.")
class ApiKeyCreatePayload:
    api_key: ApiKey = strawberry.field(description="The key.")
    secret: str | None = strawberry.field(
        description="The whole credential. It is shown now and never again, a repeated call included."
    )


@payload("A key was ended.")
class ApiKeyRevokePayload:
    api_key: ApiKey = strawberry.field(description="The key as it is now.")


@payload("A sandbox's clock is being turned.")
class WorkspaceClockAdvancePayload:
    run: Run = strawberry.field(
        description="The run that does it; when it has succeeded the clock stands there."
    )


@strawberry.type
class WorkspaceMutations:
    @mutation("Create an API key. Nobody gives a key more than they have.", allow=ADMINS)
    async def api_key_create(
        self, info: Info, input: Annotated[ApiKeyCreateInput, strawberry.argument(description="The key.")]
    ) -> Annotated[ApiKeyCreatePayload | Refusal, result("ApiKeyCreateResult")]:
        made = await workspaces.create_key(
            who(info),
            name=input.name,
            role=input.role,
            user_id=None if input.user_id is None else row_or_nothing("User", input.user_id),
            scopes=input.scopes,
            topics=input.topics,
            expires_at=input.expires_at,
            known_scopes=_operations(info),
            known_topics=TOPICS,
        )
        return ApiKeyCreatePayload(api_key=cast(ApiKey, made.key), secret=made.secret)

    @mutation("End an API key at once.", allow=ADMINS)
    async def api_key_revoke(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The key's id.")]
    ) -> Annotated[ApiKeyRevokePayload | Refusal, result("ApiKeyRevokeResult")]:
        key = await workspaces.revoke_key(who(info), row_id("ApiKey", id))
        return ApiKeyRevokePayload(api_key=cast(ApiKey, key))

    @mutation(
        "For sandboxes: turn the workspace's clock forward. What falls due on the way is done, "
        "each thing at its own instant.",
        allow={Role.OWNER},
    )
    async def workspace_clock_advance(
        self,
        info: Info,
        to: Annotated[datetime, strawberry.argument(description="Where the clock is to stand.")],
    ) -> Annotated[WorkspaceClockAdvancePayload | Refusal, result("WorkspaceClockAdvanceResult")]:
        return WorkspaceClockAdvancePayload(run=cast(Run, await runs.advance_clock(who(info), to)))
