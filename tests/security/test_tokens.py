"""S6 and S7: a token lets in whom it speaks of, as what they are here; a forged or stale one nobody."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from api import app
from api.live.standing import SWEEP_SECONDS
from domain import feeds, workspaces
from domain.access import Role
from domain.settings import Settings
from domain.workspaces import Issuer, User
from domain.workspaces import issuer as issuers
from jobs.vitals import Vitals
from tests.api.edge_app import served
from tests.conftest import House, build_house
from tests.security.conftest import Caller, OwnTask, on_sqlite
from tests.security.provider import AUDIENCE, ISSUER, Provider
from tests.security.rows import differences, snapshot
from tests.security.test_roles import codes

VIEWER = "{ viewer { role apiKey user { email subject } workspace { name } } }"
CREATE = 'mutation { teamCreate(input: {name: "Night"}) { __typename } }'
SUBJECT = "auth0|mei"


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
async def house(database: str) -> House:
    house = await build_house()
    await User.filter(id=house.staff[Role.ADMIN].id).update(subject=SUBJECT)
    return house


@pytest.fixture
def application(database: str, provider: Provider) -> Starlette:
    settings = Settings(
        DATABASE_URL=database,
        CARELINE_JWT_ISSUER=ISSUER,
        CARELINE_JWT_AUDIENCE=AUDIENCE,
        CARELINE_JWT_JWKS=provider.jwks(),
    )
    return app.create(settings, Vitals(settings))


@pytest.fixture
async def client(application: Starlette) -> AsyncIterator[httpx2.AsyncClient]:
    transport = OwnTask(app=application)
    async with httpx2.AsyncClient(transport=transport, base_url="http://careline.test") as client:
        yield client


def trusting(provider: Provider, **more: Any) -> Issuer:
    found = Issuer(ISSUER, AUDIENCE, ("RS256",), "https://login.test/keys", fetch=provider.fetch, **more)
    workspaces.trust(found)
    return found


async def believed(token: str) -> bool:
    try:
        return (await workspaces.authenticate(f"Bearer {token}", anew=True)).kind == "user"
    except (workspaces.BadCredential, workspaces.KeysAway):
        return False


async def hello(host: str, token: str) -> Any:
    """An open socket's first answer: its acknowledgement, or the code it was closed with."""
    protocols: Any = ["graphql-transport-ws"]
    async with connect(f"ws://{host}/graphql", subprotocols=protocols) as socket:
        payload = {"Authorization": f"Bearer {token}"}
        try:
            await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
            return json.loads(await socket.recv())["type"]
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None


async def test_a_token_lets_in_whom_it_speaks_of_as_what_they_are_here(
    client: httpx2.AsyncClient, application: Starlette, house: House, provider: Provider
) -> None:
    token = provider.token(SUBJECT, aud=["other", AUDIENCE], role="OWNER", nbf=int(time.time()) + 20)
    mei = Caller(client, token)
    seen = (await mei.say(VIEWER))["data"]["viewer"]
    assert seen == {
        "role": "ADMIN",
        "apiKey": None,
        "user": {"email": "admin@care.test", "subject": SUBJECT},
        "workspace": {"name": "House"},
    }
    assert (await mei.say(CREATE))["data"]["teamCreate"]["__typename"] == "TeamCreatePayload"
    # What a header brings along is not looked at: neither an address nor a key.
    for brought in ({"jku": "https://evil.test/"}, {"x5u": "https://evil.test/"}, {"unheard": "of"}):
        assert codes(await Caller(client, provider.token(SUBJECT, header=brought)).say(VIEWER)) == []
    async with served(application) as host, asyncio.timeout(10):
        assert await hello(host, token) == "connection_ack"
    await workspaces.update_user(house.owner, house.admin.id, role=Role.ANALYST)
    seen = (await mei.say(VIEWER))["data"]["viewer"]
    assert (seen["role"], seen["user"]["subject"]) == ("ANALYST", None)
    assert "***" in seen["user"]["email"]


async def test_s6_a_token_that_will_not_do_lets_nobody_in_and_nothing_happens(
    client: httpx2.AsyncClient, application: Starlette, house: House, provider: Provider
) -> None:
    forged = provider.forged(SUBJECT)
    assert len(forged) > 45
    before = await snapshot()
    for wrong, token in forged.items():
        if token.isascii() and token.isprintable():  # others do not fit into a header
            assert codes(await Caller(client, token).say(CREATE)) == ["UNAUTHENTICATED"], wrong
            sent = await client.post("/files", content=b"x", headers={"Authorization": f"Bearer {token}"})
            assert sent.status_code == 401, wrong
        assert not await believed(token), wrong
    async with served(application) as host, asyncio.timeout(60):
        for wrong, token in forged.items():
            # A frame of more than a megabyte is not read at all.
            assert await hello(host, token) in ((4401, 1009) if wrong == "1 MB" else (4401,)), wrong
        assert await hello(host, provider.token(SUBJECT)) == "connection_ack"
    assert differences(before, await snapshot()) == {}


@on_sqlite
async def test_a_token_of_somebody_unknown_or_gone_lets_nobody_in(
    client: httpx2.AsyncClient, house: House, provider: Provider
) -> None:
    token = provider.token(SUBJECT)
    assert codes(await Caller(client, provider.token("auth0|nobody")).say(VIEWER)) == ["UNAUTHENTICATED"]
    await workspaces.deactivate_user(house.owner, house.admin.id)
    before = await snapshot()
    assert codes(await Caller(client, token).say(CREATE)) == ["UNAUTHENTICATED"]
    assert differences(before, await snapshot()) == {}
    await workspaces.reactivate_user(house.owner, house.admin.id)
    assert codes(await Caller(client, token).say(VIEWER)) == []
    await workspaces.update_user(house.owner, house.admin.id, subject="")
    assert codes(await Caller(client, token).say(VIEWER)) == ["UNAUTHENTICATED"]


@on_sqlite
async def test_without_an_identity_provider_no_token_is_believed(house: House, provider: Provider) -> None:
    trusting(provider)
    assert await believed(provider.token(SUBJECT))
    workspaces.trust(None)
    assert not await believed(provider.token(SUBJECT))


@on_sqlite
async def test_a_subject_of_two_workspaces_needs_a_token_that_says_which(
    house: House, provider: Provider
) -> None:
    other = await build_house("Other")
    await workspaces.update_user(other.owner, other.staff[Role.PLANNER].id, subject=SUBJECT)
    trusting(provider)
    assert not await believed(provider.token(SUBJECT))
    trusting(provider, workspace_claim="workspace")
    assert not await believed(provider.token(SUBJECT))
    for wrong in (True, "1e0", -1, 2**70, [other.id], house.id + 77):
        assert not await believed(provider.token(SUBJECT, workspace=wrong)), wrong
    for house_, role in ((house, Role.ADMIN), (other, Role.PLANNER)):
        for value in (house_.id, str(house_.id)):
            who = await workspaces.authenticate(f"Bearer {provider.token(SUBJECT, workspace=value)}")
            assert (who.workspace_id, who.role) == (house_.id, role)


@on_sqlite
async def test_two_of_one_workspace_have_two_subjects(client: httpx2.AsyncClient, house: House) -> None:
    key = await workspaces.create_key(house.owner, name="k", role=Role.ADMIN)
    admin = Caller(client, key.secret)
    given = {"name": "Second", "email": "second@care.test", "role": "PLANNER", "subject": SUBJECT}
    before = await snapshot()
    told = await admin.call("mutation", "userCreate", {"input": given})
    (reason,) = told["data"]["userCreate"]["userErrors"]
    assert (reason["code"], reason["field"]) == ("DUPLICATE", ["input", "subject"])
    assert SUBJECT not in reason["message"]
    assert differences(before, await snapshot()) == {}
    made = await admin.done("userCreate", {"input": given | {"subject": "auth0|second"}})
    assert made["user"]["subject"] == "auth0|second"


@on_sqlite
async def test_s7_the_old_and_the_new_key_count_while_both_are_published(
    house: House, provider: Provider
) -> None:
    now = 1000.0
    trusting(provider, clock=lambda: now)
    assert await believed(provider.token(SUBJECT, "old"))
    assert not await believed(provider.token(SUBJECT, "new"))
    provider.published = ["old", "new"]
    now += issuers.REFETCH_SECONDS
    assert await believed(provider.token(SUBJECT, "new"))
    assert await believed(provider.token(SUBJECT, "old"))
    assert provider.asked == 2
    provider.published = ["new"]
    now += issuers.FRESH_SECONDS + 1
    assert await believed(provider.token(SUBJECT, "old")), "it is read again behind whoever asks"
    async with asyncio.timeout(5):
        while await believed(provider.token(SUBJECT, "old")):
            await asyncio.sleep(0.01)
    assert await believed(provider.token(SUBJECT, "new"))
    assert provider.asked == 3


@on_sqlite
async def test_s7_a_storm_of_unknown_keys_reads_the_set_once_in_thirty_seconds(
    house: House, provider: Provider
) -> None:
    now = 1000.0
    trusting(provider, clock=lambda: now)
    assert await believed(provider.token(SUBJECT))
    now += issuers.REFETCH_SECONDS
    storm = [provider.token(SUBJECT, header={"kid": f"kid-{number}"}) for number in range(40)]
    assert not any(await asyncio.gather(*map(believed, storm)))
    assert provider.asked == 2
    now += issuers.REFETCH_SECONDS - 1
    assert not any(await asyncio.gather(*map(believed, storm)))
    assert provider.asked == 2
    now += 1
    assert not await believed(storm[0])
    assert provider.asked == 3


@on_sqlite
async def test_s7_while_the_key_set_is_away_known_keys_go_on(house: House, provider: Provider) -> None:
    now = 1000.0
    trusting(provider, clock=lambda: now)
    provider.away = True
    assert not await believed(provider.token(SUBJECT)), "none is known yet"
    provider.away = False
    now += issuers.FIRST_SECONDS
    assert await believed(provider.token(SUBJECT))
    provider.away = True
    for _ in range(3):
        now += issuers.FRESH_SECONDS + 1
        assert await believed(provider.token(SUBJECT))
        await asyncio.sleep(0)
        assert not await believed(provider.token(SUBJECT, "new"))


@on_sqlite
async def test_while_no_keys_were_ever_to_be_had_nobody_says_that_a_token_is_bad(
    client: httpx2.AsyncClient, application: Starlette, house: House, provider: Provider
) -> None:
    now = 1000.0
    trusting(provider, clock=lambda: now)
    provider.away = True
    token = provider.token(SUBJECT)
    before = await snapshot()
    for _ in range(2):  # also while the keys are not asked for again
        posted = await client.post(
            "/graphql", json={"query": CREATE}, headers={"Authorization": f"Bearer {token}"}
        )
        sent = await client.post("/files", content=b"x", headers={"Authorization": f"Bearer {token}"})
        assert (posted.status_code, codes(posted.json())) == (503, ["UNAVAILABLE"])
        assert (sent.status_code, sent.headers["retry-after"]) == (503, "5")
    assert provider.asked == 1
    garbage = await client.post(
        "/graphql", json={"query": CREATE}, headers={"Authorization": "Bearer garbage"}
    )
    assert garbage.status_code == 401, "what is no token at all needs no key"
    async with served(application) as host, asyncio.timeout(20):
        assert await hello(host, token) == 1013
    assert differences(before, await snapshot()) == {}
    provider.away = False
    now += issuers.FIRST_SECONDS
    assert codes(await Caller(client, token).say(VIEWER)) == []
    now += issuers.REFETCH_SECONDS
    provider.away = True
    assert codes(await Caller(client, provider.token(SUBJECT, "new")).say(VIEWER)) == ["UNAUTHENTICATED"]


@on_sqlite
async def test_a_published_set_is_read_with_care(house: House, provider: Provider, tmp_path: Path) -> None:
    for text in ("", "[]", "{}", '{"keys": 1}', '{"keys": [1, {}, {"kty": "oct", "k": "AAAA"}]}', "[" * 9999):
        path = tmp_path / "keys.json"
        path.write_text(text)
        workspaces.trust(Issuer(ISSUER, AUDIENCE, ("RS256",), str(path)))
        assert not await believed(provider.token(SUBJECT)), text[:20]
    path.write_text(provider.jwks())
    workspaces.trust(Issuer(ISSUER, AUDIENCE, ("RS256",), str(path)))
    assert await believed(provider.token(SUBJECT))
    encrypting = json.loads(provider.jwks())
    encrypting["keys"][0]["use"] = "enc"
    other = json.loads(provider.jwks())
    other["keys"][0]["alg"] = "RS512"
    for keys in (encrypting, other):
        workspaces.trust(Issuer(ISSUER, AUDIENCE, ("RS256",), json.dumps(keys)))
        assert not await believed(provider.token(SUBJECT))


@pytest.mark.parametrize("end", ["expired", "left"])
async def test_s9_an_open_socket_is_closed_within_five_seconds_of_its_credential(
    application: Starlette, house: House, provider: Provider, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    while await feeds.number(house.id):
        pass
    token = provider.token(SUBJECT, exp=time.time() + (2 if end == "expired" else 600))
    protocols: Any = ["graphql-transport-ws"]
    subscribe = {"query": "subscription { runChanged { change } }"}
    async with (
        served(application) as host,
        asyncio.timeout(20),
        connect(f"ws://{host}/graphql", subprotocols=protocols) as socket,
    ):
        payload = {"Authorization": f"Bearer {token}"}
        await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
        assert json.loads(await socket.recv())["type"] == "connection_ack"
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": subscribe}))
        if end == "expired":
            ended = time.time() + 2
        else:
            await asyncio.sleep(0.2)
            await workspaces.deactivate_user(house.owner, house.admin.id)
            ended = time.time()
        heard = []
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                heard.append(json.loads(await socket.recv()))
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4403
        assert time.time() - ended < 5
        assert not [message for message in heard if (message.get("payload") or {}).get("data")]
    assert SWEEP_SECONDS < 5
