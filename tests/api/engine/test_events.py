"""Events of subscriptions by closures: as graphql-core would have answered them, and errors by graphql-core."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import strawberry

from api.engine import Executor
from api.engine.events import interpreted

FELL = "this one fell"


@strawberry.type
class Fruit:
    name: str
    ripe_for: int = 3

    @strawberry.field
    def weight(self, grams: int = 1) -> int:
        if self.name == "fallen":
            raise ValueError(FELL)
        return grams * len(self.name)

    @strawberry.field
    async def beside(self) -> "list[Fruit]":
        return [Fruit(name="leaf"), Fruit(name="twig")]


@strawberry.type
class Query:
    tree: str = "apple"


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def fallen(self, names: list[str]) -> AsyncIterator[Fruit | None]:
        for name in names:
            yield Fruit(name=name) if name else None


SCHEMA = strawberry.Schema(query=Query, subscription=Subscription, execution_context_class=Executor)
ALL = """subscription ($names: [String!]!, $grams: Int, $short: Boolean = false) {
  fruit: fallen(names: $names) { __typename name ...More @skip(if: $short) } }
  fragment More on Fruit { ripeFor weight(grams: $grams) beside { name heavy: weight(grams: 5) } }"""


async def heard(query: str = ALL, **variables: Any) -> list[Any]:
    return [each async for each in await SCHEMA.stream(query, variables)]


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The events that were left to graphql-core."""
    found: list[Any] = []

    async def noted(executor: Executor) -> Any:
        found.append(executor.root_value)
        return await interpreted(executor)

    monkeypatch.setattr("api.engine.events.interpreted", noted)
    return found


async def test_events_are_answered_by_closures_as_graphql_core_would(left: list[Any]) -> None:
    (first, gone, last) = await heard(names=["pear", "", "fig"], grams=2)
    beside = [{"name": "leaf", "heavy": 20}, {"name": "twig", "heavy": 20}]
    assert first.data == {
        "fruit": {"__typename": "Fruit", "name": "pear", "ripeFor": 3, "weight": 8, "beside": beside}
    }
    assert (gone.data, gone.errors) == ({"fruit": None}, None)
    assert last.data is not None and last.data["fruit"]["weight"] == 6
    assert list(last.data["fruit"]) == ["__typename", "name", "ripeFor", "weight", "beside"]
    assert left == []


async def test_what_is_skipped_is_skipped_and_an_absent_variable_is_its_default(left: list[Any]) -> None:
    (event,) = await heard(names=["pear"], short=True)
    assert event.data == {"fruit": {"__typename": "Fruit", "name": "pear"}}
    (event,) = await heard(names=["pear"])
    assert event.data is not None and event.data["fruit"]["weight"] == 4
    assert left == []


async def test_an_event_with_an_error_is_graphql_cores_and_the_next_one_is_not(left: list[Any]) -> None:
    wrong, right = await heard(names=["fallen", "fig"], grams=1)
    assert wrong.data == {"fruit": None}
    (error,) = wrong.errors
    assert (error.message, error.path) == (FELL, ["fruit", "weight"])
    assert right.errors is None and right.data["fruit"]["weight"] == 3
    assert [each.name for each in left] == ["fallen"]


async def test_what_cannot_be_compiled_is_answered_all_the_same(
    left: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(_: Executor) -> Any:
        raise RuntimeError("a selection nobody can compile")

    monkeypatch.setattr(Executor, "_compiled", never)
    (event,) = await heard(names=["fig"], grams=1)
    assert event.errors is None and event.data["fruit"]["weight"] == 3
    assert [each.name for each in left] == ["fig"]
