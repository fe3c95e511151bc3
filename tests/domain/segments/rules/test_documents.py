"""What a rule may say, and that a refusal names the limit, the value and the place."""

from typing import Any

import pytest

from domain import segments
from domain.errors import DomainError
from domain.segments.rules.documents import DEEPEST, MOST_CONDITIONS

LEAF = {"tags": {"any": ["a"]}}


def _nested(depth: int) -> dict[str, Any]:
    document: dict[str, Any] = LEAF
    for _ in range(depth - 1):
        document = {"not": document}
    return document


def _refused(document: Any) -> list[tuple[str, str]]:
    with pytest.raises(DomainError) as caught:
        segments.condition_of(document)
    return [(problem.message, ".".join(problem.field)) for problem in caught.value.problems]


def test_a_rule_nests_so_deep_and_no_deeper() -> None:
    assert segments.condition_of(_nested(DEEPEST))
    ((message, place),) = _refused(_nested(DEEPEST + 1))
    assert message == f"conditions nest at most {DEEPEST} deep, got {DEEPEST + 1}"
    assert place == "condition" + ".not" * DEEPEST


def test_a_rule_has_so_many_conditions_and_no_more() -> None:
    assert segments.condition_of({"all": [LEAF] * (MOST_CONDITIONS - 1)})
    ((message, place),) = _refused({"all": [LEAF] * (MOST_CONDITIONS + 3)})
    assert message == f"a rule has at most {MOST_CONDITIONS} conditions, got more from here on"
    assert place == f"condition.all.{MOST_CONDITIONS - 1}"


@pytest.mark.parametrize(
    ("document", "message", "place"),
    [
        ({}, "a condition is exactly one of its kinds, got 0", "condition"),
        ({**LEAF, "not": LEAF}, "a condition is exactly one of its kinds, got 2", "condition"),
        ([], "a condition is exactly one of its kinds, got 0", "condition"),
        ({"all": []}, "all needs at least one condition", "condition.all"),
        ({"health": {"gte": 1}}, "there is no kind of condition 'health'", "condition.health"),
        ({"tags": {"any": ["a"] * 101}}, "any has at most 100 values, got 101", "condition.tags.any"),
        ({"tags": {"any": [" "]}}, "any is empty", "condition.tags.any"),
        ({"profile": {}}, "profile says nothing", "condition.profile"),
        ({"profile": {"known": ["AGE"]}}, "known is one of NAME, COMPANY, PHONE, EMAIL, OWNER", "condition.profile.known"),
        ({"orders": {"window": {"days": 3}}}, "orders need a count, total, average, firstAt or lastAt", "condition.orders"),
        ({"orders": {"count": {"gte": -1}}}, "gte is between 0 and 1000000, got -1", "condition.orders.count.gte"),
        ({"orders": {"count": {"gte": True}}}, "gte is a whole number", "condition.orders.count.gte"),
        ({"orders": {"first_at": {"within_days": 9999}}}, "withinDays is between 1 and 3660, got 9999", "condition.orders.firstAt.withinDays"),
        ({"orders": {"last_at": {"gte": "soon"}}}, "gte is not an instant", "condition.orders.lastAt.gte"),
        ({"events": {"name": "x", "window": {"days": 3, "months": 1}}}, "a window begins by days, months or since: one of them", "condition.events.window"),
        ({"events": {"count": {"gte": 1}}}, "events needs name", "condition.events"),
        ({"date": {"field": "REGISTERED_AT"}}, "date needs test", "condition.date"),
        ({"ranked": {"by": "MONETARY", "top_percent": 0}}, "topPercent is between 1 and 100, got 0", "condition.ranked.topPercent"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_limit_the_value_and_the_place(
    document: dict[str, Any], message: str, place: str
) -> None:
    assert _refused(document) == [(message, place)]


def test_everything_that_is_wrong_is_refused_together() -> None:
    found = _refused({"all": [{"orders": {"count": {"gte": -1}}}, LEAF, {"tags": {"any": []}}]})
    assert [place for _, place in found] == ["condition.all.0.orders.count.gte", "condition.all.2.tags.any"]


def test_a_rule_comes_back_from_its_document_as_it_was() -> None:
    document = {
        "all": [
            {"orders": {"total": {"gt": 10_000_000}, "window": {"months": 12}, "statuses": ["PAID"]}},
            {"not": {"any": [{"events": {"name": "login", "last_at": {"within_days": 30}}}, LEAF]}},
            {"date": {"field": "REGISTERED_AT", "test": {"gte": "2024-01-01T00:00:00+00:00"}}},
        ]
    }
    assert segments.document_of(segments.condition_of(document)) == document
