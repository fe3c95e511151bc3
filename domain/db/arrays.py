"""What PostgreSQL calls the arrays that hold a table's columns, so that many rows go as a few arrays.

A statement with one array for each column is parsed and planned once, however many rows there are; one with
a parameter for each cell is as long as its rows.
"""

from functools import cache

from tortoise import Tortoise

from domain.db.connection import APP


@cache
def array_types(table: str) -> dict[str, str] | None:
    """The array type of each column of a model's table; none for a table of no model."""
    if Tortoise.apps is None:
        return None
    for model in Tortoise.apps[APP].values():
        if model._meta.db_table == table:
            # Without its length: a cast to VARCHAR(3) would cut off what is longer, and not refuse it.
            return {
                name: f"{field.get_for_dialect('postgres', 'SQL_TYPE').partition('(')[0]}[]"
                for name, field in model._meta.fields_map.items()
            }
    return None
