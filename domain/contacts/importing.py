"""Imports of past contacts and consents: history, which is told in batches and starts no work."""

from abc import abstractmethod
from collections.abc import Callable, Collection
from datetime import datetime
from enum import Enum
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from domain import customers, db, runs, texts, timekeeping, workspaces
from domain.access import Principal
from domain.contacts.actions import LONGEST_NOTE
from domain.contacts.models import Channel, ContactResult, Direction, Purpose
from domain.customers import Change, Fault, ImportOptions, ImportPolicy, Row, Screened, Sheet, Taken, Taker
from domain.errors import Invalid
from domain.runs import Run, Work

DEADLINE_SECONDS = 6 * 3600
_DEFAULTS = ImportOptions()
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
E = TypeVar("E", bound=Enum)


def _one_of(words: type[E]) -> Callable[[str, str], E]:
    def parse(cell: str, column: str) -> E:
        try:
            return words(cell.upper())
        except ValueError:
            raise Invalid(f"{column} is not one of {', '.join(str(word.value) for word in words)}") from None

    return parse


def _truth(cell: str, column: str) -> bool:
    if cell.lower() not in _TRUTHS:
        raise Invalid(f"{column} is neither true nor false")
    return _TRUTHS[cell.lower()]


def interaction_sheet(tz: ZoneInfo) -> Sheet:
    return Sheet(
        columns={
            "customer_id": customers.external_id,
            "occurred_at": customers.moment(tz),
            "channel": _one_of(Channel),
            "direction": _one_of(Direction),
            "result": _one_of(ContactResult),
            "personal": _truth,
            "note": lambda cell, column: texts.text(cell, column, LONGEST_NOTE),
        },
        required=frozenset({"customer_id", "occurred_at", "channel", "direction", "result"}),
        identity=("customer_id", "occurred_at", "channel", "direction"),
    )


def consent_sheet(tz: ZoneInfo) -> Sheet:
    return Sheet(
        columns={
            "customer_id": customers.external_id,
            "purpose": _one_of(Purpose),
            "granted": _truth,
            "source": lambda cell, column: texts.text(cell, column, 64),
            "stated_at": customers.moment(tz),
            "notice_version": lambda cell, column: texts.text(cell, column, 64),
        },
        required=frozenset({"customer_id", "purpose", "granted", "source", "stated_at"}),
        identity=("customer_id", "purpose", "granted", "source", "stated_at"),
    )


class _HistoryTaker(Taker):
    """Rows that are only added. One that is stored already, by all that identifies it, is not added again."""

    table: str
    subject: str
    instant: str
    identity: tuple[str, ...]

    async def screen(self, rows: list[Row], now: datetime) -> Screened:
        known = await self.screen_customers(rows, False)
        good = [row for row in known.rows if row.values[self.instant] <= now]
        late = [row for row in known.rows if row.values[self.instant] > now]
        wrong = Invalid(f"{self.instant} is in the future")
        return Screened(good, [*known.faults, *(Fault.of(row.line, self.instant, wrong) for row in late)])

    @abstractmethod
    def record(self, customer_id: int, values: dict[str, Any], now: datetime) -> dict[str, Any]:
        """All columns of a row of the table."""

    async def take(self, rows: list[Row], columns: Collection[str], run_id: int, now: datetime) -> Taken:
        ids, _ = await self.customers_of(rows, self.instant, now)
        there = {
            self._identity(row)
            for row in await db.rows(
                f"""SELECT customer_id, {", ".join(self.identity)} FROM {self.table}
                    WHERE workspace_id = :workspace AND customer_id IN :customers""",
                workspace=self.workspace_id,
                customers=sorted(ids.values()),
            )
        }
        fresh, lines = [], []
        for line, values in rows:
            record = self.record(ids[values["customer_id"]], values, now)
            if self._identity(record) not in there:
                there.add(self._identity(record))
                fresh.append(record)
                lines.append(line)
        made = sorted(row["id"] for row in await db.insert_many(self.table, fresh, returning="id"))
        await self.added({record["customer_id"] for record in fresh})
        changes = [Change(self.subject, number, line) for number, line in zip(made, lines, strict=True)]
        return Taken(len(made), 0, len(rows) - len(made), (), changes)

    def _identity(self, row: dict[str, Any]) -> tuple[Any, ...]:
        return (row["customer_id"], *(self._plain(name, row[name]) for name in self.identity))

    def _plain(self, name: str, value: Any) -> Any:
        return db.instant_of(value) if name == self.instant else bool(value) if name == "granted" else value

    async def added(self, customer_ids: set[int]) -> None:
        """Whatever follows from the new rows."""


class InteractionTaker(_HistoryTaker):
    event, table, subject, instant = "interactions.imported", "interactions", "interaction", "occurred_at"
    identity = ("occurred_at", "channel", "direction")

    def __init__(self, workspace_id: int, tz: ZoneInfo) -> None:
        super().__init__(workspace_id)
        self.sheet = interaction_sheet(tz)

    def record(self, customer_id: int, values: dict[str, Any], now: datetime) -> dict[str, Any]:
        personal = values.get("personal")
        return {
            "workspace_id": self.workspace_id,
            "version": 1,
            "customer_id": customer_id,
            "channel": values["channel"].value,
            "direction": values["direction"].value,
            "personal": True if personal is None else personal,
            "result": values["result"].value,
            "note": values.get("note") or "",
            "occurred_at": values["occurred_at"],
            "created_at": timekeeping.machine_now(),
        }

    async def added(self, customer_ids: set[int]) -> None:
        await customers.note_interactions(self.workspace_id, customer_ids, "interactions", ANSWERED)


class ConsentTaker(_HistoryTaker):
    event, table, subject, instant = "consents.imported", "consents", "consent", "stated_at"
    identity = ("purpose", "granted", "source", "stated_at")

    def __init__(self, workspace_id: int, tz: ZoneInfo) -> None:
        super().__init__(workspace_id)
        self.sheet = consent_sheet(tz)

    def record(self, customer_id: int, values: dict[str, Any], now: datetime) -> dict[str, Any]:
        return {
            "workspace_id": self.workspace_id,
            "version": 1,
            "customer_id": customer_id,
            "purpose": values["purpose"].value,
            "granted": values["granted"],
            "source": values["source"],
            "notice_version": values.get("notice_version") or "",
            "stated_at": values["stated_at"],
            "created_at": timekeeping.machine_now(),
        }


ANSWERED = "(direction = 'INBOUND' OR result = 'REACHED')"
customers.counts_as_interaction("interactions", "occurred_at", ANSWERED)


async def import_interactions(
    who: Principal,
    file_id: int,
    policy: ImportPolicy = ImportPolicy.REJECT_FAILED_ROWS,
    options: ImportOptions = _DEFAULTS,
) -> Run:
    """Queue an import of contacts that took place, by the customer's external id."""
    return await customers.queue_import(
        who, "interactions_import", file_id, policy, options, interaction_sheet
    )


async def import_consents(
    who: Principal,
    file_id: int,
    policy: ImportPolicy = ImportPolicy.REJECT_FAILED_ROWS,
    options: ImportOptions = _DEFAULTS,
) -> Run:
    """Queue an import of what customers have said about contacts; for each purpose the latest holds."""
    return await customers.queue_import(who, "consents_import", file_id, policy, options, consent_sheet)


@runs.kind("interactions_import", deadline_seconds=DEADLINE_SECONDS)
async def _interactions(work: Work) -> dict[str, Any]:
    workspace = await workspaces.get(work.workspace_id)
    taker = InteractionTaker(workspace.id, timekeeping.zone(workspace.zone))
    return await customers.perform_import(work, taker)


@runs.kind("consents_import", deadline_seconds=DEADLINE_SECONDS)
async def _consents(work: Work) -> dict[str, Any]:
    workspace = await workspaces.get(work.workspace_id)
    taker = ConsentTaker(workspace.id, timekeeping.zone(workspace.zone))
    return await customers.perform_import(work, taker)
