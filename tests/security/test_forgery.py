"""S11: a page of somebody else's can make a browser send requests, and none of them does or learns anything.

Careline takes no cookie for a credential. What a browser sends unasked, without a preflight, is a GET, or a
POST of a form or of plain text, with its cookies; it is refused even where the page knew a key.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from api import app
from domain import workspaces
from domain.access import Role
from domain.settings import Settings
from jobs.vitals import Vitals
from tests.api.edge_app import served
from tests.conftest import House
from tests.security.conftest import OwnTask, on_sqlite
from tests.security.rows import differences, snapshot

OURS, EVIL = "https://care.test", "https://evil.test"
CREATE = 'mutation { teamCreate(input: {name: "Night"}) { __typename } }'
VIEWER = "{ viewer { role } }"
SIMPLE = [
    None,
    "",
    "text/plain",
    "text/plain;charset=UTF-8",
    "text/plain; application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/plain, application/json",
]
"""What a form or `fetch` without a preflight can say that it sends."""

pytestmark = on_sqlite


@pytest.fixture
async def key(house: House) -> str:
    made = await workspaces.create_key(house.owner, name="k", role=Role.OWNER)
    await workspaces.authenticate(f"Bearer {made.secret}")  # that it was used is noted once a minute
    return made.secret


@pytest.fixture(params=["development", "production"])
async def client(request: pytest.FixtureRequest, database: str) -> AsyncIterator[httpx2.AsyncClient]:
    settings = Settings(
        DATABASE_URL=database,
        CARELINE_SECRET_KEY="s" * 32,
        CARELINE_PROFILE=request.param,
        CARELINE_CORS_ORIGINS=OURS,
    )
    transport = OwnTask(app=app.create(settings, Vitals(settings)))
    async with httpx2.AsyncClient(transport=transport, base_url="http://careline.test") as client:
        yield client


def cookies(key: str) -> dict[str, str]:
    """Every name under which a framework would look for a session."""
    names = (
        "Authorization",
        "authorization",
        "session",
        "sessionid",
        "token",
        "access_token",
        "jwt",
        "careline",
    )
    return {"Cookie": "; ".join(f'{name}="Bearer {key}"; {name}_={key}' for name in names)}


@pytest.mark.parametrize("media", SIMPLE)
async def test_what_needs_no_preflight_runs_nothing(
    client: httpx2.AsyncClient, house: House, key: str, media: str | None
) -> None:
    before = await snapshot()
    body = json.dumps({"query": CREATE})
    typed = {} if media is None else {"Content-Type": media}
    for said in ({"Authorization": f"Bearer {key}"}, cookies(key)):
        for content in (body, f"query={CREATE}", f'{body[:-1]}, "x": "="}}'):
            answer = await client.post("/graphql", content=content, headers={**typed, **said, "Origin": EVIL})
            assert answer.status_code == (415 if "Authorization" in said else 401), answer.text
            by_address = await client.post("/graphql", params={"query": CREATE}, headers={**typed, **said})
            assert by_address.status_code in (401, 415)
    assert differences(before, await snapshot()) == {}


async def test_no_cookie_is_a_credential(client: httpx2.AsyncClient, house: House, key: str) -> None:
    before = await snapshot()
    for query in (CREATE, VIEWER):
        answer = await client.post("/graphql", json={"query": query}, headers=cookies(key))
        assert (answer.status_code, "data" in answer.json()) == (401, False)
    sent = await client.post("/files?name=a.csv", content=b"x", headers=cookies(key))
    assert sent.status_code == 401
    assert differences(before, await snapshot()) == {}
    answer = await client.post(
        "/graphql", json={"query": VIEWER}, headers={"Authorization": f"Bearer {key}", "Cookie": "session=x"}
    )
    assert answer.json()["data"] == {"viewer": {"role": "OWNER"}}, "nor does one disturb who has another"
    assert "set-cookie" not in answer.headers


async def test_a_get_changes_nothing_and_without_a_header_of_its_own_tells_nothing(
    client: httpx2.AsyncClient, house: House, key: str
) -> None:
    before = await snapshot()
    signed = {"Authorization": f"Bearer {key}"}
    changing = await client.get("/graphql", params={"query": CREATE}, headers=signed)
    assert (changing.status_code, changing.headers["allow"]) == (405, "POST")
    streamed = await client.get(
        "/graphql", params={"query": CREATE}, headers={**signed, "Accept": "text/event-stream"}
    )
    assert streamed.status_code == 405 or "BAD_REQUEST" in streamed.text
    for page in ("text/html,*/*;q=0.8", "*/*"):
        unasked = await client.get(
            "/graphql", params={"query": VIEWER}, headers={**cookies(key), "Accept": page}
        )
        assert unasked.status_code in (401, 405)
        assert "OWNER" not in unasked.text
    assert differences(before, await snapshot()) == {}


async def test_another_origin_may_neither_ask_before_nor_read_afterwards(
    client: httpx2.AsyncClient, house: House, key: str
) -> None:
    for origin, listed in ((OURS, True), (EVIL, False), ("null", False), (f"{OURS}.evil.test", False)):
        asked = await client.options(
            "/graphql",
            headers={
                "Origin": origin,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization,content-type",
            },
        )
        answer = await client.post(
            "/graphql",
            json={"query": VIEWER},
            headers={"Origin": origin, "Authorization": f"Bearer {key}"},
        )
        for each in (asked, answer):
            assert each.headers.get("access-control-allow-origin") == (origin if listed else None)
            assert "access-control-allow-credentials" not in each.headers
        assert asked.status_code == (200 if listed else 400)


async def test_a_page_of_another_origin_opens_no_socket_and_cookies_open_none(
    database: str, house: House, key: str
) -> None:
    settings = Settings(DATABASE_URL=database, CARELINE_CORS_ORIGINS=OURS)
    protocols: Any = ["graphql-transport-ws"]
    more: dict[str, Any] = {"subprotocols": protocols, "additional_headers": cookies(key)}
    async with served(app.create(settings, Vitals(settings))) as host, asyncio.timeout(20):
        for origin in (EVIL, "null"):
            with pytest.raises(InvalidStatus):
                async with connect(f"ws://{host}/graphql", origin=origin, **more):
                    raise AssertionError
        async with connect(f"ws://{host}/graphql", origin=OURS, **more) as socket:
            await socket.send('{"type": "connection_init"}')
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401
