"""The schema is committed as it is, describes everything in it, and keeps the rules of its mutations."""

from collections.abc import Iterator

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
)

from tests.architecture.sources import ROOT


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    from api.schema import schema

    return schema._schema


def _own(schema: GraphQLSchema) -> Iterator[GraphQLNamedType]:
    built_in = {"String", "Int", "Float", "Boolean", "ID"}
    for name, kind in schema.type_map.items():
        if not name.startswith("__") and name not in built_in:
            yield kind


def undescribed(schema: GraphQLSchema) -> list[str]:
    """The types, fields, arguments, input fields and enum values that have no description."""
    found = []
    for kind in _own(schema):
        parts: list[tuple[str, str | None]] = [(kind.name, kind.description)]
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            for name, field in kind.fields.items():
                parts.append((f"{kind.name}.{name}", field.description))
                parts += [
                    (f"{kind.name}.{name}({argument})", a.description) for argument, a in field.args.items()
                ]
        elif isinstance(kind, GraphQLInputObjectType):
            parts += [(f"{kind.name}.{name}", item.description) for name, item in kind.fields.items()]
        elif isinstance(kind, GraphQLEnumType):
            parts += [(f"{kind.name}.{name}", item.description) for name, item in kind.values.items()]
        found += [name for name, text in parts if not (text or "").strip()]
    return found


def _roots(schema: GraphQLSchema) -> Iterator[GraphQLObjectType]:
    for root in (schema.query_type, schema.mutation_type, schema.subscription_type):
        if root is not None:
            yield root


def without_policy(schema: GraphQLSchema) -> list[str]:
    """Root fields whose description does not say who may ask."""
    return [
        f"{root.name}.{name}"
        for root in _roots(schema)
        for name, field in root.fields.items()
        if not (field.description or "").rpartition("\n")[2].startswith("For: ")
    ]


def irregular_mutations(schema: GraphQLSchema) -> list[str]:
    """Mutations without `idempotencyKey: String`, or whose result cannot be a Refusal."""
    found = []
    assert schema.mutation_type is not None
    for name, field in schema.mutation_type.fields.items():
        key = field.args.get("idempotencyKey")
        if key is None or str(key.type) != "String":
            found.append(f"{name}: idempotencyKey")
        result = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
        if not isinstance(result, GraphQLUnionType) or "Refusal" not in {t.name for t in result.types}:
            found.append(f"{name}: Refusal")
    return found


def test_the_committed_schema_is_the_code_s() -> None:
    from api.schema import schema

    committed = ROOT / "schema.graphql"
    assert committed.exists(), "write it with `make schema`"
    assert committed.read_text(encoding="utf-8").strip() == schema.as_str().strip()


def test_everything_in_the_schema_is_described(schema: GraphQLSchema) -> None:
    assert len(list(_own(schema))) > 30
    assert undescribed(schema) == []


def test_every_root_field_says_who_may_ask(schema: GraphQLSchema) -> None:
    assert len(list(_roots(schema))) == 3
    assert without_policy(schema) == []


def test_every_mutation_takes_a_key_and_may_refuse(schema: GraphQLSchema) -> None:
    assert irregular_mutations(schema) == []


PLANTED = build_schema('''
    type Query {
      bare(argument: Colour): Thing
      """
      Documented, and for nobody that is named.
      """
      open: Int
      """
      A question.

      For: every role.
      """
      good: Int
    }

    type Mutation {
      "For: ADMIN."
      good(idempotencyKey: String): Result
      "For: ADMIN."
      keyless: Result!
      "For: ADMIN."
      unrefusable(idempotencyKey: String): Thing
    }

    "Why not."
    type Refusal { "It." why: String }
    "One or the other."
    union Result = Thing | Refusal
    type Thing { name: String }
    enum Colour { RED }
    input Wanted { size: Int }
''')


def test_what_is_not_described_is_noticed() -> None:
    assert sorted(undescribed(PLANTED)) == sorted(
        [
            "Query",
            "Query.bare",
            "Query.bare(argument)",
            "Mutation",
            "Mutation.good(idempotencyKey)",
            "Mutation.unrefusable(idempotencyKey)",
            "Thing",
            "Thing.name",
            "Colour",
            "Colour.RED",
            "Wanted",
            "Wanted.size",
        ]
    )


def test_a_root_field_without_a_policy_is_noticed() -> None:
    assert without_policy(PLANTED) == ["Query.bare", "Query.open"]


def test_an_irregular_mutation_is_noticed() -> None:
    assert irregular_mutations(PLANTED) == ["keyless: idempotencyKey", "unrefusable: Refusal"]
