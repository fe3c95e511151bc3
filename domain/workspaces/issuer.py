"""The identity provider whose tokens are believed, and its public keys: read once, again when they rotate.

Keys come from where the operator says and from nowhere else: what a token's header names is at most
looked for among them.
"""

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

REFETCH_SECONDS = 30.0
"""However many tokens name a key that is not known: their keys are read at most so often."""
FIRST_SECONDS = 5.0
"""The same, while no keys have been read at all."""
FRESH_SECONDS = 600.0
"""How long keys count before they are read again, so that one that was withdrawn is not believed for ever."""
FETCH_SECONDS = 3.0
LARGEST = 256 * 2**10
MOST_KEYS = 100
SHORTEST_RSA = 2048
log = structlog.get_logger(__name__)

PublicKey = RSAKey | ECKey | OKPKey
Fetch = Callable[[str], Awaitable[str]]


class BadKeys(Exception):
    """What was read is no set of public keys."""


class KeysAway(Exception):
    """No keys have been read since the start, so nobody can say whether a token is good."""


@dataclass(frozen=True)
class KnownKey:
    """One public key that may have signed a token."""

    kid: str | None
    algorithm: str | None
    """The only one it is for, where its set says so."""
    key: PublicKey


async def fetch(url: str) -> str:
    """The text behind a URL, within bounds; a redirect is no answer."""
    async with (
        asyncio.timeout(FETCH_SECONDS),
        httpx2.AsyncClient(follow_redirects=False, timeout=FETCH_SECONDS) as client,
        client.stream("GET", url, headers={"Accept": "application/json"}) as answer,
    ):
        if answer.status_code != 200:
            raise BadKeys(f"status {answer.status_code}")
        body = bytearray()
        async for part in answer.aiter_bytes():
            body += part
            if len(body) > LARGEST:
                raise BadKeys("too large")
        return body.decode()


def keys_of(text: str) -> list[KnownKey]:
    """The usable keys of a JWK set; secret ones, and those for encryption, are left out.

    Raises:
        BadKeys: it is none.
    """
    try:
        found = json.loads(text)["keys"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise BadKeys("not a JWK set") from None
    if not isinstance(found, list):
        raise BadKeys("not a JWK set")
    usable = (_usable(key) for key in found[:MOST_KEYS])
    return [key for key in usable if key is not None]


def _usable(given: Any) -> KnownKey | None:
    if not isinstance(given, dict) or given.get("use", "sig") != "sig" or given.get("kty") == "oct":
        return None  # a secret in a published set is everybody's secret
    if "verify" not in given.get("key_ops", ["verify"]):
        return None
    try:
        key = JWKRegistry.import_key({name: given[name] for name in given if name not in ("use", "key_ops")})
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    if not isinstance(key, PublicKey):
        return None
    if isinstance(key, RSAKey) and key.public_key.key_size < SHORTEST_RSA:
        return None
    kid, algorithm = given.get("kid"), given.get("alg")
    return KnownKey(
        kid if isinstance(kid, str) else None, algorithm if isinstance(algorithm, str) else None, key
    )


@dataclass
class Issuer:
    """What a token must say to be believed, and the keys that it may be signed with."""

    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    jwks: str
    """A URL, a file, or the set itself."""
    workspace_claim: str | None = None
    """The claim that names the workspace's number; none where every subject is of one workspace."""
    fetch: Fetch = fetch
    clock: Callable[[], float] = time.monotonic
    _keys: list[KnownKey] = field(default_factory=list)
    _asked: float = float("-inf")
    _read: float = float("-inf")
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    _refreshing: asyncio.Task[None] | None = None

    async def key(self, kid: str | None, algorithm: str) -> PublicKey | None:
        """The key of that id; without an id, the only one there is. None where there is none such.

        One that is not known may be new: then the keys are read again, by one for all who wait.

        Raises:
            KeysAway: no keys could be read so far.
        """
        found = self._find(kid, algorithm)
        if found is None:
            async with self._reading:
                await self._read_again()
            if math.isinf(self._read):
                raise KeysAway
            return self._find(kid, algorithm)
        if self.clock() - self._read > FRESH_SECONDS and (
            self._refreshing is None or self._refreshing.done()
        ):
            self._refreshing = asyncio.create_task(self._refresh(), name="jwks")
        return found

    def _find(self, kid: str | None, algorithm: str) -> PublicKey | None:
        fitting = [known for known in self._keys if known.algorithm in (None, algorithm)]
        if kid is None:
            return fitting[0].key if len(fitting) == len(self._keys) == 1 else None
        return next((known.key for known in fitting if known.kid == kid), None)

    async def _refresh(self) -> None:
        async with self._reading:
            await self._read_again()

    async def _read_again(self) -> None:
        """Read the keys, unless that was tried just now; where they cannot be read, the known ones go on."""
        wait = REFETCH_SECONDS if self._keys else FIRST_SECONDS
        if self.clock() - self._asked < wait:
            return
        self._asked = self.clock()
        try:
            self._keys = keys_of(await self._text())
            self._read = self.clock()
        except (httpx2.HTTPError, OSError, ValueError, TimeoutError, BadKeys) as error:
            log.warning("jwks_unreadable", error=type(error).__name__, known=len(self._keys))

    async def _text(self) -> str:
        if self.jwks.lstrip().startswith("{"):
            return self.jwks
        if self.jwks.startswith(("https://", "http://")):
            return await self.fetch(self.jwks)
        return await asyncio.to_thread(Path(self.jwks).read_text, encoding="utf-8")
