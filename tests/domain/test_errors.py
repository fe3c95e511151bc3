"""Reasons are gathered, and refused together."""

import pytest

from domain.errors import Conflict, DomainError, Invalid, Problem, Reasons, Required


def test_without_reasons_nothing_is_refused() -> None:
    reasons = Reasons()
    with reasons.gathered():
        pass
    reasons.refuse()


def test_one_reason_is_refused_as_it_is() -> None:
    reasons, error = Reasons(), Conflict("moved on", field="expectedVersion", current=object())
    with reasons.gathered():
        raise error
    with pytest.raises(Conflict) as refused:
        reasons.refuse()
    assert refused.value is error


def test_several_are_refused_with_all_their_problems_in_order() -> None:
    reasons = Reasons()
    with reasons.gathered():
        raise Required("no name", field="name")
    with reasons.gathered():
        raise DomainError.of(
            [Problem(Invalid.code, "too low", ("low",)), Problem(Invalid.code, "too high", ("high",))]
        )
    with pytest.raises(DomainError) as refused:
        reasons.refuse()
    assert [problem.field for problem in refused.value.problems] == [("name",), ("low",), ("high",)]
    assert str(refused.value) == "no name; too low; too high"


def test_what_is_no_refusal_is_not_gathered() -> None:
    reasons = Reasons()
    with pytest.raises(RuntimeError), reasons.gathered():
        raise RuntimeError
    reasons.refuse()
