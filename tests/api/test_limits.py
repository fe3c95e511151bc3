"""What one request may ask for: every limit, in every way around it."""

import time
from typing import Any

import pytest
import strawberry
from graphql import OperationDefinitionNode, get_introspection_query, parse
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.extensions.base_extension import SchemaExtension
from strawberry.scalars import JSON
from strawberry.types import ExecutionResult

from api.limits import Bounds, Limits, Survey
from api.limits.survey import CEILING
from api.masking import Mask

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@strawberry.type
class PageInfo:
    has_next_page: bool = False


@strawberry.type
class Order:
    id: int = 1


@strawberry.type
class OrderConnection:
    nodes: list[Order]
    page_info: PageInfo


@strawberry.type
class Customer:
    id: int = 1

    @strawberry.field
    def friend(self, x: int = 0) -> "Customer":
        return Customer()

    @strawberry.field
    def orders(self, first: int | None = None, last: int | None = None) -> OrderConnection:
        return OrderConnection(nodes=[], page_info=PageInfo())


@strawberry.type
class CustomerEdge:
    cursor: str
    node: Customer


@strawberry.type
class CustomerConnection:
    edges: list[CustomerEdge]
    nodes: list[Customer]
    page_info: PageInfo
    total_count: int = 0


@strawberry.type
class Query:
    @strawberry.field
    def customer(self) -> Customer:
        return Customer()

    @strawberry.field
    def customers(self, first: int | None = None, last: int | None = None) -> CustomerConnection:
        RUNS.append(first)
        return CustomerConnection(edges=[], nodes=[], page_info=PageInfo())

    @strawberry.field
    def few(self, first: int = 5) -> list[Customer]:
        return []

    @strawberry.field
    def by_ids(self, ids: list[int]) -> list[Customer]:
        return []

    @strawberry.field
    def echo(self, value: JSON) -> JSON:
        return value


@strawberry.type
class Mutation:
    @strawberry.mutation
    def touch(self, text: str = "") -> int:
        return 1


RUNS: list[int | None] = []
CACHES: list[Any] = [lambda: ParserCache(maxsize=128), lambda: ValidationCache(maxsize=128)]
ORDERS: dict[str, list[Any]] = {
    "no cache": [Mask, Limits],
    "before the caches": [Mask, Limits, *CACHES],
    "after the caches": [*CACHES, Limits, Mask],
}
SCHEMAS = {name: strawberry.Schema(Query, Mutation, extensions=order) for name, order in ORDERS.items()}


@pytest.fixture(params=SCHEMAS)
def schema(request: pytest.FixtureRequest) -> strawberry.Schema:
    RUNS.clear()
    return SCHEMAS[request.param]


def refused(result: ExecutionResult) -> list[tuple[Any, ...]]:
    assert result.data is None
    assert result.errors
    found = [error.extensions for error in result.errors]
    assert {each["code"] for each in found} == {"LIMITED"}, found
    for error, each in zip(result.errors, found, strict=True):
        if each["limit"] != "tokens":
            assert str(each["maximum"]) in error.message
            assert str(each["measured"]) in error.message
    return [(each["limit"], each["maximum"], each["measured"]) for each in found]


def survey(query: str, variables: dict[str, Any] | None = None) -> tuple[Survey, Any]:
    document = parse(query)
    operation = next(each for each in document.definitions if isinstance(each, OperationDefinitionNode))
    found = Survey(SCHEMAS["no cache"]._schema, document, operation, variables or {})
    return found, found.of_operation(operation)


def friends(levels: int) -> str:
    return "{friend" * (levels - 1) + "{id" + "}" * levels


def nest(levels: int) -> str:
    return "{customer" + friends(levels - 1) + "}"


def bomb(levels: int, spread: str = "friend{...F%d} other:friend{...F%d}") -> str:
    parts = ["{customer{...F0}}"]
    for level in range(levels):
        inner = spread % ((level + 1,) * spread.count("%d"))
        parts.append(f"fragment F{level} on Customer{{{inner}}}")
    return " ".join([*parts, f"fragment F{levels} on Customer{{id}}"])


@pytest.mark.parametrize(
    ("query", "limit"),
    [
        (nest(17), ("depth", 10, 17)),
        (nest(150), ("depth", 10, 150)),
        ("{customer{...A}} fragment A on Customer " + friends(10), ("depth", 10, 11)),
        ("{customer{" + " ".join(f"a{n}:id" for n in range(31)) + "}}", ("aliases", 30, 31)),
        ("{customer{id " + "@include(if:true) " * 51 + "}}", ("directives", 50, 51)),
        ("query " + "@skip(if:false) " * 51 + "{customer{id}}", ("directives", 50, 51)),
        ("{customer{" + "id " * 500 + "}}", ("fields", 500, 501)),
        ("{" + "...{customer{id}} " * 21 + "}", ("rootFields", 20, 21)),
        ("{...A ...A ...A} fragment A on Query {" + "customer{id} " * 7 + "}", ("rootFields", 20, 21)),
        ("mutation{" + "touch " * 6 + "}", ("mutations", 5, 6)),
        (
            "{customer{id}} " + "".join(f"fragment F{n} on Customer{{id}} " for n in range(60)),
            ("definitions", 60, 61),
        ),
        ("{customers(first:100){nodes{orders(first:100){nodes{id}}}}}", ("cost", 5000, 10_202)),
        ("{customers(first:100000){nodes{id}}}", ("cost", 5000, 100_002)),
        ("{customers(last:9000){edges{cursor}}}", ("cost", 5000, 9002)),
        ("{" + "customer{id} " * 1000 + "}", ("tokens", 2000, 2001)),
        ("#\n" * 5000 + "{customer{id}}", ("tokens", 2000, 2001)),
        ("{echo(value:[" + "1 " * 101 + "])}", ("listItems", 100, 101)),
        ("{echo(value:" + "[" * 31 + "]" * 31 + ")}", ("nesting", 30, 31)),
        ("{echo(value:" + "{a:" * 31 + "1" + "}" * 31 + ")}", ("nesting", 30, 31)),
        ("query($v:JSON=[" + "1 " * 101 + "]){echo(value:$v)}", ("listItems", 100, 101)),
    ],
)
async def test_a_refusal_names_the_limit_its_value_and_the_figure(
    schema: strawberry.Schema, query: str, limit: tuple[str, int, int]
) -> None:
    for _ in range(2):  # the second time it may come from the caches
        assert refused(await schema.execute(query)) == [limit]
    assert RUNS == []


@pytest.mark.parametrize(
    "query",
    [
        nest(10),
        "{" + "customer{id} " * 20 + "}",
        "mutation{" + "touch " * 5 + "}",
        "{customers(first:100){nodes{orders(first:47){nodes{id}}}}}",
        "{echo(value:[" + "1 " * 100 + "])}",
        "{echo(value:" + "[" * 30 + "]" * 30 + ")}",
        get_introspection_query(input_value_deprecation=True, specified_by_url=True),
    ],
)
async def test_what_is_within_the_limits_runs(schema: strawberry.Schema, query: str) -> None:
    result = await schema.execute(query)
    assert result.errors is None
    assert result.extensions
    assert 1 <= result.extensions["cost"]["requested"] <= 5000


async def test_several_limits_are_named_together(schema: strawberry.Schema) -> None:
    query = "{customer{" + "a:friend{" * 40 + "id" + "}" * 42
    assert refused(await schema.execute(query)) == [("depth", 10, 42), ("aliases", 30, 40)]


async def test_a_cached_validation_lets_no_larger_variable_through(schema: strawberry.Schema) -> None:
    query = "query($n:Int,$m:Int){customers(first:$n,last:$m){nodes{id}}}"
    for variables, cost in (({"n": 1}, 3), ({"n": 100}, 102), ({"m": 7}, 9), ({}, 22), ({"n": None}, 22)):
        small = await schema.execute(query, variable_values=variables)
        assert small.errors is None
        assert small.extensions == {"cost": {"requested": cost}}
    ran = len(RUNS)
    for name in ("n", "m"):
        large = await schema.execute(query, variable_values={name: 100_000})
        assert refused(large) == [("cost", 5000, 100_002)]
    assert len(RUNS) == ran
    assert (await schema.execute(query, variable_values={"n": 2})).errors is None


async def test_a_default_of_a_variable_counts(schema: strawberry.Schema) -> None:
    query = "query($n:Int=9000){customers(first:$n){nodes{id}}}"
    assert refused(await schema.execute(query)) == [("cost", 5000, 9002)]
    assert (await schema.execute(query, variable_values={"n": 3})).errors is None


async def test_long_lists_in_variables_are_refused(schema: strawberry.Schema) -> None:
    query = "query($v:JSON!){echo(value:$v)}"
    for value, length in (([0] * 101, 101), ({"a": [{"b": [0] * 500}]}, 500)):
        result = await schema.execute(query, variable_values={"v": value})
        assert refused(result) == [("listItems", 100, length)]


async def test_deep_variables_are_refused(schema: strawberry.Schema) -> None:
    value: Any = 1
    for _ in range(10_000):
        value = [value]
    result = await schema.execute("query($v:JSON!){echo(value:$v)}", variable_values={"v": value})
    assert refused(result) == [("nesting", 30, 31)]


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("query($v:JSON!){echo(value:$v)}", {"v": "a\x00b"}),
        ("query($v:JSON!){echo(value:$v)}", {"v": ["\ud800"]}),
        ("query($v:JSON!){echo(value:$v)}", {"v": {"\udfff": 1}}),
        ("query($v:JSON!){echo(value:$v)}", {"v": {"a": float("nan")}}),
        ("query($v:JSON!){echo(value:$v)}", {"v": float("inf")}),
        ("query($v:JSON!){echo(value:$v)}", {"v": 2**64}),
        ("{customer{id}}", {"\ud800": 1}),
        ('mutation{touch(text:"\\u0000")}', {}),
        ('mutation{touch(text:"""a\x00b""")}', {}),
        ('query($v:JSON="\\u0000"){echo(value:$v)}', {}),
        ("{customer{id}} # \ud800", {}),
        ("{echo(value:{a:[-1e999]})}", {}),
        ("{echo(value:99999999999999999999999)}", {}),
    ],
)
async def test_what_no_database_stores_is_a_bad_request(
    schema: strawberry.Schema, query: str, variables: dict[str, Any]
) -> None:
    result = await schema.execute(query, variable_values=variables)
    assert result.data is None
    assert result.errors
    assert [error.extensions["code"] for error in result.errors] == ["BAD_REQUEST"]


@pytest.mark.parametrize("levels", range(14, 31, 4))
@pytest.mark.parametrize(
    "spread", ["friend{...F%d} other:friend{...F%d}", "...F%d ...F%d", "...F%d ... {...F%d}"]
)
async def test_a_fragment_bomb_is_measured_by_reading_each_fragment_once(
    schema: strawberry.Schema, levels: int, spread: str
) -> None:
    query = bomb(levels, spread)
    found, figures = survey(query)
    assert found.visited < 5 * (levels + 2)
    assert figures.fields >= min(2**levels, CEILING)
    started = time.process_time()
    limits = refused(await schema.execute(query))
    assert "fields" in [limit for limit, _, _ in limits]
    assert time.process_time() - started < 1


def test_the_counters_stop_at_a_ceiling() -> None:
    _, figures = survey(bomb(50))
    assert (figures.fields, figures.aliases, figures.cost) == (CEILING, CEILING, CEILING)
    _, nested = survey("{" + "customers(first:1000000){nodes{orders(first:1000000){nodes{id}}}}" + "}")
    assert nested.cost == CEILING


def test_a_chain_of_deep_fragments_is_no_recursion() -> None:
    parts = ["{customer{...F0}}"]
    for number in range(20):
        parts.append(f"fragment F{number} on Customer{{" + "friend{" * 100 + f"...F{number + 1}" + "}" * 101)
    _, figures = survey(" ".join([*parts, "fragment F20 on Customer{id}"]))
    assert figures.depth == 2002


@pytest.mark.parametrize(
    "query",
    [
        "{customer{...A}} fragment A on Customer{friend{...A}}",
        "{customer{...A}} fragment A on Customer{...B} fragment B on Customer{friend{...A ...B}}",
        "{customer{...Nobody}}",
        "{nothing{first{third}}}",
        "{...A} fragment A on Nothing {customer{id}}",
        "{... on Nothing {customer{id}}}",
        "{customer}",
        "{customer{id{id}}}",
        "query($n:Int=$n){customers(first:$n){nodes{id}}}",
    ],
)
async def test_what_is_invalid_is_left_to_validation(schema: strawberry.Schema, query: str) -> None:
    result = await schema.execute(query)
    assert result.errors
    assert {error.extensions["code"] for error in result.errors} == {"BAD_REQUEST"}


async def test_definitions_that_do_not_run_are_measured_too(schema: strawberry.Schema) -> None:
    for other in ("query B " + nest(11), "fragment B on Customer" + friends(11)):
        result = await schema.execute("query A {customer{id}} " + other, operation_name="A")
        assert refused(result)[0][0] == "depth"


async def test_the_cost_is_that_of_the_operation_that_runs(schema: strawberry.Schema) -> None:
    query = "query A {customer{id}} query B {customers(first:9000){nodes{id}}}"
    cheap = await schema.execute(query, operation_name="A")
    assert cheap.extensions == {"cost": {"requested": 2}}
    assert refused(await schema.execute(query, operation_name="B")) == [("cost", 5000, 9002)]


@pytest.mark.parametrize(
    ("query", "cost"),
    [
        ("{__typename}", 1),
        ("{customer{id}}", 2),
        ("{customer{friend{id} x:friend{id}}}", 4),
        ("{customers{totalCount}}", 2),
        ("{customers{totalCount pageInfo{hasNextPage} nodes{id}}}", 23),
        ("{customers(first:5){nodes{id}}}", 7),
        ("{customers(first:5){edges{cursor}}}", 7),
        ("{customers(first:5){edges{cursor node{id}}}}", 7),
        ("{customers(first:5){...C}} fragment C on CustomerConnection{edges{node{orders{nodes{id}}}}}", 112),
        ("{customers(first:0){nodes{id}}}", 3),
        ("{customers(first:-5){nodes{id}}}", 3),
        ("{customers(first:3,last:9){nodes{id}}}", 11),
        ("{few{id}}", 6),
        ("{few(first:7){id friend{id}}}", 15),
        ("{byIds(ids:[1,2,3]){id}}", 4),
        ("{__schema{queryType{name}}}", 101),
        ('{a:__type(name:"Query"){name} b:__type(name:"Query"){name}}', 201),
    ],
)
async def test_the_cost_counts_objects(schema: strawberry.Schema, query: str, cost: int) -> None:
    result = await schema.execute(query)
    assert result.errors is None
    assert result.extensions == {"cost": {"requested": cost}}


@pytest.mark.parametrize(
    "query", ["{", "{nothing}", nest(11), "{customer{id}}", 'mutation{touch(text:"\\u0000")}']
)
async def test_every_answer_says_its_cost(schema: strawberry.Schema, query: str) -> None:
    result = await schema.execute(query)
    assert result.extensions is not None
    assert isinstance(result.extensions["cost"]["requested"], int)


async def test_other_extensions_may_add_to_the_cost_and_read_it() -> None:
    seen = []

    class Bucket(SchemaExtension):
        def on_execute(self) -> Any:
            cost = self.execution_context.extensions_results["cost"]
            seen.append(cost["requested"])
            cost["actual"] = 1
            yield

    schema = strawberry.Schema(Query, extensions=[Mask, Limits, Bucket])
    result = await schema.execute("{customers(first:5){nodes{id}}}")
    assert result.extensions == {"cost": {"requested": 7, "actual": 1}}
    assert seen == [7]


async def test_the_bounds_can_be_set() -> None:
    schema = strawberry.Schema(Query, extensions=[Mask, lambda: Limits(Bounds(depth=2, tokens=20))])
    assert refused(await schema.execute(nest(3))) == [("depth", 2, 3)]
    assert refused(await schema.execute(nest(8))) == [("tokens", 20, 21)]


def test_synchronous_execution_is_limited_as_well() -> None:
    result = SCHEMAS["before the caches"].execute_sync(nest(11))
    assert refused(result) == [("depth", 10, 11)]
    assert result.extensions == {"cost": {"requested": 11}}
