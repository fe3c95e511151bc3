"""Filters with many conditions: counted wherever they are written, priced, and refused above a bound."""

from typing import Any

import pytest

from api.context import Context
from api.limits import Terms
from api.schema import schema
from tests.api.test_rationing import asked, told
from tests.conftest import House

CORE = "__schema { queryType { name } }"
VARIABLE = "query ($w: CustomerWhere) { customers(first: 1, where: $w) { totalCount } %s }"
WITHIN = "query ($w: [CustomerWhere!]) { customers(first: 1, where: {or: $w}) { totalCount } %s }"
EACH = "query ($w: CustomerWhere!, $v: String) { customers(first: 1, where: {or: [$w, {externalId: {eq: $v}}]}) { totalCount } %s }"
paths = pytest.mark.parametrize("also", ["", CORE], ids=["compiled", "graphql-core"])
ONE = {"externalId": {"eq": "a"}}


def ors(outer: int, inner: int) -> list[Any]:
    return [{"or": [ONE] * inner} for _ in range(outer)]


def written(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {written(each)}" for key, each in value.items()) + "}"
    return "[" + " ".join(map(written, value)) + "]" if isinstance(value, list) else f'"{value}"'


@pytest.mark.one_path
@paths
async def test_a_filter_has_so_many_conditions_and_no_more(house: House, also: str) -> None:
    before = schema.engine.paths["compiled"]
    for document, most, over in (
        (VARIABLE, {"or": ors(4, 50)}, {"or": [*ors(4, 50), ONE]}),
        (WITHIN, ors(4, 50), [*ors(4, 50), ONE]),
        (EACH, {"or": [*ors(3, 50), *ors(1, 49)]}, {"or": ors(4, 50)}),
    ):
        within = await asked(house, document % also, Terms(), w=most)
        assert within.errors is None, within.errors
        refused = await asked(house, document % also, Terms(), w=over)
        assert told(refused) == {"code": "LIMITED", "limit": "conditions", "maximum": 200, "measured": 201}
        assert refused.data is None
    assert schema.engine.paths["compiled"] - before == (0 if also else 3)
    many = await asked(house, VARIABLE % also, Terms(), w={"or": ors(10, 100)})
    assert told(many)["measured"] == 1_000


@pytest.mark.parametrize(
    ("where", "conditions"),
    [
        (None, 0),
        ({}, 1),
        (ONE, 1),
        ({"externalId": {"in": ["a", "b", "c"]}}, 1),
        ({"externalId": {"in": []}}, 1),
        ({"externalId": {"startsWith": "a", "contains": "b"}}, 2),
        ({"externalId": {"eq": "a"}, "not": {"or": [ONE, {"and": [ONE, {}]}]}}, 4),
    ],
)
@pytest.mark.one_path
async def test_conditions_cost_the_same_in_variables_and_in_the_text(
    house: House, where: Any, conditions: int
) -> None:
    text = "null" if where is None else written(where)
    for document, variables in (
        (VARIABLE % "", {"w": where}),
        ("query ($w: CustomerWhere = " + text + ") { customers(first: 1, where: $w) { totalCount } }", {}),
        ("{ customers(first: 1, where: " + text + ") { totalCount } }", {}),
    ):
        for answer in (schema.execute, schema.interpret):
            result = await priced(answer, house, document, variables)
            assert result.errors is None, result.errors
            assert result.extensions["cost"]["requested"] == 2 + conditions, document


async def priced(answer: Any, house: House, document: str, variables: dict[str, Any]) -> Any:
    return await answer(document, variables, Context(house.owner), None, None, None, None)
