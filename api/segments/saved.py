"""A rule as it is saved, read back: the types of its conditions mirror those in which it is written."""

from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from types import UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

import strawberry
from strawberry.types.base import get_object_definition

from api.connections import After, Before, Connection, First, Last, nested, part
from api.context import Info, load, who
from api.enums import publish
from api.errors import bad_request
from api.ids import global_id
from api.mapping import EACH, reads
from api.nodes import extends, row_type
from api.scalars import Money, MoneyInput, money
from api.segments import reading
from api.segments.conditions import IDS, SegmentCondition
from api.segments.types import Segment
from domain import segments
from domain.errors import DomainError
from domain.paging import Order
from domain.segments import PickMode

PREFIX = "Saved"
_made: dict[type[Any], type[Any]] = {}


class SegmentJoin(StrEnum):
    """How the conditions below one are joined."""

    ALL = "ALL"
    ANY = "ANY"
    NOT = "NOT"


publish(
    SegmentJoin,
    "How a condition of a rule joins those whose place begins with its own.",
    {"ALL": "Every one of them holds.", "ANY": "At least one holds.", "NOT": "The one below does not hold."},
)


def mirror(source: type[Any], *, name: str | None = None, **first: Any) -> type[Any]:
    """The output type with the fields of an input, as it was described there; parts are mirrored too."""
    if source in _made:
        return _made[source]
    definition = get_object_definition(source, strict=True)
    described = {each.python_name: each.description for each in definition.fields}
    hints = get_type_hints(source)
    space: dict[str, Any] = {"__annotations__": {}, "__module__": __name__}
    for added, (annotation, description) in first.items():
        space["__annotations__"][added] = annotation
        space[added] = strawberry.field(description=description)
    for each in fields(source):
        if source is SegmentCondition and each.name in ("all", "any", "not_"):
            continue
        space["__annotations__"][each.name] = _mirrored(hints[each.name])
        space[each.name] = strawberry.field(description=described[each.name])
    made = type(name or f"{PREFIX}{source.__name__}", (), space)
    _made[source] = strawberry.type(made, description=definition.description)
    return _made[source]


def _mirrored(hint: Any) -> Any:
    if get_origin(hint) in (Union, UnionType):
        (inner,) = [each for each in get_args(hint) if each is not type(None)]
        return _mirrored(inner) | None
    if get_origin(hint) is list:
        return list[_mirrored(get_args(hint)[0])]  # type: ignore[misc]
    if hint is MoneyInput:
        return Money
    return mirror(cast(type[Any], hint)) if is_dataclass(hint) else hint


SavedSegmentCondition = mirror(
    SegmentCondition,
    place=(list[str], "Where it stands in the rule, from its root, as `all`, `0`, `not`."),
    join=(SegmentJoin | None, "How it joins those below it; null for a single condition."),
)
get_object_definition(SavedSegmentCondition, strict=True).description = (
    "One condition of a rule, as it is saved: what joins others, or exactly one kind. What is written in "
    "`SegmentCondition` nested, comes as a list, root first, each with its place."
)


def _said(kind: Any, value: Any, currency: str, name: str = "") -> Any:
    """A part of a condition as its output type shows it."""
    if value is None or value == ():
        return None
    if name in IDS:
        ids = [global_id(IDS[name], each) for each in (value if isinstance(value, tuple) else (value,))]
        return ids if isinstance(value, tuple) else ids[0]
    if kind is MoneyInput:
        return money(value, currency)
    if is_dataclass(kind):
        hints = {each: _inner(hint) for each, hint in get_type_hints(kind).items()}
        given = {
            each.name: _said(hints[each.name], getattr(value, each.name, None), currency, each.name)
            for each in fields(kind)
        }
        return mirror(cast(type[Any], kind))(**given)
    return list(value) if isinstance(value, tuple) else value


def _inner(hint: Any) -> Any:
    if get_origin(hint) in (Union, UnionType):
        (hint,) = [each for each in get_args(hint) if each is not type(None)]
    return hint


KINDS = {name: _inner(hint) for name, hint in get_type_hints(SegmentCondition).items()}
NOTHING = dict.fromkeys(name for name in KINDS if name not in ("all", "any", "not_"))


def saved(rule: Any, currency: str) -> list[Any]:
    """A condition's nodes as clients read them."""
    return [
        SavedSegmentCondition(
            **NOTHING
            | {
                "place": list(place),
                "join": None if join is None else SegmentJoin(join),
            }
            | ({} if name is None else {name: _said(KINDS[name], leaf, currency)})
        )
        for place, join, name, leaf in segments.nodes(rule)
    ]


@row_type(segments.SegmentVersion, description="What a segment of the workspace's own holds, from when on.")
class SegmentVersion:
    number: int = strawberry.field(description="Counted from 1.")
    created_at: datetime = strawberry.field(description="When it was made, in business time.")
    actor: str = strawberry.field(description="Who made it, such as `user:3` or `api_key:5`.")

    @strawberry.field(
        description="The rule, root first; empty for a list made by hand.",
        metadata=reads("document"),
        graphql_type=list[SavedSegmentCondition],  # type: ignore[valid-type]
    )
    async def rule(self: Any, info: Info) -> Any:
        document = self.document.get("rule")
        if document is None:
            return []
        return saved(segments.condition_of(document), (await reading.workspace(info)).currency)

    @strawberry.field(
        description="How a list was changed by hand; null for a rule, and for a list's beginning.",
        metadata=reads("document"),
    )
    def mode(self: Any) -> PickMode | None:
        mode = self.document.get("mode")
        return None if mode is None else PickMode(mode)

    @strawberry.field(
        description="How many were added to a list; null as `mode` is.", metadata=reads("document")
    )
    def added(self: Any) -> int | None:
        return cast(int | None, self.document.get("added"))

    @strawberry.field(
        description="How many were taken out of a list; null as `mode` is.", metadata=reads("document")
    )
    def removed(self: Any) -> int | None:
        return cast(int | None, self.document.get("removed"))


@extends(Segment)
class SegmentHistory:
    @strawberry.field(
        description="What it holds now, as it was saved; null for a segment that every workspace has.",
        metadata=reads("id"),
    )
    async def definition(self: Any, info: Info) -> SegmentVersion | None:
        return cast(SegmentVersion | None, await load(info, segments.current, self.id))

    @strawberry.field(
        description="All that it has held, the latest first; nothing for one that every workspace has.",
        metadata=EACH,
    )
    async def versions(
        self: Any,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[SegmentVersion]:
        own = segments.history(who(info).workspace_id)
        try:
            page = part(first, last, after, before)
            order = Order("id", descending=True)
            found = await nested(info, "versions", own, "segment_id", self.id, order, page)
        except DomainError as error:
            raise bad_request(error) from error
        return cast(Connection[SegmentVersion], found)
