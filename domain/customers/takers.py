"""Takes batches of imported rows into the tables, set-based, inside a step of the import's run."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from domain import db
from domain.customers import tagging
from domain.customers.choices import MergeRule
from domain.customers.models import OrderStatus
from domain.customers.orders import BECOMES, order_row, store
from domain.customers.rows import create_customers, customer_row, homes, insert_new, update_known
from domain.customers.sheets import Fault, Row, Sheet, customer_sheet, order_sheet
from domain.db.values import instant_of
from domain.errors import DomainError, Invalid, NotFound


class Change(NamedTuple):
    """One row of a table that an import created, or changed: then with its version and what it was."""

    subject: str
    id: int
    line: int
    version: int = 1
    before: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Taken:
    """What became of the rows of a batch."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    new_customers: Collection[str] = ()
    changes: list[Change] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        return {
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "customers_created": len(self.new_customers),
        }


class Screened(NamedTuple):
    """The rows that neither the others nor what is stored contradicts, and the faults of those that were."""

    rows: list[Row]
    faults: list[Fault]
    partial: int = 0
    """Rows that lost a field."""


class Taker(ABC):
    """One kind of import: its sheet, and what is done with its rows."""

    sheet: Sheet
    event: str
    merge: Mapping[str, MergeRule] = {}
    lenient: bool = False

    def __init__(self, workspace_id: int) -> None:
        self.workspace_id = workspace_id

    async def screen(self, rows: list[Row], now: datetime) -> Screened:
        """Set apart the rows that the others, or what is stored, contradict."""
        return Screened(rows, [])

    @abstractmethod
    async def take(self, rows: list[Row], columns: Collection[str], run_id: int, now: datetime) -> Taken:
        """Write the rows of a batch, no key twice."""

    async def screen_customers(self, rows: list[Row], create: bool) -> Screened:
        """Set apart the rows of customers who are not known, if none are to be created."""
        if create:
            return Screened(rows, [])
        known = await homes(self.workspace_id, {row.values["customer_id"] for row in rows})
        good = [row for row in rows if row.values["customer_id"] in known]
        return Screened(
            good,
            [
                Fault.of(row.line, "customer_id", NotFound("there is no such customer"))
                for row in rows
                if row.values["customer_id"] not in known
            ],
        )

    async def customers_of(
        self, rows: list[Row], instant: str, now: datetime
    ) -> tuple[dict[str, int], dict[str, Change]]:
        """The ids of the rows' customers, and those created for them, registered since their first row."""
        since: dict[str, datetime] = {}
        lines: dict[str, int] = {}
        for line, values in rows:
            customer, at = values["customer_id"], values[instant]
            since[customer] = min(at, since.get(customer, at))
            lines.setdefault(customer, line)
        ids, made = await create_customers(self.workspace_id, since, now)
        return ids, {name: Change("customer", ids[name], lines[name]) for name in made}


class OrderTaker(Taker):
    event = "orders.imported"

    def __init__(self, workspace_id: int, tz: ZoneInfo, currency: str, create_customers: bool) -> None:
        super().__init__(workspace_id)
        self.sheet = order_sheet(tz, currency)
        self.tz, self.currency, self.create_customers = tz, currency, create_customers

    async def screen(self, rows: list[Row], now: datetime) -> Screened:
        kept, faults, _ = await self.screen_customers(rows, self.create_customers)
        good, partial = [], 0
        for row in kept:
            if row.values.get("status") is OrderStatus.PAID and row.values.get("delivered_at"):
                early: DomainError = Invalid("an order that is only paid has no delivery")
                faults.append(Fault.of(row.line, "delivered_at", early))
                if not self.lenient:
                    continue
                row = Row(row.line, row.values | {"delivered_at": None})
                partial += 1
            good.append(row)
        return Screened(good, faults, partial)

    def _becomes(self, columns: Collection[str]) -> dict[str, str]:
        """What is never empty is filled already, so that only OVERWRITE changes it."""
        given = {
            "customer_id": "customer_id",
            "ordered_at": "ordered_at",
            "ordered_on": "ordered_at",
            "amount_minor": "amount",
            "quantity": "quantity",
            "status": "status",
            "delivered_at": "delivered_at",
        }
        becomes = {}
        for name, column in given.items():
            rule = self.merge.get(column, MergeRule.OVERWRITE)
            if column not in columns and column in ("quantity", "delivered_at"):
                continue
            if rule is MergeRule.OVERWRITE:
                becomes[name] = BECOMES[name]
            elif rule is MergeRule.FILL and name == "delivered_at":
                becomes[name] = "COALESCE(orders.delivered_at, excluded.delivered_at)"
        return becomes

    async def take(self, rows: list[Row], columns: Collection[str], run_id: int, now: datetime) -> Taken:
        ids, new = await self.customers_of(rows, "ordered_at", now)
        lines = {values["order_id"]: line for line, values in rows}
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
        stored = await store(self.workspace_id, orders, self._becomes(columns))
        created = sum(order.before is None for order in stored)
        changes = [
            Change("order", one.id, lines[one.external_id], one.version, one.earlier and kept(one.earlier))
            for one in stored
        ]
        return Taken(
            created, len(stored) - created, len(rows) - len(stored), new.keys(), [*changes, *new.values()]
        )


def kept(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a row was, as JSON holds it: its instants with their zone."""
    return {
        name: instant_of(value).isoformat() if name.endswith("_at") and value is not None else value
        for name, value in values.items()
        if name not in ("id", "external_id", "version")
    }


_PROFILE = ("name", "company", "phone", "email")


class CustomerTaker(Taker):
    """An empty cell leaves what is stored; tags that are given replace those that are there."""

    event = "customers.imported"

    def __init__(self, workspace_id: int, tz: ZoneInfo) -> None:
        super().__init__(workspace_id)
        self.sheet = customer_sheet(tz)

    def _becomes(self, columns: Collection[str], dated: bool) -> dict[str, str]:
        becomes = {}
        for name in _PROFILE:
            rule = self.merge.get(name, MergeRule.OVERWRITE)
            if name in columns and rule is MergeRule.OVERWRITE:
                becomes[name] = f"COALESCE(excluded.{name}, customers.{name})"
            elif name in columns and rule is MergeRule.FILL:
                becomes[name] = f"COALESCE(customers.{name}, excluded.{name})"
        if dated and self.merge.get("registered_at", MergeRule.OVERWRITE) is MergeRule.OVERWRITE:
            becomes["registered_at"] = "excluded.registered_at"
        return becomes

    async def take(self, rows: list[Row], columns: Collection[str], run_id: int, now: datetime) -> Taken:
        profile = [name for name in _PROFILE if name in columns]
        lines = {values["customer_id"]: line for line, values in rows}
        ids: dict[str, int] = {}
        changed: dict[int, int] = {}
        rest: list[tuple[bool, list[dict[str, Any]]]] = []
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
            rest.append((dated, [row for row in part if row["external_id"] not in ids]))
        known = await self._known([row["external_id"] for _, part in rest for row in part])
        also = "updated_at = excluded.updated_at, "
        for dated, part in rest:
            becomes = self._becomes(columns, dated)
            for row in await update_known("customers", part, becomes, also, "id, external_id, version"):
                changed[row["id"]] = row["version"]
        created = [Change("customer", number, lines[name]) for name, number in ids.items()]
        before = {name: kept(row) for name, row in known.items()}
        for name, number in await self._tag(rows, ids, known, before, set(changed), now):
            changed.setdefault(number, known[name]["version"] + 1)
        changes = [
            Change("customer", row["id"], lines[name], changed[row["id"]], before[name])
            for name, row in known.items()
            if row["id"] in changed
        ]
        return Taken(
            len(ids), len(changed), len(rows) - len(ids) - len(changed), ids.keys(), [*created, *changes]
        )

    async def _known(self, names: list[str]) -> dict[str, dict[str, Any]]:
        """What is stored of those who were there before, locked in the order of their keys."""
        if not names:
            return {}
        lock = "FOR NO KEY UPDATE" if db.is_postgres() else ""
        found = await db.rows(
            f"""SELECT id, external_id, version, {", ".join(_PROFILE)}, registered_at FROM customers
                WHERE workspace_id = :workspace AND external_id IN :names ORDER BY external_id {lock}""",
            workspace=self.workspace_id,
            names=sorted(names),
        )
        return {row["external_id"]: row for row in found}

    async def _tag(
        self,
        rows: list[Row],
        created: Mapping[str, int],
        known: Mapping[str, Mapping[str, Any]],
        before: Mapping[str, dict[str, Any]],
        changed: Collection[int],
        now: datetime,
    ) -> list[tuple[str, int]]:
        """Replace tags where the rows give some; the known customers for whom that was a change."""
        given = {values["customer_id"]: values["tags"] for _, values in rows if values.get("tags")}
        rule = self.merge.get("tags", MergeRule.OVERWRITE)
        if rule is MergeRule.KEEP:
            given = {name: tags for name, tags in given.items() if name in created}
        ids = {name: created.get(name) or known[name]["id"] for name in given}
        present = await tagging.of(
            self.workspace_id, sorted(number for name, number in ids.items() if name in known)
        )
        if rule is MergeRule.FILL:
            given = {name: tags for name, tags in given.items() if not present.get(ids[name])}
        if not given:
            return []
        tagged = await tagging.replace(self.workspace_id, {ids[name]: tags for name, tags in given.items()})
        again = [(name, ids[name]) for name in given if name in known and ids[name] in tagged]
        for name, number in again:
            before[name]["tags"] = present[number]
        await db.execute(
            """UPDATE customers SET version = version + 1, updated_at = :now
               WHERE workspace_id = :workspace AND id IN :customers""",
            now=now,
            workspace=self.workspace_id,
            customers=sorted({number for _, number in again} - set(changed)),
        )
        return again
