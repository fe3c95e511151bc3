"""Operations known by name: trusted ones, and those that clients sent before."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLError

from api.edge import BadDocuments, Documents, read_documents
from domain.settings import BadSettings, from_environment
from tests.api.edge_app import build, client, served
from tests.api.test_edge_sockets import acked, hear, opened, say, subscribe

HELLO = "{ hello }"


def _by_hash(text: str) -> dict[str, Any]:
    return {"persistedQuery": {"version": 1, "sha256Hash": hashlib.sha256(text.encode()).hexdigest()}}


async def test_a_query_once_sent_with_its_hash_is_known_by_the_hash() -> None:
    async with client(build()) as asked:
        unknown = await asked.post("/graphql", json={"extensions": _by_hash(HELLO)})
        assert unknown.json()["errors"][0]["message"] == "PersistedQueryNotFound"
        sent = await asked.post("/graphql", json={"query": HELLO, "extensions": _by_hash(HELLO)})
        known = await asked.post("/graphql", json={"extensions": _by_hash(HELLO)})
        assert sent.json()["data"] == known.json()["data"] == {"hello": "hello world"}


async def test_a_hash_of_something_else_is_refused_and_not_remembered() -> None:
    documents = Documents()
    with pytest.raises(GraphQLError, match="not that of the query"):
        documents.text("{ other }", None, _by_hash(HELLO))
    with pytest.raises(GraphQLError, match="PersistedQueryNotFound"):
        documents.text(None, None, _by_hash(HELLO))
    with pytest.raises(GraphQLError, match="sha256Hash"):
        documents.text(None, None, {"persistedQuery": 3})


async def test_only_trusted_documents_are_answered_where_that_is_set() -> None:
    documents = Documents({"hello": HELLO}, only=True)
    async with client(build(documents=documents)) as asked:
        for body in ({"documentId": "hello"}, {"query": HELLO}, {"extensions": _by_hash(HELLO)}):
            assert (await asked.post("/graphql", json=body)).json()["data"] == {"hello": "hello world"}
        for text in ("{ hello hello }", "{ who }"):
            refused = (
                await asked.post("/graphql", json={"query": text, "extensions": _by_hash(text)})
            ).json()
            assert "trusted documents only" in refused["errors"][0]["message"]
            assert "data" not in refused


async def test_a_socket_answers_trusted_documents_only_too() -> None:
    async with (
        served(build(documents=Documents({"hello": HELLO}, only=True))) as host,
        opened(host) as socket,
    ):
        await acked(socket)
        said = {}
        for name, text in (("1", HELLO), ("2", "{ who }")):
            await say(socket, subscribe(name, text))
            message = await hear(socket)
            said[message["id"]] = message
            if message["type"] == "next":
                assert (await hear(socket))["type"] == "complete"
        assert said["1"]["payload"]["data"] == {"hello": "hello world"}
        assert said["2"]["type"] == "error"


def test_a_file_of_documents_is_checked_when_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "documents.json"
    for content in ("", "[]", '{"a": 1}'):
        file.write_text(content)
        with pytest.raises(BadDocuments, match=r"documents\.json"):
            read_documents(file)
    file.write_text(json.dumps({"hello": HELLO}))
    assert read_documents(file, only=True).text(None, "hello", None) == HELLO


def test_answering_trusted_documents_only_needs_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARELINE_DOCUMENTS_ONLY", "1")
    with pytest.raises(BadSettings, match="CARELINE_DOCUMENTS"):
        from_environment()
