"""Whoever stood behind a credential a moment ago still does: a busy one is looked up once a second.

What changes a key, a member of staff or a team in this process is seen at once, since all that was
remembered is forgotten with it; what another process changes is seen a second later. Only who was let in
is remembered, by a hash of the whole credential, and never beyond its own end.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from domain import db, timekeeping
from domain.access import Principal

KEPT_FOR = timedelta(seconds=1)
MOST = 10_000
"""Credentials; who was let in longest ago goes first."""


@dataclass(frozen=True, slots=True)
class _Known:
    principal: Principal
    since: datetime
    until: datetime


_known: WeakKeyDictionary[object, dict[bytes, _Known]] = WeakKeyDictionary()
"""By the open database: another one has other keys."""
_changes = 0


def name_of(credential: str) -> bytes:
    """What a credential is remembered by. Whoever measures how long a look takes learns about a hash only."""
    return hashlib.sha256(credential.encode(errors="surrogatepass")).digest()


def recall(name: bytes) -> Principal | None:
    """Who was let in with it within the last second."""
    known = _known.get(db.opened(), {}).get(name)
    # The database's clock may be read anew and found to be earlier: then nothing is known.
    if known is None or not known.since <= timekeeping.machine_now() < known.until:
        return None
    return known.principal


def changes() -> int:
    """How often all was forgotten: to be read before a credential is looked up."""
    return _changes


def remember(name: bytes, principal: Principal, ends: datetime | None, before: int) -> None:
    """Remember who was let in, unless something was changed while that was found out."""
    if before != _changes:
        return
    now = timekeeping.machine_now()
    until = now + KEPT_FOR
    known = _known.setdefault(db.opened(), {})
    known.pop(name, None)
    known[name] = _Known(principal, now, until if ends is None else min(until, ends))
    if len(known) > MOST:
        del known[next(iter(known))]


def forget() -> None:
    """Look every credential up anew: somebody's rights have changed."""
    global _changes
    _changes += 1
    _known.clear()
