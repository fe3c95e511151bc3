"""What customers bought, and how far each order has come."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from domain import db, journal, timekeeping, workspaces
from domain.access import Principal
from domain.customers import rules, totals
from domain.customers.models import Order, OrderStatus
from domain.customers.profile import resolve
from domain.customers.rows import Row, insert_new, update_known
from domain.errors import Conflict, Invalid, NotFound, Reasons
from domain.journal import Entry

_COURSE = [OrderStatus.PAID, OrderStatus.DELIVERED, OrderStatus.REFUNDED]
_RETURNING = "id, external_id, customer_id, status, version"
BECOMES = {
    "customer_id": "excluded.customer_id",
    "ordered_at": "excluded.ordered_at",
    "ordered_on": "excluded.ordered_on",
    "amount_minor": "excluded.amount_minor",
    "quantity": "excluded.quantity",
    # An older copy of an order does not undo what has happened to it since.
    "status": """CASE WHEN orders.status = 'REFUNDED' OR excluded.status = 'PAID'
                 THEN orders.status ELSE excluded.status END""",
    "delivered_at": "COALESCE(excluded.delivered_at, orders.delivered_at)",
    "refunded_at": "COALESCE(orders.refunded_at, excluded.refunded_at)",
}
"""What each column of a stored order becomes when the order is given again."""


def order_row(
    workspace_id: int,
    external_id: str,
    *,
    customer_id: int,
    ordered_at: datetime,
    tz: ZoneInfo,
    amount_minor: int,
    currency: str,
    now: datetime,
    quantity: int = 1,
    status: OrderStatus = OrderStatus.PAID,
    delivered_at: datetime | None = None,
    refunded_at: datetime | None = None,
    run_id: int | None = None,
) -> Row:
    """All columns of an order."""
    return {
        "workspace_id": workspace_id,
        "version": 1,
        "external_id": external_id,
        "customer_id": customer_id,
        "status": status.value,
        "ordered_at": ordered_at,
        "ordered_on": timekeeping.local_day(ordered_at, tz),
        "delivered_at": delivered_at,
        "refunded_at": refunded_at,
        "quantity": quantity,
        "amount_minor": amount_minor,
        "currency": currency,
        "run_id": run_id,
        "created_at": now,
    }


class Stored(NamedTuple):
    """An order that was written: its state before, if it was there, and all that it was then."""

    id: int
    customer_id: int
    status: str
    before: str | None
    external_id: str
    version: int
    earlier: Mapping[str, Any] | None = None


async def store(workspace_id: int, rows: Sequence[Row], becomes: Mapping[str, str]) -> list[Stored]:
    """Write orders by external id and bring their customers' totals in line.

    Orders that are there already become what `becomes` says. Returns the orders created and changed;
    for those that are stored just so, nothing happens.
    """
    made = await insert_new("orders", rows, _RETURNING)
    known = {row["external_id"] for row in made}
    rest = [row for row in rows if row["external_id"] not in known]
    stored = [
        Stored(row["id"], row["customer_id"], row["status"], None, row["external_id"], row["version"])
        for row in made
    ]
    touched = {row["customer_id"] for row in made}
    if rest:
        lock = "FOR NO KEY UPDATE" if db.is_postgres() else ""
        earlier = await db.rows(
            f"""SELECT id, customer_id, status, ordered_at, amount_minor, quantity, delivered_at, refunded_at
                FROM orders
                WHERE workspace_id = :workspace AND external_id IN :external ORDER BY external_id {lock}""",
            workspace=workspace_id,
            external=sorted(row["external_id"] for row in rest),
        )
        before = {row["id"]: row for row in earlier}
        for row in await update_known("orders", rest, becomes, "", _RETURNING):
            was = before[row["id"]]
            stored.append(
                Stored(
                    row["id"],
                    row["customer_id"],
                    row["status"],
                    was["status"],
                    row["external_id"],
                    row["version"],
                    was,
                )
            )
            touched |= {row["customer_id"], was["customer_id"]}
    await totals.recompute(workspace_id, touched)
    return stored


async def record_order(
    who: Principal,
    external_id: str,
    *,
    customer_id: int | None = None,
    customer_external_id: str | None = None,
    ordered_at: datetime,
    amount_minor: int,
    currency: str | None = None,
    quantity: int = 1,
    status: OrderStatus = OrderStatus.PAID,
    delivered_at: datetime | None = None,
    create_customer: bool = False,
    expected_version: int | None = None,
) -> Order:
    """Record an order, or what has changed about it; the same content again changes nothing.

    An order never goes back to an earlier status. One that is delivered without a time is delivered
    now. With `create_customer` an unknown external id becomes a customer, registered since the order.
    """
    workspace = await workspaces.get(who.workspace_id)
    reasons = Reasons()
    with reasons.gathered():
        key = rules.external_id(external_id)
    with reasons.gathered():
        if customer_external_id is not None:
            rules.external_id(customer_external_id, "customerExternalId")
    with reasons.gathered():
        ordered_at = rules.instant(ordered_at, "orderedAt")
    with reasons.gathered():
        rules.amount(amount_minor)
    with reasons.gathered():
        rules.quantity(quantity)
    with reasons.gathered():
        rules.currency(currency or workspace.currency, workspace.currency, "amount.currency")
    with reasons.gathered():
        if delivered_at is not None:
            delivered_at = rules.instant(delivered_at, "deliveredAt")
            if status is OrderStatus.PAID:
                raise Invalid("an order that is only paid has no delivery", field="deliveredAt")
    reasons.refuse()
    becomes = dict(BECOMES)
    now = await timekeeping.now(who.workspace_id)
    if delivered_at is None:
        becomes["delivered_at"] = "COALESCE(orders.delivered_at, excluded.delivered_at)"
        delivered_at = now if status is OrderStatus.DELIVERED else None
    async with db.transaction():
        customer = await resolve(
            who, customer_id, customer_external_id, create_since=ordered_at if create_customer else None
        )
        if expected_version is not None:
            await _expect(who, key, expected_version)
        row = order_row(
            who.workspace_id,
            key,
            customer_id=customer,
            ordered_at=ordered_at,
            tz=timekeeping.zone(workspace.zone),
            amount_minor=amount_minor,
            currency=workspace.currency,
            quantity=quantity,
            status=status,
            delivered_at=delivered_at,
            refunded_at=now if status is OrderStatus.REFUNDED else None,
            now=now,
        )
        stored = await store(who.workspace_id, [row], becomes)
        order = await Order.get(workspace_id=who.workspace_id, external_id=key)
        if stored:
            await _tell(who, order, stored[0].before, stored[0].earlier)
    return order


async def _expect(who: Principal, external_id: str, version: int) -> None:
    order = await Order.select_for_update().get_or_none(
        workspace_id=who.workspace_id, external_id=external_id
    )
    if order is not None:
        order.expect(version)
    elif version:
        raise Conflict(f"expected version {version}, there is no such order", field="expectedVersion")


async def _tell(who: Principal, order: Order, before: str | None, earlier: Mapping[str, Any] | None) -> None:
    was = earlier["customer_id"] if earlier else order.customer_id
    moved = {"customer_was": was} if was != order.customer_id else None
    name = "order.recorded" if before is None else "order.changed"
    entries = [Entry(name, order.id, order.customer_id, data=moved)]
    if order.status != before and order.status is OrderStatus.DELIVERED:
        entries.append(_delivered(order))
    elif order.status != before and order.status is OrderStatus.REFUNDED:
        entries.append(Entry("order.refunded", order.id, order.customer_id))
    await journal.write(who, *entries)


def _delivered(order: Order) -> Entry:
    data = {"delivered_at": order.delivered_at.isoformat()}
    return Entry("order.delivered", order.id, order.customer_id, data=data)


async def set_order_status(
    who: Principal,
    order_id: int,
    status: OrderStatus,
    at: datetime | None = None,
    expected_version: int | None = None,
) -> Order:
    """Move an order forward: paid, delivered, refunded; `at` is when that happened, or else now.

    An event that arrives twice finds the order in that status and changes nothing, so a delivery is
    told once (A-07). Going back is refused.
    """
    moment = await timekeeping.now(who.workspace_id) if at is None else rules.instant(at, "at")
    async with db.transaction():
        order = await Order.select_for_update().get_or_none(workspace_id=who.workspace_id, id=order_id)
        if order is None:
            raise NotFound("no such order", field="id")
        if order.status is status:
            return order
        order.expect(expected_version)
        if _COURSE.index(status) < _COURSE.index(order.status):
            raise Conflict(
                f"an order that is {order.status.value} does not become {status.value}",
                field="status",
                current=order,
            )
        column = "delivered_at" if status is OrderStatus.DELIVERED else "refunded_at"
        changes: dict[str, Any] = {"status": status, column: moment}
        await order.must_change({"status": order.status}, **changes)
        if status is OrderStatus.DELIVERED:
            await journal.write(who, _delivered(order))
        else:
            await totals.recompute(who.workspace_id, [order.customer_id])
            await journal.write(who, Entry("order.refunded", order.id, order.customer_id))
    return order
