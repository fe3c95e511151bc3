"""A key does what it was made for, and ends when it ends: at once, and in what is open too."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from api import app, live
from api.context import Context
from api.ids import global_id
from api.live import following
from api.schema import schema
from domain import feeds, timekeeping, workspaces
from domain.access import Principal, Role
from domain.files import File
from domain.settings import Settings
from domain.workspaces import ApiKey, User
from jobs.vitals import Vitals
from tests.api.edge_app import served
from tests.conftest import House
from tests.security import surface
from tests.security.conftest import Caller, Place, on_sqlite
from tests.security.rows import differences, snapshot
from tests.security.test_roles import codes

VIEWER = "{ viewer { role } }"


@on_sqlite
async def test_a_key_with_scopes_reaches_the_operations_they_name_and_no_others(place: Place) -> None:
    scopes = {"viewer", "taskCreate"}
    key = await place.caller(Role.OWNER, scopes=sorted(scopes))
    before = await snapshot()
    for operation in ("query", "mutation"):
        for name in surface.root(operation).fields:
            if name not in scopes:
                told = await key.call(operation, name, place.valid(name), depth=1)
                assert codes(told) == ["FORBIDDEN"], name
    told = await key.say("{ viewer: customers { totalCount } }")
    assert codes(told) == ["FORBIDDEN"]
    assert differences(before, await snapshot()) == {}
    assert codes(await key.say(VIEWER)) == []
    await key.done("taskCreate", place.valid("taskCreate"))
    await files_need_a_scope(place)


async def files_need_a_scope(place: Place) -> None:
    report = await File.filter(workspace_id=place.house.id, purpose="report").first()
    assert report is not None
    paths = {"upload": f"/files/{place.ids['File']}", "report": f"/files/{global_id('File', report.id)}"}
    for scope, seen in (("viewer", set()), ("report", {"report"}), ("ordersImport", {"upload"})):
        key = await place.caller(Role.OWNER, scopes=[scope])
        for purpose, path in paths.items():
            answer = await place.client.get(path, headers=key.headers)
            assert answer.status_code == (200 if purpose in seen else 404), (scope, purpose)
        sent = await place.client.post("/files", content=b"x", headers=key.headers)
        assert sent.status_code == (201 if scope == "ordersImport" else 403), scope


@on_sqlite
async def test_a_key_with_scopes_makes_no_key_with_more(place: Place) -> None:
    key = await place.caller(Role.ADMIN, scopes=["apiKeyCreate", "viewer"], topics=["runs"])
    before = await snapshot()
    for more, fields in (
        ({}, ["scopes", "topics"]),
        ({"scopes": ["viewer", "customers"], "topics": ["runs"]}, ["scopes"]),
        ({"scopes": ["viewer"], "topics": []}, ["topics"]),
        ({"scopes": ["viewer"], "topics": ["tasks"]}, ["topics"]),
    ):
        told = await key.call("mutation", "apiKeyCreate", {"input": {"name": "n", "role": "ADMIN", **more}})
        reasons = told["data"]["apiKeyCreate"]["userErrors"]
        assert [(reason["code"], reason["field"]) for reason in reasons] == [
            ("FORBIDDEN", ["input", field]) for field in fields
        ], more
    told = await key.call("mutation", "apiKeyCreate", {"input": {"name": "n", "role": "OWNER"}})
    assert told["data"]["apiKeyCreate"]["userErrors"][0]["field"] == ["input", "role"]
    assert differences(before, await snapshot()) == {}
    less = {"name": "n", "role": "ADMIN", "scopes": ["viewer"], "topics": ["runs"]}
    made = await key.done("apiKeyCreate", {"input": less})
    assert {name: made["apiKey"][name] for name in less} == less
    assert codes(await Caller(place.client, made["secret"]).say(VIEWER)) == []


TOPICS = {
    "taskChanged": "tasks",
    "runChanged": "runs",
    "kpiChanged": "kpis",
    "alertChanged": "alerts",
    "segmentChanged": "segments",
    "feed": None,
}
"""What each stream is about; none says all that its key may follow."""


async def test_a_key_with_topics_follows_those_and_no_others(house: House) -> None:
    assert set(TOPICS) == set(surface.root("subscription").fields)
    for name, topic in TOPICS.items():
        if topic is None:
            continue
        for topics, told in (({topic}, "BAD_REQUEST"), (set(live.TOPICS) - {topic}, "FORBIDDEN")):
            who = Principal(house.id, Role.OWNER, "api_key", 1, topics=frozenset(topics))
            text = surface.document("subscription", name, {"after": ""}, 1)
            # A cursor that is none is refused too, but only to whoever may follow the topic.
            stream: Any = await schema.subscribe(text, {"after": "x"}, context_value=Context(who))
            event = await anext(stream)
            assert event.errors[0].extensions["code"] == told, (name, topics)


async def test_a_key_that_was_revoked_or_has_expired_is_refused_at_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await place.caller(Role.OWNER)
    row = await ApiKey.filter(workspace_id=place.house.id).order_by("-id").first()
    assert row is not None
    assert codes(await key.say(VIEWER)) == []
    await workspaces.revoke_key(place.house.owner, row.id)
    assert codes(await key.say(VIEWER)) == ["UNAUTHENTICATED"]
    assert (await place.client.get(f"/files/{place.ids['File']}", headers=key.headers)).status_code == 401
    soon = timekeeping.machine_now() + timedelta(seconds=30)
    brief = await place.caller(Role.OWNER, expires_at=soon)
    assert codes(await brief.say(VIEWER)) == []
    monkeypatch.setattr(timekeeping, "machine_now", lambda: soon)
    assert codes(await brief.say(VIEWER)) == ["UNAUTHENTICATED"]


@on_sqlite
async def test_a_secret_is_kept_nowhere(place: Place) -> None:
    made = await place.owner.done("apiKeyCreate", place.valid("apiKeyCreate"))
    _, key_id, secret = made["secret"].split("_", 2)
    for table, rows in (await snapshot()).items():
        assert not [row for row in rows if any(secret in value for value in row)], table
    assert codes(await Caller(place.client, f"careline_{key_id}_{secret[:-1]}x").say(VIEWER)) == [
        "UNAUTHENTICATED"
    ]


@pytest.mark.parametrize("end", ["revoked", "left"])
async def test_an_open_stream_ends_with_its_credential(
    house: House, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(following, "RECHECK_SECONDS", 0.05)
    monkeypatch.setattr(following, "LOOK_SECONDS", 0.02)
    key = await workspaces.create_key(
        house.owner, name="k", role=Role.OWNER, user_id=house.staff[Role.EXECUTOR].user_id
    )
    authorization = f"Bearer {key.secret}"
    context = Context(await workspaces.authenticate(authorization), authorization)
    stream: Any = await schema.subscribe("subscription { runChanged { change } }", context_value=context)
    heard = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.1)
    assert not heard.done()
    if end == "revoked":
        await workspaces.revoke_key(house.owner, key.key.id)
    else:
        await User.filter(id=house.staff[Role.EXECUTOR].user_id).update(active=False)
    # Nothing happens in the workspace that could wake the stream; it ends all the same.
    event = await asyncio.wait_for(heard, 5)
    assert event.errors[0].extensions["code"] == "FORBIDDEN"
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_an_open_socket_asks_for_its_credential_at_each_operation(house: House, database: str) -> None:
    key = await workspaces.create_key(house.owner, name="k", role=Role.OWNER)
    while await feeds.number(house.id):
        pass
    settings = Settings(DATABASE_URL=database)
    application = app.create(settings, Vitals(settings))
    async with (
        served(application) as host,
        asyncio.timeout(5),
        connect(f"ws://{host}/graphql", subprotocols=["graphql-transport-ws"]) as socket,  # type: ignore[list-item]
    ):
        hello = {"type": "connection_init", "payload": {"Authorization": f"Bearer {key.secret}"}}
        await socket.send(json.dumps(hello))
        assert json.loads(await socket.recv())["type"] == "connection_ack"
        ask = {"id": "1", "type": "subscribe", "payload": {"query": VIEWER}}
        await socket.send(json.dumps(ask))
        assert json.loads(await socket.recv())["payload"]["data"] == {"viewer": {"role": "OWNER"}}
        assert json.loads(await socket.recv())["type"] == "complete"
        await workspaces.revoke_key(house.owner, key.key.id)
        await socket.send(json.dumps(ask))
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4403
