"""What a browser finds at /graphql: GraphiQL from here and from nobody else, or a page that says where to read."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2
import pytest
from websockets.asyncio.client import connect

from api import app, explorer
from api.explorer import page
from domain import workspaces
from domain.settings import Settings
from jobs.vitals import Vitals
from tests.api.edge_app import served
from tests.architecture.sources import ROOT
from tests.conftest import House

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
SECRET = "s" * 40


class Addresses(HTMLParser):
    """Every address that a page names, and its scripts and handlers that stand within it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.within: list[str] = []
        self._script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "action", "data")]
        self.within += [name for name, _ in attrs if name.startswith("on")]
        self._script = tag == "script"

    def handle_data(self, data: str) -> None:
        if self._script and data.strip():
            self.within.append(data)


@asynccontextmanager
async def serving(database: str, **more: Any) -> AsyncIterator[str]:
    settings = Settings(DATABASE_URL=database, CARELINE_SECRET_KEY=SECRET, **more)
    async with served(app.create(settings, Vitals(settings))) as host:
        yield f"http://{host}"


async def found(http: httpx2.AsyncClient, url: str) -> httpx2.Response:
    return await http.get(f"{url}/graphql", headers=BROWSER)


async def test_a_browser_is_served_graphiql_whole_from_this_origin(house: House, database: str) -> None:
    async with serving(database) as url, httpx2.AsyncClient() as http:
        answer = await found(http, url)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';")
        assert "http" not in policy and "*" not in policy and "unsafe-eval" not in policy
        assert (answer.headers["cache-control"], answer.headers["vary"]) == ("no-cache", "Accept")
        addresses = Addresses(answer.text)
        assert addresses.within == [], "no script within the page: the policy would not let it run"
        named = [urljoin(str(answer.url), each) for each in addresses.found if each != "data:,"]
        types = set()
        for each in named:
            assert urlsplit(each).netloc == urlsplit(url).netloc
            asset = await http.get(each)
            assert asset.status_code == 200
            assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert asset.headers["x-content-type-options"] == "nosniff"
            types.add(asset.headers["content-type"])
            if "css" in asset.headers["content-type"]:
                assert {each[:5] for each in re.findall(r"url\(['\"]?(.{5})", asset.text)} <= {"data:"}
                assert "@import" not in asset.text
        assert types == {f"text/{kind}; charset=utf-8" for kind in ("javascript", "css", "plain")}
        for name in ("explorer.js", "none.js", "..%2f__init__.py", "%2e%2e"):
            assert (await http.get(f"{url}/graphql/assets/{name}")).status_code == 404


async def test_what_the_page_sends_is_answered(house: House, database: str) -> None:
    key = await workspaces.create_key(house.owner, name="k", role=house.owner.role)
    said = {"Authorization": f"Bearer {key.secret}"}
    async with serving(database) as url, httpx2.AsyncClient() as http, asyncio.timeout(20):
        sent = {"query": "query A { viewer { role } }", "operationName": "A", "variables": {}}
        headers = {"Accept": "application/json", "Origin": url, **said}
        answer = await http.post(f"{url}/graphql", json=sent, headers=headers)
        assert answer.json()["data"] == {"viewer": {"role": "OWNER"}}
        sent["query"], sent["operationName"] = "subscription B { feed { cursor } }", "B"
        protocols: Any = ["graphql-transport-ws"]
        target = url.replace("http", "ws") + "/graphql"
        async with connect(target, subprotocols=protocols, origin=url) as socket:  # type: ignore[arg-type]
            await socket.send(json.dumps({"type": "connection_init", "payload": said}))
            assert json.loads(await socket.recv())["type"] == "connection_ack"
            await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": sent}))
            await socket.send(json.dumps({"type": "ping"}))
            assert json.loads(await socket.recv())["type"] == "pong", "it is followed, and nothing happened"


@pytest.mark.parametrize(
    ("profile", "graphiql", "explores"),
    [
        ("development", "", True),
        ("development", "off", False),
        ("production", "", False),
        ("production", "on", True),
    ],
)
async def test_production_shows_where_to_read_unless_a_setting_says_otherwise(
    house: House, database: str, profile: str, graphiql: str, explores: bool
) -> None:
    more = {"CARELINE_PROFILE": profile, "CARELINE_GRAPHIQL": graphiql}
    async with serving(database, **more) as url, httpx2.AsyncClient() as http:
        answer = await found(http, url)
        assert answer.status_code == 200
        assert ("graphql/assets/" in answer.text) is explores
        script = await http.get(f"{url}/graphql/assets/{page.named(page.SCRIPT)}")
        assert script.status_code == (200 if explores else 404)
        if not explores:
            assert 'lang="zh-CN"' in answer.text and 'lang="en"' in answer.text
            assert answer.text.count("POST") == answer.text.count("docs/clients.md") == 2
            assert Addresses(answer.text).found == []
            assert answer.headers["content-security-policy"].startswith("default-src 'none';")
        asked = await http.get(f"{url}/graphql", params={"query": "{ viewer { role } }"}, headers=BROWSER)
        assert asked.status_code == (401 if profile == "development" else 405), "an operation is no page"


def test_what_is_said_to_be_read_is_there() -> None:
    text = bytes(explorer.documentation().body).decode()
    names = set(re.findall(r"(?:docs/)?\w+\.(?:md|graphql)", text))
    assert names == {"schema.graphql", "docs/clients.md", "docs/webhooks.md"}
    assert all((ROOT / name).is_file() for name in names)


def test_what_is_built_names_its_packages_and_is_of_a_bearable_size() -> None:
    wanted = json.loads((page.BUILT.parent / "source" / "package.json").read_text())["dependencies"]
    licences = (page.BUILT / page.LICENCES).read_text()
    for name, version in wanted.items():
        assert name == "esbuild" or f"\n{name} {version} (MIT)" in licences, "run `make explorer`"
    assert (page.BUILT / page.SCRIPT).stat().st_size < 1_500_000
    assert (page.BUILT / page.STYLE).stat().st_size < 100_000
