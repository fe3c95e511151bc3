"""Who may ask what: a policy on every root field, printed in its description."""

import functools
from collections.abc import Callable, Collection
from typing import Any

import strawberry
from strawberry.extensions import FieldExtension
from strawberry.types.field import StrawberryField
from tortoise.exceptions import ValidationError

from api.context import Info, who
from api.errors import Code, bad_request, coded
from api.mapping import LEFT, masked_column
from domain.access import EVERYONE, Role
from domain.errors import DomainError


def _named(allow: frozenset[Role]) -> str:
    return f"For: {'every role' if allow == EVERYONE else ', '.join(r.value for r in Role if r in allow)}."


def _check(info: Info, allow: frozenset[Role]) -> None:
    principal = who(info)
    if principal.role not in allow:
        raise coded(Code.FORBIDDEN, f"{info.field_name} is not for the role {principal.role.value}")
    if principal.scopes and info.field_name not in principal.scopes:
        raise coded(Code.FORBIDDEN, f"this API key's scopes do not name {info.field_name}")


class Policy(FieldExtension):
    """Lets the roles named in, and no others; an API key also needs the operation among its scopes."""

    def __init__(self, allow: Collection[Role]) -> None:
        self.allow = frozenset(allow)

    def apply(self, field: StrawberryField) -> None:
        field.description = f"{field.description}\n\n{_named(self.allow)}"

    def check(self, info: Info) -> None:
        """Raises GraphQLError where the caller may not ask this."""
        _check(info, self.allow)

    async def resolve_async(self, next_: Any, source: Any, info: Any, **kwargs: Any) -> Any:
        self.check(info)
        try:
            return await next_(source, info, **kwargs)
        except DomainError as error:
            raise bad_request(error) from error


def query(
    description: str, allow: Collection[Role] = EVERYONE, *, left: bool = False
) -> Callable[[Callable[..., Any]], Any]:
    """A root field of Query. The resolver asks one domain query; `left`: and may leave it unread."""
    return lambda resolver: strawberry.field(
        resolver=resolver,
        description=description,
        extensions=[Policy(allow)],
        metadata=LEFT if left else None,
    )


def masked(value: str | None, info: Info) -> str | None:
    """A personal field as this caller may see it: for some roles only its first and last characters."""
    if value is None or who(info).sees_personal:
        return value
    kept = 1 if len(value) < 8 else 2
    return value[:kept] + "*" * max(3, len(value) - 2 * kept) + (value[-kept:] if len(value) > 4 else "")


def personal(column: str, description: str) -> Any:
    """A field with a person's data, read from a column of the row and masked by role (S2-64)."""

    def resolver(self: Any, info: Info) -> str | None:
        return masked(getattr(self, column), info)

    return strawberry.field(
        resolver=resolver,
        description=f"{description} Masked for roles that do not see personal data.",
        metadata=masked_column(column),
    )


def subscription(description: str, allow: Collection[Role] = EVERYONE) -> Callable[[Callable[..., Any]], Any]:
    """A root field of Subscription; who may subscribe is checked before each event."""
    allowed = frozenset(allow)

    def declare(resolver: Callable[..., Any]) -> Any:
        @functools.wraps(resolver)
        async def checked(self: Any, info: Any, **kwargs: Any) -> Any:
            _check(info, allowed)
            try:
                async for event in resolver(self, info, **kwargs):
                    _check(info, allowed)  # the caller's role may have changed since
                    yield event
            except DomainError as error:
                raise bad_request(error) from error
            except ValidationError:  # Tortoise looks for no text that is longer than its column
                raise coded(Code.BAD_REQUEST, "where: a text is longer than any that is stored") from None

        return strawberry.subscription(resolver=checked, description=f"{description}\n\n{_named(allowed)}")

    return declare
