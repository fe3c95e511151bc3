"""What is done about staff and teams."""

from typing import Annotated, cast

import strawberry

from api.context import Info, who
from api.ids import row_id, row_or_nothing
from api.mutations import Expected, Refusal, mutation, payload, result
from api.workspaces.types import Team, User
from domain import workspaces
from domain.access import ADMINS, Role

UserId = Annotated[strawberry.ID, strawberry.argument(description="The member of staff's id.")]
TeamId = Annotated[strawberry.ID, strawberry.argument(description="The team's id.")]


@strawberry.input(description="A new member of staff.")
class UserCreateInput:
    name: str = strawberry.field(description="Their name, of up to 120 characters.")
    email: str = strawberry.field(description="Their e-mail address; nobody else here has it.")
    role: Role = strawberry.field(description="What they are here to do; only an owner makes an OWNER.")
    team_ids: list[strawberry.ID] = strawberry.field(default_factory=list, description="The teams they join.")
    subject: str | None = strawberry.field(
        default=None,
        description="Who they are to the identity provider: the `sub` of the tokens that let them in.",
    )


@strawberry.input(description="What changes about a member of staff; what is left out or null stays.")
class UserUpdateInput:
    name: str | None = strawberry.field(default=None, description="Their name, of up to 120 characters.")
    email: str | None = strawberry.field(default=None, description="Their e-mail address.")
    role: Role | None = strawberry.field(
        default=None,
        description="What they are here to do, from the next request on. Only an owner makes an OWNER, or "
        "another of one; the last active owner stays one.",
    )
    subject: str | None = strawberry.field(
        default=None,
        description="Who they are to the identity provider: the `sub` of the tokens that let them in; empty: "
        "no token does any more.",
    )


@strawberry.input(description="A new team.")
class TeamCreateInput:
    name: str = strawberry.field(description="Its name, of up to 120 characters; no other team has it.")
    member_ids: list[strawberry.ID] = strawberry.field(default_factory=list, description="Who is in it.")


@strawberry.input(description="What changes about a team; what is left out or null stays.")
class TeamUpdateInput:
    name: str | None = strawberry.field(default=None, description="Its name, of up to 120 characters.")
    member_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="All who are to be in it; those who have left keep their place."
    )


@payload("A member of staff was added.")
class UserCreatePayload:
    user: User = strawberry.field(description="The member of staff.")


@payload("A member of staff was changed.")
class UserUpdatePayload:
    user: User = strawberry.field(description="The member of staff as they are now.")


@payload("A member of staff has left.")
class UserDeactivatePayload:
    user: User = strawberry.field(description="The member of staff as they are now.")


@payload("A member of staff has come back.")
class UserReactivatePayload:
    user: User = strawberry.field(description="The member of staff as they are now.")


@payload("A team was added.")
class TeamCreatePayload:
    team: Team = strawberry.field(description="The team.")


@payload("A team was changed.")
class TeamUpdatePayload:
    team: Team = strawberry.field(description="The team as it is now.")


@strawberry.type
class StaffMutations:
    @mutation("Add a member of staff. They sign in with an API key made for them.", allow=ADMINS)
    async def user_create(
        self, info: Info, input: Annotated[UserCreateInput, strawberry.argument(description="Who it is.")]
    ) -> Annotated[UserCreatePayload | Refusal, result("UserCreateResult")]:
        user = await workspaces.create_user(
            who(info),
            name=input.name,
            email=input.email,
            role=input.role,
            subject=input.subject,
            team_ids=[row_or_nothing("Team", team) for team in input.team_ids],
        )
        return UserCreatePayload(user=cast(User, user))

    @mutation("Change a member of staff. Only an owner changes an owner.", allow=ADMINS)
    async def user_update(
        self,
        info: Info,
        id: UserId,
        input: Annotated[UserUpdateInput, strawberry.argument(description="What changes.")],
        expected_version: Expected = None,
    ) -> Annotated[UserUpdatePayload | Refusal, result("UserUpdateResult")]:
        user = await workspaces.update_user(
            who(info),
            row_id("User", id),
            name=input.name,
            email=input.email,
            role=input.role,
            subject=input.subject,
            expected_version=expected_version,
        )
        return UserUpdatePayload(user=cast(User, user))

    @mutation(
        "Say that somebody has left: their API keys end at once, their open work stays theirs until it is "
        "given to others. Not for the last active owner; only an owner does it to an owner.",
        allow=ADMINS,
    )
    async def user_deactivate(
        self, info: Info, id: UserId, expected_version: Expected = None
    ) -> Annotated[UserDeactivatePayload | Refusal, result("UserDeactivateResult")]:
        user = await workspaces.deactivate_user(who(info), row_id("User", id), expected_version)
        return UserDeactivatePayload(user=cast(User, user))

    @mutation(
        "Say that somebody has come back, with the role and teams they had. Their old API keys stay ended.",
        allow=ADMINS,
    )
    async def user_reactivate(
        self, info: Info, id: UserId, expected_version: Expected = None
    ) -> Annotated[UserReactivatePayload | Refusal, result("UserReactivateResult")]:
        user = await workspaces.reactivate_user(who(info), row_id("User", id), expected_version)
        return UserReactivatePayload(user=cast(User, user))

    @mutation("Add a team.", allow=ADMINS)
    async def team_create(
        self, info: Info, input: Annotated[TeamCreateInput, strawberry.argument(description="The team.")]
    ) -> Annotated[TeamCreatePayload | Refusal, result("TeamCreateResult")]:
        members = [row_or_nothing("User", member) for member in input.member_ids]
        team = await workspaces.create_team(who(info), name=input.name, member_ids=members)
        return TeamCreatePayload(team=cast(Team, team))

    @mutation("Change a team's name, or who is in it.", allow=ADMINS)
    async def team_update(
        self,
        info: Info,
        id: TeamId,
        input: Annotated[TeamUpdateInput, strawberry.argument(description="What changes.")],
        expected_version: Expected = None,
    ) -> Annotated[TeamUpdatePayload | Refusal, result("TeamUpdateResult")]:
        given = input.member_ids
        team = await workspaces.update_team(
            who(info),
            row_id("Team", id),
            name=input.name,
            member_ids=None if given is None else [row_or_nothing("User", member) for member in given],
            expected_version=expected_version,
        )
        return TeamUpdatePayload(team=cast(Team, team))
