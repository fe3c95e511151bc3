"""Records that look like one customer, and making them one: looked at, done, and taken back."""

from datetime import datetime
from typing import Annotated, Any, cast

import strawberry

from api.connections import After, Before, Connection, First, Last, connection, part
from api.context import Info, load, who
from api.customers.types import Customer
from api.ids import row_id
from api.mapping import one, reads
from api.mutations import Expected, Refusal, mutation, payload, result
from api.nodes import Node, extends, node_type, row_type
from api.permissions import query
from domain import customers
from domain.access import LEADS, PLANNERS
from domain.customers import DuplicateReason, MergeField, MergeState
from domain.errors import NotFound

MERGERS = LEADS | PLANNERS
"""Who may say that two records are one person: all of them see names and numbers in the clear."""
Into = Annotated[strawberry.ID, strawberry.argument(description="The record that is kept.")]
From = Annotated[strawberry.ID, strawberry.argument(name="from", description="The record that goes.")]
Take = Annotated[
    list[MergeField] | None,
    strawberry.argument(
        description="What the record that is kept takes from the other though it has its own; what it has "
        "none of it takes anyway."
    ),
]


@row_type(customers.DuplicateGroup, description="Records that look like one customer.")
class DuplicateGroup:
    reason: DuplicateReason = strawberry.field(description="By what.")
    value: str = strawberry.field(description="What they have in common, in the spelling that is compared.")
    size: int = strawberry.field(description="How many records there are.")

    @strawberry.field(description="The records, as they were recorded; the first 20.")
    def customers(self: Any) -> list[Customer]:
        return cast(list[Customer], self.customers)


@strawberry.type(description="How many rows of one kind go from one record to the other.")
class HandedOver:
    kind: str = strawberry.field(description="Which rows, by the table and column that name the customer.")
    rows: int = strawberry.field(description="How many.")


@row_type(customers.Value, description="A value on which two records differ.")
class MergeValue:
    name: str = strawberry.field(description="Which one.")
    kept: str | None = strawberry.field(description="What the record that is kept has.")
    other: str | None = strawberry.field(description="What the other has.")
    becomes: str | None = strawberry.field(description="What stands after the merge.")


@row_type(customers.MergePreview, description="What a merge would do.")
class CustomerMergePreview:
    values: list[MergeValue] = strawberry.field(
        description="Profile, consents and preferences on which the two differ, and what wins. Of consents "
        "and preferences the stricter does."
    )

    @strawberry.field(description="What would be handed over.")
    def handed_over(self: Any) -> list[HandedOver]:
        return _handed(self.counts)


@node_type(customers.CustomerMerge, description="Two records that were made one.")
class CustomerMerge(Node):
    state: MergeState = strawberry.field(description="Whether they still are.")
    actor: str = strawberry.field(description="Who or what did it, by number.")
    merged_at: datetime = strawberry.field(description="When it was done.")
    undone_at: datetime | None = strawberry.field(description="When it was taken back.")
    version: int = strawberry.field(description="Rises with each change.")

    @strawberry.field(description="The record that was kept.", metadata=one(customers.Customer, "kept_id"))
    async def into(self: Any, info: Info) -> Customer:
        return cast(Customer, await load(info, customers.by_ids, self.kept_id))

    @strawberry.field(
        name="from", description="The record that went.", metadata=one(customers.Customer, "gone_id")
    )
    async def source(self: Any, info: Info) -> Customer:
        return cast(Customer, await load(info, customers.by_ids, self.gone_id))

    @strawberry.field(description="What was handed over.", metadata=reads("counts"))
    def handed_over(self: Any) -> list[HandedOver]:
        return _handed(self.counts)


def _handed(counts: dict[str, int]) -> list[HandedOver]:
    return [HandedOver(kind=kind, rows=rows) for kind, rows in sorted(counts.items())]


@extends(Customer)
class CustomerMerged:
    @strawberry.field(
        description="The record that this one was merged into; what comes under its key goes there.",
        metadata=one(customers.Customer, "merged_into_id"),
    )
    async def merged_into(self: Any, info: Info) -> Customer | None:
        return cast(Customer | None, await load(info, customers.by_ids, self.merged_into_id))

    @strawberry.field(
        description="The merges in force by which other records became part of this one.",
        metadata=reads("id"),
    )
    async def merges(self: Any, info: Info) -> list[CustomerMerge]:
        return cast(list[CustomerMerge], await load(info, customers.merges_of, self.id) or [])


@payload("A record was merged into another.")
class CustomersMergePayload:
    merge: CustomerMerge = strawberry.field(description="What was done.")


@payload("A merge was taken back.")
class CustomersMergeUndoPayload:
    merge: CustomerMerge = strawberry.field(description="The merge as it is now.")


@strawberry.type
class MergeQueries:
    @query(
        "Groups of records that look like one customer, in the order of what they have in common. Records "
        "that are left out of every figure are in none.",
        allow=MERGERS,
    )
    async def customer_duplicates(
        self,
        info: Info,
        reason: Annotated[
            DuplicateReason, strawberry.argument(description="By what they look like one.")
        ] = DuplicateReason.PHONE,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[DuplicateGroup]:
        page = await customers.duplicates(who(info), reason, part(first, last, after, before))
        return cast(Connection[DuplicateGroup], connection(page))

    @query(
        "What merging one record into another would do; nothing is changed. Null when either is not here.",
        allow=MERGERS,
    )
    async def customers_merge_preview(
        self, info: Info, into: Into, other: From, take: Take = None
    ) -> CustomerMergePreview | None:
        try:
            ids = row_id("Customer", into, "into"), row_id("Customer", other, "from")
            return cast(CustomerMergePreview, await customers.preview_merge(who(info), *ids, take or ()))
        except NotFound:
            return None


@strawberry.type
class MergeMutations:
    @mutation(
        "Merge one record into another of the same customer: orders, work, contacts, consents, tags and "
        "history go over, of consents the stricter holds, and the record that goes says where it went.",
        allow=MERGERS,
    )
    async def customers_merge(
        self, info: Info, into: Into, other: From, take: Take = None, expected_version: Expected = None
    ) -> Annotated[CustomersMergePayload | Refusal, result("CustomersMergeResult")]:
        made = await customers.merge(
            who(info),
            row_id("Customer", into, "into"),
            row_id("Customer", other, "from"),
            take=take or (),
            expected_version=expected_version,
        )
        return CustomersMergePayload(merge=cast(CustomerMerge, made))

    @mutation(
        "Take a merge back: each record has again what it had. What the merge gave and somebody has changed "
        "since is named, and nothing is done.",
        allow=MERGERS,
    )
    async def customers_merge_undo(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The merge's id.")],
        keep_changed: Annotated[
            bool,
            strawberry.argument(
                description="Leave what has been changed since as it is now, and do the rest."
            ),
        ] = False,
        expected_version: Expected = None,
    ) -> Annotated[CustomersMergeUndoPayload | Refusal, result("CustomersMergeUndoResult")]:
        made = await customers.undo(
            who(info),
            row_id("CustomerMerge", id),
            keep_changed=keep_changed,
            expected_version=expected_version,
        )
        return CustomersMergeUndoPayload(merge=cast(CustomerMerge, made))
