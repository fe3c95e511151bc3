"""Keeps what must be read again, but by nobody who has the database alone: AES-GCM under the process's key.

The key is derived from CARELINE_SECRET_KEY. What is sealed is bound to its place, so that it cannot be
moved to another row, column or workspace and still be opened.
"""

import base64
import binascii
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION = "v1"
NONCE_BYTES = 12
_cipher: AESGCM | None = None


class Locked(Exception):
    """This process was given no secret, or what was sealed was not sealed here under this one."""


def unlock(secret: str) -> None:
    """Seal and open with a key derived from this secret from now on; with none, neither can be done."""
    global _cipher
    derived = HKDF(SHA256(), 32, salt=None, info=b"careline sealing v1")
    _cipher = AESGCM(derived.derive(secret.encode())) if secret else None


def is_unlocked() -> bool:
    return _cipher is not None


def seal(text: str, place: str) -> str:
    """A text as it may be stored at this place, and at no other."""
    if _cipher is None:
        raise Locked
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = _cipher.encrypt(nonce, text.encode(), place.encode())
    return f"{VERSION}.{base64.b64encode(nonce + sealed).decode()}"


def opened(sealed: str, place: str) -> str:
    """The text that was sealed for this place.

    Raises:
        Locked: it was sealed elsewhere, under another secret, or has been changed.
    """
    version, _, encoded = sealed.partition(".")
    if _cipher is None or version != VERSION:
        raise Locked
    try:
        raw = base64.b64decode(encoded, validate=True)
        return _cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], place.encode()).decode()
    except (InvalidTag, binascii.Error, ValueError):
        raise Locked from None
