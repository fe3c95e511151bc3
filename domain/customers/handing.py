"""What becomes of the rows of a customer whose record is merged into another: said once for each table.

A later concept says it of its own tables, with `hand_over`; what a plain move cannot do it adds with
`on_merge`. Every table that points to customers has its decision here, or a test fails.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tortoise import Model, Tortoise

from domain import db
from domain.access import Principal
from domain.db.connection import APP


class Fate(StrEnum):
    """What becomes of a table's rows in a merge."""

    MOVES = "MOVES"
    """They become those of the record that is kept."""
    COPIES = "COPIES"
    """The record that is kept gets the like of those that it lacks; they stay where they are, too."""
    STAYS = "STAYS"
    """They are computed of the record, or tell of it alone."""


@dataclass(frozen=True)
class Handing:
    """The decision for one column that names a customer.

    `unless` are the columns that, with the customer, are a row's own key: where the record that is kept
    has such a row already, the other's stays where it is. None: there is no such key.
    """

    table: str
    fate: Fate
    column: str = "customer_id"
    unless: tuple[str, ...] | None = None

    @property
    def place(self) -> str:
        return f"{self.table}.{self.column}"

    @property
    def goes(self) -> str:
        """The condition that a row is handed over, in terms of `t`, `:kept` and `:gone`."""
        condition = f't.workspace_id = :workspace AND t."{self.column}" = :gone'
        if self.unless is None:
            return condition
        same = "".join(f' AND o."{name}" = t."{name}"' for name in self.unless)
        return f"""{condition} AND NOT EXISTS (SELECT 1 FROM {self.table} o
                   WHERE o.workspace_id = :workspace AND o."{self.column}" = :kept{same})"""


@dataclass(frozen=True)
class Value:
    """One value that two records may disagree on, and which of them stands after a merge."""

    name: str
    kept: str | None
    other: str | None
    becomes: str | None


@dataclass(frozen=True)
class Settling:
    """What a concept decides between two records beyond moving rows.

    `foresee` tells it, `settle` does it before rows move and says what it did, and `unsettle` takes that
    back after they have moved back; it answers with what has changed since and stays as it is now.
    """

    foresee: Callable[[int, int, int], Awaitable[list[Value]]]
    settle: Callable[[Principal, int, int], Awaitable[Mapping[str, Any]]]
    unsettle: Callable[[Principal, int, int, Mapping[str, Any]], Awaitable[list[str]]]


HANDINGS: dict[str, Handing] = {}
SETTLINGS: dict[str, Settling] = {}


def hand_over(
    table: str, fate: Fate, *, column: str = "customer_id", unless: tuple[str, ...] | None = None
) -> None:
    """Say what becomes of a table's rows when the customer that a column names is merged away."""
    handing = Handing(table, fate, column, unless)
    HANDINGS[handing.place] = handing


def on_merge(name: str, settling: Settling) -> None:
    """Add what moving rows alone cannot do; `name` is the concept's."""
    SETTLINGS[name] = settling


hand_over("behaviour_events", Fate.MOVES)
hand_over("customer_merges", Fate.STAYS, column="gone_id")
hand_over("customer_merges", Fate.STAYS, column="kept_id")
hand_over("customer_tags", Fate.COPIES, unless=("tag",))
hand_over("customers", Fate.MOVES, column="merged_into_id")
hand_over("journal", Fate.MOVES)
hand_over("leads", Fate.MOVES)
hand_over("orders", Fate.MOVES)


async def counts(workspace_id: int, kept: int, gone: int) -> dict[str, int]:
    """How many rows of each table would be handed over; tables without any are absent."""
    found = {}
    for handing in _handed():
        number = await db.value(
            f"SELECT count(*) AS number FROM {handing.table} t WHERE {handing.goes}",
            workspace=workspace_id,
            **_pair(handing, kept, gone),
        )
        if number:
            found[handing.place] = int(number)
    return found


async def move(workspace_id: int, merge_id: int, kept: int, gone: int) -> None:
    """Hand every row over, and note which, so that each can go back."""
    for handing in _handed():
        given = {"workspace": workspace_id, "merge": merge_id, "place": handing.place}
        if handing.fate is Fate.COPIES:
            columns = ", ".join(
                f'"{name}"' for name in _model(handing).fields_map if name not in ("id", handing.column)
            )
            made = await db.rows(
                f"""INSERT INTO {handing.table} ("{handing.column}", {columns})
                    SELECT CAST(:into AS bigint), {columns} FROM {handing.table} t WHERE {handing.goes}
                    RETURNING id""",
                workspace=workspace_id,
                into=kept,
                **_pair(handing, kept, gone),
            )
            noted = [
                {
                    "workspace_id": workspace_id,
                    "merge_id": merge_id,
                    "place": handing.place,
                    "row_id": row["id"],
                }
                for row in made
            ]
            await db.insert_many("merged_rows", noted)
            continue
        await db.execute(
            f"""INSERT INTO merged_rows (workspace_id, merge_id, place, row_id)
                SELECT CAST(:workspace AS bigint), CAST(:merge AS bigint), CAST(:place AS text), t.id
                FROM {handing.table} t WHERE {handing.goes}""",
            **given,
            **_pair(handing, kept, gone),
        )
        await _point(handing, given, kept, gone)


async def move_back(workspace_id: int, merge_id: int, kept: int, gone: int) -> dict[str, int]:
    """Hand back what was handed over; of each table how many rows are no longer where they were left.

    A copy that has been removed since is nothing to bring back.
    """
    missing = {}
    for handing in _handed():
        given = {"workspace": workspace_id, "merge": merge_id, "place": handing.place}
        noted = await db.value(
            """SELECT count(*) AS number FROM merged_rows
               WHERE workspace_id = :workspace AND merge_id = :merge AND place = :place""",
            **given,
        )
        if not noted:
            continue
        if handing.fate is Fate.COPIES:
            await db.execute(
                f"""DELETE FROM {handing.table} WHERE workspace_id = :workspace
                      AND "{handing.column}" = :kept AND id IN ({_NOTED})""",
                kept=kept,
                **given,
            )
            continue
        back = await _point(handing, given, gone, kept)
        if back < noted:
            missing[handing.place] = noted - back
    return missing


_NOTED = """SELECT row_id FROM merged_rows
            WHERE workspace_id = :workspace AND merge_id = :merge AND place = :place"""


async def _point(handing: Handing, given: Mapping[str, Any], to: int, since: int) -> int:
    """Point the noted rows of a table to another record; how many of them did point where they should."""
    versioned = ", version = version + 1" if "version" in _model(handing).fields_map else ""
    return await db.execute(
        f"""UPDATE {handing.table} SET "{handing.column}" = :to{versioned}
            WHERE workspace_id = :workspace AND "{handing.column}" = :since AND id IN ({_NOTED})""",
        to=to,
        since=since,
        **given,
    )


def _handed() -> list[Handing]:
    return [handing for _, handing in sorted(HANDINGS.items()) if handing.fate is not Fate.STAYS]


def _pair(handing: Handing, kept: int, gone: int) -> dict[str, int]:
    return {"gone": gone} if handing.unless is None else {"gone": gone, "kept": kept}


def _model(handing: Handing) -> Any:
    assert Tortoise.apps is not None
    models: list[type[Model]] = list(Tortoise.apps[APP].values())
    return next(model._meta for model in models if model._meta.db_table == handing.table)
