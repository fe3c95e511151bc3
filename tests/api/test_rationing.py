"""Points by caller, a time for each operation, and what is not to be asked at all."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import connect

from api import app
from api.context import Context
from api.limits import Buckets, Terms
from api.limits.rationing import objects
from api.schema import schema
from domain import db, workspaces
from domain.access import Role
from domain.settings import Settings
from jobs.vitals import Vitals
from tests.api.edge_app import served
from tests.conftest import House
from tests.servers import Valkey

TASKS = "{ tasks(first: 50) { nodes { title } } }"
GRAPHQL = "application/graphql-response+json"


async def asked(house: House, document: str, terms: Terms, **variables: Any) -> Any:
    return await schema.execute(document, variables, context_value=Context(house.owner, terms=terms))


def told(result: Any) -> dict[str, Any]:
    (error,) = result.errors
    return dict(error.extensions)


async def test_an_operation_takes_its_cost_and_gets_back_what_it_did_not_use(house: House) -> None:
    terms = Terms(buckets=Buckets(100, 0.001))
    for _ in range(3):
        result = await asked(house, TASKS, terms)
        assert result.errors is None
    cost = result.extensions["cost"]
    assert (cost["requested"], cost["actual"]) == (52, 2)  # the operation and an empty page
    assert cost["throttle"] == {"maximumAvailable": 100, "currentlyAvailable": 94, "restoreRate": 0.001}


async def test_an_empty_bucket_refuses_and_says_what_it_wanted_and_when_to_come_back(house: House) -> None:
    terms = Terms(buckets=Buckets(60, 10))
    assert (await asked(house, "mutation { visitsPlan { __typename } }", terms)).errors is None
    assert terms.buckets is not None
    await terms.buckets.take(f"{house.id}:{house.owner.label}", 50)
    refused = told(await asked(house, TASKS, terms))
    assert (refused["code"], refused["limit"], refused["maximum"]) == ("LIMITED", "rate", 60)
    assert refused["measured"] == 52
    assert 0 < refused["retryAfterSeconds"] <= 6
    too_dear = told(await asked(house, "{ tasks(first: 100) { nodes { title } } }", terms))
    assert too_dear["retryAfterSeconds"] is None  # it never fits


async def test_aliases_of_one_mutation_drink_from_one_bucket(house: House) -> None:
    terms = Terms(buckets=Buckets(20, 0.001))
    many = "mutation {" + " ".join(f"a{n}: runCancel(id: {n}) {{ __typename }}" for n in range(5)) + "}"
    refused = 0
    for _ in range(10):
        result = await asked(house, many, terms)
        refused += bool(result.errors) and told(result)["limit"] == "rate"
    assert refused == 7  # three times six points, and no fourth


async def test_one_caller_leaves_the_others_theirs(house: House) -> None:
    terms = Terms(buckets=Buckets(60, 0.001))
    assert terms.buckets is not None
    await terms.buckets.take(f"{house.id}:{house.owner.label}", 60)
    assert told(await asked(house, TASKS, terms))["limit"] == "rate"
    other = Context(house.admin, terms=terms)
    assert (await schema.execute(TASKS, context_value=other)).errors is None


async def test_a_bucket_fills_with_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    buckets = Buckets(100, 10)
    assert (await buckets.take("a", 100)).available == 0
    assert not (await buckets.take("a", 1)).taken
    now += 5
    assert await buckets.take("a", 30) == (await buckets.take("b", 80)).__class__(True, 20)
    now += 1_000
    assert (await buckets.take("a", 1)).available == 99


async def test_processes_share_a_bucket_through_redis_and_it_outlasts_them(valkey_server: Valkey) -> None:
    valkey_server.start()
    first, second = (Buckets(100, 0.001, valkey_server.url) for _ in range(2))
    assert (await first.take("shared", 60)).taken
    assert not (await second.take("shared", 60)).taken
    first.give_back("shared", 30)
    assert (await first.take("shared", 1)).available == pytest.approx(69, abs=0.1)
    await first.close()
    again = Buckets(100, 0.001, valkey_server.url)
    assert (await again.take("shared", 60)).available == pytest.approx(9, abs=0.1)
    await again.close()
    await second.close()


async def test_without_redis_a_process_keeps_its_own_buckets_and_fails_nobody() -> None:
    buckets = Buckets(100, 0.001, "redis://127.0.0.1:1/0")
    assert (await buckets.take("a", 60)).taken
    began = time.monotonic()
    assert not (await buckets.take("a", 60)).taken
    assert time.monotonic() - began < 0.2  # it is not asked again for a while
    await buckets.close()


SLOW = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS n FROM n",
    "postgres": "SELECT 1 AS n FROM pg_sleep(60)",
}


@pytest.mark.parametrize("stream", [False, True])
async def test_an_operation_that_takes_too_long_ends_and_its_statement_with_it(
    house: House, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    async def slow(*_: Any) -> Any:
        return await db.value(SLOW[db.dialect()])

    monkeypatch.setattr(workspaces, "staff", slow)
    terms = Terms(operation_seconds=0.3)
    document = "{ staff { name } }"
    if stream:
        results: Any = await schema.stream(document, context_value=Context(house.owner, terms=terms))
        result = await anext(results)
        await results.aclose()
    else:
        result = await asked(house, document, terms)
    assert told(result) == {"code": "LIMITED", "limit": "seconds", "maximum": 0.3, "measured": 0.3}
    # On SQLite everybody would wait for it; on PostgreSQL the session would still be busy.
    async with asyncio.timeout(5):
        assert await db.value("SELECT 1 AS one") == 1
        if db.is_postgres():
            busy = (
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND state = 'active'"
            )
            while await db.value(busy + " AND pid <> pg_backend_pid()"):
                await asyncio.sleep(0.02)


@pytest.mark.one_path
@pytest.mark.parametrize("compiled", [True, False])
async def test_an_operation_that_takes_too_long_gets_no_points_back(
    house: House, monkeypatch: pytest.MonkeyPatch, compiled: bool
) -> None:
    async def slow(*_: Any) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(workspaces, "staff", slow)
    terms = Terms(operation_seconds=0.05, buckets=Buckets(1_000, 0.001))
    # graphql-core has what asks for the schema too.
    document = "{ tasks(first: 50) { nodes { title } } staff { name } %s}" % (
        "" if compiled else "__schema { queryType { name } }"
    )
    left = []
    for _ in range(2):
        result = await asked(house, document, terms)
        assert told(result)["limit"] == "seconds"
        cost = result.extensions["cost"]
        assert cost["actual"] == cost["requested"]
        left.append(cost["throttle"]["currentlyAvailable"])
    assert left == [1_000 - cost["requested"], 1_000 - 2 * cost["requested"]]


async def test_the_schema_is_told_or_not_by_setting(house: House) -> None:
    for document in ("{ __schema { queryType { name } } }", '{ __type(name: "Task") { name } }'):
        assert (await asked(house, document, Terms())).errors is None
        assert told(await asked(house, document, Terms(introspection=False)))["code"] == "FORBIDDEN"
    fragment = "{ ...A } fragment A on Query { __schema { queryType { name } } }"
    assert told(await asked(house, fragment, Terms(introspection=False)))["code"] == "FORBIDDEN"
    assert (await asked(house, "{ __typename }", Terms(introspection=False))).errors is None
    assert Settings(CARELINE_PROFILE="development").introspects
    assert not Settings(CARELINE_PROFILE="production", CARELINE_SECRET_KEY="x" * 32).introspects
    assert not Settings(CARELINE_INTROSPECTION="off").introspects


async def test_a_page_and_variables_that_are_too_large_name_their_limit(house: House) -> None:
    page = told(await asked(house, "{ tasks(first: 101) { totalCount } }", Terms()))
    assert page == {"code": "LIMITED", "limit": "pageSize", "maximum": 100, "measured": 101}
    document = "query ($code: String!) { kpi(code: $code) { code } }"
    many = told(await asked(house, document, Terms(), code="x" * 300_000))
    assert (many["limit"], many["maximum"], many["measured"]) == ("variableBytes", 262_144, 300_011)


def test_objects_are_counted_as_the_cost_counts_them() -> None:
    assert objects(None) == 0
    assert objects({"a": 1}) == 0
    assert objects({"viewer": {"role": "OWNER"}}) == 1
    page = {"edges": [{"cursor": "x", "node": {"id": 1, "tags": ["a"]}}, {"cursor": "y"}], "pageInfo": {}}
    assert objects({"tasks": page}) == 4


def nested(levels: int) -> str:
    parts = [
        f"fragment F{n} on Task {{ customer {{ tasks {{ nodes {{ ...F{n + 1} ...F{n + 1} }} }} }} }}"
        for n in range(levels)
    ]
    return " ".join(["{ tasks { nodes { ...F0 } } }", *parts, f"fragment F{levels} on Task {{ id }}"])


BOMBS: dict[str, Callable[[], str]] = {
    **{f"fragments, {levels} levels": lambda levels=levels: nested(levels) for levels in range(14, 31, 4)},  # type: ignore[misc]
    "200 x 100 inline fragments": lambda: (
        "{" + ("... {" + "... { viewer { role } } " * 100 + "} ") * 200 + "}"
    ),
    "800 differing arguments": lambda: (
        "{" + " ".join(f'kpi(code: "{n}") {{ code }}' for n in range(800)) + "}"
    ),
    "240 differing arguments, within the tokens": lambda: (
        "{ viewer { role } " + " ".join(f'kpi(code: "{n}") {{ code }}' for n in range(220)) + "}"
    ),
    "differing arguments below one root": lambda: (
        "{ tasks { nodes { customer { "
        + " ".join(f"orders(first: {n}) {{ __typename }}" for n in range(1, 200))
        + "} } } }"
    ),
    "400 spreads of one fragment": lambda: "{" + "...A " * 400 + "} fragment A on Query { viewer { role } }",
}


@pytest.mark.parametrize("name", BOMBS)
async def test_a_bomb_costs_a_tenth_of_a_second_of_work_at_most(house: House, name: str) -> None:
    document = BOMBS[name]()
    best = 1e9
    for _ in range(3):  # the best of three: others work on this machine too
        began = time.process_time()
        result = await asked(house, document, Terms())
        best = min(best, time.process_time() - began)
        assert result.errors
    assert best <= 0.1


async def test_over_http_and_websocket_it_is_the_same_bucket(house: House, database: str) -> None:
    key = await workspaces.create_key(house.owner, name="k", role=Role.OWNER)
    settings = Settings(DATABASE_URL=database, CARELINE_RATE_POINTS=60, CARELINE_RATE_PER_SECOND=0.001)
    headers = {"Authorization": f"Bearer {key.secret}", "Accept": GRAPHQL}
    ask = {"id": "1", "type": "subscribe", "payload": {"query": TASKS}}
    async with served(app.create(settings, Vitals(settings))) as host, httpx2.AsyncClient() as http:
        answer = await http.post(f"http://{host}/graphql", json={"query": TASKS}, headers=headers)
        assert (answer.status_code, answer.headers["RateLimit-Limit"]) == (200, "60")
        assert answer.headers["RateLimit-Remaining"] == "58"
        async with (
            asyncio.timeout(10),
            connect(f"ws://{host}/graphql", subprotocols=["graphql-transport-ws"]) as ws,
        ):  # type: ignore[list-item]
            hello = {"type": "connection_init", "payload": {"Authorization": headers["Authorization"]}}
            await ws.send(json.dumps(hello))
            await ws.recv()
            heard: list[dict[str, Any]] = []
            while not heard or heard[-1]["type"] != "error":
                await ws.send(json.dumps(ask))
                heard.append(json.loads(await ws.recv()))
                if heard[-1]["type"] == "next":
                    assert json.loads(await ws.recv())["type"] == "complete"
            assert heard[-1]["payload"][0]["extensions"]["limit"] == "rate"
        refused = await http.post(f"http://{host}/graphql", json={"query": TASKS}, headers=headers)
    assert (refused.status_code, len(heard)) == (429, 5)
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.json()["errors"][0]["extensions"]["limit"] == "rate"


FORGED = [
    ("POST", {"content-type": "text/plain"}),
    ("POST", {"content-type": "application/x-www-form-urlencoded"}),
    ("POST", {"content-type": "multipart/form-data; boundary=x"}),
    ("GET", {}),
]


@pytest.mark.parametrize(("method", "headers"), FORGED)
async def test_a_page_of_another_origin_can_run_nothing(
    house: House, database: str, method: str, headers: dict[str, str]
) -> None:
    """What a browser sends without asking first: no header of its own, the cookies it has, a form's types."""
    key = await workspaces.create_key(house.owner, name="k", role=Role.OWNER)
    settings = Settings(DATABASE_URL=database)
    mutation = 'mutation { apiKeyCreate(input: {name: "forged", role: OWNER}) { __typename } }'
    transport = httpx2.ASGITransport(app.create(settings, Vitals(settings)))
    async with httpx2.AsyncClient(transport=transport, base_url="http://care.test") as http:
        for more in (
            {"Cookie": f"Authorization=Bearer {key.secret}"},
            {"Authorization": f"Bearer {key.secret}"},
        ):
            answer = await http.request(
                method,
                "/graphql",
                params={"query": mutation},
                content=json.dumps({"query": mutation}),
                headers={**headers, **more, "Origin": "https://evil.test"},
            )
            assert answer.status_code in (401, 405, 415)
            assert "access-control-allow-origin" not in answer.headers
    assert not await workspaces.ApiKey.filter(name="forged").exists()
