"""Conditions as documents: what is kept of a rule, and how it is read again, whole or not at all."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any, cast

from domain.errors import Invalid, Reasons, Required
from domain.segments.rules import checks
from domain.segments.rules.checks import Place, said
from domain.segments.rules.conditions import (
    LEAVES,
    NAMES,
    AllOf,
    AnyOf,
    Bought,
    Condition,
    Leaf,
    Not,
    Window,
)

FORM = 1
"""The form of the documents written today; a later one reads these too."""
DEEPEST = 6
MOST_CONDITIONS = 40


@dataclass
class _Reading:
    """How many conditions were met so far, and all that is wrong with them."""

    reasons: Reasons = field(default_factory=Reasons)
    conditions: int = 0


def condition_of(document: Any, place: Place = ("condition",)) -> Condition:
    """The condition that a document says, every value checked.

    Raises:
        DomainError: it has faults, or breaks a limit; each with its place, in the API's spelling.
    """
    state = _Reading()
    found = _node(document, place, state, 1)
    state.reasons.refuse()
    assert found is not None
    return found


def _node(document: Any, place: Place, state: _Reading, depth: int) -> Condition | None:
    found: Condition | None = None
    with state.reasons.gathered():
        if depth > DEEPEST:
            raise Invalid(f"conditions nest at most {DEEPEST} deep, got {depth}", field=said(place))
        state.conditions += 1
        if state.conditions == MOST_CONDITIONS + 1:
            raise Invalid(
                f"a rule has at most {MOST_CONDITIONS} conditions, got more from here on", field=said(place)
            )
        if state.conditions > MOST_CONDITIONS:
            return None
        given = {
            name: value
            for name, value in (document.items() if isinstance(document, Mapping) else ())
            if value is not None
        }
        if len(given) != 1:
            raise Invalid(f"a condition is exactly one of its kinds, got {len(given)}", field=said(place))
        ((name, value),) = given.items()
        inner = (*place, checks.camel(str(name)))
        if name in ("all", "any"):
            found = _several(name, value, inner, state, depth)
        elif name == "not":
            negated = _node(value, inner, state, depth + 1)
            found = Not(negated) if negated is not None else None
        elif name in LEAVES:
            found = _leaf(LEAVES[name], value, inner)
        else:
            raise Invalid(f"there is no kind of condition {name!r}", field=said(inner))
    return found


def _several(name: str, value: Any, place: Place, state: _Reading, depth: int) -> Condition:
    if not isinstance(value, list | tuple) or not value:
        raise Required(f"{name} needs at least one condition", field=said(place))
    parts = [_node(each, (*place, str(number)), state, depth + 1) for number, each in enumerate(value)]
    kind = AllOf if name == "all" else AnyOf
    return kind(tuple(each for each in parts if each is not None))


def _leaf(kind: type[Any], value: Any, place: Place) -> Leaf:
    leaf = checks.record(kind, value, place)
    if isinstance(leaf, Bought) and not any(
        (leaf.count, leaf.total, leaf.average, leaf.first_at, leaf.last_at)
    ):
        raise Required("orders need a count, total, average, firstAt or lastAt", field=said(place))
    window: Window | None = getattr(leaf, "window", None)
    if window is not None:
        _check_window(window, (*place, "window"))
    return cast(Leaf, leaf)


def _check_window(window: Window, place: Place) -> None:
    named = sum((window.days is not None, window.months is not None, window.since is not None))
    if named > 1:
        raise Invalid("a window begins by days, months or since: one of them", field=said(place))
    if window.since is not None and window.until is not None and window.until < window.since:
        raise Invalid("until lies before since", field=said((*place, "until")))


def document_of(condition: Condition) -> dict[str, Any]:
    """A condition as plain data; `condition_of` makes the same condition of it again."""
    if isinstance(condition, AllOf | AnyOf):
        name = "all" if isinstance(condition, AllOf) else "any"
        return {name: [document_of(each) for each in condition.parts]}
    if isinstance(condition, Not):
        return {"not": document_of(condition.part)}
    return {NAMES[type(condition)]: _plain(condition)}


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        parts = {each.name: getattr(value, each.name) for each in fields(value)}
        return {name: _plain(given) for name, given in parts.items() if given is not None and given != ()}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Enum):
        return value.value
    return value.isoformat() if isinstance(value, datetime) else value
