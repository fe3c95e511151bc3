"""Who stands behind a credential: an API key of ours, or a token of the identity provider.

A key reads `careline_<key id>_<secret>`. The secret has 256 random bits, so a plain SHA-256 of it can
be stored: there is nothing to guess, and checking costs microseconds. A token says only who somebody
is; what they may do here stands in their row.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from domain import db, timekeeping
from domain.access import Principal, Role
from domain.workspaces import remembering, tokens
from domain.workspaces.issuer import Issuer
from domain.workspaces.models import ApiKey, User
from domain.workspaces.queries import teams_of

PREFIX = "careline"
_trusted: Issuer | None = None
log = structlog.get_logger(__name__)
NOTED_AFTER = timedelta(minutes=1)
"""How much later a key's next use is noted."""


class BadCredential(Exception):
    """Unknown, expired or revoked; the message never says which."""


@dataclass(frozen=True)
class NewKey:
    """A key at the only moment when its secret is known."""

    key: ApiKey
    secret: str


def make_secret() -> tuple[str, str, str]:
    """A fresh key id, the whole credential, and the hash to store."""
    key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    return key_id, f"{PREFIX}_{key_id}_{secret}", _hash(secret)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def trust(issuer: Issuer | None) -> None:
    """Believe the tokens of this identity provider from now on, and of no other; none: of nobody."""
    global _trusted
    _trusted = issuer
    remembering.forget()


async def authenticate(authorization: str | None, *, anew: bool = False) -> Principal:
    """The principal of an `Authorization` value such as `Bearer careline_…`.

    It may be who it was up to a second ago (`remembering`), unless it has to be looked up `anew`.

    Raises:
        BadCredential: whatever is wrong with it.
        KeysAway: it is a token, and the keys of its issuer were never to be had.
    """
    scheme, _, credential = (authorization or "").partition(" ")
    credential = credential.strip()
    if scheme.lower() != "bearer":
        raise BadCredential
    name = remembering.name_of(credential)
    if not anew and (known := remembering.recall(name)) is not None:
        return known
    before = remembering.changes()
    prefix, _, rest = credential.partition("_")
    if prefix == PREFIX:
        key_id, _, secret = rest.partition("_")
        if not key_id or not secret or len(credential) > 512:
            raise BadCredential
        with db.everywhere():  # whose it is, the key alone can say
            found, ends = await _principal(key_id, secret)
    else:
        found, ends = await _principal_of_token(credential)
    remembering.remember(name, found, ends, before)
    return found


async def _principal_of_token(token: str) -> tuple[Principal, datetime]:
    """The one member of staff that a token speaks of, who still works here; and when it ends."""
    if _trusted is None:
        raise BadCredential
    try:
        claims = await tokens.read(token, _trusted)
    except tokens.Unbelievable as error:
        log.info("token_refused", reason=str(error))
        raise BadCredential from None
    with db.everywhere():
        query = User.filter(subject=claims.subject, active=True)
        if claims.workspace_id is not None:
            query = query.filter(workspace_id=claims.workspace_id)
        found = await query.limit(2)
    if len(found) != 1:
        raise BadCredential
    with db.within(found[0].workspace_id):
        return await principal_of_user(found[0]), claims.ends


async def _principal(key_id: str, secret: str) -> tuple[Principal, datetime | None]:
    # One plain statement, and no rows made of it: whoever asks now and then pays it each time.
    key = await db.one(
        """SELECT k.id, k.workspace_id, k.secret_hash, k.role, k.user_id, k.scopes, k.topics, k.expires_at,
             k.revoked_at, k.last_used_at, u.role AS user_role, u.active
           FROM api_keys k LEFT JOIN users u ON u.workspace_id = k.workspace_id AND u.id = k.user_id
           WHERE k.key_id = :key_id""",
        key_id=key_id,
    )
    if key is None or not hmac.compare_digest(key["secret_hash"], _hash(secret)):
        raise BadCredential
    now = timekeeping.machine_now()
    if key["revoked_at"] is not None or _past(key["expires_at"], now):
        raise BadCredential
    if key["user_id"] is not None and not key["active"]:
        raise BadCredential
    stale = key["last_used_at"] is None or _past(key["last_used_at"], now - NOTED_AFTER)
    if stale and not db.is_read_only():
        await ApiKey.filter(id=key["id"]).update(last_used_at=now)
    workspace_id, user_id = key["workspace_id"], key["user_id"]
    principal = Principal(
        workspace_id=workspace_id,
        role=Role(key["role"] if user_id is None else key["user_role"]),
        kind="api_key",
        id=key["id"],
        user_id=user_id,
        team_ids=() if user_id is None else await teams_of(workspace_id, user_id),
        scopes=frozenset(db.document_of(key["scopes"])),
        topics=frozenset(db.document_of(key["topics"])),
    )
    return principal, None if key["expires_at"] is None else db.instant_of(key["expires_at"])


def _past(raw: Any, now: datetime) -> bool:
    """Whether an instant, if there is one, has come."""
    return raw is not None and db.instant_of(raw) <= now


async def principal_of_user(user: User) -> Principal:
    """A member of staff, as themselves."""
    return Principal(
        workspace_id=user.workspace_id,
        role=user.role,
        kind="user",
        id=user.id,
        user_id=user.id,
        team_ids=await teams_of(user.workspace_id, user.id),
    )
