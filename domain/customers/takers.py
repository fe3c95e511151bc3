"""Takes batches of imported rows into the tables, set-based, inside a step of the import's run."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from domain import db
from domain.customers import tagging
from domain.customers.models import OrderStatus
from domain.customers.orders import BECOMES, order_row, store
from domain.customers.rows import create_customers, customer_ids, customer_row, insert_new, update_known
from domain.customers.sheets import Fault, Row, Sheet, customer_sheet, order_sheet
from domain.errors import Invalid, NotFound


@dataclass(frozen=True)
class Taken:
    """What became of the rows of a batch."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    customers_created: int = 0


class Taker(ABC):
    """One kind of import: its sheet, and what is done with its rows."""

    sheet: Sheet
    event: str

    def __init__(self, workspace_id: int) -> None:
        self.workspace_id = workspace_id

    async def screen(self, rows: list[Row]) -> tuple[list[Row], list[Fault]]:
        """Set apart the rows that the others, or what is stored, contradict."""
        return rows, []

    @abstractmethod
    async def take(self, rows: list[Row], columns: Collection[str], run_id: int, now: datetime) -> Taken:
        """Write the rows of a batch, no key twice."""


class OrderTaker(Taker):
    event = "orders.imported"

    def __init__(self, workspace_id: int, tz: ZoneInfo, currency: str, create_customers: bool) -> None:
        super().__init__(workspace_id)
        self.sheet = order_sheet(tz, currency)
        self.tz, self.currency, self.create_customers = tz, currency, create_customers

    async def screen(self, rows: list[Row]) -> tuple[list[Row], list[Fault]]:
        good, faults = [], []
        known = None
        if not self.create_customers:
            known = await customer_ids(self.workspace_id, {row.values["customer_id"] for row in rows})
        for row in rows:
            if known is not None and row.values["customer_id"] not in known:
                unknown = NotFound("there is no such customer")
                faults.append(Fault.of(row.line, "customer_id", unknown))
            elif row.values.get("status") is OrderStatus.PAID and row.values.get("delivered_at"):
                early = Invalid("an order that is only paid has no delivery")
                faults.append(Fault.of(row.line, "delivered_at", early))
            else:
                good.append(row)
        return good, faults

    async def take(self, rows: list[Row], columns: Collection[str], run_id: int, now: datetime) -> Taken:
        since: dict[str, datetime] = {}
        for _, values in rows:
            customer, at = values["customer_id"], values["ordered_at"]
            since[customer] = min(at, since.get(customer, at))
        ids, created_customers = await create_customers(self.workspace_id, since, now)
        orders = [
            order_row(
                self.workspace_id,
                values["order_id"],
                customer_id=ids[values["customer_id"]],
                ordered_at=values["ordered_at"],
                tz=self.tz,
                amount_minor=values["amount"],
                currency=self.currency,
                now=now,
                quantity=values.get("quantity") or 1,
                status=values.get("status")
                or (OrderStatus.DELIVERED if values.get("delivered_at") else OrderStatus.PAID),
                delivered_at=values.get("delivered_at"),
                run_id=run_id,
            )
            for _, values in rows
        ]
        becomes = {
            name: value
            for name, value in BECOMES.items()
            if name != "refunded_at" and (name in columns or name not in ("quantity", "delivered_at"))
        }
        stored = await store(self.workspace_id, orders, becomes)
        created = sum(order.before is None for order in stored)
        return Taken(created, len(stored) - created, len(rows) - len(stored), created_customers)


class CustomerTaker(Taker):
    """An empty cell leaves what is stored; tags that are given replace those that are there."""

    event = "customers.imported"

    def __init__(self, workspace_id: int, tz: ZoneInfo) -> None:
        super().__init__(workspace_id)
        self.sheet = customer_sheet(tz)

    async def take(self, rows: list[Row], columns: Collection[str], run_id: int, now: datetime) -> Taken:
        profile = [name for name in ("name", "company", "phone", "email") if name in columns]
        ids: dict[str, int] = {}
        changed: set[int] = set()
        created = 0
        # The column is never null, so the rows that do not give it are written without it.
        for dated in (True, False):
            part = [
                customer_row(
                    self.workspace_id,
                    values["customer_id"],
                    now,
                    registered_at=values.get("registered_at") or now,
                    **{name: values[name] for name in profile},
                )
                for _, values in rows
                if bool(values.get("registered_at")) is dated
            ]
            made = await insert_new("customers", part, "id, external_id")
            ids |= {row["external_id"]: row["id"] for row in made}
            created += len(made)
            becomes = {name: f"COALESCE(excluded.{name}, customers.{name})" for name in profile}
            if dated:
                becomes["registered_at"] = "excluded.registered_at"
            rest = [row for row in part if row["external_id"] not in ids]
            also = "updated_at = excluded.updated_at, "
            for row in await update_known("customers", rest, becomes, also, "id, external_id"):
                changed.add(row["id"])
        changed |= await self._tag(rows, ids, changed, now)
        return Taken(created, len(changed), len(rows) - created - len(changed), created)

    async def _tag(
        self, rows: list[Row], created: dict[str, int], changed: set[int], now: datetime
    ) -> set[int]:
        """Replace tags where the rows give some; the known customers for whom that was a change."""
        given = {values["customer_id"]: values["tags"] for _, values in rows if values.get("tags")}
        if not given:
            return set()
        ids = created | await customer_ids(self.workspace_id, [name for name in given if name not in created])
        tagged = await tagging.replace(self.workspace_id, {ids[name]: tags for name, tags in given.items()})
        tagged -= set(created.values())
        await db.execute(
            """UPDATE customers SET version = version + 1, updated_at = :now
               WHERE workspace_id = :workspace AND id IN :customers""",
            now=now,
            workspace=self.workspace_id,
            customers=sorted(tagged - changed),
        )
        return tagged
