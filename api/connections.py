"""Relay connections over the domain's keyset pages."""

from collections.abc import Mapping
from typing import Annotated, Any, Generic, TypeVar, cast

import strawberry
from tortoise.queryset import QuerySet

from api.context import Info
from domain import reading
from domain.paging import Order, Page, Slice, UnreadEach, first_of_each, page

T = TypeVar("T")

First = Annotated[
    int | None, strawberry.argument(description="How many from the beginning, 1 to 100; 20 if left out.")
]
Last = Annotated[int | None, strawberry.argument(description="How many from the end, 1 to 100.")]
After = Annotated[str | None, strawberry.argument(description="Only what stands after this cursor.")]
Before = Annotated[str | None, strawberry.argument(description="Only what stands before this cursor.")]


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether more follows.")
    has_previous_page: bool = strawberry.field(description="Whether anything stands before.")
    start_cursor: str | None = strawberry.field(
        description="Cursor of the first item; null on an empty page."
    )
    end_cursor: str | None = strawberry.field(description="Cursor of the last item; null on an empty page.")


@strawberry.type(description="One item of a list, with the cursor that marks its place.")
class Edge(Generic[T]):
    cursor: str = strawberry.field(description="The item's place, for `after` and `before`.")
    node: T = strawberry.field(description="The item.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[T]):
    page: strawberry.Private[Page[Any]]

    @strawberry.field(description="The items with their cursors.")
    def edges(self) -> list[Edge[T]]:
        return [Edge(cursor=c, node=n) for c, n in zip(self.page.cursors, self.page.items, strict=True)]

    @strawberry.field(description="The items alone.")
    def nodes(self) -> list[T]:
        return self.page.items

    @strawberry.field(description="Where this page stands.")
    def page_info(self) -> PageInfo:
        cursors = self.page.cursors
        return PageInfo(
            has_next_page=self.page.has_next,
            has_previous_page=self.page.has_previous,
            start_cursor=cursors[0] if cursors else None,
            end_cursor=cursors[-1] if cursors else None,
        )

    @strawberry.field(description="How many items the whole list has; counted only when asked for.")
    async def total_count(self) -> int:
        return int(await self.page.count())


def connection(page: Page[Any]) -> Any:
    """A page as a connection; the caller's annotation names the type of its items."""
    return Connection(page=page)


async def nested(
    info: Info, name: str, query: QuerySet[Any], parent: str, parent_id: int, order: Order, part: Slice
) -> Any:
    """The list of one parent: first pages of all parents are read together, in one statement.

    `query` holds the lists of all parents; with the same `name` it must be the same for each of them.
    """
    if part.after is not None or part.before is not None:
        return connection(await page(query.filter(**{parent: parent_id}), order, part))
    if reading.is_left():
        return connection(cast("Page[Any]", UnreadEach(query, order, part, parent)))

    async def fetch(_: int, ids: list[int]) -> Mapping[int, Page[Any]]:
        return await first_of_each(query, parent, ids, order, part)

    key = (name, query.sql(), order, part)
    found = await info.context.loaders.load(fetch, parent_id, key)
    return connection(found) if found is not None else None


def part(
    first: int | None = None, last: int | None = None, after: str | None = None, before: str | None = None
) -> Slice:
    return Slice(first=first, last=last, after=after, before=before)
