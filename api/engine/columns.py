"""How the raw value of a column becomes what is answered, without the mapper in between."""

from collections.abc import Callable, Sequence
from datetime import UTC
from typing import Any

from graphql import GraphQLBoolean, GraphQLEnumType, GraphQLInt, GraphQLLeafType, GraphQLString
from tortoise import Model, fields
from tortoise.fields.data import CharEnumFieldInstance

from api.engine.leaves import leaf
from domain import db
from domain.db import Instant, Row

_WHOLE_SECONDS = {"+00", "+00:00"}


class Columns:
    """The columns that one statement reads, each once, in the order in which they were wanted."""

    def __init__(self, model: type[Model]) -> None:
        self.model = model
        self.wanted: list[db.Column] = []

    def place(self, name: str, *, as_text: bool = False) -> int:
        """Where the column stands in a row."""
        column = db.Column(name, as_text)
        if column not in self.wanted:
            self.wanted.append(column)
        return self.wanted.index(column)

    def python(self, name: str) -> Callable[[Row], Any]:
        """The column's value in a row as the mapper gives it."""
        place, convert = self.place(name), self.model._meta.fields_map[name].to_python_value
        return lambda row: convert(row[place])


def is_column(model: type[Model], name: str) -> bool:
    return name in model._meta.fields_db_projection


class Table:
    """Rows turned by a quarter: all values of a column stand together."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.columns = list(zip(*rows, strict=True))
        self._count = len(rows)

    def __len__(self) -> int:
        return self._count


def answered(columns: Columns, name: str, kind: GraphQLLeafType) -> Callable[[Table], Sequence[Any]]:
    """The column's values in many rows as a leaf of this type."""
    field = columns.model._meta.fields_map[name]
    if isinstance(field, Instant) and kind.name == "DateTime":
        place = columns.place(name, as_text=True)
        return lambda table: instants(table.columns[place])
    place = columns.place(name)
    complete = _completed(field, kind)
    return lambda table: complete(table.columns[place])


def _completed(field: Any, kind: GraphQLLeafType) -> Callable[[Sequence[Any]], Sequence[Any]]:
    plain = leaf(kind)
    if isinstance(field, CharEnumFieldInstance) and isinstance(kind, GraphQLEnumType):
        members = list(field.enum_type)
        names = dict(zip([each.value for each in members], plain(members), strict=True))
        return lambda values: [None if v is None else names[v] for v in values]
    if isinstance(field, fields.CharField | fields.TextField) and kind is GraphQLString:
        return lambda values: values  # both databases keep text in a column of text, and nothing else
    if isinstance(field, fields.BooleanField) and kind is GraphQLBoolean:
        return lambda values: [None if v is None else v is True or v == 1 for v in values]
    if isinstance(field, fields.IntField | fields.BigIntField) and kind is GraphQLInt:
        return plain
    convert = field.to_python_value
    return lambda values: plain([None if v is None else convert(v) for v in values])


def instants(values: Sequence[Any]) -> list[str | None]:
    """Instants as both databases write them in text, as the scalar shows them: in UTC, with a Z.

    PostgreSQL writes `2025-03-03 04:00:00.5+00`, SQLite `2025-03-03 04:00:00.500000+00:00`.
    """
    return [
        f"{raw[:10]}T{raw[11:19]}Z"
        if type(raw) is str and raw[19:] in _WHOLE_SECONDS
        else None
        if raw is None
        else db.instant_of(raw).astimezone(UTC).isoformat().replace("+00:00", "Z")
        for raw in values
    ]
