"""The requests that docs/clients.md shows for keys and for asking by name, sent as they stand there."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.stories.processes import ROOT, ask, command, started

PAGE = (ROOT / "docs/clients.md").read_text()


def shown(section: str, language: str) -> list[str]:
    """The blocks of one language in a section of the page."""
    found = re.search(rf"^## {section}\n(.*?)(?=^## )", PAGE, re.M | re.S)
    assert found is not None, section
    return re.findall(rf"^```{language}\n(.*?)^```", found[1], re.M | re.S)


def answered(url: str, key: str, body: Any) -> dict[str, Any]:
    answer = httpx2.post(f"{url}/graphql", json=body, headers={"Authorization": f"Bearer {key}"}, timeout=30)
    found: dict[str, Any] = answer.json()
    return found


async def without_text(url: str, key: str, payload: dict[str, Any]) -> int | None:
    """With what a socket is closed that is asked by name."""
    address = f"ws{url.removeprefix('http')}/graphql"
    async with asyncio.timeout(20), connect(address, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
        hello = {"type": "connection_init", "payload": {"Authorization": f"Bearer {key}"}}
        await socket.send(json.dumps(hello))
        assert json.loads(await socket.recv())["type"] == "connection_ack"
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        return socket.close_code


def test_what_the_page_shows_of_keys_and_names_is_so(tmp_path: Path) -> None:
    file, by_name, by_hash, with_text = (json.loads(block) for block in shown("Ask by name", "json"))
    (tmp_path / "documents.json").write_text(json.dumps(file))
    database = f"sqlite:///{tmp_path}/careline.db"
    owner = json.loads(command("workspace", "Docs", DATABASE_URL=database))["apiKey"]
    settings = {"DATABASE_URL": database, "CARELINE_DOCUMENTS": str(tmp_path / "documents.json")}
    with started(tmp_path / "trusted.log", "serve", CARELINE_PORT="0", **settings) as api:
        url = str(api.wait_for("serving")["url"])
        asked = answered(url, owner, by_name)
        assert asked["data"] == {"tasks": {"nodes": []}}
        hashed = by_hash["extensions"]["persistedQuery"]["sha256Hash"]
        assert answered(url, owner, {"documentId": f"sha256:{hashed}"})["data"] == asked["data"]
    settings.pop("CARELINE_DOCUMENTS")
    with started(tmp_path / "api.log", "serve", CARELINE_PORT="0", **settings) as api:
        url = str(api.wait_for("serving")["url"])
        (error,) = answered(url, owner, by_hash)["errors"]
        assert (error["message"], error["extensions"]["code"]) == ("PersistedQueryNotFound", "BAD_REQUEST")
        assert answered(url, owner, with_text)["data"] == asked["data"]
        assert answered(url, owner, by_hash)["data"] == asked["data"]
        for payload in (by_name, by_hash):
            assert asyncio.run(without_text(url, owner, payload)) == 4400
        _the_partner_s_key(url, owner)


def _the_partner_s_key(url: str, owner: str) -> None:
    (mutation,) = shown("A key for a partner", "graphql")
    made: Any = ask(url, owner, mutation)["apiKeyCreate"]
    assert made["apiKey"]["topics"] == ["customers", "orders"]
    upsert = 'mutation { customerUpsert(input: {externalId: "C-1", name: "Wang Xiaoming"}) { __typename } }'
    assert ask(url, owner, upsert) == {"customerUpsert": {"__typename": "CustomerUpsertPayload"}}
    names = "{ customers(first: 1) { nodes { name } } }"
    seen = {}
    for role in ("SUPPORT", "ANALYST", "PLANNER", "EXECUTOR"):
        create = (
            f'mutation {{ apiKeyCreate(input: {{name: "{role}", role: {role}}}) '
            "{ ... on ApiKeyCreatePayload { secret } } }"
        )
        key: Any = ask(url, owner, create)["apiKeyCreate"]
        told: Any = ask(url, key["secret"], names)["customers"]
        seen[role] = told["nodes"][0]["name"] == "Wang Xiaoming"
    assert seen == {"SUPPORT": False, "ANALYST": False, "PLANNER": True, "EXECUTOR": True}
    partner = made["secret"]
    masked: Any = ask(url, partner, names)["customers"]
    assert "Xiaoming" not in masked["nodes"][0]["name"]
    for refused in ("{ orders: kpis { code } }", "{ feed(topics: [TASKS]) { head } }"):
        (error,) = answered(url, partner, {"query": refused})["errors"]
        assert error["extensions"]["code"] == "FORBIDDEN", refused
    assert "errors" not in answered(url, partner, {"query": "{ feed { head } }"})
