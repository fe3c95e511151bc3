"""The column kinds that all tables share, and the index that says what it is for."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Any, TypeVar

from tortoise import fields
from tortoise.indexes import Index as TortoiseIndex

from domain.db.values import instant_of


class Instant(fields.DatetimeField[Any]):
    """A moment, always in UTC.

    SQLite compares instants as text, so one written with another offset would sort wrongly: a value
    is converted before every write and filter, and one without a zone is refused.
    """

    def to_db_value(self, value: Any, instance: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise ValueError(f"{self.model_field_name}: an instant needs a zone, got {value!r}")
        return value.astimezone(UTC)

    def to_python_value(self, value: Any) -> datetime | None:
        return None if value is None else instant_of(value)


class Reference(fields.BigIntField):
    """The id of a row of another table in the same workspace.

    The key is composite, (workspace_id, id), so that the database itself refuses a row that points
    into another workspace. Relations are read by loaders, not joined by the mapper.
    """

    def __init__(self, to: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.to = to


def encode(value: Any) -> str:
    """A document as both databases store it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


class Document(fields.JSONField[Any]):
    """A small JSON value that is read as a whole and never searched."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("encoder", encode)
        super().__init__(**kwargs)


class Derived(fields.TextField):
    """A text that the database itself keeps, worked out of the row's other columns; nobody writes it.

    It is compared byte by byte on both databases, so the values with one beginning are a range of it.
    """

    allows_generated = True

    def __init__(self, form: str = "", **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "null": True, "generated": True})
        self.form = form


E = TypeVar("E", bound=Enum)


def choice(values: type[E], **kwargs: Any) -> Any:
    """A column of one of a closed set of words, stored by name and wide enough for words to come."""
    return fields.CharEnumField(values, max_length=32, description="", **kwargs)


class Index(TortoiseIndex):
    """A named index, unique where the rule is, partial where only some rows are ever asked for."""

    def __init__(
        self,
        fields: Sequence[str],
        name: str,
        unique: bool = False,
        where: str = "",
    ) -> None:
        super().__init__(fields=tuple(fields), name=name)
        self.unique = unique
        self.where = where
        # Tortoise compares indexes by these two when it looks for a model change without a migration.
        self.INDEX_TYPE = "UNIQUE" if unique else ""
        self.extra = f" WHERE {where}" if where else ""

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        path, args, kwargs = super().deconstruct()
        if self.unique:
            kwargs["unique"] = True
        if self.where:
            kwargs["where"] = self.where
        return path, args, kwargs

    def statement(self, table: str) -> str:
        kind = "UNIQUE INDEX" if self.unique else "INDEX"
        columns = ", ".join(f'"{name}"' for name in self.fields)
        return f'CREATE {kind} "{self.name}" ON "{table}" ({columns}){self.extra}'
