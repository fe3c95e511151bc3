"""Every mutation: one transaction, once per idempotency key, and a refusal where the business says no."""

from collections.abc import Callable, Collection
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Annotated, Any, TypeVar, dataclass_transform

import strawberry
from graphql import get_named_type
from strawberry.annotation import StrawberryAnnotation
from strawberry.extensions import FieldExtension
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField

from api import nodes
from api.context import Info, who
from api.nodes import Node
from api.permissions import Policy
from domain import db, idempotency
from domain.access import Role
from domain.errors import DomainError, ErrorCode, NotFound
from domain.figures import REFUSALS

C = TypeVar("C")
_payloads: dict[str, type[Any]] = {}


@strawberry.type(description="One reason why something was refused.")
class UserError:
    code: ErrorCode = strawberry.field(description="The kind of reason.")
    message: str = strawberry.field(description="What is wrong, for a developer to read.")
    field: list[str] = strawberry.field(
        description="Path of the offending input; empty when it is no one field."
    )


@strawberry.type(description="The business said no, and nothing was changed.")
class Refusal:
    user_errors: list[UserError] = strawberry.field(
        description="Every reason found among the values given. Whether a version or a state fits is "
        "looked at when they will do, and then the first reason is given."
    )
    current: Node | None = strawberry.field(
        description="The object as it is now, where the caller had seen another version of it."
    )


def refusal(error: DomainError, info: Any) -> Refusal:
    for problem in error.problems:
        REFUSALS.labels(problem.code.value).inc()
    current = error.current if type(error.current) in nodes._names else None
    return Refusal(
        user_errors=[
            UserError(code=problem.code, message=problem.message, field=_located(problem.field, info))
            for problem in error.problems
        ],
        current=current,  # type: ignore[arg-type]
    )


def _located(field: tuple[str, ...], info: Any) -> list[str]:
    """The path from the mutation's arguments on: a concept may name a value of `input` without saying so."""
    raw = info._raw_info
    arguments = raw.parent_type.fields[raw.field_name].args
    within = get_named_type(arguments["input"].type).fields if "input" in arguments else {}
    if field and field[0] not in arguments and field[0] in within:
        return ["input", *field]
    return list(field)


@dataclass_transform(kw_only_default=True, field_specifiers=(strawberry.field,))
def payload(description: str) -> Callable[[type[C]], type[C]]:
    """Declare the type of a mutation's success. Its fields hold rows of node types or plain values."""

    def declare(cls: type[C]) -> type[C]:
        made = strawberry.type(cls, description=description)
        _payloads[cls.__name__] = made
        return made

    return declare


class _Mutating(FieldExtension):
    """Adds `idempotencyKey`, and turns a DomainError into a Refusal after rolling everything back."""

    def apply(self, field: StrawberryField) -> None:
        field.arguments = [
            *field.arguments,
            StrawberryArgument(
                python_name="idempotency_key",
                graphql_name="idempotencyKey",
                type_annotation=StrawberryAnnotation(str | None),
                description="The same key with the same input gives the first result and does nothing again; "
                "kept for at least 24 hours.",
                default=None,
            ),
        ]

    async def resolve_async(self, next_: Any, source: Any, info: Any, **kwargs: Any) -> Any:
        return await db.again_after_a_clash(lambda: self._once(next_, source, info, **kwargs))

    async def _once(self, next_: Any, source: Any, info: Any, **kwargs: Any) -> Any:
        key: str | None = kwargs.pop("idempotency_key", None)
        try:
            async with db.transaction():
                if key is None:
                    return await next_(source, info, **kwargs)
                caller = who(info)
                earlier = await idempotency.begin(
                    caller, key, info.field_name, idempotency.fingerprint(_plain(kwargs))
                )
                if earlier is not None:
                    return await _restore(info, earlier)
                result = await next_(source, info, **kwargs)
                await idempotency.finish(caller, key, _stored(result))
                return result
        except DomainError as error:
            return refusal(error, info)


def mutation(description: str, allow: Collection[Role]) -> Callable[[Callable[..., Any]], Any]:
    """A root field of Mutation: the resolver calls one domain action and returns its payload.

    Its annotation is `Annotated[XPayload | Refusal, result("X")]`.
    """
    # The last extension is the outermost: who may not ask never takes a key or opens a transaction.
    return lambda resolver: strawberry.field(
        resolver=resolver, description=description, extensions=[_Mutating(), Policy(allow)]
    )


def result(name: str) -> Any:
    """The union of a mutation's payload and a refusal."""
    return strawberry.union(name, description="What was done, or why it was refused.")


def _plain(value: Any) -> Any:
    """An input as plain data, for its fingerprint; what was left out stays out."""
    if is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: _plain(getattr(value, f.name))
            for f in fields(value)
            if getattr(value, f.name) is not strawberry.UNSET
        }
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items() if item is not strawberry.UNSET}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value


def _stored(result: Any) -> dict[str, Any]:
    """A payload as references to rows: nothing personal, and no secret, is stored with a key."""
    kept: dict[str, Any] = {}
    for field in fields(result):
        value = getattr(result, field.name)
        if type(value) in nodes._names:
            kept[field.name] = {"node": nodes.name_of(value), "id": value.id}
        elif isinstance(value, bool | int) or (isinstance(value, list) and not value):
            kept[field.name] = value
    return {"payload": type(result).__name__, "fields": kept}


async def _restore(info: Info, earlier: dict[str, Any]) -> Any:
    """The stored result, with its rows as they are now.

    Raises:
        NotFound: the caller may no longer see one of them.
    """
    cls = _payloads[earlier["payload"]]
    values: dict[str, Any] = {field.name: None for field in fields(cls) if field.init}
    for name, kept in earlier["fields"].items():
        if isinstance(kept, dict):
            kind = nodes.kinds[kept["node"]]
            values[name] = (await kind.visible(who(info), [kept["id"]])).get(kept["id"])
            if values[name] is None:
                raise NotFound("it was done, and what it was done to is no longer yours to see")
        else:
            values[name] = kept
    return cls(**values)


Expected = Annotated[
    int | None,
    strawberry.argument(description="The version you saw; refused with CONFLICT when it is another now."),
]
