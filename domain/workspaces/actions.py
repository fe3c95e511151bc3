"""Changes to a workspace, its staff, its keys and its settings."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any

from tortoise.exceptions import IntegrityError

from domain import db, journal, timekeeping
from domain.access import ADMINS, Principal, Role, system
from domain.errors import DomainError, Duplicate, ErrorCode, Forbidden, Invalid, NotFound
from domain.journal import Entry, Feed
from domain.language import Language
from domain.workspaces import keys as credentials
from domain.workspaces.models import ApiKey, SettingVersion, Team, TeamMember, User, Workspace
from domain.workspaces.queries import setting

NIGHTLY_AT = time(2, 0)
LONGEST_NAME = 120


class NotSandbox(DomainError):
    """Only a sandbox has a clock that can be turned."""

    code = ErrorCode.NOT_SANDBOX


async def create(
    name: str,
    *,
    zone: str = "Asia/Shanghai",
    currency: str = "CNY",
    language: Language = Language.ZH_CN,
    clock_at: datetime | None = None,
) -> Workspace:
    """A new workspace; with `clock_at`, a sandbox whose clock stands there until it is turned."""
    timekeeping.zone(zone)
    if len(currency) != 3 or not currency.isascii() or not currency.isupper():
        raise Invalid(f"{currency!r} is not an ISO 4217 currency code", field="currency")
    async with db.transaction():
        workspace = await Workspace.create(
            name=name,
            zone=zone,
            currency=currency,
            language=language,
            sandbox=clock_at is not None,
            clock_at=clock_at,
            created_at=timekeeping.machine_now(),
        )
        await Feed.create(workspace_id=workspace.id)
        await journal.write(system(workspace.id), Entry("workspace.created", workspace.id))
    return workspace


async def add_user(workspace_id: int, name: str, email: str, role: Role) -> User:
    try:
        async with db.transaction():
            user = await User.create(
                workspace_id=workspace_id,
                name=name,
                email=email,
                role=role,
                created_at=timekeeping.machine_now(),
            )
            await journal.write(system(workspace_id), Entry("user.added", user.id, data={"role": role}))
    except IntegrityError:
        raise Duplicate("a member of staff has this e-mail address", field="email") from None
    return user


async def add_team(workspace_id: int, name: str) -> Team:
    return await Team.create(workspace_id=workspace_id, name=name, created_at=timekeeping.machine_now())


async def join_team(team: Team, user: User) -> None:
    await TeamMember.create(workspace_id=team.workspace_id, team_id=team.id, user_id=user.id)


async def create_key(
    who: Principal,
    *,
    name: str,
    role: Role,
    user_id: int | None = None,
    scopes: Sequence[str] = (),
    topics: Sequence[str] = (),
    expires_at: datetime | None = None,
) -> credentials.NewKey:
    """A new API key; its secret is in the answer and nowhere else.

    Nobody hands out more than they have: only an owner makes an owner's key, and a key with scopes or
    topics makes none with others.
    """
    if role is Role.OWNER and who.role is not Role.OWNER:
        raise Forbidden("only an owner may create a key with the role OWNER", field="input.role")
    if user_id is not None:
        user = await User.find(who.workspace_id, user_id)
        if user is None:
            raise NotFound("no such member of staff", field="input.userId")
        if user.role is Role.OWNER and who.role is not Role.OWNER:
            raise Forbidden("only an owner may create a key for an owner", field="input.userId")
    for kind, own, given in (("scopes", who.scopes, scopes), ("topics", who.topics, topics)):
        if own and not (given and own.issuperset(given)):
            raise Forbidden(f"this key cannot give {kind} that it has not", field=f"input.{kind}")
    if expires_at is not None and expires_at <= timekeeping.machine_now():
        raise Invalid("the key would have expired already", field="input.expiresAt")
    if not 1 <= len(name.strip()) <= LONGEST_NAME:
        raise Invalid(f"a key's name has 1 to {LONGEST_NAME} characters", field="input.name")
    key_id, whole, hashed = credentials.make_secret()
    async with db.transaction():
        key = await ApiKey.create(
            workspace_id=who.workspace_id,
            name=name.strip(),
            key_id=key_id,
            secret_hash=hashed,
            role=role,
            user_id=user_id,
            scopes=sorted(scopes),
            topics=sorted(topics),
            expires_at=expires_at,
            created_at=timekeeping.machine_now(),
        )
        await journal.write(who, Entry("api_key.created", key.id, data={"role": role}))
    return credentials.NewKey(key, whole)


async def revoke_key(who: Principal, key_id: int) -> ApiKey:
    """End a key. Revoking it again changes nothing."""
    key = await ApiKey.load(who.workspace_id, key_id)
    if key.revoked_at is not None:
        return key
    async with db.transaction():
        await key.must_change(revoked_at=timekeeping.machine_now())
        await journal.write(who, Entry("api_key.revoked", key.id))
    return key


async def hold(workspace_id: int) -> None:
    """Until the running transaction ends, whoever else would change this workspace's staff or settings waits.

    What is read afterwards is what the one before has committed.
    """
    assert db.in_transaction()
    if db.is_postgres():  # on SQLite one transaction writes at a time anyway
        await db.rows("SELECT id FROM workspaces WHERE id = :id FOR NO KEY UPDATE", id=workspace_id)


async def preset_set(who: Principal, name: str, preset: str, value: dict[str, Any]) -> int:
    """A new version of a group of settings; its number. The same value again makes no new version."""
    if who.role not in ADMINS:
        raise Forbidden("only an owner or admin changes settings")
    async with db.transaction():
        await hold(who.workspace_id)
        latest = await setting(who.workspace_id, name)
        if latest.number and latest.value == value:
            return latest.number
        made = await SettingVersion.create(
            workspace_id=who.workspace_id,
            name=name,
            number=latest.number + 1,
            preset=preset,
            value=value,
            actor=who.label,
            created_at=timekeeping.machine_now(),
        )
        await journal.write(
            who,
            Entry("setting.changed", made.id, data={"name": name, "number": made.number, "preset": preset}),
        )
    return made.number


async def turn_clock(workspace_id: int, given: datetime, to: datetime) -> bool:
    """Move a sandbox's clock forward from the instant the caller saw; whether it moved."""
    if to < given:
        raise Invalid("a clock is only turned forward", field="to")
    moved = await Workspace.filter(id=workspace_id, sandbox=True, clock_at=given).update(clock_at=to)
    return bool(moved)


async def schedule_nightly(workspace: Workspace) -> bool:
    """Move the nightly timer to the next 02:00 local after now; false if somebody else just did."""
    tz = timekeeping.zone(workspace.zone)
    now = await timekeeping.now(workspace.id)
    day = timekeeping.local_day(now, tz)
    due = datetime.combine(day, NIGHTLY_AT, tz)
    if due <= now:
        due = datetime.combine(day + timedelta(days=1), NIGHTLY_AT, tz)
    changed = await Workspace.filter(id=workspace.id, next_nightly_at=workspace.next_nightly_at).update(
        next_nightly_at=due
    )
    return bool(changed)
