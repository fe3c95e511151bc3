"""One line per change: audit trail, timeline, outbox and live feed in one table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tortoise import Model, fields

from domain import db, nudges, timekeeping
from domain.access import Principal
from domain.db.fields import Document, Index, Instant, encode


class JournalLine(Model):
    """What happened, to what, when and by whom; never with personal data, only ids."""

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    position = fields.BigIntField(null=True)
    """The line's place in its workspace's feed: given by the relay after commit, without gaps."""
    name = fields.CharField(max_length=64)
    subject = fields.CharField(max_length=32)
    subject_id = fields.BigIntField()
    customer_id = fields.BigIntField(null=True)
    at = Instant()
    recorded_at = Instant()
    actor = fields.CharField(max_length=64)
    data = Document()

    class Meta:
        table = "journal"
        indexes = [
            Index(("workspace_id", "position"), "journal_feed", unique=True, where="position IS NOT NULL"),
            Index(("workspace_id", "id"), "journal_unnumbered", where="position IS NULL"),
            Index(("workspace_id", "customer_id", "id"), "journal_timeline"),
            Index(("workspace_id", "subject", "subject_id", "id"), "journal_subject"),
        ]


class Feed(Model):
    """How far a workspace's journal is numbered, and how far its reactions have come."""

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    head = fields.BigIntField(default=0)
    reacted = fields.BigIntField(default=0)
    attempts = fields.IntField(default=0)
    retry_at = Instant(null=True)

    class Meta:
        table = "feeds"
        indexes = [
            Index(("workspace_id",), "feeds_workspace", unique=True),
            Index(("workspace_id",), "feeds_unreacted", where="reacted < head"),
        ]


class ParkedLine(Model):
    """A journal line that a reaction failed on too often; it no longer holds up those behind it."""

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    line_id = fields.BigIntField()
    error = fields.CharField(max_length=200)
    parked_at = Instant()

    class Meta:
        table = "parked_lines"
        indexes = [Index(("workspace_id", "line_id"), "parked_lines_line", unique=True)]


@dataclass(frozen=True)
class Entry:
    """A line about to be written. `name` is `subject.verb` in the past tense."""

    name: str
    subject_id: int
    customer_id: int | None = None
    data: Mapping[str, Any] | None = None
    at: datetime | None = None


async def write(who: Principal, *entries: Entry) -> None:
    """Write lines in the transaction of the change they tell of, and nudge the relay at its commit."""
    await write_all(who, entries)


async def tell(
    who: Principal, name: str, statement: str, data: Mapping[str, Any] | None = None, /, **params: Any
) -> list[dict[str, Any]]:
    """Run a statement that returns the rows it changed, and write a line for each of them.

    On PostgreSQL both are one statement, which is its own transaction where there is none. The rows
    need an `id`.
    """
    if not db.is_postgres():
        async with db.transaction():
            changed = await db.rows(statement, **params)
            await write_all(who, [Entry(name, row["id"], data=data) for row in changed])
        return changed
    changed = await db.rows(
        f"""WITH changed AS ({statement}), told AS (
              INSERT INTO journal (workspace_id, name, subject, subject_id, at, recorded_at, actor, data)
              SELECT CAST(:line_workspace AS bigint), CAST(:line_name AS text), CAST(:line_subject AS text),
                changed.id, CAST(:line_at AS timestamptz), CAST(:line_recorded AS timestamptz),
                CAST(:line_actor AS text), CAST(:line_data AS jsonb)
              FROM changed)
            SELECT * FROM changed""",
        **params,
        line_workspace=who.workspace_id,
        line_name=name,
        line_subject=name.partition(".")[0],
        line_at=await timekeeping.now(who.workspace_id),
        line_recorded=timekeeping.machine_now(),
        line_actor=who.label,
        line_data=encode(dict(data or {})),
    )
    if changed:
        nudges.WORK.ring()
    return changed


def told_of_runs(actor: str, name: str) -> tuple[str, dict[str, Any]]:
    """For PostgreSQL, an expression and its parameters: a line for each row of the expression `changed`.

    Its rows are runs, of any workspaces. The caller nudges. `{id}` in the actor is the run's id.
    """
    return (
        """told AS (
             INSERT INTO journal (workspace_id, name, subject, subject_id, at, recorded_at, actor, data)
             SELECT changed.workspace_id, CAST(:line_name AS text), 'run', changed.id, COALESCE(
                 (SELECT clock_at FROM workspaces WHERE workspaces.id = changed.workspace_id AND sandbox),
                 {now}), {now}, replace(:line_actor, '{id}', CAST(changed.id AS text)),
               jsonb_build_object('kind', changed.kind)
             FROM changed)""",
        {"line_name": name, "line_actor": actor},
    )


async def write_all(who: Principal, entries: Sequence[Entry]) -> None:
    if not entries:
        return
    assert db.in_transaction(), "a journal line belongs to the transaction of its change"
    at = await timekeeping.now(who.workspace_id)
    recorded = timekeeping.machine_now()
    await db.insert_many(
        "journal",
        [
            {
                "workspace_id": who.workspace_id,
                "name": entry.name,
                "subject": entry.name.partition(".")[0],
                "subject_id": entry.subject_id,
                "customer_id": entry.customer_id,
                "at": entry.at or at,
                "recorded_at": recorded,
                "actor": who.label,
                "data": encode(dict(entry.data or {})),
            }
            for entry in entries
        ],
    )
    nudges.WORK.ring()
