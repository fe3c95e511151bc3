"""Operations that are known by name: trusted ones from a file, and those that clients sent before.

A trusted document is one that the client's build registered. With `only`, nothing else is answered, so
that who holds a stolen credential can ask no more than the client itself does. The others are
automatic persisted queries: a client sends the hash alone, and the text once if it is not known.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphql import GraphQLError

from api.engine.cache import Recent
from api.errors import Code, coded

KEPT = 1_000
LONGEST = 16_384
"""Characters of a text that is remembered by its hash."""


class BadDocuments(Exception):
    """The file of trusted documents cannot be read; the message says why."""


class Documents:
    """Finds the text of a request. `trusted` maps the name, or the SHA-256 in hexadecimal, to the text."""

    def __init__(self, trusted: Mapping[str, str] | None = None, *, only: bool = False) -> None:
        self.only = only
        self._named = dict(trusted or {})
        self._trusted = set(self._named.values())
        self._named |= {_hash(text): text for text in self._trusted}
        self._sent: Recent[str, str] = Recent(KEPT)

    def text(
        self, query: str | None, document_id: str | None, extensions: Mapping[str, Any] | None
    ) -> str | None:
        """The text to be answered; None where the request names none at all.

        Raises:
            GraphQLError: BAD_REQUEST, when it is not known, not as its hash says, or not trusted.
        """
        name = _named(document_id, extensions)
        if query is None:
            if name is None:
                return None
            found = self._named.get(name) or self._sent.get(name)
            if found is None:
                raise coded(Code.BAD_REQUEST, "PersistedQueryNotFound")  # clients know it by this word
            return found
        if self.only and query not in self._trusted:
            raise coded(Code.BAD_REQUEST, "This server answers trusted documents only, and this is none.")
        if name is not None and name not in self._named:
            if _hash(query) != name:
                raise coded(Code.BAD_REQUEST, "The hash is not that of the query.")
            if len(query) <= LONGEST:
                self._sent.put(name, query)
        return query


def read_documents(file: Path | None, *, only: bool = False) -> Documents:
    """The documents of a JSON file that maps names to texts.

    Raises:
        BadDocuments: it is not such a file.
    """
    if file is None:
        return Documents(only=only)
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadDocuments(f"cannot read {file}: {error}") from error
    if not isinstance(read, dict) or not all(isinstance(text, str) for text in read.values()):
        raise BadDocuments(f"{file} has to be a JSON object of names and texts")
    return Documents(read, only=only)


def _named(document_id: str | None, extensions: Mapping[str, Any] | None) -> str | None:
    if document_id is not None:
        return document_id.removeprefix("sha256:")
    persisted = (extensions or {}).get("persistedQuery")
    if persisted is None:
        return None
    hashed = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    if not isinstance(hashed, str):
        raise _malformed()
    return hashed


def _malformed() -> GraphQLError:
    return coded(Code.BAD_REQUEST, "extensions.persistedQuery has to hold a sha256Hash.")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
