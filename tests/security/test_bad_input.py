"""Whatever is sent: a coded error or a refusal that names the place, and nothing happens."""

from collections.abc import Iterator
from typing import Any

import pytest
from graphql import GraphQLEnumType, GraphQLObjectType, is_required_argument

from tests.security import surface
from tests.security.conftest import Place
from tests.security.rows import differences, snapshot
from tests.security.surface import Leaf
from tests.security.test_roles import ask, codes

NEVER_GOOD: dict[str, list[Any]] = {
    "String": ["a\x00b", "a\ud800b", "\udfff", 5, True, {"a": "b"}],
    "ID": [
        "a\x00b",
        "a\ud800b",
        "",
        "nonsense",
        "VGFzazo",
        "VGFzazotMQ",
        "VGFzazo5OTk5OTk5OTk5OTk5OTk5OTk5OQ",
        "x" * 10_000,
    ],
    "Int": [2**31, -(2**31) - 1, 2**63, 1.5, "1", True],
    "Boolean": ["true", 1],
    "DateTime": [
        "2025-03-03T10:00:00",
        "2025-03-03",
        "yesterday",
        "",
        "2025-02-30T10:00:00Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00+14:00",
        1741000000,
    ],
    "Date": ["2025-02-30", "2025-3-3", "2025-03-03T00:00:00Z", "", "9999-12-31", "0001-01-01", 20250303],
    "Decimal": ["NaN", "Infinity", "1e3", "1" * 19, "0.1234567", "-0.01", "", "12,5", 0.1],
}
"""By scalar, values that no argument takes."""

SELDOM_GOOD: dict[str, list[Any]] = {
    "String": ["", " ", "x" * 10_000, "\u202e';--%\\\n"],
    "Int": [0, -1, 2**31 - 1, -(2**31)],
    "Decimal": ["9" * 18, "9" * 18 + ".999999", "0", "0.000001"],
}
"""By scalar, values that some arguments take: they must do what is asked, or refuse."""


WITH = {"silentMonths": "churnedMonths", "newDays": "silentMonths"}
"""Values that must fit to one another: the refusal may name the other."""


def places(operation: str) -> Iterator[tuple[str, Leaf]]:
    """Every place; an input that nests in itself is walked where it is met first, and there in all its parts."""
    met: dict[str, str] = {}
    for name, field in surface.root(operation).fields.items():
        for leaf in surface.leaves(field):
            if all(met.setdefault(kind, name) == name for kind in leaf.nesting):
                yield name, leaf


def never_good(leaf: Leaf) -> list[Any]:
    kind = surface.SDL.get_type(leaf.scalar)
    return ["WRONG", "", 1] if isinstance(kind, GraphQLEnumType) else NEVER_GOOD[leaf.scalar]


def fault(name: str, leaf: Leaf, told: dict[str, Any]) -> str | None:
    """What is wrong with an answer to a value that cannot be taken; none: it is refused and says where."""
    if found := codes(told):
        said = " ".join(error["message"] for error in told["errors"])
        named = (
            leaf.path[-1] in said
            or leaf.path[0] in said
            or "NUL or a lone surrogate" in said
            or "64 bits" in said
        )
        if set(found) == {"LIMITED"} and leaf.name in ("first", "last"):
            return None  # a page of millions is refused by what it would cost
        return None if set(found) == {"BAD_REQUEST"} and named else f"{found} {said}"
    payload = told["data"][name]
    if payload is None:
        return None
    if not isinstance(payload, dict) or payload["__typename"] != "Refusal":
        return "taken"
    for reason in payload["userErrors"]:
        if reason["field"] == ["where"] == [leaf.path[0]]:
            continue  # a filter is refused as a whole
        if not {leaf.path[-1], WITH.get(leaf.path[-1])} & set(reason["field"]):
            return f"names another place: {reason}"
        if not stands_in(name, reason["field"]):
            return f"names no path of the arguments: {reason}"
    return None


def stands_in(name: str, path: list[str]) -> bool:
    """Whether a mutation has a value at this path from its arguments on, such as input.email."""
    own = surface.leaves(surface.root("mutation").fields[name])
    return any(list(leaf.path[: len(path)]) == path for leaf in own)


def failing(wrong: list[str]) -> str:
    return "\n".join(wrong)


@pytest.mark.parametrize("operation", ["mutation", "query"])
async def test_a_value_that_cannot_be_is_refused_wherever_it_stands(place: Place, operation: str) -> None:
    before = await snapshot()
    wrong = []
    for name, leaf in places(operation):
        if operation == "query" and leaf.scalar == "ID":
            continue  # a question about an unknown id has an answer: nothing
        for value in never_good(leaf):
            given = surface.with_value(place.valid(name), leaf, value)
            told = await place.owner.call(operation, name, given, depth=1)
            if found := fault(name, leaf, told):
                wrong.append(f"{name}({leaf.name}: {str(value)[:40]!r}): {found[:300]}")
    assert not wrong, failing(wrong)
    assert differences(before, await snapshot()) == {}


async def test_a_value_at_the_edge_is_done_or_refused(place: Place) -> None:
    """What is refused here is asked again outside the transaction that takes everything back."""
    wrong, refused = [], []
    for operation in ("query", "mutation"):
        for name, leaf in places(operation):
            if leaf.name == "idempotencyKey" and name != "taskCreate":
                continue  # one does for all
            for value in SELDOM_GOOD.get(leaf.scalar, ()):
                given = surface.with_value(place.valid(name), leaf, value)
                told = await ask(place.owner, operation, name, given)
                if (found := fault(name, leaf, told)) is None:
                    refused.append((operation, name, given))
                elif found != "taken":
                    wrong.append(f"{name}({leaf.name}: {str(value)[:40]!r}): {found[:300]}")
    assert not wrong, failing(wrong)
    assert len(refused) > 100
    before = await snapshot()
    for operation, name, given in refused:
        await place.owner.call(operation, name, given, depth=1)
    assert differences(before, await snapshot()) == {}


PAGES: list[tuple[dict[str, Any], str]] = [
    ({"first": 0}, "first"),
    ({"first": 101}, "first"),
    ({"first": -1}, "first"),
    ({"last": 0}, "last"),
    ({"last": 101}, "last"),
    ({"first": 1, "last": 1}, "first or last"),
    ({"after": ""}, "cursor"),
    ({"after": "nonsense"}, "cursor"),
    ({"after": "WzFd"}, "cursor"),
    ({"before": "W251bGwsbnVsbF0"}, "cursor"),
    ({"before": "WyJhIiwxMF0x"}, "cursor"),
    ({"before": "\N{SNOWMAN}"}, "cursor"),
    ({"after": "x" * 10_000}, "cursor"),
]


def lists() -> Iterator[tuple[str, str]]:
    """(type, field) of every list that comes in pages."""
    for kind in surface.SDL.type_map.values():
        if isinstance(kind, GraphQLObjectType):
            for name, field in kind.fields.items():
                if "after" in field.args and "first" in field.args:
                    yield kind.name, name


OF_ONE = {"key": '"BUYERS"', "way": "ENTERED"}
"""Arguments that a list cannot be asked for without."""


async def test_a_page_that_cannot_be_is_refused_in_every_list(place: Place) -> None:
    found = list(lists())
    assert len(found) > 10
    for kind, name in found:
        field = surface.SDL.type_map[kind].fields[name]  # type: ignore[attr-defined]
        for given, said in PAGES:
            if not given.keys() <= field.args.keys():
                continue  # the feed is read forwards only
            declared = ", ".join(f"${part}: {field.args[part].type}" for part in given)
            needed = [
                f"{part}: {OF_ONE[part]}" for part, arg in field.args.items() if is_required_argument(arg)
            ]
            passed = ", ".join([*needed, *(f"{part}: ${part}" for part in given)])
            inner = f"{name}({passed}) {{ __typename pageInfo {{ endCursor }} }}"
            if kind == "Query":
                told = await place.owner.say(f"query ({declared}) {{ {inner} }}", **given)
            else:
                text = f"query ($id: ID!, {declared}) {{ node(id: $id) {{ ... on {kind} {{ {inner} }} }} }}"
                told = await place.owner.say(text, id=place.ids[kind], **given)
            assert codes(told) in (["BAD_REQUEST"], ["LIMITED"]), (kind, name, given, told)
            assert said in told["errors"][0]["message"], (kind, name, given, told)
