"""Asks who the customers are and what they did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tortoise.expressions import Q, Subquery

from domain import db, reading
from domain.access import Principal
from domain.customers import rules, tagging
from domain.customers.models import (
    BehaviourEvent,
    Customer,
    CustomerMerge,
    CustomerTag,
    ExclusionReason,
    Lead,
    MergeState,
    RowError,
)
from domain.customers.models import Order as PlacedOrder
from domain.errors import NotFound
from domain.journal import JournalLine
from domain.paging import Order, Page, Slice
from domain.paging import page as paged

E = TypeVar("E", Customer, PlacedOrder, Lead)


async def get(who: Principal, customer_id: int) -> Customer:
    return await Customer.load(who.workspace_id, customer_id)


async def find(who: Principal, customer_id: int) -> Customer | None:
    return await Customer.find(who.workspace_id, customer_id)


async def by_external_id(who: Principal, kind: type[E], external_id: str) -> E | None:
    """The customer, order or lead that has the client's own key; none for a key that nothing can have."""
    if len(external_id) > rules.LONGEST_ID:
        return None
    return await reading.one(kind.filter(workspace_id=who.workspace_id, external_id=external_id))


async def find_external(who: Principal, external_id: str) -> Customer | None:
    return await by_external_id(who, Customer, external_id)


async def get_external(who: Principal, external_id: str) -> Customer:
    """The customer with the client's own key, or `NotFound`."""
    found = await find_external(who, external_id)
    if found is None:
        raise NotFound("no such customer", field="externalId")
    return found


async def by_ids(workspace_id: int, ids: list[int]) -> Mapping[int, Customer]:
    return await Customer.by_ids(workspace_id, ids)


async def merges_of(workspace_id: int, customer_ids: list[int]) -> Mapping[int, list[CustomerMerge]]:
    """The merges in force by which each customer took in other records, in the order in which they came."""
    found = await CustomerMerge.filter(
        workspace_id=workspace_id, kept_id__in=customer_ids, state=MergeState.MERGED
    ).order_by("id")
    merges: dict[int, list[CustomerMerge]] = {customer_id: [] for customer_id in customer_ids}
    for merge in found:
        merges[merge.kept_id].append(merge)
    return merges


async def tags_of(workspace_id: int, customer_ids: list[int]) -> Mapping[int, list[str]]:
    return await tagging.of(workspace_id, customer_ids)


async def exclusion_reasons(workspace_id: int, customer_ids: list[int]) -> Mapping[int, ExclusionReason]:
    """Why each of these was last excluded, for those that ever were; older lines name no reason."""
    lines = JournalLine.filter(
        workspace_id=workspace_id, subject="customer", subject_id__in=customer_ids, name="customer.excluded"
    )
    return {
        line.subject_id: ExclusionReason(line.data.get("reason", ExclusionReason.OTHER))
        for line in await lines.order_by("id")
    }


async def page(who: Principal, where: Q, order: Order, part: Slice) -> Page[Customer]:
    """Customers. Sort by `id`, `registered_at` or `external_id`; each has an index."""
    return await paged(Customer.filter(where, workspace_id=who.workspace_id), order, part)


async def orders_page(who: Principal, where: Q, order: Order, part: Slice) -> Page[PlacedOrder]:
    """Orders, of one customer with `Q(customer_id=…)`. Sort by `ordered_at`."""
    return await paged(PlacedOrder.filter(where, workspace_id=who.workspace_id), order, part)


async def leads_page(who: Principal, where: Q, order: Order, part: Slice) -> Page[Lead]:
    """Leads. Sort by `acquired_at`, or by `id` within one customer."""
    return await paged(Lead.filter(where, workspace_id=who.workspace_id), order, part)


async def events_page(who: Principal, where: Q, order: Order, part: Slice) -> Page[BehaviourEvent]:
    """Events of one customer. Sort by `occurred_at`."""
    return await paged(BehaviourEvent.filter(where, workspace_id=who.workspace_id), order, part)


async def row_errors_page(who: Principal, run_id: int, part: Slice) -> Page[RowError]:
    """The rows that an import did not take, in the order of the file."""
    return await paged(RowError.filter(workspace_id=who.workspace_id, run_id=run_id), Order("line"), part)


async def leads_by_ids(workspace_id: int, ids: list[int]) -> Mapping[int, Lead]:
    return await Lead.by_ids(workspace_id, ids)


async def orders_by_ids(workspace_id: int, ids: Sequence[int]) -> Mapping[int, PlacedOrder]:
    return await PlacedOrder.by_ids(workspace_id, list(ids))


def tagged(who: Principal, tags: Sequence[str]) -> Q:
    """The condition that a customer has at least one of these tags."""
    found = CustomerTag.filter(workspace_id=who.workspace_id, tag__in=list(tags))
    return Q(id__in=Subquery(found.values("customer_id")))


@dataclass(frozen=True)
class GrandTotals:
    """All customers of a workspace, and their orders without refunded ones."""

    customers: int
    orders: int
    amount_minor: int


async def grand_totals(workspace_id: int) -> GrandTotals:
    """Summed from the running totals: no order is read."""
    row = await db.one(
        """SELECT count(*) AS customers, COALESCE(SUM(order_count), 0) AS orders,
             CAST(COALESCE(SUM(order_total_minor), 0) AS bigint) AS amount
           FROM customers WHERE workspace_id = :workspace""",
        workspace=workspace_id,
    )
    assert row is not None
    return GrandTotals(row["customers"], row["orders"], row["amount"])
