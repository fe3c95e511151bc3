"""Subscriptions are told together only if what they are shown is the same."""

from typing import Any

import pytest

from api.edge.reading import Asked
from api.live import grouping
from api.live.grouping import shape_of

FEED = "subscription ($a: String) { taskChanged(after: $a) { cursor task { title } } }"


def shape(query: str, name: str | None = None, **variables: Any) -> Any:
    found = shape_of(Asked(query, variables, name, None))
    assert found is not None
    return found


def test_where_each_begins_is_of_no_matter() -> None:
    assert shape(FEED, a="X") == shape(FEED, a="Y") == shape(FEED)
    spaced = FEED.replace("$a", "$ #here\n , a")
    assert shape(spaced, a="X") == shape(spaced, a="Y")
    assert shape(FEED, a="X", b=1) != shape(FEED, a="X", b=2)


@pytest.mark.parametrize("variable", ["$a", "$ a", "$\ta", "$,a", "$ # a comment\n a"])
@pytest.mark.parametrize(
    "query",
    [
        "subscription ($a: String) { taskChanged(after: $a) { task { customer { tasks(after: HERE) { totalCount } } } } }",
        "subscription ($a: Boolean!) { taskChanged(after: $a) { cursor @include(if: HERE) } }",
        "subscription ($a: String) { taskChanged(after: $a, where: {name: [HERE]}) { cursor } }",
        "subscription ($a: Int) { taskChanged(after: $a) { ...F } } fragment F on TaskChange { task { title(x: HERE) } }",
    ],
)
def test_a_variable_that_is_used_elsewhere_too_is_no_mere_place(query: str, variable: str) -> None:
    query = query.replace("HERE", variable)
    assert shape(query, a="X") != shape(query, a="Y")


def test_a_name_within_a_text_or_a_comment_is_not_a_use() -> None:
    said = FEED.replace("taskChanged(", 'taskChanged(label: "$a", ').replace("cursor", "cursor # $a\n")
    assert shape(said, a="X") == shape(said, a="Y")


def test_a_text_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    parse = grouping.parse

    def noted(text: Any, **how: Any) -> Any:
        read.append(text)
        return parse(text, **how)

    monkeypatch.setattr(grouping, "parse", noted)
    two = "subscription A($a: String) { taskChanged(after: $a) { cursor } } subscription B { taskChanged { at } }"
    text = f"{two} # {test_a_text_is_read_once.__name__}"
    assert shape(text, "A", a="X") == shape(text, "A", a="Y") != shape(text, "B")
    assert read == [text, text]  # once for each of its operations
    long = text + " " * grouping.LONGEST
    assert shape(long, "A") == shape(long, "A")
    assert read[2:] == [long, long]  # what is long is not kept


def test_what_is_no_subscription_or_cannot_be_read_has_no_shape() -> None:
    for query in (
        None,
        "",
        "{ subscription }",
        "subscription {",
        "subscription A { a } subscription B { a }",
    ):
        assert shape_of(Asked(query, None, None, None)) is None
