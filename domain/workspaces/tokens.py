"""What a token of the identity provider says, once its signature and every claim hold.

The header chooses among the keys that are known and decides nothing else: algorithms are a list of the
operator's, and whatever key or address a token brings along is not looked at.
"""

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry, extract_compact

from domain import timekeeping
from domain.workspaces.issuer import Issuer

LONGEST = 8192
LONGEST_SUBJECT = 255
LONGEST_KID = 256
LATEST = 253_402_300_799
"""The last second that an instant can be, of the year 9999."""
LEEWAY_SECONDS = 30
"""How far the issuer's clock may be ahead of ours. A token ends at its end all the same."""


class Unbelievable(Exception):
    """The token will not do; the message is for our log and no caller's."""


@dataclass(frozen=True)
class Claims:
    """Whom a token speaks of, and in which workspace where it says so."""

    subject: str
    workspace_id: int | None
    ends: datetime


class _Registry(JWSRegistry):
    max_header_length = 4096


async def read(token: str, issuer: Issuer) -> Claims:
    """The claims of a token.

    Raises:
        Unbelievable: whatever is wrong with it.
        KeysAway: nobody can say whether anything is.
    """
    if len(token) > LONGEST:
        raise Unbelievable("too long")
    registry = _Registry(algorithms=issuer.algorithms, strict_check_header=False)
    try:
        header = extract_compact(token.encode("ascii"), registry=registry).headers()
    except (JoseError, ValueError, RecursionError) as error:
        raise Unbelievable(type(error).__name__) from None
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in issuer.algorithms:
        raise Unbelievable("algorithm")
    if "crit" in header or "b64" in header:
        raise Unbelievable("critical header")
    if kid is not None and not (isinstance(kid, str) and len(kid) <= LONGEST_KID):
        raise Unbelievable("kid")
    key = await issuer.key(kid, algorithm)
    if key is None:
        raise Unbelievable("unknown key")
    try:
        claims = jwt.decode(token, key, registry=registry, decoder_cls=_Strict).claims
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise Unbelievable(type(error).__name__) from None
    return _checked(claims, issuer)


class _Strict(json.JSONDecoder):
    """JSON without NaN and the infinities, which no number is before or after."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**{**given, "parse_constant": _refuse})


def _refuse(text: str) -> Any:
    raise ValueError(text)


def _checked(claims: dict[str, Any], issuer: Issuer) -> Claims:
    if claims.get("iss") != issuer.issuer:
        raise Unbelievable("issuer")
    audience = claims.get("aud")
    if issuer.audience not in (audience if isinstance(audience, list) else [audience]):
        raise Unbelievable("audience")
    now = timekeeping.machine_now().timestamp()
    ends = _instant(claims, "exp")
    if ends is None or ends <= now:
        raise Unbelievable("expired")
    for name in ("nbf", "iat"):
        begins = _instant(claims, name)
        if begins is not None and begins > now + LEEWAY_SECONDS:
            raise Unbelievable("not yet")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or "\0" in subject:
        raise Unbelievable("subject")
    return Claims(
        subject, _workspace(claims, issuer.workspace_claim), datetime.fromtimestamp(min(ends, LATEST), UTC)
    )


def _instant(claims: dict[str, Any], name: str) -> float | None:
    """Seconds since 1970; a text is none, whatever it reads like."""
    value = claims.get(name)
    if value is None and name not in claims:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Unbelievable(name)
    return float(value)


def _workspace(claims: dict[str, Any], claim: str | None) -> int | None:
    if claim is None:
        return None
    value = claims.get(claim)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**63:
        raise Unbelievable("workspace")
    return value
