"""Changes to a workspace, its keys and its settings."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from domain import db, journal, timekeeping
from domain.access import ADMINS, Principal, Role, system
from domain.errors import DomainError, ErrorCode, Forbidden, Invalid, NotFound, Reasons
from domain.journal import Entry, Feed
from domain.language import Language
from domain.money import CURRENCIES
from domain.texts import text
from domain.workspaces import keys as credentials
from domain.workspaces import remembering
from domain.workspaces.models import ApiKey, SettingVersion, Workspace
from domain.workspaces.queries import find_staff, setting

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
    name = text(name, "name", LONGEST_NAME)
    if currency not in CURRENCIES:
        raise Invalid(f"{currency!r} is not a currency code of ISO 4217, such as CNY", field="currency")
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


async def create_key(
    who: Principal,
    *,
    name: str,
    role: Role,
    user_id: int | None = None,
    scopes: Sequence[str] = (),
    topics: Sequence[str] = (),
    expires_at: datetime | None = None,
    known_scopes: Collection[str] | None = None,
    known_topics: Collection[str] | None = None,
) -> credentials.NewKey:
    """A new API key; its secret is in the answer and nowhere else.

    Nobody hands out more than they have: only an owner makes an owner's key, and a key with scopes or
    topics makes none with others. What scopes and topics there are is the API's to say: what it does not
    know is refused, since a misspelt one would make a key that can do nothing.
    """
    reasons = Reasons()
    with reasons.gathered():
        name = text(name, "input.name", LONGEST_NAME)
    with reasons.gathered():
        if role is Role.OWNER and who.role is not Role.OWNER:
            raise Forbidden("only an owner may create a key with the role OWNER", field="input.role")
    for kind, given, own, known in (
        ("scopes", scopes, who.scopes, known_scopes),
        ("topics", topics, who.topics, known_topics),
    ):
        with reasons.gathered():
            _check_names(kind, given, own, known)
    with reasons.gathered():
        if expires_at is not None and expires_at <= timekeeping.machine_now():
            raise Invalid("the key would have expired already", field="input.expiresAt")
    key_id, whole, hashed = credentials.make_secret()
    async with db.transaction():
        with reasons.gathered():
            if user_id is not None:
                await _check_bearer(who, user_id)
        reasons.refuse()
        key = await ApiKey.create(
            workspace_id=who.workspace_id,
            name=name,
            key_id=key_id,
            secret_hash=hashed,
            role=role,
            user_id=user_id,
            scopes=sorted(set(scopes)),
            topics=sorted(set(topics)),
            expires_at=expires_at,
            created_at=timekeeping.machine_now(),
        )
        await journal.write(who, Entry("api_key.created", key.id, data={"role": role}))
    return credentials.NewKey(key, whole)


def _check_names(kind: str, given: Sequence[str], own: frozenset[str], known: Collection[str] | None) -> None:
    unknown = sorted(set(given) - set(known)) if known is not None else []
    if unknown:
        shown = ", ".join(repr(name[:LONGEST_NAME]) for name in unknown[:5])
        raise Invalid(f"there are no {kind} of these names: {shown}", field=f"input.{kind}")
    if own and not (given and own.issuperset(given)):
        raise Forbidden(f"this key cannot give {kind} that it has not", field=f"input.{kind}")


async def _check_bearer(who: Principal, user_id: int) -> None:
    """Held, so that whoever is being deactivated has no key made for them meanwhile."""
    await hold(who.workspace_id)
    user = await find_staff(who.workspace_id, user_id)
    if user is None:
        raise NotFound("no such member of staff", field="input.userId")
    if user.role is Role.OWNER and who.role is not Role.OWNER:
        raise Forbidden("only an owner may create a key for an owner", field="input.userId")


async def revoke_key(who: Principal, key_id: int) -> ApiKey:
    """End a key. Revoking it again changes nothing."""
    key = await ApiKey.load(who.workspace_id, key_id)
    if key.revoked_at is not None:
        return key
    async with db.transaction():
        await key.must_change(revoked_at=timekeeping.machine_now())
        await journal.write(who, Entry("api_key.revoked", key.id))
        db.after_commit(remembering.forget)
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
