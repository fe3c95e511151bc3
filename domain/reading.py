"""Reads that are left to whoever asks: which rows is settled here, which of their columns is theirs to say.

A question of the domain ends in a query: whose rows, under which condition, in which order, which page.
Usually the rows are read at once and whole. Inside `left_unread` the question answers with what it would
have read, and the caller reads it, with no more columns than it needs. Who may see which row is decided
in one place either way.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from tortoise import Model
from tortoise.queryset import QuerySet

M = TypeVar("M", bound=Model)
_left: ContextVar[bool] = ContextVar("left_unread", default=False)


@dataclass(frozen=True)
class UnreadRow:
    """At most one row that was not read."""

    query: QuerySet[Any]


@contextmanager
def left_unread() -> Iterator[None]:
    """What is asked inside of the block is left unread, as far as a single question allows that."""
    token = _left.set(True)
    try:
        yield
    finally:
        _left.reset(token)


def is_left() -> bool:
    return _left.get()


async def one(query: QuerySet[M]) -> M | None:
    """The only row of a query, or none; `UnreadRow` where it is left unread."""
    if _left.get():
        return cast("M", UnreadRow(query))
    return await query.get_or_none()
