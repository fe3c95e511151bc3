"""Who works here: members of staff with their roles, and the teams they are in.

Every change holds the workspace first, so that two admins at once cannot leave it without an owner.
"""

from collections.abc import Callable, Collection
from typing import Any

from domain import db, journal, texts, timekeeping
from domain.access import ADMINS, Principal, Role, system
from domain.errors import Duplicate, Forbidden, Invalid, NotFound, Reasons
from domain.journal import Entry
from domain.workspaces import remembering
from domain.workspaces.actions import LONGEST_NAME, hold
from domain.workspaces.models import Team, TeamMember, User
from domain.workspaces.queries import members_by_team
from domain.workspaces.tokens import LONGEST_SUBJECT

_CHECKS: dict[str, Callable[[Any], Any]] = {
    "name": lambda value: texts.text(value, "name", LONGEST_NAME),
    "email": texts.email,
    "role": Role,
    "subject": lambda value: texts.text(value, "subject", LONGEST_SUBJECT),
}


class LastOwner(Invalid):
    """A workspace always has an active owner: only an owner can make another."""


async def add_user(workspace_id: int, name: str, email: str, role: Role) -> User:
    return await create_user(system(workspace_id), name=name, email=email, role=role)


async def create_user(
    who: Principal,
    *,
    name: str,
    email: str,
    role: Role,
    team_ids: Collection[int] = (),
    subject: str | None = None,
) -> User:
    """A new member of staff; to sign in they need an API key made for them, or a `subject` of their own."""
    _must_be_admin(who)
    reasons = Reasons()
    good = _checked(reasons, name=name, email=email, role=role, subject=subject)
    with reasons.gathered():
        _must_be_owner_for(who, role, "role")
    async with db.transaction():
        await hold(who.workspace_id)
        with reasons.gathered():
            await _must_be_free(who, User, "email", good.get("email"))
        with reasons.gathered():
            await _must_be_free(who, User, "subject", good.get("subject"))
        with reasons.gathered():
            if len(await Team.by_ids(who.workspace_id, list(team_ids))) < len(set(team_ids)):
                raise NotFound("no such team", field="teamIds")
        reasons.refuse()
        user = await User.create(workspace_id=who.workspace_id, created_at=timekeeping.machine_now(), **good)
        for team_id in sorted(set(team_ids)):
            await TeamMember.create(workspace_id=who.workspace_id, team_id=team_id, user_id=user.id)
        await journal.write(who, Entry("user.added", user.id, data={"role": role}))
    return user


async def update_user(
    who: Principal,
    user_id: int,
    *,
    name: str | None = None,
    email: str | None = None,
    role: Role | None = None,
    subject: str | None = None,
    expected_version: int | None = None,
) -> User:
    """Change what is given; a new role counts from the next request on, also for keys that are out.

    An empty `subject` takes it away: no token lets them in any more.
    """
    _must_be_admin(who)
    reasons = Reasons()
    good = _checked(reasons, name=name, email=email, role=role, subject=subject or None)
    if subject == "":
        good["subject"] = None
    async with db.transaction():
        user = await _held(who, user_id, expected_version)
        with reasons.gathered():
            _must_be_owner_for(who, role, "role")
        with reasons.gathered():
            if role not in (None, user.role):
                await _must_leave_an_owner(user, "role")
        with reasons.gathered():
            await _must_be_free(who, User, "email", good.get("email"), user.id)
        with reasons.gathered():
            await _must_be_free(who, User, "subject", good.get("subject"), user.id)
        reasons.refuse()
        changes = {field: value for field, value in good.items() if value != getattr(user, field)}
        if changes:
            await user.must_change(**changes)
            data: dict[str, Any] = {"fields": sorted(changes)}
            if "role" in changes:
                data["role"] = role
            await journal.write(who, Entry("user.changed", user.id, data=data))
            db.after_commit(remembering.forget)
    return user


async def deactivate_user(who: Principal, user_id: int, expected_version: int | None = None) -> User:
    """Somebody leaves: their API keys end with it. Told again, nothing changes.

    What they had to do stays theirs until it is given to others.
    """
    _must_be_admin(who)
    async with db.transaction():
        user = await _held(who, user_id, expected_version)
        if not user.active:
            return user
        await _must_leave_an_owner(user, "id")
        await user.must_change({"active": True}, active=False)
        ended = await db.rows(
            """UPDATE api_keys SET revoked_at = {now}, version = version + 1
               WHERE workspace_id = :workspace AND user_id = :user AND revoked_at IS NULL RETURNING id""",
            workspace=who.workspace_id,
            user=user.id,
        )
        keys = [Entry("api_key.revoked", number) for number in sorted(row["id"] for row in ended)]
        await journal.write_all(who, [Entry("user.deactivated", user.id), *keys])
        db.after_commit(remembering.forget)
    return user


async def reactivate_user(who: Principal, user_id: int, expected_version: int | None = None) -> User:
    """Somebody comes back, with the role and the teams they had; their old API keys stay ended."""
    _must_be_admin(who)
    async with db.transaction():
        user = await _held(who, user_id, expected_version)
        if not user.active:
            await user.must_change({"active": False}, active=True)
            await journal.write(who, Entry("user.reactivated", user.id))
            db.after_commit(remembering.forget)
    return user


async def add_team(workspace_id: int, name: str) -> Team:
    return await Team.create(workspace_id=workspace_id, name=name, created_at=timekeeping.machine_now())


async def join_team(team: Team, user: User) -> None:
    await TeamMember.create(workspace_id=team.workspace_id, team_id=team.id, user_id=user.id)
    db.after_commit(remembering.forget)


async def create_team(who: Principal, *, name: str, member_ids: Collection[int] = ()) -> Team:
    _must_be_admin(who)
    reasons = Reasons()
    good = _checked(reasons, name=name)
    async with db.transaction():
        await hold(who.workspace_id)
        with reasons.gathered():
            await _must_be_free(who, Team, "name", good.get("name"))
        with reasons.gathered():
            await _must_work_here(who, member_ids)
        reasons.refuse()
        team = await Team.create(workspace_id=who.workspace_id, created_at=timekeeping.machine_now(), **good)
        joined, _ = await _set_members(team, member_ids)
        await journal.write(who, Entry("team.added", team.id, data={"joined": joined}))
        db.after_commit(remembering.forget)
    return team


async def update_team(
    who: Principal,
    team_id: int,
    *,
    name: str | None = None,
    member_ids: Collection[int] | None = None,
    expected_version: int | None = None,
) -> Team:
    """Change what is given; `member_ids` are all who are to be in it. Who is inactive keeps their place."""
    _must_be_admin(who)
    reasons = Reasons()
    good = _checked(reasons, name=name)
    async with db.transaction():
        await hold(who.workspace_id)
        team = await Team.load(who.workspace_id, team_id)
        team.expect(expected_version)
        with reasons.gathered():
            await _must_be_free(who, Team, "name", good.get("name"), team.id)
        with reasons.gathered():
            await _must_work_here(who, member_ids or ())
        reasons.refuse()
        joined, left = ([], []) if member_ids is None else await _set_members(team, member_ids)
        changes = {field: value for field, value in good.items() if value != team.name}
        if changes or joined or left:
            await team.must_change(**changes)
            data = {"fields": sorted(changes), "joined": joined, "left": left}
            await journal.write(who, Entry("team.changed", team.id, data=data))
            db.after_commit(remembering.forget)
    return team


def _checked(reasons: Reasons, **given: Any) -> dict[str, Any]:
    """What was given and will do, as it is stored; what will not is added to the reasons."""
    good = {}
    for field, value in given.items():
        if value is not None:
            with reasons.gathered():
                good[field] = _CHECKS[field](value)
    return good


def _must_be_admin(who: Principal) -> None:
    if who.role not in ADMINS:
        raise Forbidden("only an owner or admin changes staff and teams")


def _must_be_owner_for(who: Principal, role: Role | None, field: str) -> None:
    if role is Role.OWNER and who.role is not Role.OWNER:
        raise Forbidden("only an owner makes or changes an owner", field=field)


async def _held(who: Principal, user_id: int, expected_version: int | None) -> User:
    """The member of staff, whom nobody else changes until the transaction ends."""
    await hold(who.workspace_id)
    user = await User.load(who.workspace_id, user_id)
    user.expect(expected_version)
    _must_be_owner_for(who, user.role, "id")
    return user


async def _must_leave_an_owner(user: User, field: str) -> None:
    if user.role is Role.OWNER and user.active:
        owners = User.filter(workspace_id=user.workspace_id, role=Role.OWNER, active=True)
        if not await owners.exclude(id=user.id).exists():
            raise LastOwner("this is the last active owner; make another first", field=field)


async def _must_be_free(
    who: Principal, kind: type[User] | type[Team], field: str, value: str | None, own: int = 0
) -> None:
    """Nobody else has it, those who have left included: they may come back."""
    if value is None:
        return
    if await kind.filter(workspace_id=who.workspace_id, **{field: value}).exclude(id=own).exists():
        whose = "a member of staff" if kind is User else "a team"
        what = {"email": "e-mail address"}.get(field, field)
        raise Duplicate(f"{whose} has this {what} already", field=field)


async def _must_work_here(who: Principal, user_ids: Collection[int]) -> None:
    found = await User.by_ids(who.workspace_id, list(user_ids))
    if len([user for user in found.values() if user.active]) < len(set(user_ids)):
        raise NotFound("no such member of staff", field="memberIds")


async def _set_members(team: Team, wanted: Collection[int]) -> tuple[list[int], list[int]]:
    """Who joined and who left; both sorted."""
    present = {user.id for user in (await members_by_team(team.workspace_id, [team.id]))[team.id]}
    joined, left = sorted(set(wanted) - present), sorted(present - set(wanted))
    pairs = [{"workspace_id": team.workspace_id, "team_id": team.id, "user_id": user} for user in joined]
    await db.insert_many("team_members", pairs)
    await TeamMember.filter(workspace_id=team.workspace_id, team_id=team.id, user_id__in=left).delete()
    return joined, left
