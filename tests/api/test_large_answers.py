"""Lists without a size: each is priced, what they come to is charged, and no answer grows without bounds."""

import time
from typing import Any

import pytest
from graphql import (
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
)

from api.context import Context
from api.engine import Executor
from api.limits import SIZES, Allowance, Bounds, Buckets, Terms
from api.schema import schema
from domain import db, workspaces
from domain.access import Role
from tests.api.engine.test_events import heard
from tests.api.test_rationing import asked, told
from tests.conftest import House
from tests.servers import Valkey

CORE = "__schema { queryType { name } }"
"""What asks for it is answered by graphql-core."""
paths = pytest.mark.parametrize("also", ["", CORE], ids=["compiled", "graphql-core"])


def lists() -> dict[tuple[str, str], Any]:
    """The lists of objects in the schema that no argument gives a size and no connection pages."""
    found = {}
    for kind in schema._schema.type_map.values():
        if not isinstance(kind, GraphQLObjectType | GraphQLInterfaceType) or kind.name.startswith("__"):
            continue
        paged = "pageInfo" in kind.fields
        for name, field in kind.fields.items():
            many = isinstance(get_nullable_type(field.type), GraphQLList)
            sized = "first" in field.args or any(
                isinstance(get_nullable_type(each.type), GraphQLList) for each in field.args.values()
            )
            if many and not sized and not paged and not is_leaf_type(get_named_type(field.type)):
                found[kind.name, name] = field
    return found


def test_each_list_is_a_page_or_sized_by_an_argument_or_its_size_is_declared() -> None:
    assert set(SIZES) == set(lists())
    assert all(size > 0 for size in SIZES.values())
    # A list of lists would be counted once.
    for field in lists().values():
        inner: Any = get_nullable_type(field.type)
        below = inner.of_type.of_type if isinstance(inner.of_type, GraphQLNonNull) else inner.of_type
        assert not isinstance(below, GraphQLList)


async def crowd(house: House, size: int) -> None:
    """So many staff, all in the one team."""
    with db.within(house.id):
        (team,) = await workspaces.models.Team.filter(workspace_id=house.id)
        for number in range(size - len(house.staff)):
            user = await workspaces.add_user(house.id, f"U{number}", f"u{number}@x.test", Role.EXECUTOR)
            await workspaces.join_team(team, user)


@pytest.mark.one_path
async def test_the_cost_counts_what_a_list_is_taken_to_hold(house: House) -> None:
    for document, cost in (
        ("{ staff { name } }", 1 + 50),
        ("{ teams { members { name } } }", 1 + 20 * (1 + 20)),
        ("{ strategyMatrix { count kpis { code } } }", 1 + 15 * (1 + 2)),
        ("{ kpis { history(first: 30) { at } } }", 1 + 4 * (1 + 30)),
        ("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", 1 + 3),
    ):
        result = await asked(house, document, Terms(), ids=["a", "b", "c"])
        assert result.extensions["cost"]["requested"] == cost, document
    around = "{ staff { teams { members { teams { members { name } } } } } }"
    refused = told(await asked(house, around, Terms()))
    assert (refused["code"], refused["limit"]) == ("LIMITED", "cost")


@pytest.mark.one_path
@paths
async def test_an_answer_is_ended_where_it_holds_too_many_objects(house: House, also: str) -> None:
    await crowd(house, 101)
    terms = Terms(buckets=Buckets(20_000, 0.001))
    document = "{ staff { teams { members { name } } } " + also + " }"
    result = await asked(house, document, terms)
    error = told(result)
    assert result.data is None
    assert (error["code"], error["limit"], error["maximum"]) == ("LIMITED", "objects", Bounds.objects)
    assert error["measured"] > Bounds.objects
    cost = result.extensions["cost"]
    assert cost["actual"] >= cost["requested"]
    await asked(house, "{ __typename }", terms)
    again = await asked(house, "{ __typename }", terms)
    assert again.extensions["cost"]["throttle"]["currentlyAvailable"] == 20_000 - cost["actual"] - 2


@pytest.mark.one_path
@paths
async def test_what_was_used_above_what_was_asked_for_is_owed(house: House, also: str) -> None:
    await crowd(house, 80)
    terms = Terms(buckets=Buckets(1_000, 0.001))
    document = "{ viewer { user { teams { members { name } } } } " + also + " }"
    result = await asked(house, document, terms)
    assert result.errors is None
    cost = result.extensions["cost"]
    own = 1 + 1 + 1 + 1 + 80
    assert cost["requested"] == 1 + 1 + 1 + 3 * (1 + 20) + (100 if also else 0)
    assert cost["actual"] == (own + 2 if also else own)
    left = cost["throttle"]["currentlyAvailable"]
    assert left == 1_000 - cost["actual"]
    then = await asked(house, "{ __typename }", terms)
    assert then.extensions["cost"]["throttle"]["currentlyAvailable"] == left - 1


async def test_what_is_owed_is_taken_from_the_bucket_and_from_the_shared_one(valkey_server: Valkey) -> None:
    valkey_server.start()
    for buckets in (Buckets(100, 0.001), Buckets(100, 0.001, valkey_server.url)):
        buckets.give_back("new", -30)
        assert (await buckets.take("new", 10)).available == pytest.approx(60, abs=0.1)
        buckets.give_back("new", -90)
        refused = await buckets.take("new", 1)
        assert (refused.taken, refused.available) == (False, pytest.approx(-30, abs=0.1))
        await buckets.close()


@pytest.mark.one_path
@paths
async def test_work_that_waits_for_nothing_ends_in_its_time_too(
    house: House, monkeypatch: pytest.MonkeyPatch, also: str
) -> None:
    real = workspaces.staff

    async def slow(*given: Any) -> Any:
        found = await real(*given)
        time.sleep(0.4)  # nobody else comes by to look at the time
        return found

    monkeypatch.setattr(workspaces, "staff", slow)
    result = await asked(house, "{ staff { name } " + also + " }", Terms(operation_seconds=0.3))
    assert told(result) == {"code": "LIMITED", "limit": "seconds", "maximum": 0.3, "measured": 0.3}
    assert result.data is None


@pytest.mark.parametrize("compiled", [True, False])
async def test_an_event_has_its_bound_too_and_the_next_one_its_own(
    monkeypatch: pytest.MonkeyPatch, compiled: bool
) -> None:
    if not compiled:
        monkeypatch.setattr(Executor, "_compiled", None)
    document = "subscription ($names: [String!]!, $more: Boolean!) { fallen(names: $names) { name beside @include(if: $more) { name } } }"
    monkeypatch.setattr(Allowance.__init__, "__defaults__", (2, None))
    assert [each.errors for each in await heard(document, names=["fig"] * 5, more=False)] == [None] * 5
    (over,) = await heard(document, names=["fig"], more=True)
    assert [each.extensions["limit"] for each in over.errors] == ["objects"]


async def test_a_read_within_its_bounds_is_told_what_it_came_to(house: House) -> None:
    result = await schema.execute("{ staff { name teams { name } } }", context_value=Context(house.owner))
    assert result.errors is None
    assert result.extensions["cost"] == {"requested": 1 + 50 * 4, "actual": 1 + len(house.staff) * 2}
