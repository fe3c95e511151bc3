"""Takes batches of imported events: what customers did besides buying."""

from collections.abc import Collection
from datetime import datetime
from zoneinfo import ZoneInfo

from domain import db
from domain.customers import totals
from domain.customers.rows import homes, insert_new
from domain.customers.sheets import Fault, Row, event_sheet
from domain.customers.takers import Change, Screened, Taken, Taker
from domain.db.values import instant_of
from domain.errors import Duplicate


class EventTaker(Taker):
    """An event is told once; told again it changes nothing, and another one by its id is a fault."""

    event = "events.imported"

    def __init__(self, workspace_id: int, tz: ZoneInfo, create_customers: bool) -> None:
        super().__init__(workspace_id)
        self.sheet = event_sheet(tz)
        self.create_customers = create_customers

    async def screen(self, rows: list[Row], now: datetime) -> Screened:
        screened = await self.screen_customers(rows, self.create_customers)
        stored = await self._stored([row.values["event_id"] for row in screened.rows])
        if not stored:
            return screened
        ids = await homes(self.workspace_id, {row.values["customer_id"] for row in screened.rows})
        good, faults = [], screened.faults
        for row in screened.rows:
            values = row.values
            told = (ids.get(values["customer_id"]), values["name"], values["occurred_at"])
            if stored.get(values["event_id"], told) == told:
                good.append(row)
            else:
                other = Duplicate("another event has this event_id")
                faults.append(Fault.of(row.line, "event_id", other))
        return Screened(good, faults)

    async def _stored(self, names: list[str]) -> dict[str, tuple[int | None, str, datetime]]:
        if not names:
            return {}
        found = await db.rows(
            """SELECT external_id, customer_id, name, occurred_at FROM behaviour_events
               WHERE workspace_id = :workspace AND external_id IN :names""",
            workspace=self.workspace_id,
            names=sorted(names),
        )
        return {
            row["external_id"]: (row["customer_id"], row["name"], instant_of(row["occurred_at"]))
            for row in found
        }

    async def take(self, rows: list[Row], columns: Collection[str], run_id: int, now: datetime) -> Taken:
        ids, new = await self.customers_of(rows, "occurred_at", now)
        lines = {values["event_id"]: line for line, values in rows}
        made = await insert_new(
            "behaviour_events",
            [
                {
                    "workspace_id": self.workspace_id,
                    "version": 1,
                    "external_id": values["event_id"],
                    "customer_id": ids[values["customer_id"]],
                    "name": values["name"],
                    "occurred_at": values["occurred_at"],
                    "data": db.encode(values.get("data") or {}),
                    "created_at": now,
                }
                for _, values in rows
            ],
            "id, external_id, customer_id",
        )
        told = {row["customer_id"] for row in made}
        await totals.note_interactions(self.workspace_id, told, "behaviour_events", "1 = 1")
        changes = [Change("event", row["id"], lines[row["external_id"]]) for row in made]
        return Taken(len(made), 0, len(rows) - len(made), new.keys(), [*changes, *new.values()])
