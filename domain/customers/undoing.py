"""Undoes an import by what it changed; whatever was changed or built upon since stays, and is listed."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from domain import db, journal, runs, timekeeping, workspaces
from domain.access import Principal
from domain.customers import tagging, totals
from domain.customers.import_reports import write_faults
from domain.customers.models import Customer, ImportChange
from domain.customers.sheets import Fault
from domain.customers.takers import Change
from domain.errors import Conflict, NotFound
from domain.journal import Entry
from domain.runs import ENDED, Run, Work

SUBJECTS = {
    "order": "orders",
    "event": "behaviour_events",
    "interaction": "interactions",
    "consent": "consents",
    "customer": "customers",
}
"""What imports change, in the order in which it is undone: customers last, whom the others refer to."""
COUNTS = ("removed", "restored", "kept")
_COMPUTED: dict[str, str] = {}


def computed_about_customers(**columns: str) -> None:
    """Name the tables of a later concept that are computed anew anyway, and where they name the customer.

    Rows of any other table keep the customer that they tell of.
    """
    _COMPUTED.update(columns)


async def keep_changes(work: Work, changes: Sequence[Change]) -> None:
    """Keep what a batch changed, in the batch's transaction."""
    by_subject: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        by_subject[change.subject].append(change)
    await db.insert_many(
        "import_changes",
        [
            {
                "workspace_id": work.workspace_id,
                "run_id": work.run.id,
                "subject": subject,
                "created": db.encode([[one.id, one.line] for one in found if one.before is None]),
                "updated": db.encode(
                    [[one.id, one.line, one.version, one.before] for one in found if one.before is not None]
                ),
                "undone": False,
            }
            for subject, found in by_subject.items()
        ],
    )


@runs.kind("import_undo", deadline_seconds=6 * 3600)
async def _undo(work: Work) -> dict[str, Any]:
    """Batch by batch, the latest first; each is marked with what it undid, so a killed run goes on."""
    counts = Counter(work.cursor.get("counts", {}))
    total = await ImportChange.filter(workspace_id=work.workspace_id, run_id=work.args["run_id"]).count()
    done = await _of(work).filter(undone=True).count()
    for subject in SUBJECTS:
        while batch := await _of(work).filter(subject=subject, undone=False).order_by("-id").first():
            async with work.step(total=total, unit="batches") as step:
                undoing = _Batch(work, subject)
                await undoing.remove(batch.created)
                await undoing.restore(batch.updated)
                await undoing.tidy()
                counts.update(undoing.counts)
                await ImportChange.filter(workspace_id=work.workspace_id, id=batch.id).update(undone=True)
                await journal.write(
                    work.who,
                    Entry(
                        "import.undone",
                        work.args["run_id"],
                        data={"run_id": work.run.id, "subject": subject, **undoing.counts},
                    ),
                )
                done += 1
                step.done = done
                step.cursor = {"counts": dict(counts)}
    return {name: counts[name] for name in COUNTS}


def _of(work: Work) -> Any:
    return ImportChange.filter(workspace_id=work.workspace_id, run_id=work.args["run_id"])


class _Batch:
    """What one batch of an import changed, on its way back."""

    def __init__(self, work: Work, subject: str) -> None:
        self.work, self.workspace_id = work, work.workspace_id
        self.subject, self.table = subject, SUBJECTS[subject]
        self.counts: dict[str, int] = dict.fromkeys(COUNTS, 0)
        self.faults: list[Fault] = []
        self.customers: set[int] = set()

    async def _stored(self, ids: Collection[int]) -> dict[int, dict[str, Any]]:
        """Those rows that are still there, locked in the order of their ids."""
        if not ids:
            return {}
        customer = "id" if self.subject == "customer" else "customer_id"
        lock = "FOR UPDATE" if db.is_postgres() else ""
        found = await db.rows(
            f"""SELECT id, version, {customer} AS customer_id FROM {self.table}
                WHERE workspace_id = :workspace AND id IN :ids ORDER BY id {lock}""",
            workspace=self.workspace_id,
            ids=sorted(ids),
        )
        return {row["id"]: row for row in found}

    def _keep(self, line: int, why: str) -> None:
        self.counts["kept"] += 1
        self.faults.append(Fault.of(line, None, Conflict(why)))

    async def remove(self, created: Sequence[Sequence[int]]) -> None:
        lines = {each[0]: each[1] for each in created}
        stored = await self._stored(lines.keys())
        going = {number for number, row in stored.items() if row["version"] == 1}
        used = await self._used(going) if self.subject == "customer" else set()
        for number in sorted(stored):
            if number not in going:
                self._keep(lines[number], "changed since it was imported; it stays")
            elif number in used:
                self._keep(lines[number], "other records tell of this customer; they stay")
        going -= used
        self.counts["removed"] += len(going)
        if self.subject == "customer":
            await self._delete("customer_tags", "customer_id", going)
            for table in sorted(_COMPUTED):
                await self._delete(table, _COMPUTED[table], going)
        else:
            self.customers |= {stored[number]["customer_id"] for number in going}
        await self._delete(self.table, "id", going)

    async def _delete(self, table: str, column: str, ids: Collection[int]) -> None:
        if ids:
            await db.execute(
                f"DELETE FROM {table} WHERE workspace_id = :workspace AND {column} IN :ids",
                workspace=self.workspace_id,
                ids=sorted(ids),
            )

    async def _used(self, ids: Collection[int]) -> set[int]:
        """Those of whom other records tell than what is computed anew anyway."""
        found: set[int] = set()
        for table, column in db.references_to(Customer):
            if table == "customer_tags" or table in _COMPUTED or not ids:
                continue
            found |= {
                row["id"]
                for row in await db.rows(
                    f"""SELECT DISTINCT {column} AS id FROM {table}
                        WHERE workspace_id = :workspace AND {column} IN :ids""",
                    workspace=self.workspace_id,
                    ids=sorted(ids),
                )
            }
        return found

    async def restore(self, updated: Sequence[tuple[int, int, int, dict[str, Any]]]) -> None:
        stored = await self._stored([number for number, *_ in updated])
        workspace = await workspaces.get(self.workspace_id)
        tz = timekeeping.zone(workspace.zone)
        for number, line, version, before in updated:
            if number not in stored:
                continue
            if stored[number]["version"] != version:
                self._keep(line, "changed since it was imported; it stays")
                continue
            values = dict(before)
            tags = values.pop("tags", None)
            for name, value in values.items():
                if name.endswith("_at") and value is not None:
                    values[name] = datetime.fromisoformat(value)
            if self.subject == "order":
                values["ordered_on"] = timekeeping.local_day(values["ordered_at"], tz)
                self.customers |= {stored[number]["customer_id"], values["customer_id"]}
            await db.execute(
                f"""UPDATE {self.table} SET version = version + 1,
                      {", ".join(f"{name} = :{name}" for name in values)}
                    WHERE workspace_id = :workspace AND id = :id""",
                workspace=self.workspace_id,
                id=number,
                **values,
            )
            if tags is not None:
                await tagging.replace(self.workspace_id, {number: set(tags)})
            self.counts["restored"] += 1

    async def tidy(self) -> None:
        """List what stays, and bring the customers of what went in line with what remains."""
        await write_faults(self.work, self.faults)
        if self.subject == "order":
            await totals.recompute(self.workspace_id, self.customers)
        if self.customers:
            await totals.recall_interactions(self.workspace_id, self.customers)


async def undo_import(who: Principal, run_id: int) -> Run:
    """Queue the undoing of an import that has ended; undone twice, nothing more happens.

    Raises:
        NotFound: there is no such run, or it is no import.
        Conflict: it has not ended yet, or it changed nothing.
    """
    async with db.transaction():
        run = await Run.get_or_none(workspace_id=who.workspace_id, id=run_id)
        if run is None or not run.kind.endswith("_import"):
            raise NotFound("no such import", field="id")
        if run.state not in ENDED:
            raise Conflict("this import has not ended yet; cancel it first", field="id", current=run)
        if not await ImportChange.exists(workspace_id=who.workspace_id, run_id=run_id):
            raise Conflict("this import changed nothing", field="id", current=run)
        return await runs.enqueue(who, "import_undo", {"run_id": run_id}, unique_key=f"run:{run_id}")
