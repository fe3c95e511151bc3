"""Compiles selections on rows: one statement for each level, with the columns that the level shows.

A level is a selection on rows of one model. Each of its fields wants columns, and is completed from
the raw rows that one statement reads of all of them: plain columns at once, a relation by the next
level's statement, a resolver with what it says that it reads (`api.mapping`). A resolver that says
nothing gets the whole row, made into the mapper's object.
"""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from graphql import (
    FieldNode,
    GraphQLLeafType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    get_named_type,
    is_leaf_type,
)
from tortoise import Model

from api import mapping
from api.engine.columns import Columns, Table, answered, is_column
from api.engine.declining import Unexpected
from api.engine.fields import CompiledField
from api.engine.running import Execution
from api.engine.selecting import Complete, Now, constant, objects, whole
from api.ids import global_ids
from api.nodes import models
from api.permissions import masked
from domain import db, reading
from domain.db import Row

if TYPE_CHECKING:
    from api.engine.completion import Compiler


def model_of(kind: Any) -> type[Model] | None:
    """The table's model that a type is declared over, if it is one."""
    found = models.get(kind.name) if isinstance(kind, GraphQLObjectType) else None
    return found if found is not None and issubclass(found, Model) else None


class Level:
    """One selection on rows: `columns` are what it wants of each, `complete` makes answers of them."""

    def __init__(
        self, compiler: "Compiler", kind: GraphQLObjectType, nodes: list[FieldNode], columns: Columns
    ) -> None:
        self.kind = kind
        self.columns = columns
        self._compiler = compiler
        at_once: list[tuple[int, Now]] = []
        later: list[tuple[int, Complete]] = []
        selected = compiler.subfields(kind, nodes)
        for place, (key, details) in enumerate(selected.items()):
            merged = [each.node for each in details]
            if merged[0].name.value == "__typename":
                at_once.append((place, constant(kind.name)))
                continue
            field = CompiledField(compiler.schema, kind, merged, key)
            if (now := self._now(field)) is not None:
                at_once.append((place, now))
            else:
                later.append((place, self._later(field)))
        self.complete: Complete = objects(tuple(selected), at_once, later, Table)

    def _now(self, field: CompiledField) -> Now | None:
        """A field that is a column, or made of one."""
        kind = field.definition.type
        bare = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
        if not is_leaf_type(bare):
            return None
        values = self._column(field, bare)
        if values is None or bare is kind:
            return values
        return lambda execution, table: whole(values(execution, table))

    def _column(self, field: CompiledField, kind: GraphQLLeafType) -> Now | None:
        said = field.mapping
        if isinstance(said, mapping.GlobalId):
            place, name = self.columns.place("id"), self.kind.name
            return lambda execution, table: global_ids(name, table.columns[place])
        if isinstance(said, mapping.Masked):
            shown = answered(self.columns, said.column, kind)
            return lambda execution, table: _hidden(execution, shown(table))
        if field.is_attribute and is_column(self.columns.model, field.field.python_name):
            read = answered(self.columns, field.field.python_name, kind)
            return lambda execution, table: read(table)
        return None

    def _later(self, field: CompiledField) -> Complete:
        said = field.mapping
        if isinstance(said, mapping.One) and model_of(get_named_type(field.definition.type)) is said.model:
            return self._one(said, field)
        if isinstance(said, mapping.Each):
            made = self._compiler.each(field, self.columns.place("id"))
            if made is not None:
                return made
        objects_of = self._picked(said.columns) if isinstance(said, mapping.Reads) else self._hydrated()
        complete = self._compiler.field(field)

        async def resolved(execution: Execution, rows: Sequence[Row]) -> list[Any]:
            return await complete(execution, [objects_of(row) for row in rows])

        return resolved

    def _picked(self, names: Sequence[str]) -> Callable[[Row], Any]:
        """As much of a row as a resolver reads, under the names it knows."""
        reads = [(name, self.columns.python(name)) for name in names]
        return lambda row: SimpleNamespace(**{name: read(row) for name, read in reads})

    def _hydrated(self) -> Callable[[Row], Any]:
        """The row as the mapper's object."""
        model = self.columns.model
        names = list(model._meta.fields_db_projection.values())
        places = [self.columns.place(name) for name in names]
        return lambda row: model._init_from_db(
            **{name: row[place] for name, place in zip(names, places, strict=True)}
        )

    def _one(self, said: mapping.One, field: CompiledField) -> Complete:
        """The rows that a column names, read together."""
        place = self.columns.place(said.column)
        below = Columns(said.model)
        own = below.place("id")
        kind = get_named_type(field.definition.type)
        level = Level(self._compiler, kind, field.nodes, below)  # type: ignore[arg-type]
        required = isinstance(field.definition.type, GraphQLNonNull)

        async def complete(execution: Execution, rows: Sequence[Row]) -> list[Any]:
            ids = list({row[place] for row in rows if row[place] is not None})
            found: Sequence[Row] = ()
            if ids:
                workspace_id = execution.context.principal.workspace_id
                found = await db.select_by_ids(said.model, workspace_id, ids, below.wanted)
            made = await level.complete(execution, found)
            by_id = {row[own]: value for row, value in zip(found, made, strict=True)}
            values = [None if row[place] is None else by_id.get(row[place]) for row in rows]
            return whole(values) if required else values

        return complete


def single(compiler: "Compiler", field: CompiledField) -> Complete | None:
    """A field whose question is one row, left unread; None if it is something else."""
    kind: GraphQLOutputType = field.definition.type
    model = model_of(kind)
    if model is None:
        return None
    columns = Columns(model)
    columns.place("id")
    level = Level(compiler, kind, field.nodes, columns)  # type: ignore[arg-type]
    resolve = field.resolver()

    async def complete(execution: Execution, sources: Sequence[Any]) -> list[Any]:
        with reading.left_unread():
            (asked,) = await resolve(execution, sources)
        if asked is None:
            return [None]
        if not isinstance(asked, reading.UnreadRow) or asked.query.model is not model:
            raise Unexpected("a question that was not left")
        rows = await db.select(asked.query.limit(2), columns.wanted)
        if len(rows) > 1:
            raise Unexpected("more than one row")
        return await level.complete(execution, rows) or [None]

    return complete


def _hidden(execution: Execution, values: Sequence[Any]) -> Sequence[Any]:
    """A person's data as the caller may see it."""
    principal = execution.context.principal
    if principal is None:
        raise Unexpected("nobody asks")
    if principal.sees_personal:
        return values
    return [masked(value, execution) for value in values]  # type: ignore[arg-type]  # it has the context
