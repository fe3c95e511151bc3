"""GraphQL over HTTP: strict about what comes in, exact about what goes out."""

import asyncio
import json
from typing import Any

import httpx2
import pytest
from starlette.responses import HTMLResponse

from tests.api.edge_app import Log, build, client, served

pytestmark = pytest.mark.anyio

JSON_TYPE = "application/json"
GRAPHQL = "application/graphql-response+json"
STREAM = "text/event-stream"
URQL = f"{GRAPHQL}, application/graphql+json, {JSON_TYPE}, {STREAM}, multipart/mixed"
APOLLO = f"{GRAPHQL},{JSON_TYPE};q=0.9"
APOLLO_DEFERS = f"multipart/mixed;deferSpec=20220824,{APOLLO}"
APOLLO_FOLLOWS = f"multipart/mixed;boundary=graphql;subscriptionSpec=1.0,{APOLLO}"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def body(query: str, **more: Any) -> bytes:
    return json.dumps({"query": query, **more}).encode()


MALFORMED: list[tuple[str, bytes, int]] = [
    ("empty", b"", 400),
    ("not json", b"{", 400),
    ("json and more", b'{"query":"{hello}"} x', 400),
    ("null", b"null", 400),
    ("a number", b"1", 400),
    ("a string", b'"{hello}"', 400),
    ("true", b"true", 400),
    ("a list", b"[]", 400),
    ("a batch", b'[{"query":"{hello}"},{"query":"{hello}"}]', 400),
    ("no query", b"{}", 400),
    ("query null", b'{"query":null}', 400),
    ("query a number", b'{"query":1}', 400),
    ("query an object", b'{"query":{}}', 400),
    ("query a list", b'{"query":["{hello}"]}', 400),
    ("query empty", b'{"query":""}', 400),
    ("query blank", b'{"query":"  "}', 400),
    ("query a comment", b'{"query":"# nothing"}', 400),
    ("query unclosed", body("{hello"), 400),
    ("query with a raw NUL", body('{hello(name:"\x00")}'), 400),
    ("query with an escaped NUL", body('{hello(name:"\\u0000")}'), 400),
    ("query with a surrogate", b'{"query":"{hello(name:\\"\\ud800\\")}"}', 400),
    ("query with a surrogate in a comment", b'{"query":"{hello} # \\ud800"}', 400),
    ("only a fragment", body("fragment A on Query {hello}"), 400),
    ("a fragment on itself", body("{...A} fragment A on Query {...A}"), 400),
    ("a type definition", body("type A {a: Int}"), 400),
    ("an unknown field", body("{nothing}"), 400),
    ("an unknown argument", body("{hello(nobody: 1)}"), 400),
    ("an argument of the wrong type", body("{hello(name: 1)}"), 400),
    ("an unknown fragment", body("{...Nobody}"), 400),
    ("an unknown operation", body("query A {hello}", operationName="B"), 400),
    ("operationName a number", body("{hello}", operationName=1), 400),
    ("operationName a list", body("{hello}", operationName=[]), 400),
    ("variables a string", body("{hello}", variables="{}"), 400),
    ("variables a list", body("{hello}", variables=[1]), 400),
    ("variables a number", body("{hello}", variables=0), 400),
    ("extensions a string", body("{hello}", extensions="x"), 400),
    ("extensions a list", body("{hello}", extensions=[]), 400),
    ("a variable of the wrong type", body("query($n:String){hello(name:$n)}", variables={"n": {}}), 400),
    ("a variable missing", body("query($n:String!){hello(name:$n)}"), 400),
    ("a variable with NUL", body("query($n:String){hello(name:$n)}", variables={"n": "a\x00"}), 400),
    ("a variable with a surrogate", b'{"query":"{hello}","variables":{"n":"\\udc00"}}', 400),
    ("a variable named by a surrogate", b'{"query":"{hello}","variables":{"\\udc00":1}}', 400),
    ("NaN", b'{"query":"{hello}","variables":{"n":NaN}}', 400),
    ("Infinity", b'{"query":"{hello}","variables":{"n":-Infinity}}', 400),
    ("1e999", b'{"query":"{hello}","variables":{"n":1e999}}', 400),
    ("a literal of 1e999", body("{echo(value: 1e999)}"), 400),
    ("an integer of 65 bits", b'{"query":"{hello}","variables":{"n":18446744073709551616}}', 400),
    ("an integer of 5000 digits", b'{"query":"{hello}","variables":{"n":' + b"9" * 5000 + b"}}", 400),
    ("a literal of 1900 digits", body("{echo(value: " + "9" * 1900 + ")}"), 400),
    ("100,000 brackets", b"[" * 100_000, 400),
    ("100,000 braces", b'{"a":' * 100_000, 400),
    ("nesting in variables", b'{"query":"{hello}","variables":{"n":' + b"[" * 300 + b"]" * 300 + b"}}", 400),
    ("nesting in the query", body("{" * 900 + "}" * 900), 400),
    ("nesting in a literal", body("{echo(value:" + "[" * 900 + "]" * 900 + ")}"), 400),
    ("a list of 101", body("query($v:JSON!){echo(value:$v)}", variables={"v": [0] * 101}), 400),
    ("a literal list of 101", body("{echo(value: [" + "0 " * 101 + "])}"), 400),
    ("latin-1", '{"query":"{hello(name:\\"é\\")}"}'.encode("latin-1"), 400),
    ("utf-16", '{"query":"{hello}"}'.encode("utf-16"), 400),
    ("a byte order mark", '{"query":"{hello}"}'.encode("utf-8-sig"), 400),
    ("bytes at random", bytes(range(128, 256)), 400),
    ("a subscription without a stream", body("subscription{count{number}}"), 400),
    ("a block string unclosed", body('{hello(name:"""x)}'), 400),
    ("a variable undeclared", body("{hello(name:$n)}"), 400),
    ("a variable never used", body("query($n:String){hello}"), 400),
    ("a variable of no type", body("query($n:Nothing){hello}"), 400),
    ("an unknown directive", body("{hello @nothing}"), 400),
    ("two operations of one name", body("query A {hello} query A {who}", operationName="A"), 400),
    ("two operations and no name", body("query A {hello} query B {who}"), 400),
    (
        "two fragments on each other",
        body("{...A} fragment A on Query {...B} fragment B on Query {...A}"),
        400,
    ),
    ("a control character", b'{"query":"{hello}\x01"}', 400),
    ("a body too large", b"[" + b" " * 1_000_001, 413),
]


WRONG_KIND: list[tuple[str, str, dict[str, str], int]] = [
    ("PUT", "/graphql", {}, 405),
    ("DELETE", "/graphql", {}, 405),
    ("PATCH", "/graphql/", {}, 405),
    ("HEAD", "/graphql", {}, 405),
    ("POST", "/graphql", {}, 415),
    ("POST", "/graphql", {"content-type": "text/plain"}, 415),
    ("POST", "/graphql", {"content-type": "application/x-www-form-urlencoded"}, 415),
    ("POST", "/graphql", {"content-type": "multipart/form-data; boundary=x"}, 415),
    ("POST", "/graphql", {"content-type": "text/plain; application/json"}, 415),
    ("POST", "/graphql", {"content-type": "application/json; charset=utf-16"}, 415),
    ("POST", "/graphql", {"content-type": JSON_TYPE, "content-encoding": "gzip"}, 415),
    ("POST", "/graphql", {"content-type": JSON_TYPE, "content-length": "a"}, 400),
    ("POST", "/graphql", {"content-type": JSON_TYPE, "content-length": "-1"}, 400),
    ("POST", "/graphql", {"content-type": JSON_TYPE, "content-length": "9" * 40}, 413),
    ("GET", "/graphql", {}, 400),
    ("GET", "/graphql?query=", {}, 400),
    ("GET", "/graphql?query={hello", {}, 400),
    ("GET", "/graphql?query={hello}&variables=x", {}, 400),
    ("GET", "/graphql?query={hello}&variables=[1]", {}, 400),
    ("GET", "/graphql?query={hello}&variables=null&extensions=1", {}, 400),
    ("GET", "/graphql?query={hello}&operationName=A", {}, 400),
    ("GET", "/graphql?query=mutation{rename(name:%22x%22)}", {}, 405),
    ("GET", "/graphql?query=" + "%20" * 6_000, {}, 414),
]


def test_there_are_as_many_bad_requests_as_were_promised() -> None:
    assert len(MALFORMED) + len(WRONG_KIND) >= 91


@pytest.mark.parametrize(("data", "status"), [pytest.param(*case[1:], id=case[0]) for case in MALFORMED])
async def test_a_malformed_request_is_refused_with_a_code(data: bytes, status: int) -> None:
    async with client(build(), accept=GRAPHQL) as http:
        answer = await asyncio.wait_for(
            http.post("/graphql", content=data, headers={"content-type": JSON_TYPE}), 5
        )
    assert answer.status_code == status, answer.text
    assert set(answer.json()) <= {"errors", "extensions"}
    assert {error["extensions"]["code"] for error in answer.json()["errors"]} <= {"BAD_REQUEST", "LIMITED"}


@pytest.mark.parametrize(("method", "url", "headers", "status"), WRONG_KIND)
async def test_a_request_of_the_wrong_kind_is_refused(
    method: str, url: str, headers: dict[str, str], status: int
) -> None:
    log = Log()
    async with client(build(log), accept=GRAPHQL) as http:
        answer = await http.request(
            method, url, headers=headers, content=body("{hello}") if method == "POST" else None
        )
    assert answer.status_code == status, answer.text
    assert log.mutations == []
    assert answer.headers.get("allow") == {405: "POST" if "mutation" in url else "GET, POST"}.get(status)


async def test_a_body_that_takes_too_long_is_answered() -> None:
    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/graphql", "query_string": b"", "headers": []}
    await build(body_seconds=0.01)(scope, receive, send)
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]


async def test_a_body_that_grows_too_large_is_not_read_to_its_end() -> None:
    read = 0

    async def endless() -> Any:
        nonlocal read
        while True:
            read += 1
            yield b" " * 1000

    async with client(build(max_bytes=10_000)) as http:
        answer = await http.post("/graphql", content=endless(), headers={"content-type": JSON_TYPE})
    assert answer.status_code == 413
    assert read < 20


async def test_uploads_on_other_paths_stream_through() -> None:
    async with client(build(max_bytes=1000)) as http:
        answer = await http.post("/files", content=b"x" * 100_000, headers={"content-encoding": "gzip"})
    assert (answer.status_code, answer.text) == (200, "100000")


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (JSON_TYPE, JSON_TYPE),
        ("*/*", JSON_TYPE),
        ("", JSON_TYPE),
        ("text/html", JSON_TYPE),
        (GRAPHQL, GRAPHQL),
        (f"{GRAPHQL}, {JSON_TYPE};q=0.9", GRAPHQL),
        (f"{GRAPHQL};q=0.5, {JSON_TYPE}", JSON_TYPE),
        (f"{GRAPHQL};q=0, */*", JSON_TYPE),
        (f"{JSON_TYPE}; q=x", JSON_TYPE),
        (URQL, GRAPHQL),
        (f"{JSON_TYPE}, {STREAM}", JSON_TYPE),
        (f"{STREAM}, */*", JSON_TYPE),
        (f"{STREAM};q=0", JSON_TYPE),
        (APOLLO, GRAPHQL),
        (APOLLO_DEFERS, GRAPHQL),
        (APOLLO_FOLLOWS, GRAPHQL),
        (f"{GRAPHQL}, {JSON_TYPE};q=0.9, {STREAM};q=0.8, */*;q=0.1", GRAPHQL),
        (f"{STREAM}, {GRAPHQL}", GRAPHQL),
    ],
)
async def test_a_query_is_answered_in_the_json_type_the_client_takes(accept: str, media: str) -> None:
    async with client(build(), accept=accept) as http:
        answer = await http.post("/graphql", json={"query": "{hello}"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"{media}; charset=utf-8"
    assert answer.json() == {"data": {"hello": "hello world"}, "extensions": {"cost": {"requested": 1}}}


@pytest.mark.parametrize(
    ("query", "data"),
    [
        ("{hello}", {"hello": "hello world"}),
        ('mutation{rename(name:"x")}', {"rename": "x"}),
        ("subscription{count(to:1){cursor}}", {"count": {"cursor": "1"}}),
    ],
)
async def test_who_takes_nothing_but_a_stream_gets_any_operation_as_one(query: str, data: object) -> None:
    """As graphql-sse asks in its distinct connections mode."""
    async with client(build(), accept=STREAM) as http:
        answer = await http.post("/graphql", json={"query": query})
    assert (answer.status_code, answer.headers["content-type"]) == (200, STREAM)
    assert "no-cache" in answer.headers["cache-control"]
    first, last, rest = answer.text.split("\n\n")
    *_, event, said = first.split("\n")
    assert (event, last, rest) == ("event: next", "event: complete\ndata: ", "")
    assert json.loads(said.removeprefix("data: "))["data"] == data
    assert "\r" not in answer.text, "urql finds no event that ends in CR LF"


@pytest.mark.parametrize(
    "accept", [JSON_TYPE, "*/*", APOLLO, APOLLO_FOLLOWS, f"{URQL.replace(STREAM, 'x/y')}"]
)
async def test_a_subscription_is_refused_to_who_takes_no_stream(accept: str) -> None:
    async with client(build(), accept=accept) as http:
        answer = await http.post("/graphql", json={"query": "subscription{count{number}}"})
    assert answer.status_code == 400
    assert "text/event-stream" in answer.json()["errors"][0]["message"]


async def test_without_get_a_stream_takes_post() -> None:
    async with client(build(allow_get=False), accept=STREAM) as http:
        query = {"query": "subscription{count(to:1){cursor}}"}
        refused = await http.get("/graphql", params=query)
        posted = await http.post("/graphql", json=query)
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert "id: 1" in posted.text


@pytest.mark.parametrize("accept", [STREAM, URQL, f"{STREAM}, {JSON_TYPE}"])
async def test_a_subscription_streams_when_the_client_takes_streams(accept: str) -> None:
    async with client(build(), accept=accept) as http:
        answer = await http.post("/graphql", json={"query": "subscription{count(to:2){cursor number}}"})
    assert answer.headers["content-type"].startswith(STREAM)
    events = answer.text.split("\n\n")[:-1]
    assert [event.splitlines()[:2] for event in events[:-1]] == [
        ["id: 1", "event: next"],
        ["id: 2", "event: next"],
    ]
    assert '"data":{"count":{"cursor":"2","number":2}}' in events[1]
    assert events[-1].startswith("event: complete")


async def test_a_stream_resumes_after_the_last_event_id() -> None:
    query = "subscription($after:String){count(to:3,after:$after){cursor}}"
    async with client(build(), accept=STREAM) as http:
        answer = await http.get("/graphql", params={"query": query}, headers={"last-event-id": "2"})
    assert "id: 3" in answer.text
    assert "id: 2" not in answer.text


@pytest.mark.parametrize(
    "query", ["subscription{count", "subscription{nothing}", "", "mutation{rename(name:1)}", "{" * 900]
)
async def test_a_stream_of_a_bad_operation_holds_one_error_and_ends(query: str) -> None:
    async with client(build(), accept=STREAM) as http:
        answer = await http.post("/graphql", json={"query": query})
    first, last, rest = answer.text.split("\n\n")
    data = json.loads(first.partition("data: ")[2])
    assert data["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    assert "data" not in data
    assert last.startswith("event: complete")
    assert rest == ""


async def test_mutations_do_not_stream_over_get() -> None:
    log = Log()
    async with client(build(log), accept=STREAM) as http:
        answer = await http.get("/graphql", params={"query": 'mutation{rename(name:"x")}'})
    assert "BAD_REQUEST" in answer.text
    assert log.mutations == []


@pytest.mark.parametrize(
    ("query", "old", "new", "data"),
    [
        ("{hello}", 200, 200, {"hello": "hello world"}),
        ("{hello", 200, 400, None),
        ("{nothing}", 200, 400, None),
        ("query($n:String!){hello(name:$n)}", 200, 400, None),
    ],
)
async def test_a_request_error_has_no_data_and_a_status_of_its_own(
    query: str, old: int, new: int, data: object
) -> None:
    for media, status in ((JSON_TYPE, old), (GRAPHQL, new)):
        async with client(build(), accept=media) as http:
            answer = await http.post("/graphql", json={"query": query})
        assert answer.status_code == status
        assert answer.json().get("data") == data
        assert ("data" in answer.json()) is (data is not None)


async def test_an_error_inside_the_operation_is_a_success_of_the_request() -> None:
    async with client(build(), accept=GRAPHQL) as http:
        answer = await http.post("/graphql", json={"query": "{boom}"})
    assert answer.status_code == 200
    assert answer.json()["data"] is None
    assert "secret" not in answer.text


async def test_at_most_five_errors_are_returned() -> None:
    query = "{" + " ".join(f"nothing{number}" for number in range(15)) + "}"
    async with client(build()) as http:
        answer = await http.post("/graphql", json={"query": query})
    assert len(answer.json()["errors"]) == 5


@pytest.mark.parametrize(
    ("authorization", "status", "code"),
    [
        ("", 401, "UNAUTHENTICATED"),
        ("Bearer bad", 401, "UNAUTHENTICATED"),
        ("Bearer barred", 403, "FORBIDDEN"),
        ("Bearer away", 503, "UNAVAILABLE"),
        ("Bearer broken", 500, "INTERNAL"),
    ],
)
@pytest.mark.parametrize("accept", [JSON_TYPE, GRAPHQL, STREAM])
async def test_whoever_is_not_known_gets_an_error_and_nothing_runs(
    accept: str, authorization: str, status: int, code: str
) -> None:
    log = Log()
    async with client(build(log), Authorization=authorization, accept=accept) as http:
        answer = await http.post("/graphql", json={"query": "{who}"})
    assert answer.status_code == status
    assert [error["extensions"]["code"] for error in answer.json()["errors"]] == [code]
    assert "secret" not in answer.text
    assert ("www-authenticate" in answer.headers) is (status == 401)
    assert log.contexts == []


async def test_get_can_be_switched_off_and_the_page_stays() -> None:
    async with client(build(allow_get=False, page=lambda: HTMLResponse("<h1>explore</h1>"))) as http:
        refused = await http.get("/graphql", params={"query": "{hello}"})
        page = await http.get("/graphql", headers={"accept": "text/html,*/*;q=0.8", "authorization": ""})
        posted = await http.post("/graphql", json={"query": "{hello}"})
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert (page.status_code, page.text) == (200, "<h1>explore</h1>")
    assert posted.status_code == 200


async def test_each_request_has_a_context_of_its_own() -> None:
    log = Log()
    async with client(build(log)) as http:
        for _ in range(3):
            await http.post("/graphql", json={"query": "{who}"})
    assert [context.principal for context in log.contexts] == ["anna"] * 3
    assert log.contexts[0].connection.state.principal == "anna"


async def test_an_answer_that_cannot_be_encoded_is_an_incident() -> None:
    async with client(build()) as http:
        answer = await http.post("/graphql", json={"query": "{unspeakable}"})
    assert answer.status_code == 500
    assert answer.json()["errors"][0]["extensions"]["code"] == "INTERNAL"


async def test_values_come_back_as_they_were_sent() -> None:
    query = "query($v:JSON!){echo(value:$v)}"
    async with client(build()) as http:
        fits = await http.post("/graphql", json={"query": query, "variables": {"v": 2**64 - 1}})
        nested = await http.post(
            "/graphql", json={"query": query, "variables": {"v": {"a": [1.5, None, "é"]}}}
        )
    assert fits.json()["data"] == {"echo": 2**64 - 1}
    assert nested.json()["data"] == {"echo": {"a": [1.5, None, "é"]}}


async def test_a_client_that_hangs_up_ends_its_stream() -> None:
    log = Log()
    async with served(build(log)) as host, httpx2.AsyncClient() as http:
        async with http.stream(
            "POST",
            f"http://{host}/graphql",
            json={"query": "subscription{wait}"},
            headers={"accept": STREAM, "authorization": "Bearer good"},
        ) as answer:
            async for line in answer.aiter_lines():
                if "data" in line:
                    break
        await asyncio.wait_for(log.closed_streams.wait(), 5)


async def test_a_quiet_stream_has_a_heartbeat() -> None:
    async with (
        served(build(heartbeat_seconds=0.01)) as host,
        httpx2.AsyncClient() as http,
        http.stream(
            "POST",
            f"http://{host}/graphql",
            json={"query": "subscription{wait}"},
            headers={"accept": STREAM, "authorization": "Bearer good"},
        ) as answer,
    ):
        lines = answer.aiter_lines()
        async with asyncio.timeout(5):
            while ": ping" not in await anext(lines):
                pass
