"""What a scanner of GraphQL servers looks for first is not to be found, in either profile.

These are the checks that graphql-cop makes. What a browser sends unasked, by GET or as a form, is in
`test_forgery`; what masks an error, in `tests/api/test_masking`; the page at /graphql in `test_explorer`.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from graphql import get_introspection_query

from api import app
from domain import workspaces
from domain.access import Role
from domain.settings import Profile, Settings
from jobs.vitals import Vitals
from tests.conftest import House
from tests.security.conftest import OwnTask, on_sqlite
from tests.security.rows import differences, snapshot

CREATE = 'teamCreate(input: {name: "Night"}) { __typename }'
CIRCULAR = "{ __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }"
INTROSPECTIONS = [
    get_introspection_query(),
    "{ __schema { types { name } } }",
    'query A { b: __type(name: "Customer") { fields { name } } }',
    "{ viewer { role } ... on Query { ...A } } fragment A on Query { __schema { queryType { name } } }",
]
EXPLORERS = [
    "/graphiql",
    "/playground",
    "/console",
    "/altair",
    "/voyager",
    "/v1/explorer",
    "/graphql/console",
]
ANOTHER_ADDRESS = ["/api/graphql", "/v1/graphql", "/gql", "/query", "/graph", "/graphql/v1"]

pytestmark = [on_sqlite, pytest.mark.one_path]


@dataclass
class Scanned:
    """A served Careline, and a key that it knows."""

    profile: Profile
    http: httpx2.AsyncClient
    key: str

    async def post(self, sent: Any, **headers: str) -> httpx2.Response:
        content = json.dumps(sent)
        typed = {"Content-Type": "application/json", "Authorization": f"Bearer {self.key}"}
        return await self.http.post("/graphql", content=content, headers={**typed, **headers})

    async def ask(self, query: str, **more: Any) -> dict[str, Any]:
        answer: dict[str, Any] = (await self.post({"query": query, **more})).json()
        return answer

    async def codes(self, query: str) -> list[str]:
        answer = await self.ask(query)
        assert "data" not in answer, "it does not even begin"
        return [error["extensions"]["code"] for error in answer["errors"]]


@pytest.fixture(params=list(Profile))
async def scanned(request: pytest.FixtureRequest, database: str, house: House) -> AsyncIterator[Scanned]:
    settings = Settings(DATABASE_URL=database, CARELINE_SECRET_KEY="s" * 32, CARELINE_PROFILE=request.param)
    made = await workspaces.create_key(house.owner, name="k", role=Role.OWNER)
    await workspaces.authenticate(f"Bearer {made.secret}")  # that it was used is noted once a minute
    transport = OwnTask(app=app.create(settings, Vitals(settings)))
    async with httpx2.AsyncClient(transport=transport, base_url="http://careline.test") as http:
        yield Scanned(request.param, http, made.secret)


async def test_production_does_not_tell_its_schema(scanned: Scanned) -> None:
    for query in INTROSPECTIONS:
        if scanned.profile is Profile.PRODUCTION:
            assert await scanned.codes(query) == ["FORBIDDEN"]
        else:
            assert "errors" not in await scanned.ask(query)
    hidden = await scanned.http.post("/graphql", json={"query": INTROSPECTIONS[0]})
    assert hidden.status_code == 401, "and who has no key learns it nowhere"


async def test_introspection_that_goes_round_in_circles_is_refused(scanned: Scanned) -> None:
    (code,) = await scanned.codes(CIRCULAR)
    assert code in ("BAD_REQUEST", "LIMITED", "FORBIDDEN")


@pytest.mark.parametrize(
    "query",
    [
        "{ viewr { role } }",
        "{ viewer { rol } }",
        "{ task(idd: 1) { id } }",
        "{ ... on Custmer { id } }",
        "query ($a: Strin) { viewer { role } }",
        "{ viewer @includ(if: true) { role } }",
        "{ tasks(where: {stat: {eq: OPEN}}) { nodes { id } } }",
        "{ tasks(where: {state: {eq: OPE}}) { nodes { id } } }",
        "{ viewer { ...Fragmen } } fragment Fragment on Viewer { role }",
        "{ viewer { role { name } } }",
    ],
)
async def test_no_name_is_suggested_to_who_guesses(scanned: Scanned, query: str) -> None:
    answer = await scanned.ask(query)
    assert answer["errors"]
    assert "id you mean" not in json.dumps(answer)


async def test_no_name_is_suggested_for_a_variable(scanned: Scanned) -> None:
    query = "query ($where: TaskFilter) { tasks(where: $where) { nodes { id } } }"
    for where in ({"stat": {"eq": "OPEN"}}, {"state": {"eq": "OPE"}}):
        answer = await scanned.ask(query, variables={"where": where})
        assert answer["errors"]
        assert "id you mean" not in json.dumps(answer)


@pytest.mark.parametrize("query", ["{ __typename }", f"mutation {{ {CREATE} }}"])
async def test_a_batch_runs_none_of_its_parts(scanned: Scanned, query: str) -> None:
    before = await snapshot()
    for count in (1, 10, 1_000):
        answer = await scanned.post([{"query": query}] * count)
        assert (answer.status_code, "data" in answer.text) == (400, False)
    assert differences(before, await snapshot()) == {}


@pytest.mark.parametrize(
    ("query", "limit"),
    [
        ("{ " + " ".join(f"a{n}: __typename" for n in range(101)) + " }", "aliases"),
        ("{ viewer { " + " ".join(f"a{n}: role" for n in range(101)) + " } }", "aliases"),
        ("{ viewer { " + "role " * 501 + "} }", "fields"),
        ("{ " + "__typename " * 501 + "}", "fields"),
        ("{ __typename " + "@include(if: true) " * 51 + "}", "directives"),
        ("{ " + "x " * 2_001 + "}", "tokens"),
        ("mutation { " + " ".join(f"a{n}: {CREATE}" for n in range(6)) + " }", "mutations"),
    ],
)
async def test_what_is_said_over_and_over_is_refused_and_named(
    scanned: Scanned, query: str, limit: str
) -> None:
    before = await snapshot()
    answer = await scanned.ask(query)
    assert "data" not in answer
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"LIMITED"}
    assert limit in {error["extensions"]["limit"] for error in answer["errors"]}
    assert differences(before, await snapshot()) == {}


@pytest.mark.parametrize(
    "query",
    [
        "{ __typename " + "@aa" * 10 + " }",
        "{ " + " ".join(f"nothing{n}" for n in range(20)) + " }",
        "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
    ],
)
async def test_one_request_does_not_get_many_errors_for_its_pains(scanned: Scanned, query: str) -> None:
    codes = await scanned.codes(query)
    assert len(codes) <= 5
    assert set(codes) == {"BAD_REQUEST"}


async def test_nothing_is_told_of_how_an_answer_came_about(scanned: Scanned) -> None:
    for headers in ({}, {"X-Apollo-Tracing": "1", "Apollo-Federation-Include-Trace": "ftv1", "X-Debug": "1"}):
        for query in ("{ __typename }", "qwerty cop { abc }", "{ viewr }", '{ task(id: "x") { id } }'):
            sent = {"query": query, "extensions": {"tracing": True, "debug": True}}
            answer = (await scanned.post(sent, **headers)).json()
            assert set(answer.get("extensions", {})) <= {"cost"}
            for error in answer.get("errors", ()):
                assert set(error) <= {"message", "locations", "path", "extensions"}
                assert not {"exception", "stacktrace", "debug"} & set(error["extensions"])
            assert not any(each in json.dumps(answer) for each in ("Traceback", ".py", "site-packages"))


async def test_what_nobody_foresaw_tells_its_incident_and_nothing_else(
    scanned: Scanned, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> None:
        raise RuntimeError("secret postgres://user:pass@db/prod")

    monkeypatch.setattr(workspaces, "staff", fails)
    answer = await scanned.ask("{ staff { name } }")
    (error,) = answer["errors"]
    assert (error["message"], set(error["extensions"])) == ("Internal error", {"code", "incident"})
    assert "secret" not in json.dumps(answer)


async def test_there_is_one_address_and_no_other_explorer(scanned: Scanned) -> None:
    said = {"Authorization": f"Bearer {scanned.key}"}
    for path in EXPLORERS + ANOTHER_ADDRESS:
        assert (await scanned.http.get(path, headers={"Accept": "text/html"})).status_code == 404
        sent = await scanned.http.post(path, json={"query": "{ __typename }"}, headers=said)
        assert sent.status_code in (404, 405)
    page = await scanned.http.get("/graphql", headers={"Accept": "text/html"})
    assert ("<script" in page.text) is (scanned.profile is Profile.DEVELOPMENT)
