"""Raw rows of a mapper's query with only the columns that somebody needs, and nothing made of them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from pypika_tortoise.enums import Equality
from pypika_tortoise.terms import BasicCriterion, ContainsCriterion
from tortoise import Model
from tortoise.expressions import RawSQL
from tortoise.queryset import QuerySet

from domain.db.connection import is_postgres
from domain.db.fields import Instant
from domain.db.sql import raw_rows
from domain.db.templates import Written, written

Row = Sequence[Any]
"""The values of one row, in the order in which the columns were asked for."""


class Column(NamedTuple):
    """A column of a table; with `as_text`, an instant is read as it is written: decoding takes long."""

    name: str
    as_text: bool = False


def column(model: type[Model], name: str) -> Column:
    """The cheapest form of a column that loses nothing."""
    return Column(name, isinstance(model._meta.fields_map[name], Instant))


def _written(columns: Sequence[Column]) -> list[str]:
    """Each under a name of its own: what is sorted by must be the column, and not its text."""
    postgres = is_postgres()
    return [
        f'CAST("{name}" AS text) "c{place}"' if as_text and postgres else f'"{name}" "c{place}"'
        for place, (name, as_text) in enumerate(columns)
    ]


def _chosen(query: QuerySet[Any], selects: Sequence[str]) -> Any:
    query._make_query()
    builder: Any = query.query
    builder._selects = [RawSQL(text) for text in selects]
    if query._limit is not None:
        # Written out: not knowing how few rows are wanted, PostgreSQL would keep no plan of the statement,
        # and make one each time.
        builder._limit = RawSQL(f"{query._limit:d}")
    return builder


async def select(query: QuerySet[Any], columns: Sequence[Column]) -> Sequence[Row]:
    """The rows of a query in its order."""

    def write(asked: QuerySet[Any]) -> Written:
        text, values = _chosen(asked, _written(columns)).get_parameterized_sql()
        return text, values

    return await raw_rows(*written(query, tuple(columns), write))


async def select_by_ids(
    model: type[Model], workspace_id: int, ids: Sequence[int], columns: Sequence[Column]
) -> Sequence[Row]:
    """The rows of one workspace with these ids, in no order."""
    chosen = ", ".join(_written(columns))
    table = model._meta.db_table
    if is_postgres():
        text = f'SELECT {chosen} FROM "{table}" WHERE "workspace_id" = $1 AND "id" = ANY ($2::bigint[])'
        return await raw_rows(text, [workspace_id, list(ids)])
    listed = ", ".join(f"{number:d}" for number in ids)
    return await raw_rows(
        f'SELECT {chosen} FROM "{table}" WHERE "workspace_id" = ? AND "id" IN ({listed})', [workspace_id]
    )


async def select_each(
    query: QuerySet[Any],
    parent: str,
    ids: Sequence[int],
    keys: Sequence[str],
    most: int,
    columns: Sequence[Column],
    *,
    counted: bool,
) -> Sequence[Row]:
    """The first so many rows of each parent's list, those of one parent in its order.

    `parent` is the column that tells whose a row is; it comes before the columns, and with `counted` the
    length of the whole list comes after them.
    """
    form = (parent, tuple(columns), tuple(keys), most, counted)
    if is_postgres() and not counted:

        def for_each(asked: QuerySet[Any]) -> Written:
            builder = _chosen(asked.order_by(*keys).limit(most), _written(columns))
            own = BasicCriterion(Equality.eq, RawSQL(f'"{parent}"'), RawSQL("parents.id"))
            inner, values = builder.where(own).get_parameterized_sql()
            text = (
                f"SELECT parents.id, found.* FROM unnest(${len(values) + 1}::bigint[]) parents(id) "
                f"CROSS JOIN LATERAL ({inner}) found"
            )
            return text, values

        text, values = written(query, form, for_each)
        return await raw_rows(text, [*values, list(ids)])

    def numbered(asked: QuerySet[Any]) -> Written:
        order = ", ".join(f'"{key.lstrip("-")}" {"DESC" if key[0] == "-" else "ASC"}' for key in keys)
        selects = [f'"{parent}" AS parent', *_written(columns)]
        if counted:
            selects.append(f'count(*) OVER (PARTITION BY "{parent}") AS whole')
        selects.append(f'row_number() OVER (PARTITION BY "{parent}" ORDER BY {order}) AS place')
        listed = ", ".join(f"{number:d}" for number in ids)
        own = ContainsCriterion(RawSQL(f'"{parent}"'), RawSQL(f"({listed})"))
        inner, values = _chosen(asked, selects).where(own).get_parameterized_sql()
        return f"SELECT * FROM ({inner}) found WHERE place <= {most:d} ORDER BY place", values

    return await raw_rows(*numbered(query))
