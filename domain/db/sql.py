"""Set-based statements with named parameters, and one transaction per action.

The same text runs on both databases: `:name` becomes the driver's placeholder, a list behind IN or NOT IN
becomes as many placeholders as it has members, and `{now}` is machine time: the database's own clock.
"""

import functools
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TypeVar

import asyncpg
from tortoise import Model
from tortoise.connection import get_connections
from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction as tortoise_transaction

from domain.db.arrays import array_types
from domain.db.clock import machine_now
from domain.db.connection import dialect, is_postgres
from domain.db.slowness import timed

M = TypeVar("M", bound=Model)
Hook = Callable[[], Awaitable[None] | None]

_PARAMETER = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)")
_MEMBERSHIP = re.compile(r"\b(NOT\s+)?IN\s+:([a-z_][a-z0-9_]*)", re.IGNORECASE)
_hooks: ContextVar[list[Hook] | None] = ContextVar("after_commit", default=None)
_LISTS = (list, tuple, set, frozenset)
MANY = 100
"""From so many members on, a list is one parameter in PostgreSQL: the statement is the same however many."""
BATCH = 500
"""Rows in one multi-row INSERT: well below both databases' limit of 32,766 parameters."""


def compiled(sql: str, /, **params: Any) -> tuple[str, list[Any]]:
    """A statement as its driver takes it, for a connection of one's own."""
    postgres = is_postgres()
    lengths = tuple(
        [
            (name, min(len(value), MANY) if postgres and name in _only_members(sql) else len(value))
            for name, value in params.items()
            if isinstance(value, _LISTS)
        ]
    )
    text, places, offsets = _parsed(sql, postgres, lengths)
    if offsets is not None:
        now = machine_now()
        params["now__"] = now
        for name in offsets:
            params[f"now__{name}"] = datetime.fromtimestamp(now.timestamp() + params[name], UTC)
    values: list[Any] = []
    for name in places:
        if name.endswith("[]"):
            values.append([_bound(item) for item in params[name[:-2]]])
            continue
        value = params[name]
        values += map(_bound, value) if isinstance(value, _LISTS) else (_bound(value),)
    return text, values


@functools.lru_cache(maxsize=2000)
def _only_members(sql: str) -> frozenset[str]:
    """The parameters that stand behind IN or NOT IN and nowhere else."""
    behind = Counter(match[2] for match in _MEMBERSHIP.finditer(sql))
    uses = Counter(_PARAMETER.findall(sql))
    return frozenset(name for name, times in behind.items() if uses[name] == times)


@functools.lru_cache(maxsize=2000)
def _parsed(
    sql: str, postgres: bool, lengths: tuple[tuple[str, int], ...]
) -> tuple[str, tuple[str, ...], tuple[str, ...] | None]:
    """The text, the parameters in their places, and on SQLite which of them are seconds from now.

    None of it depends on the values, except on how many a list has.
    """
    members = dict(lengths)
    places: list[str] = []
    numbered: dict[str, str] = {}
    offsets: tuple[str, ...] | None = None
    arrays = {name for name in _only_members(sql) if postgres and members.get(name, 0) >= MANY}
    count = 0
    if "{now" in sql:
        # {now} and {now+name}: machine time, and machine time plus that many seconds.
        if postgres:
            sql = sql.replace("{now}", "now()")
            sql = re.sub(r"\{now\+(\w+)\}", r"(now() + make_interval(secs => :\1))", sql)
        else:
            sql = sql.replace("{now}", ":now__")
            sql = re.sub(r"\{now\+(\w+)\}", r":now__\1", sql)
            offsets = tuple(dict.fromkeys(re.findall(r":now__(\w+)", sql)))

    def among_none(match: re.Match[str]) -> str:
        # Nothing is in an empty list and everything is outside of it, NULL too; `IN (NULL)` says neither.
        if match[2] in arrays:
            return f"{'<> ALL' if match[1] else '= ANY'} (:{match[2]})"
        if members.get(match[2], 1):
            return match[0]
        if postgres:
            return "<> ALL ('{}')" if match[1] else "= ANY ('{}')"
        return f"{match[1] or ''}IN ()"

    def place(match: re.Match[str]) -> str:
        nonlocal count
        name = match[1]
        if name in arrays:
            places.append(f"{name}[]")
            count += 1
            return f"${count}"
        if name in members:
            if not members[name]:
                raise ValueError(f"{name}: an empty list stands only behind IN or NOT IN")
            places.append(name)
            first, count = count + 1, count + members[name]
            marks = (f"${number}" if postgres else "?" for number in range(first, count + 1))
            return f"({', '.join(marks)})"
        if not postgres:
            places.append(name)
            return "?"
        if name not in numbered:
            places.append(name)
            count += 1
            numbered[name] = f"${count}"
        return numbered[name]

    return _PARAMETER.sub(place, _MEMBERSHIP.sub(among_none, sql)), tuple(places), offsets


def _bound(value: Any) -> Any:
    """A value as it is handed to the driver: SQLite compares instants as text, so all are in UTC."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"an instant needs a zone, got {value!r}")
        return value.astimezone(UTC)
    return value


def _client() -> Any:
    return get_connections().get(dialect())


async def rows(sql: str, /, **params: Any) -> list[dict[str, Any]]:
    """All rows of a query, or of a statement with RETURNING."""
    text, values = compiled(sql, **params)
    found: list[dict[str, Any]] = await _client().execute_query_dict(text, values)
    return found


async def raw_rows(text: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
    """The rows of a statement as its driver takes it, as the driver gives them: values by their place."""
    found: Sequence[Sequence[Any]] = await _client().raw_rows(text, values)
    return found


async def one(sql: str, /, **params: Any) -> dict[str, Any] | None:
    found = await rows(sql, **params)
    return found[0] if found else None


async def value(sql: str, /, **params: Any) -> Any:
    found = await one(sql, **params)
    return next(iter(found.values())) if found else None


async def execute(sql: str, /, **params: Any) -> int:
    """Run a statement without RETURNING; the number of rows it touched."""
    text, values = compiled(sql, **params)
    client = _client()
    if not is_postgres():
        return int((await client.execute_query(text, values))[0])
    async with client.acquire_connection() as connection:
        with timed(text, "postgresql"):
            status: str = await connection.execute(text, *values)
    count = status.rsplit(" ", 1)[-1]
    return int(count) if count.isdigit() else 0


async def insert_many(
    table: str, records: Sequence[Mapping[str, Any]], *, then: str = "", returning: str = ""
) -> list[dict[str, Any]]:
    """Insert many rows in few statements.

    `then` is the ON CONFLICT clause, if any; `returning` names columns to give back (rows that a
    conflict skipped are not among them). All records have the same keys.
    """
    found: list[dict[str, Any]] = []
    if not records:
        return found
    columns = list(records[0])
    names = ", ".join(f'"{column}"' for column in columns)
    types = array_types(table) if is_postgres() else None
    for start in range(0, len(records), BATCH):
        part = records[start : start + BATCH]
        if types is not None:
            arrays = ", ".join(f"${n}::{types[column]}" for n, column in enumerate(columns, 1))
            source = f"SELECT * FROM unnest({arrays})"
            values: list[Any] = [[_bound(record[column]) for record in part] for column in columns]
        else:
            source = f"VALUES {_marks(len(columns), len(part))}"
            values = [_bound(record[column]) for record in part for column in columns]
        text = f'INSERT INTO "{table}" ({names}) {source} {then}'
        if returning:
            found += await _client().execute_query_dict(f"{text} RETURNING {returning}", values)
        else:
            await _client().execute_query(text, values)
    return found


def _marks(columns: int, rows: int) -> str:
    if not is_postgres():
        return ", ".join(["(" + ", ".join("?" * columns) + ")"] * rows)
    return ", ".join(
        "(" + ", ".join(f"${row * columns + column}" for column in range(1, columns + 1)) + ")"
        for row in range(rows)
    )


def hydrate(model: type[M], records: Sequence[Mapping[str, Any]]) -> list[M]:
    """Model objects from raw rows that hold all the model's columns."""
    return [model._init_from_db(**record) for record in records]


def is_unique_violation(error: BaseException) -> bool:
    """Whether a statement failed because such a row is there already."""
    if isinstance(error, asyncpg.UniqueViolationError):
        return True
    if isinstance(error, IntegrityError):
        cause = error.args[0] if error.args else None
        return isinstance(cause, asyncpg.UniqueViolationError) or "UNIQUE" in str(cause)
    return False


async def lock(name: str) -> None:
    """Wait until nobody else holds this name, and hold it to the end of the transaction."""
    assert in_transaction(), "a lock is held by a transaction"
    if is_postgres():  # SQLite has one writer, which is the transaction itself
        await rows("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))", name=name)


async def try_lock(name: str) -> bool:
    """Hold this name to the end of the transaction, unless somebody else holds it; whether we do."""
    assert in_transaction(), "a lock is held by a transaction"
    if not is_postgres():
        return True
    return bool(await value("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))", name=name))


def in_transaction() -> bool:
    return _hooks.get() is not None


@asynccontextmanager
async def transaction() -> AsyncIterator[None]:
    """One transaction per action: an inner one joins the outer, so all of it stands or falls together."""
    if in_transaction():
        yield
        return
    hooks: list[Hook] = []
    token = _hooks.set(hooks)
    try:
        async with tortoise_transaction(dialect()):
            yield
    finally:
        _hooks.reset(token)
    for hook in hooks:
        outcome = hook()
        if outcome is not None:
            await outcome


def after_commit(hook: Hook) -> None:
    """Call `hook` once the running transaction has committed; at once where there is none."""
    hooks = _hooks.get()
    if hooks is None:
        outcome = hook()
        assert outcome is None, "an awaitable hook needs a transaction"
    else:
        hooks.append(hook)
