"""Asks about a workspace, its staff and its settings."""

from dataclasses import dataclass
from typing import Any

from domain import db
from domain.access import Principal, Role
from domain.errors import NotFound
from domain.workspaces.models import ApiKey, SettingVersion, Team, TeamMember, User, Workspace


@dataclass(frozen=True)
class Setting:
    """One version of a group of settings. Number 0 is what holds before anything was set."""

    name: str
    number: int
    preset: str
    value: dict[str, Any]


async def get(workspace_id: int) -> Workspace:
    found = await Workspace.get_or_none(id=workspace_id)
    if found is None:
        raise NotFound("no such workspace")
    return found


async def setting(workspace_id: int, name: str) -> Setting:
    """The latest version of a group of settings."""
    latest = await SettingVersion.filter(workspace_id=workspace_id, name=name).order_by("-number").first()
    if latest is None:
        return Setting(name, 0, "DEFAULT", {})
    return Setting(name, latest.number, latest.preset, latest.value)


async def staff(workspace_id: int) -> list[User]:
    return await User.filter(workspace_id=workspace_id).order_by("id")


async def find_staff(workspace_id: int, user_id: int) -> User | None:
    return await User.get_or_none(workspace_id=workspace_id, id=user_id, active=True)


async def first_with_role(workspace_id: int, role: Role, team_id: int | None = None) -> User | None:
    """The active member of staff who has held a role longest, of a team where one is named."""
    query = User.filter(workspace_id=workspace_id, role=role, active=True).order_by("id")
    if team_id is not None:
        members = await TeamMember.filter(workspace_id=workspace_id, team_id=team_id).values_list(
            "user_id", flat=True
        )
        found = await query.filter(id__in=list(members)).first()
        if found is not None:
            return found
    return await query.first()


async def teams(workspace_id: int) -> list[Team]:
    return await Team.filter(workspace_id=workspace_id).order_by("id")


async def teams_of(workspace_id: int, user_id: int) -> tuple[int, ...]:
    found = await db.rows(
        """SELECT team_id FROM team_members
           WHERE workspace_id = :workspace AND user_id = :user ORDER BY team_id""",
        workspace=workspace_id,
        user=user_id,
    )
    return tuple(row["team_id"] for row in found)


async def members_by_team(workspace_id: int, team_ids: list[int]) -> dict[int, list[User]]:
    """Who is in each team and still works here, in the order in which they came."""
    pairs = await TeamMember.filter(workspace_id=workspace_id, team_id__in=team_ids)
    known = await User.by_ids(workspace_id, [pair.user_id for pair in pairs])
    found: dict[int, list[User]] = {team_id: [] for team_id in team_ids}
    for pair in sorted(pairs, key=lambda pair: pair.user_id):
        if known[pair.user_id].active:
            found[pair.team_id].append(known[pair.user_id])
    return found


async def teams_by_user(workspace_id: int, user_ids: list[int]) -> dict[int, list[Team]]:
    """The teams that each member of staff is in, the oldest first."""
    pairs = await TeamMember.filter(workspace_id=workspace_id, user_id__in=user_ids)
    known = await Team.by_ids(workspace_id, [pair.team_id for pair in pairs])
    found: dict[int, list[Team]] = {user_id: [] for user_id in user_ids}
    for pair in sorted(pairs, key=lambda pair: pair.team_id):
        found[pair.user_id].append(known[pair.team_id])
    return found


async def keys(who: Principal) -> list[ApiKey]:
    return await ApiKey.filter(workspace_id=who.workspace_id).order_by("id")


async def sandboxes() -> list[Workspace]:
    """The workspaces whose clock is turned by hand."""
    return await Workspace.filter(sandbox=True)
