"""The types of tenancy and staff."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, cast

import strawberry

from api.context import Info, load, who
from api.mapping import reads
from api.nodes import Node, node_type
from api.permissions import masked
from domain import timekeeping, workspaces
from domain.access import ADMINS, Principal, Role
from domain.language import Language


async def _own_workspace(who: Principal, ids: list[int]) -> Mapping[int, Any]:
    return {who.workspace_id: await workspaces.get(who.workspace_id)} if who.workspace_id in ids else {}


async def _keys_for_admins(who: Principal, ids: list[int]) -> Mapping[int, Any]:
    if who.role not in ADMINS:
        return {}
    return await workspaces.ApiKey.by_ids(who.workspace_id, ids)


@node_type(
    workspaces.Workspace, description="One company's customers, staff and settings.", visible=_own_workspace
)
class Workspace(Node):
    name: str = strawberry.field(description="Its name.")
    zone: str = strawberry.field(description="Its time zone, by its IANA name.")
    currency: str = strawberry.field(description="Its currency, by its ISO 4217 code.")
    language: Language = strawberry.field(description="The language of its labels and reports.")
    sandbox: bool = strawberry.field(description="Whether its clock is turned by hand.")

    @strawberry.field(description="Business time: a sandbox's own clock, the real one elsewhere.")
    async def now(self: Any) -> datetime:
        return await timekeeping.now(self.id)


@node_type(workspaces.User, description="A member of staff.")
class User(Node):
    role: Role = strawberry.field(description="What they are here to do.")
    active: bool = strawberry.field(description="Whether they still work here.")
    name: str = strawberry.field(description="Their name.")
    version: int = strawberry.field(description="Rises with each change.")

    @strawberry.field(
        description="Who they are to the identity provider, the `sub` of their tokens; null where API keys "
        "alone let them in, and for whoever is no OWNER or ADMIN."
    )
    def subject(self: Any, info: Info) -> str | None:
        return cast(str | None, self.subject) if who(info).role in ADMINS else None

    @strawberry.field(
        description="Their e-mail address. Masked for roles that do not see personal data.",
        metadata=reads("email"),
    )
    def email(self: Any, info: Info) -> str:
        return masked(self.email, info) or ""

    @strawberry.field(description="The teams they are in.", metadata=reads("id"))
    async def teams(
        self: Any, info: Info
    ) -> list[Annotated["Team", strawberry.lazy("api.workspaces.types")]]:
        return cast(list[Team], await load(info, workspaces.teams_by_user, self.id) or [])


@node_type(workspaces.Team, description="A group of staff.")
class Team(Node):
    name: str = strawberry.field(description="Its name.")
    version: int = strawberry.field(description="Rises with each change.")

    @strawberry.field(
        description="Who is in it and still works here, in the order in which they came.",
        metadata=reads("id"),
    )
    async def members(self: Any, info: Info) -> list[User]:
        return cast(list[User], await load(info, workspaces.members_by_team, self.id) or [])


@node_type(workspaces.ApiKey, description="A credential for a program.", visible=_keys_for_admins)
class ApiKey(Node):
    name: str = strawberry.field(description="What it is for.")
    role: Role = strawberry.field(description="What its bearer may do.")
    scopes: list[str] = strawberry.field(
        description="The operations it may use; empty: all that its role may."
    )
    topics: list[str] = strawberry.field(description="The topics it may follow; empty: all.")
    created_at: datetime = strawberry.field(description="When it was made.")
    expires_at: datetime | None = strawberry.field(description="When it ends by itself.")
    revoked_at: datetime | None = strawberry.field(description="When it was ended.")
    last_used_at: datetime | None = strawberry.field(description="When it was last used, to the minute.")


@strawberry.type(description="Who is asking.")
class Viewer:
    role: Role = strawberry.field(description="The role that counts.")
    workspace: Workspace = strawberry.field(description="The workspace that all answers come from.")
    user: User | None = strawberry.field(description="The member of staff, if it is one.")
    api_key: str | None = strawberry.field(description="The name of the API key, if it is one.")


async def viewer(info: Info) -> Viewer:
    principal = who(info)
    found = await workspaces.get(principal.workspace_id)
    user = None
    if principal.user_id is not None:
        user = await workspaces.User.find(principal.workspace_id, principal.user_id)
    key = None
    if principal.kind == "api_key":
        key = (await workspaces.ApiKey.load(principal.workspace_id, principal.id)).name
    return Viewer(
        role=principal.role, workspace=cast(Workspace, found), user=cast(User | None, user), api_key=key
    )
