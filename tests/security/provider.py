"""An identity provider of the tests: keys that rotate, and tokens of every kind, the forged ones among them."""

import base64
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jws
from joserfc.jwk import ECKey, KeySet, RSAKey

ISSUER = "https://login.test/"
AUDIENCE = "careline"
NONE = b'{"alg":"None","kid":"old"}'
_KEYS = {name: RSAKey.generate_key(2048, {"kid": name}) for name in ("old", "new", "foreign")}


def signed(header: dict[str, Any], claims: dict[str, Any], key: Any) -> str:
    """A token as given, whatever is in it."""
    return jws.serialize_compact(
        header,
        json.dumps(claims),
        key,
        algorithms=[header["alg"]],
        registry=jws.JWSRegistry(algorithms=[header["alg"]], strict_check_header=False),
    )


def unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Provider:
    """Signs with its newest key; its set is what is published just now."""

    published: list[str] = field(default_factory=lambda: ["old"])
    away: bool = False
    asked: int = 0

    def jwks(self) -> str:
        return json.dumps(KeySet([_KEYS[name] for name in self.published]).as_dict(private=False))

    async def fetch(self, _: str) -> str:
        self.asked += 1
        if self.away:
            raise OSError("unreachable")
        return self.jwks()

    def claims(self, subject: str, **more: Any) -> dict[str, Any]:
        now = int(time.time())
        return {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            "iat": now,
            "exp": now + 600,
        } | more

    def token(self, subject: str, key: str = "old", header: dict[str, Any] | None = None, **more: Any) -> str:
        claims = {name: value for name, value in self.claims(subject, **more).items() if value is not None}
        return signed({"alg": "RS256", "kid": key, **(header or {})}, claims, _KEYS[key])

    def forged(self, subject: str) -> dict[str, str]:
        """Tokens that must let nobody in, by what is wrong with them."""
        now = int(time.time())
        claims = self.claims(subject)
        body = unpadded(json.dumps(claims).encode())
        none = unpadded(b'{"alg":"none","kid":"old"}')
        good = self.token(subject)
        head, middle, signature = good.split(".")
        foreign = _KEYS["foreign"]
        public = _KEYS["old"].as_pem(private=False)
        elliptic = ECKey.generate_key("P-256", {"kid": "old"})
        brought = {"alg": "RS256", "jwk": foreign.as_dict(private=False)}
        return {
            "none": f"{none}.{body}.",
            "none with a signature": f"{none}.{body}.{signature}",
            "None": f"{unpadded(NONE)}.{body}.",
            "HS256 with the public key": with_shared(claims, public),
            "an algorithm that is not allowed": signed({"alg": "RS512", "kid": "old"}, claims, _KEYS["old"]),
            "another kind of key": signed({"alg": "ES256", "kid": "old"}, claims, elliptic),
            "expired": self.token(subject, exp=now - 1),
            "expires now": self.token(subject, exp=now),
            "no exp": self.token(subject, exp=None),
            "exp as a text": self.token(subject, exp=str(now + 600)),
            "exp as a truth": self.token(subject, exp=True),
            "exp without end": self.token(subject, exp=float("inf")),
            "exp beyond numbers": self.token(subject, exp=float("nan")),
            "wrong audience": self.token(subject, aud="another"),
            "audiences without ours": self.token(subject, aud=["a", "b"]),
            "no audience": self.token(subject, aud=None),
            "an object for an audience": self.token(subject, aud={"careline": 1}),
            "wrong issuer": self.token(subject, iss="https://login.test"),
            "no issuer": self.token(subject, iss=None),
            "a list of issuers": self.token(subject, iss=[ISSUER]),
            "not before later": self.token(subject, nbf=now + 120),
            "issued later": self.token(subject, iat=now + 120),
            "issued at a text": self.token(subject, iat=str(now)),
            "no subject": self.token(subject, sub=None),
            "an empty subject": self.token(subject, sub=""),
            "a number for a subject": self.token(subject, sub=7),
            "a subject too long": self.token(subject, sub=subject + "x" * 300),
            "crit": really_signed(
                {"alg": "RS256", "kid": "old", "crit": ["urn:x"], "urn:x": 1}, claims, "old"
            ),
            "crit of a known name": really_signed(
                {"alg": "RS256", "kid": "old", "crit": ["exp"], "exp": 1}, claims, "old"
            ),
            "b64": really_signed({"alg": "RS256", "kid": "old", "b64": True}, claims, "old"),
            "jwk in the header": signed(brought, claims, foreign),
            "jwk in the header, a known kid": signed(brought | {"kid": "old"}, claims, foreign),
            "jku in the header": signed(
                {"alg": "RS256", "kid": "foreign", "jku": "https://evil.test/jwks"}, claims, foreign
            ),
            "kid a path": signed({"alg": "RS256", "kid": "../../../../dev/null"}, claims, foreign),
            "kid a statement": signed({"alg": "RS256", "kid": "' OR 1=1 --"}, claims, foreign),
            "kid a list": really_signed({"alg": "RS256", "kid": ["old"]}, claims, "old"),
            "kid an object": really_signed({"alg": "RS256", "kid": {}}, claims, "old"),
            "a foreign key under a known kid": signed({"alg": "RS256", "kid": "old"}, claims, foreign),
            "another body": f"{head}.{unpadded(json.dumps(claims | {'sub': 'x'}).encode())}.{signature}",
            "no signature": f"{head}.{middle}.",
            "a cut signature": good[:-9],
            "two parts": f"{head}.{middle}",
            "four parts": f"{good}.x",
            "an encrypted token": f"{head}.{middle}.{signature}.a.b",
            "garbage": "garbage",
            "dots": "..",
            "no text": "\x01.\x02.\x03",
            "not ASCII": "käse.käse.käse",
            "nested deeply": f"{unpadded(b'[' * 3000)}.{body}.{signature}",
            "nested deeply inside": signed_text({"alg": "RS256", "kid": "old"}, "[" * 3000, _KEYS["old"]),
            "a list for claims": signed_text({"alg": "RS256", "kid": "old"}, "[1]", _KEYS["old"]),
            "larger than a token": self.token(subject, more="x" * 9000),
            "1 MB": f"{head}.{'A' * 1_000_000}.{signature}",
        }


def with_shared(claims: dict[str, Any], secret: bytes) -> str:
    """A token that is signed with what everybody can read."""
    head = unpadded(b'{"alg":"HS256","kid":"old"}')
    signing = f"{head}.{unpadded(json.dumps(claims).encode())}"
    return f"{signing}.{unpadded(hmac.digest(secret, signing.encode(), 'sha256'))}"


def signed_text(header: dict[str, Any], text: str, key: Any) -> str:
    return jws.serialize_compact(header, text, key, algorithms=[header["alg"]])


def really_signed(header: dict[str, Any], claims: dict[str, Any], key: str) -> str:
    """A token whose header no library would write, and whose signature holds all the same."""
    signing = f"{unpadded(json.dumps(header).encode())}.{unpadded(json.dumps(claims).encode())}"
    signature = _KEYS[key].private_key.sign(signing.encode(), PKCS1v15(), SHA256())
    return f"{signing}.{unpadded(signature)}"
