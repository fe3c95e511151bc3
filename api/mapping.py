"""What a field of a type over rows is made of, said beside the field, so that a plan reads no more than that.

A plain field over a column needs nothing said. The others say which columns their resolver reads, that
they are one other row, that they are a list of each row, or that their question can be left unread.
A field that says nothing still works: its resolver then gets the whole row.
"""

from dataclasses import dataclass
from typing import Any

from tortoise import Model

KEY = "careline.mapping"


@dataclass(frozen=True)
class Reads:
    """The resolver reads these columns of the row, and nothing else of it."""

    columns: tuple[str, ...]


@dataclass(frozen=True)
class GlobalId:
    """The row's global id."""


@dataclass(frozen=True)
class Masked:
    """A column with a person's data, masked by role."""

    column: str


@dataclass(frozen=True)
class One:
    """The row of another model, in the same workspace, that a column names; everybody here may see it."""

    model: type[Model]
    column: str


@dataclass(frozen=True)
class Each:
    """A list of each row, by `nested`. Its resolver reads the row's id and nothing else of it."""


@dataclass(frozen=True)
class Left:
    """The resolver's answer is that of one question of the domain, unchanged, so it can be left unread."""


Mapping = Reads | GlobalId | Masked | One | Each | Left


def reads(*columns: str) -> dict[Any, Any]:
    return {KEY: Reads(columns)}


def masked_column(column: str) -> dict[Any, Any]:
    return {KEY: Masked(column)}


def one(model: type[Model], column: str) -> dict[Any, Any]:
    return {KEY: One(model, column)}


GLOBAL_ID: dict[Any, Any] = {KEY: GlobalId()}
EACH: dict[Any, Any] = {KEY: Each()}
LEFT: dict[Any, Any] = {KEY: Left()}
