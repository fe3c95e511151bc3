"""Every root field says who may ask, and a field that does not is found."""

from collections.abc import AsyncIterator
from typing import Any

import strawberry
from strawberry.types.base import get_object_definition

from api.context import Context, Info
from api.permissions import Policy, query, subscription
from api.schema import schema
from domain.access import Principal, Role
from tests.security import surface


def without_policy(made: strawberry.Schema) -> list[str]:
    """Root fields that nothing guards: no Policy on them, or none that their description prints."""
    found = []
    for root in (made.query, made.mutation, made.subscription):
        if root is None:
            continue
        definition = get_object_definition(root, strict=True)
        for field in definition.fields:
            policies = [extension for extension in field.extensions if isinstance(extension, Policy)]
            # A subscription is checked by its wrapped resolver: no extension runs for each event.
            guarded = definition.name == "Subscription" or len(policies) == 1
            if not guarded or "\n\nFor: " not in (field.description or ""):
                found.append(f"{definition.name}.{field.python_name}")
    return found


def test_every_root_field_has_a_policy() -> None:
    assert without_policy(schema) == []


def test_a_root_field_without_a_policy_is_found() -> None:
    @strawberry.type
    class Query:
        @query("Guarded.")
        async def guarded(self) -> int:
            return 1

        @strawberry.field(description="For: every role.")
        async def pretends(self) -> int:
            return 1

        bare: int = 1

    @strawberry.type
    class Mutation:
        @strawberry.mutation(description="Changes all.")
        async def change(self) -> int:
            return 1

    @strawberry.type
    class Subscription:
        @strawberry.subscription(description="Tells all.")
        async def tell(self) -> AsyncIterator[int]:
            yield 1

        @subscription("Tells some.", allow={Role.OWNER})
        async def tell_some(self, info: Info) -> AsyncIterator[int]:
            yield 1

    planted = strawberry.Schema(Query, Mutation, Subscription)
    assert sorted(without_policy(planted)) == [
        "Mutation.change",
        "Query.bare",
        "Query.pretends",
        "Subscription.tell",
    ]


def test_every_role_named_in_a_description_is_a_role() -> None:
    for operation in ("query", "mutation", "subscription"):
        for name, field in surface.root(operation).fields.items():
            roles = surface.allowed(field)
            assert roles, name
            assert roles <= {role.value for role in Role}, name


async def test_a_subscription_asks_its_policy_before_the_first_event() -> None:
    @strawberry.type
    class Query:
        here: int = 1

    @strawberry.type
    class Subscription:
        @subscription("Tells some.", allow={Role.OWNER})
        async def tell(self, info: Info) -> AsyncIterator[int]:
            yield 1

    planted = strawberry.Schema(Query, subscription=Subscription)
    for role, told in ((Role.OWNER, None), (Role.ADMIN, "FORBIDDEN")):
        who = Principal(workspace_id=1, role=role, kind="user", id=1)
        stream: Any = await planted.subscribe("subscription { tell }", context_value=Context(who))
        event = await anext(stream)
        assert (event.errors[0].extensions["code"] if event.errors else None) == told
