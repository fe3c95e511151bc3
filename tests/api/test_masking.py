"""Errors that a client may see, and the incidents that stand in for all others."""

import re
from collections.abc import AsyncIterator
from datetime import date
from typing import Any, NewType

import pytest
import strawberry
from graphql import GraphQLError
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.extensions.base_extension import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionResult
from structlog.testing import capture_logs

from api.edge.answers import settled
from api.limits import Limits
from api.masking import Mask, presentable

pytestmark = pytest.mark.anyio

SECRET = 'SELECT phone FROM "customers" at /srv/app/db.py by postgres://user:pass@db'


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Coded(GraphQLError):
    def __init__(self) -> None:
        super().__init__("Not yours.", extensions={"code": "FORBIDDEN"})


def read_colour(value: str) -> str:
    if value != "red":
        raise ValueError("No colour of ours.")
    return value


Colour = NewType("Colour", str)
CONFIG = StrawberryConfig(scalar_map={Colour: strawberry.scalar(name="Colour", parse_value=read_colour)})


@strawberry.type
class Query:
    @strawberry.field
    def paint(self, colour: Colour) -> str:
        return colour

    @strawberry.field
    def on(self, day: date) -> str:
        return str(day)

    @strawberry.field
    def boom(self) -> str | None:
        raise RuntimeError(SECRET)

    @strawberry.field
    async def later(self) -> str | None:
        raise KeyError(SECRET)

    @strawberry.field
    def coded(self) -> str | None:
        raise Coded

    @strawberry.field
    def plain(self) -> str | None:
        raise GraphQLError("Say it otherwise.")

    @strawberry.field
    def wrapped(self) -> str | None:
        raise GraphQLError(SECRET, original_error=RuntimeError(SECRET))

    @strawberry.field
    def number(self) -> int | None:
        return SECRET  # type: ignore[return-value]

    @strawberry.field
    def text(self) -> str | None:
        return Coded  # type: ignore[return-value]

    @strawberry.field
    def missing(self) -> str:
        return None  # type: ignore[return-value]


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def events(self, fail: str) -> AsyncIterator[int]:
        if fail == "first":
            raise RuntimeError(SECRET)
        yield 1
        if fail == "resolve":
            yield SECRET  # type: ignore[misc]
            yield 3
        if fail == "later":
            raise RuntimeError(SECRET)
        if fail == "coded":
            raise Coded


class Failing(SchemaExtension):
    """Fails in the hook that the operation's name says."""

    def _fail(self, hook: str) -> None:
        if f"query {hook}" in (self.execution_context.query or ""):
            raise RuntimeError(SECRET)

    def on_operation(self) -> Any:
        self._fail("on_operation")
        yield

    def on_parse(self) -> Any:
        self._fail("on_parse")
        yield

    def on_validate(self) -> Any:
        self._fail("on_validate")
        yield

    def on_execute(self) -> Any:
        self._fail("on_execute")
        yield
        self._fail("after_execute")


EXTENSIONS: list[Any] = [
    lambda: ParserCache(maxsize=32),
    lambda: ValidationCache(maxsize=32),
    Limits,
    Failing,
]
SCHEMAS = {
    "first": strawberry.Schema(
        Query, subscription=Subscription, extensions=[Mask, *EXTENSIONS], config=CONFIG
    ),
    "last": strawberry.Schema(
        Query, subscription=Subscription, extensions=[*EXTENSIONS, Mask], config=CONFIG
    ),
    "alone": strawberry.Schema(Query, subscription=Subscription, extensions=[Failing, Mask], config=CONFIG),
}


@pytest.fixture(params=SCHEMAS)
def schema(request: pytest.FixtureRequest) -> strawberry.Schema:
    return SCHEMAS[request.param]


async def streamed(schema: strawberry.Schema, query: str, **more: Any) -> list[ExecutionResult]:
    return [result async for result in settled(lambda: schema.stream(query, **more))]


def shown(result: ExecutionResult) -> list[tuple[str, str]]:
    formatted = [error.formatted for error in result.errors or ()]
    for error in formatted:
        for hidden in ("SELECT", "postgres", "/srv", "RuntimeError", "KeyError", "Coded"):
            assert hidden not in str(error)
    return [(error["message"], error["extensions"]["code"]) for error in formatted]


HIDDEN = [
    "{boom}",
    "{later}",
    "{wrapped}",
    "{number}",
    "{text}",
    "{missing}",
    'query on_operation{on(day:"2025-01-01")}',
    'query on_parse{on(day:"2025-01-01")}',
    'query on_validate{on(day:"2025-01-01")}',
    'query on_execute{on(day:"2025-01-01")}',
    'query after_execute{on(day:"2025-01-01")}',
]


@pytest.mark.parametrize("query", HIDDEN)
async def test_what_is_unexpected_becomes_a_logged_incident(schema: strawberry.Schema, query: str) -> None:
    for execute in (lambda: schema.execute(query), lambda: streamed(schema, query)):
        with capture_logs() as logs:
            found = await execute()
        result = found[-1] if isinstance(found, list) else found
        assert shown(result) == [("Internal error", "INTERNAL")]
        assert result.errors
        incident = result.errors[0].extensions["incident"]
        assert re.fullmatch("[0-9a-f]{8}", incident)
        assert [(log["event"], log["incident"]) for log in logs] == [("unexpected_error", incident)]
        assert isinstance(logs[0]["exc_info"], Exception)


async def test_the_path_and_the_place_of_an_incident_stay(schema: strawberry.Schema) -> None:
    result = await schema.execute("{a: boom coded}")
    assert result.data == {"a": None, "coded": None}
    formatted = {tuple(error.formatted["path"]): error.formatted for error in result.errors or ()}
    assert formatted[("a",)]["locations"] == [{"line": 1, "column": 2}]
    assert formatted[("coded",)]["extensions"] == {"code": "FORBIDDEN"}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "BAD_REQUEST"),
        ("{nothing}", "BAD_REQUEST"),
        ("{on}", "BAD_REQUEST"),
        ('{on(day:"yesterday")}', "BAD_REQUEST"),
        ('{paint(colour:"blue")}', "BAD_REQUEST"),
        ("query($d:Date!){on(day:$d)}", "BAD_REQUEST"),
        ("{plain}", "BAD_REQUEST"),
        ("{coded}", "FORBIDDEN"),
    ],
)
async def test_what_the_client_did_wrong_is_said(schema: strawberry.Schema, query: str, code: str) -> None:
    for _ in range(2):  # the second time it may come from the caches
        with capture_logs() as logs:
            result = await schema.execute(query)
            [stream] = await streamed(schema, query)
        assert shown(result) == shown(stream)
        assert [found for _, found in shown(result)] == [code]
        assert shown(result)[0][0] != "Internal error"
        assert logs == []


async def test_a_variable_that_a_scalar_refuses_is_a_bad_request(schema: strawberry.Schema) -> None:
    query = "query($c:Colour!){paint(colour:$c)}"
    result = await schema.execute(query, variable_values={"c": "blue"})
    assert [code for _, code in shown(result)] == ["BAD_REQUEST"]


async def test_a_variable_that_cannot_be_read_is_a_bad_request(schema: strawberry.Schema) -> None:
    query = "query($d:Date!){on(day:$d)}"
    for value in ("yesterday", 1, [], {"a": 1}):
        result = await schema.execute(query, variable_values={"d": value})
        assert [code for _, code in shown(result)] == ["BAD_REQUEST"]


@pytest.mark.parametrize(
    ("fail", "expected"),
    [
        ("first", [[("Internal error", "INTERNAL")]]),
        ("resolve", [[], [("Internal error", "INTERNAL")], []]),
        ("later", [[], [("Internal error", "INTERNAL")]]),
        ("coded", [[], [("Not yours.", "FORBIDDEN")]]),
        ("never", [[]]),
    ],
)
async def test_every_event_of_a_subscription_is_masked(
    schema: strawberry.Schema, fail: str, expected: list[Any]
) -> None:
    with capture_logs() as logs:
        results = await streamed(
            schema, "subscription($f:String!){events(fail:$f)}", variable_values={"f": fail}
        )
    assert [shown(result) for result in results] == expected
    assert len(logs) == sum(("Internal error", "INTERNAL") in errors for errors in expected)


async def test_operations_that_cannot_be_chosen_are_bad_requests(schema: strawberry.Schema) -> None:
    for query, name in (("", None), ("{boom}", "Nobody"), ("fragment A on Query{boom}", None)):
        [result] = await streamed(schema, query, operation_name=name)
        assert [code for _, code in shown(result)] == ["BAD_REQUEST"]


def test_synchronous_execution_is_masked_as_well(schema: strawberry.Schema) -> None:
    with capture_logs() as logs:
        result = schema.execute_sync("{boom}")
        refused = schema.execute_sync("{nothing}")
    assert shown(result) == [("Internal error", "INTERNAL")]
    assert [code for _, code in shown(refused)] == ["BAD_REQUEST"]
    assert len(logs) == 1


def test_an_error_is_made_presentable_once() -> None:
    with capture_logs() as logs:
        first = presentable(RuntimeError(SECRET))
        assert presentable(first) is first
    assert len(logs) == 1
