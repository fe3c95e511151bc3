"""Compiles connections over pages that were left unread: the columns that are shown, and no others.

The resolver is called as ever, so it settles whose rows they are, which, and in what order. It hands
over an unread page; here it is read with a statement for the selected columns. The lists of all
objects of a level are read together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from graphql import FieldNode, GraphQLNonNull, GraphQLObjectType, get_named_type
from strawberry.types.base import StrawberryObjectDefinition

from api.connections import Connection
from api.engine.columns import Columns
from api.engine.declining import Declined, Unexpected
from api.engine.fields import CompiledField
from api.engine.rows import Level, model_of
from api.engine.running import Execution, together
from api.engine.selecting import Complete, Now, constant, maker, objects
from domain import db, paging, reading
from domain.db import Row
from domain.paging import Unread, UnreadEach

if TYPE_CHECKING:
    from api.engine.completion import Compiler


@dataclass
class Found:
    """The raw rows of one page. `cursor_at` is where the sort key and the id stand in a row."""

    rows: Sequence[Row]
    asked: Unread
    more: bool
    cursor_at: tuple[int, int]
    total: int | None = None

    def cursor(self, row: Row) -> str:
        fields = self.asked.query.model._meta.fields_map
        key = fields[self.asked.order.field].to_python_value(row[self.cursor_at[0]])
        return paging.encode([key, row[self.cursor_at[1]]])


class Pages:
    """The selection on a connection: its nodes, edges, page information and count."""

    def __init__(self, compiler: "Compiler", kind: GraphQLObjectType, nodes: list[FieldNode]) -> None:
        item = get_named_type(kind.fields["nodes"].type)
        model = model_of(item)
        if not _is_connection(kind) or model is None:
            raise Declined(f"{kind.name} is no connection over rows")
        self.columns = Columns(model)
        self.counted = False
        self.placed = False
        self._compiler = compiler
        self._item: GraphQLObjectType = item
        selected = compiler.subfields(kind, nodes)
        self._made = maker(tuple(selected))
        self._at_once: list[tuple[int, Now]] = []
        """What is said of each page."""
        self._nodes: list[tuple[int, Complete]] = []
        self._with_cursors: list[tuple[int, Complete]] = []
        """Of the rows of all pages, and of each with its page."""
        self.reads_rows = False
        for place, details in enumerate(selected.values()):
            self._add(place, kind, [each.node for each in details])
        self._count = len(selected)

    def _add(self, place: int, kind: GraphQLObjectType, nodes: list[FieldNode]) -> None:
        name = nodes[0].name.value
        if name == "nodes":
            level = Level(self._compiler, self._item, nodes, self.columns)
            self._nodes.append((place, level.complete))
        elif name == "edges":
            self._with_cursors.append((place, self._edges(get_named_type(kind.fields[name].type), nodes)))
        elif name == "pageInfo":
            self._at_once.append((place, self._information(get_named_type(kind.fields[name].type), nodes)))
        elif name == "totalCount":
            self.counted = True
            self._at_once.append((place, lambda execution, pages: [page.total for page in pages]))
        elif name == "__typename":
            self._at_once.append((place, constant(kind.name)))
        else:
            raise Declined(f"{kind.name}.{name} is not known of a connection")
        self.reads_rows = self.reads_rows or name in ("nodes", "edges", "pageInfo")

    async def complete(self, execution: Execution, pages: Sequence[Found]) -> list[Any]:
        """The connections of these pages. Rows of all pages are completed together."""
        if not self._count:
            return [{} for _ in pages]
        made: list[Any] = [None] * self._count
        for place, now in self._at_once:
            made[place] = now(execution, pages)
        work = []
        if self._nodes:
            rows = [row for page in pages for row in page.rows]
            work += [part(execution, rows) for _, part in self._nodes]
        if self._with_cursors:
            flat = [(page, row) for page in pages for row in page.rows]
            work += [part(execution, flat) for _, part in self._with_cursors]
        if work:
            places = [place for place, _ in (*self._nodes, *self._with_cursors)]
            for place, values in zip(places, await together(work), strict=True):
                made[place] = _split(values, pages)
        return self._made(*made)

    def _edges(self, kind: GraphQLObjectType, nodes: list[FieldNode]) -> Complete:
        at_once: list[tuple[int, Now]] = []
        later: list[tuple[int, Complete]] = []
        selected = self._compiler.subfields(kind, nodes)
        for place, details in enumerate(selected.values()):
            merged = [each.node for each in details]
            name = merged[0].name.value
            if name == "cursor":
                self.placed = True
                at_once.append((place, _cursors))
            elif name == "node":
                later.append((place, _nodes(Level(self._compiler, self._item, merged, self.columns))))
            else:
                at_once.append((place, constant(kind.name)))
        return objects(tuple(selected), at_once, later)

    def _information(self, kind: GraphQLObjectType, nodes: list[FieldNode]) -> Now:
        names = {key: each[0].node.name.value for key, each in self._compiler.subfields(kind, nodes).items()}
        self.placed = self.placed or not {"startCursor", "endCursor"}.isdisjoint(names.values())

        def shown(name: str, page: Found) -> Any:
            has_next, has_previous = page.asked.neighbours(page.more)
            if name == "hasNextPage":
                return has_next
            if name == "hasPreviousPage":
                return has_previous
            if name == "__typename":
                return kind.name
            return page.cursor(page.rows[0 if name == "startCursor" else -1]) if page.rows else None

        return lambda execution, pages: [
            {key: shown(name, page) for key, name in names.items()} for page in pages
        ]

    async def read(self, asked: Unread) -> Found:
        """Read one page."""
        columns, cursor_at = self._columns(asked)
        query = asked.rows()  # also where only the count is shown: its cursors may be wrong
        work: list[Any] = [db.select(query, columns)] if self.reads_rows else []
        if self.counted:
            work.append(_count(asked))
        with paging.askable():
            done = await together(work) if work else []
        rows = done[0] if self.reads_rows else []
        return _found(rows, asked, cursor_at, done[-1] if self.counted else None)

    async def read_each(self, asked: UnreadEach, ids: Sequence[int]) -> list[Found]:
        """Read the page of each parent, in one statement."""
        columns, cursor_at = self._columns(asked)
        most = asked.part.size + 1
        with paging.askable():
            rows = await db.select_each(
                asked.query, asked.parent, ids, asked.keys(), most, columns, counted=self.counted
            )
        own: dict[int, list[Row]] = {parent: [] for parent in ids}
        for row in rows:
            own[row[0]].append(row[1:])
        total = len(columns)
        return [
            _found(
                own[parent],
                asked,
                cursor_at,
                (own[parent][0][total] if own[parent] else 0) if self.counted else None,
            )
            for parent in ids
        ]

    def _columns(self, asked: Unread) -> tuple[list[db.Column], tuple[int, int]]:
        if asked.query.model is not self.columns.model:
            raise Unexpected("a page of other rows than the type is over")
        if not self.placed:
            return self.columns.wanted or [db.Column("id")], (0, 0)
        wanted = Columns(asked.query.model)
        wanted.wanted = list(self.columns.wanted)
        return wanted.wanted, (
            wanted.place(asked.order.field, as_text=db.column(asked.query.model, asked.order.field).as_text),
            wanted.place("id"),
        )


def left(compiler: "Compiler", field: CompiledField) -> Complete | None:
    """A root field that is a page, left unread; None if its type is no connection over rows."""
    pages = _pages(compiler, field)
    if pages is None:
        return None
    resolve = field.resolver()

    async def complete(execution: Execution, sources: Sequence[Any]) -> list[Any]:
        with reading.left_unread():
            asked = [_unread(each) for each in await resolve(execution, sources)]
        return await pages.complete(execution, [await pages.read(each) for each in asked])

    return complete


def each(compiler: "Compiler", field: CompiledField, own: int) -> Complete | None:
    """A list of each row, whose id stands at `own`; None if its type is no connection over rows."""
    pages = _pages(compiler, field)
    if pages is None:
        return None
    resolve = field.resolver()

    async def complete(execution: Execution, rows: Sequence[Row]) -> list[Any]:
        ids = [row[own] for row in rows]
        with reading.left_unread():
            # The question is the same for each of them but for whose list it is.
            (first,) = map(_unread, await resolve(execution, [SimpleNamespace(id=ids[0])]))
            if isinstance(first, UnreadEach):
                rest = []
            else:  # a cursor: each list has its own condition
                others = [SimpleNamespace(id=number) for number in ids[1:]]
                rest = [_unread(each) for each in (await resolve(execution, others) if others else [])]
        if isinstance(first, UnreadEach):
            found = await pages.read_each(first, list(dict.fromkeys(ids)))
            of = dict(zip(dict.fromkeys(ids), found, strict=True))
            return await pages.complete(execution, [of[number] for number in ids])
        return await pages.complete(execution, [await pages.read(each) for each in (first, *rest)])

    return complete


def _pages(compiler: "Compiler", field: CompiledField) -> Pages | None:
    kind = field.definition.type
    bare = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
    if not isinstance(bare, GraphQLObjectType) or not _is_connection(bare):
        return None
    if model_of(get_named_type(bare.fields["nodes"].type)) is None:
        return None
    return Pages(compiler, bare, field.nodes)


def _is_connection(kind: GraphQLObjectType) -> bool:
    definition = kind.extensions.get("strawberry-definition")
    if not isinstance(definition, StrawberryObjectDefinition) or definition.concrete_of is None:
        return False
    return definition.concrete_of.origin is Connection


def _unread(result: Any) -> Unread:
    page = getattr(result, "page", None)
    if not isinstance(page, Unread):
        raise Unexpected("a page that was not left unread")
    return page


def _found(rows: Sequence[Row], asked: Unread, cursor_at: tuple[int, int], total: int | None) -> Found:
    own = rows[: asked.part.size]
    if asked.backwards:
        own = own[::-1]
    return Found(own, asked, len(rows) > asked.part.size, cursor_at, total)


async def _count(asked: Unread) -> int:
    return int(await asked.query.count())


def _split(values: list[Any], pages: Sequence[Found]) -> list[list[Any]]:
    parts, start = [], 0
    for page in pages:
        parts.append(values[start : start + len(page.rows)])
        start += len(page.rows)
    return parts


def _cursors(execution: Execution, flat: Sequence[Any]) -> list[Any]:
    return [page.cursor(row) for page, row in flat]


def _nodes(level: Level) -> Complete:
    async def complete(execution: Execution, flat: Sequence[Any]) -> list[Any]:
        return await level.complete(execution, [row for _, row in flat])

    return complete
