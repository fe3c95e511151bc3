"""What was released stays, unless it was deprecated first and its day has come."""

from datetime import date
from pathlib import Path

import pytest
import strawberry
from graphql import build_schema

from api.context import Context
from api.deprecating import Deprecations, deprecated
from domain.access import Principal, Role
from domain.figures import DEPRECATED_USES
from tests.architecture.sources import ROOT
from tests.contract.changes import REMOVED_AFTER, breaches

RELEASED = Path(__file__).parent / "released.graphql"
TODAY = date(2026, 11, 22)
OLD = """
type Query { task(id: ID, state: State): Task  old: Int @deprecated(reason: "use task; removed after 2026-11-01") }
type Task { id: ID!  title: String  due(zone: String @deprecated(reason: "removed after 2026-11-01"), at: Int): Int }
enum State { OPEN DONE GONE @deprecated(reason: "removed after 2026-11-01") }
input Draft { title: String }
type Mutation { open(draft: Draft): Task }
"""


def test_nothing_that_was_released_is_broken_unannounced() -> None:
    now = (ROOT / "schema.graphql").read_text()
    assert breaches(RELEASED.read_text(), now, date.today()) == []


def test_what_is_deprecated_says_when_it_goes() -> None:
    found = deprecated(build_schema((ROOT / "schema.graphql").read_text()))
    assert [place for place, reason in found.items() if not REMOVED_AFTER.search(reason)] == []


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("  title: String  due", "  due"),  # a field is removed
        ("id: ID!", "id: ID"),  # it may be null
        ("title: String  due", "title: Int  due"),  # it is of another type
        ("task(id: ID, ", "task(id: ID!, "),  # an argument is needed
        (", at: Int)", ")"),  # it is removed
        (", at: Int)", ", at: Int, by: Int!)"),  # another one is needed
        ("OPEN DONE", "OPEN"),  # a value is removed
        ("{ title: String }", "{ title: String by: ID! }"),  # more has to be said
        ("type Mutation { open(draft: Draft): Task }", "type Mutation { start: Task }"),
    ],
)
def test_a_break_is_noticed(was: str, becomes: str) -> None:
    assert was in OLD
    assert breaches(OLD, OLD.replace(was, becomes), TODAY)


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ('  old: Int @deprecated(reason: "use task; removed after 2026-11-01")', ""),
        ('zone: String @deprecated(reason: "removed after 2026-11-01"), ', ""),
        (' GONE @deprecated(reason: "removed after 2026-11-01")', ""),
    ],
)
def test_what_was_announced_goes_when_its_day_has_come(was: str, becomes: str) -> None:
    assert was in OLD
    assert breaches(OLD, OLD.replace(was, becomes), TODAY) == []
    assert len(breaches(OLD, OLD.replace(was, becomes), date(2026, 11, 1))) == 1


def test_more_than_there_was_is_no_break() -> None:
    more = OLD.replace("id: ID!", "id: ID!  more(by: Int): Int").replace("OPEN DONE", "OPEN DONE LATER")
    assert breaches(OLD, more, TODAY) == []


async def test_uses_of_what_is_deprecated_are_counted_by_key() -> None:
    @strawberry.type
    class Query:
        @strawberry.field(deprecation_reason="use new; removed after 2027-01-01")
        def old(self) -> int:
            return 1

        @strawberry.field
        def new(self) -> int:
            return 1

    schema = strawberry.Schema(Query, extensions=[Deprecations])

    def counted(caller: str) -> float:
        return DEPRECATED_USES.labels("Query.old", caller)._value.get()

    for number, query in ((11, "{ old }"), (11, "{ ...A } fragment A on Query { x: old }"), (12, "{ new }")):
        who = Principal(1, Role.OWNER, "api_key", number)
        assert (await schema.execute(query, context_value=Context(who))).errors is None
    assert (counted("api_key:11"), counted("api_key:12")) == (2, 0)
