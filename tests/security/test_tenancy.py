"""Nothing crosses from one workspace to another: not by id, filter, cursor, key, count, feed or file."""

from typing import Any

import pytest
from graphql import build_schema

from tests.security import surface
from tests.security.calls import ANY_ID, Unknown, type_of_id
from tests.security.conftest import Place, on_sqlite
from tests.security.filling import ids_of_nothing
from tests.security.rows import differences, snapshot
from tests.security.surface import Leaf

ROOT = {"Query": "query", "Mutation": "mutation"}
IDS = list(surface.fields_with("ID"))


def kind_of(field: str, leaf: Leaf) -> str:
    return "Task" if (field, leaf.name) in ANY_ID else type_of_id(field, leaf.path)


async def answers(ours: Place, owner: str, field: str, leaf: Leaf, value: str) -> dict[str, Any]:
    """What our owner is told when this id stands at this place of an otherwise valid call."""
    if owner in ROOT:
        given = surface.with_value(ours.valid(field), leaf, value)
        if (field, leaf.name) in (("customer", "id"), ("segment", "id")):
            given = {"id": value}
        return await ours.owner.call(ROOT[owner], field, given, depth=1)
    # A field of an object, reached through the object's own id.
    parent = surface.SDL.get_type(owner)
    argument = parent.fields[field].args[leaf.path[0]]  # type: ignore[union-attr]
    given = surface.with_value({}, leaf, value)
    return await ours.owner.say(
        f"query ($id: ID!, $given: {argument.type}) {{ node(id: $id) {{ ... on {owner} "
        f"{{ {field}({leaf.path[0]}: $given) {{ totalCount nodes {{ id }} }} }} }} }}",
        id=ours.ids[owner],
        given=given[leaf.path[0]],
    )


async def test_an_id_of_another_workspace_is_answered_as_one_that_never_was(
    place: Place, stranger: Place
) -> None:
    theirs, everything = await snapshot(stranger.house.id), await snapshot()
    nothing = ids_of_nothing()
    for owner, field, leaf in IDS:
        if owner == "Subscription":
            continue
        kind = kind_of(field, leaf)
        at = f"{owner}.{field}({leaf.name})"
        never = await answers(place, owner, field, leaf, nothing[kind])
        foreign = await answers(place, owner, field, leaf, stranger.ids[kind])
        assert foreign == never, at
        assert "errors" not in foreign, (at, foreign)
        if owner == "Mutation":
            (reason,) = foreign["data"][field]["userErrors"]
            told = (reason["code"], reason["field"][-1:])
            assert told == ("NOT_FOUND", [leaf.path[-1]]), (at, reason)
        else:
            own = await answers(place, owner, field, leaf, place.ids[kind])
            assert "errors" not in own and own != never, f"{at} is not even told apart by our own {kind}"
    assert differences(theirs, await snapshot(stranger.house.id)) == {}
    assert differences(everything, await snapshot()) == {}


@on_sqlite
async def test_node_and_nodes_give_nothing_of_another_workspace(place: Place, stranger: Place) -> None:
    for kind, value in stranger.ids.items():
        told = await place.owner.say(
            "query ($id: ID!, $ids: [ID!]!) { node(id: $id) { id } nodes(ids: $ids) { id } }",
            id=value,
            ids=[value, place.ids["Customer"]],
        )
        assert told["data"] == {"node": None, "nodes": [None, {"id": place.ids["Customer"]}]}, kind
    every = [place.ids[kind] for kind in place.ids if kind != "File"]
    told = await place.owner.say("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=every)
    assert [node["id"] for node in told["data"]["nodes"]] == every


async def test_a_filter_that_negates_or_joins_does_not_reach_over_either(
    place: Place, stranger: Place
) -> None:
    text = "query ($where: TaskWhere) { tasks(where: $where, first: 100) { totalCount nodes { id } } }"
    all_ours = await place.owner.say(text)
    assert all_ours["data"]["tasks"]["totalCount"] > 1
    theirs = {"customer": {"in": [stranger.ids["Customer"]]}}
    for where in ({"not": theirs}, {"or": [theirs, {"not": theirs}]}, {"and": [{"not": theirs}]}):
        assert await place.owner.say(text, where=where) == all_ours
    nobody = {"data": {"tasks": {"totalCount": 0, "nodes": []}}}
    for where in (theirs, {"or": [theirs]}, {"not": {"not": theirs}}):
        assert await place.owner.say(text, where=where) == nobody


def test_an_id_argument_that_nobody_described_is_noticed() -> None:
    grown = build_schema("type Query { invoice(input: Asked): Int } input Asked { ledgerId: ID } ")
    ((_, field, leaf),) = surface.fields_with("ID", grown)
    assert (field, leaf.name) == ("invoice", "input.ledgerId")
    with pytest.raises(Unknown, match=r"invoice\(input\.ledgerId\)"):
        kind_of(field, leaf)
