"""The migrations make exactly the schema that the models describe, on both databases, once."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tortoise import Model, Tortoise, fields
from tortoise.exceptions import IntegrityError
from tortoise.migrations.autodetector import MigrationAutodetector
from tortoise.migrations.operations import AlterModelOptions

from domain import db, timekeeping
from domain.db import Document, Index, Instant, Reference
from domain.db.connection import APP, config
from domain.db.migrate import migrate, pending
from tests.servers import Postgres

WITHOUT_WORKSPACE = {"workspaces", "leases"}
"""Tables that belong to no workspace."""
ACROSS_WORKSPACES = {
    "api_keys_key",  # a credential is looked up before its workspace is known
    "idempotency_keys_age",
    "files_expiry",
    "runs_later",
    "runs_ended",
    "schedules_due",
    "runs_leased",
    "users_token",  # a token is looked up before its workspace is known
    "contact_streaks_next",
    "tasks_escalation",
    "tasks_snoozed",
    "webhook_deliveries_age",
    "workspaces_nightly",
}
"""Indexes of due queries and of pruning, which look at all workspaces at once."""
ROOT = Path(__file__).parents[3]


def _models() -> list[Any]:
    assert Tortoise.apps is not None
    return list(Tortoise.apps[APP].values())


def _references() -> list[tuple[Any, str, Reference]]:
    return [
        (model, name, field)
        for model in _models()
        for name, field in model._meta.fields_map.items()
        if isinstance(field, Reference)
    ]


# --- models and migrations say the same ---


async def _unmigrated(url: str) -> list[Any]:
    """Model changes without a migration; comments on tables are none."""
    assert Tortoise.apps is not None
    writers = await MigrationAutodetector(Tortoise.apps, config(url)["apps"]).changes()
    return [
        operation
        for writer in writers
        for operation in writer.operations
        if not (
            isinstance(operation, AlterModelOptions)
            and set(operation.options) <= {"table", "app", "indexes", "pk_attr", "table_description"}
            and "table_description" in operation.options
        )
    ]


async def test_no_model_has_changed_without_a_migration(database: str) -> None:
    assert await _unmigrated(database) == []


async def test_model_changes_without_a_migration_are_noticed(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    meta = _of("teams")._meta
    with monkeypatch.context() as patch:
        patch.setattr(meta.fields_map["name"], "null", True)
        assert len(await _unmigrated(database)) == 1
    with monkeypatch.context() as patch:
        patch.setattr(meta, "indexes", (*meta.indexes, Index(("workspace_id", "created_at"), "teams_age")))
        assert len(await _unmigrated(database)) == 1
    assert await _unmigrated(database) == []


# --- the live schema ---


async def _columns(table: str) -> dict[str, bool]:
    """The columns of a table, and whether each may be null."""
    if db.is_postgres():
        found = await db.rows(
            """SELECT column_name AS name, is_nullable = 'YES' AS nullable FROM information_schema.columns
               WHERE table_schema = 'public' AND table_name = :t""",
            t=table,
        )
        return {row["name"]: row["nullable"] for row in found}
    found = await db.rows(f"PRAGMA table_xinfo({table})")
    return {row["name"]: not (row["notnull"] or row["pk"]) for row in found}


async def _foreign_keys(table: str) -> set[tuple[tuple[str, ...], str, tuple[str, ...]]]:
    """(columns here, table there, columns there) of each foreign key."""
    if db.is_postgres():
        found = await db.rows(
            """SELECT (SELECT string_agg(a.attname, ',' ORDER BY k.n) FROM unnest(c.conkey)
                         WITH ORDINALITY AS k(num, n)
                       JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.num) AS here,
                      there.relname AS target,
                      (SELECT string_agg(a.attname, ',' ORDER BY k.n) FROM unnest(c.confkey)
                         WITH ORDINALITY AS k(num, n)
                       JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.num) AS columns
               FROM pg_constraint c JOIN pg_class here ON here.oid = c.conrelid
               JOIN pg_class there ON there.oid = c.confrelid
               WHERE c.contype = 'f' AND here.relname = :t""",
            t=table,
        )
        return {(tuple(r["here"].split(",")), r["target"], tuple(r["columns"].split(","))) for r in found}
    keys: dict[int, list[dict[str, Any]]] = {}
    for row in await db.rows(f"PRAGMA foreign_key_list({table})"):
        keys.setdefault(row["id"], []).append(row)
    return {
        (
            tuple(r["from"] for r in sorted(parts, key=lambda r: r["seq"])),
            parts[0]["table"],
            tuple(r["to"] for r in sorted(parts, key=lambda r: r["seq"])),
        )
        for parts in keys.values()
    }


Described = tuple[tuple[str, ...], bool, str]
"""An index: its columns in order, whether it is unique, its condition as the database writes it."""


async def _indexes(table: str) -> dict[str, Described]:
    """The indexes of a table, but for those of its constraints."""
    if db.is_postgres():
        found = await db.rows(
            """SELECT c.relname AS name, i.indisunique AS is_unique,
                      coalesce(pg_get_expr(i.indpred, i.indrelid), '') AS condition,
                      (SELECT string_agg(a.attname, ',' ORDER BY k.n) FROM unnest(i.indkey)
                         WITH ORDINALITY AS k(num, n)
                       JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.num) AS columns
               FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
               WHERE t.relname = :t AND NOT EXISTS
                     (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype <> 'f')""",
            t=table,
        )
        return {r["name"]: (tuple(r["columns"].split(",")), r["is_unique"], r["condition"]) for r in found}
    indexes: dict[str, Described] = {}
    for row in await db.rows(f"PRAGMA index_list({table})"):
        if row["origin"] == "c":
            columns = await db.rows(f"PRAGMA index_info({row['name']})")
            sql = await db.value("SELECT sql FROM sqlite_master WHERE name = :name", name=row["name"])
            condition = sql.partition(" WHERE ")[2]
            assert bool(condition) == bool(row["partial"])
            indexes[row["name"]] = (tuple(c["name"] for c in columns), bool(row["unique"]), condition)
    return indexes


async def _meant(table: str, indexes: list[Index]) -> dict[str, Described]:
    """What the models' indexes are, each as the database itself describes it on an empty twin."""
    twin = f"{table}_twin"
    await db.execute(
        f"CREATE TABLE {twin} (LIKE {table})"
        if db.is_postgres()
        else f"CREATE TABLE {twin} AS SELECT * FROM {table}"
    )
    for index in indexes:
        named = Index(tuple(index.fields), f"twin_{index.name}", unique=index.unique, where=index.where)
        await db.execute(named.statement(twin))
    found = await _indexes(twin)
    await db.execute(f"DROP TABLE {twin}")
    return {name.removeprefix("twin_"): described for name, described in found.items()}


async def test_every_table_has_the_columns_of_its_model(database: str) -> None:
    for model in _models():
        meta = model._meta
        wanted = {field.model_field_name: bool(field.null) for field in meta.fields_map.values()}
        assert await _columns(meta.db_table) == wanted, meta.db_table
    assert len(_models()) > 25


async def test_every_index_of_the_models_exists_as_it_is_meant_and_no_other(database: str) -> None:
    seen = 0
    for model in _models():
        table = model._meta.db_table
        found = await _indexes(table)
        assert found == await _meant(table, list(model._meta.indexes)), table
        assert set(found) == {index.name for index in model._meta.indexes}
        seen += len(found)
    assert seen > 40


async def test_an_index_with_another_condition_is_noticed(database: str) -> None:
    model = next(model for model in _models() if model._meta.db_table == "journal")
    others = [index for index in model._meta.indexes if index.name != "journal_feed"]
    wrong = Index(("workspace_id", "position"), "journal_feed", unique=True, where="position > 0")
    found = await _indexes("journal")
    assert set(found) == set(await _meant("journal", [*others, wrong]))
    assert found != await _meant("journal", [*others, wrong])


async def test_every_table_of_a_workspace_has_it_first_in_its_indexes(database: str) -> None:
    across = set()
    for model in _models():
        meta = model._meta
        assert ("workspace_id" in meta.fields_map) is (meta.db_table not in WITHOUT_WORKSPACE), meta.db_table
        for name, (columns, _, _) in (await _indexes(meta.db_table)).items():
            if "workspace_id" in columns:
                assert columns[0] == "workspace_id", name
            else:
                across.add(name)
    assert across == ACROSS_WORKSPACES


async def test_every_reference_is_a_composite_foreign_key(database: str) -> None:
    assert len(_references()) > 30
    for model in _models():
        table = model._meta.db_table
        wanted = {
            (("workspace_id", name), field.to, ("workspace_id", "id"))
            for owner, name, field in _references()
            if owner is model
        }
        assert await _foreign_keys(table) == wanted, table


# --- what the database refuses ---


class Maker:
    """Makes a row of any model, with the rows it must point to."""

    def __init__(self) -> None:
        self.numbers = count(1)

    async def row(self, model: Any, workspace_id: int, **given: Any) -> Any:
        values = dict(given)
        for name, field in model._meta.fields_map.items():
            if name in values or name in ("id", "workspace_id") or field.null:
                continue
            values[name] = await self.value(field, workspace_id)
        return await model.create(workspace_id=workspace_id, **values)

    async def value(self, field: Any, workspace_id: int) -> Any:
        number = next(self.numbers)
        if isinstance(field, Reference):
            return (await self.row(_of(field.to), workspace_id)).id
        if isinstance(field, Instant):
            return timekeeping.machine_now()
        if isinstance(field, Document):
            return []
        if hasattr(field, "enum_type"):
            return next(iter(field.enum_type))
        if isinstance(field, fields.CharField):
            return f"{number}"[-field.max_length :]
        if isinstance(field, fields.TextField):
            return f"{number}"
        if isinstance(field, fields.DateField):
            return date.fromordinal(730_000 + number)
        if isinstance(field, fields.BooleanField):
            return False
        if isinstance(field, fields.BinaryField):
            return b"x"
        return number


def _of(table: str) -> type[Model]:
    found: type[Model] = next(model for model in _models() if model._meta.db_table == table)
    return found


async def _workspaces() -> tuple[int, int]:
    made = [
        await _of("workspaces").create(name=f"W{n}", created_at=timekeeping.machine_now()) for n in range(2)
    ]
    return made[0].pk, made[1].pk


async def test_no_row_points_into_another_workspace(database: str) -> None:
    ours, theirs = await _workspaces()
    make = Maker()
    for model, name, field in _references():
        here, there = await make.row(_of(field.to), ours), await make.row(_of(field.to), theirs)
        with pytest.raises(IntegrityError, match=r"(?i)foreign key"):
            await make.row(model, ours, **{name: there.id})
        await make.row(model, ours, **{name: here.id})
        assert await model.filter(workspace_id=ours, **{name: there.id}).count() == 0
        assert await model.filter(workspace_id=ours, **{name: here.id}).count() == 1


async def test_a_row_that_is_pointed_to_is_not_deleted(database: str) -> None:
    ours, _ = await _workspaces()
    make = Maker()
    for model, name, field in _references():
        target = await make.row(_of(field.to), ours)
        await make.row(model, ours, **{name: target.id})
        with pytest.raises(IntegrityError, match=r"(?i)foreign key"):
            await target.delete()


# --- migrating ---


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database in which nothing was ever made."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres_server")
    yield server.create_database("careline_empty")
    server.drop_database("careline_empty")


def _steps() -> list[str]:
    return sorted(path.stem for path in (ROOT / "domain" / "migrations").glob("[0-9]*.py"))


async def test_migrating_twice_does_nothing_the_second_time(empty_url: str) -> None:
    async with db.open_database(empty_url):
        assert sorted(await pending(empty_url)) == _steps()
        assert len(await migrate(empty_url)) == len(_steps())
        assert await pending(empty_url) == []
        assert await migrate(empty_url) == []
        await _of("workspaces").create(name="W", created_at=timekeeping.machine_now())
        assert await migrate(empty_url) == []
        assert await db.value("SELECT count(*) FROM workspaces") == 1


PROGRAM = """
import asyncio, sys
from domain import db
from domain.db.migrate import migrate

async def main(url):
    async with db.open_database(url):
        print("ready", flush=True)
        sys.stdin.readline()
        print(len(await migrate(url)), flush=True)

asyncio.run(main(sys.argv[1]))
"""


async def test_four_processes_migrate_one_database_at_once(postgres_server: Postgres) -> None:
    url = postgres_server.create_database("careline_four")
    pipe = subprocess.PIPE
    processes = [
        subprocess.Popen([sys.executable, "-c", PROGRAM, url], cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
        for _ in range(4)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        outputs = [process.communicate(timeout=60)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert [process.returncode for process in processes] == [0] * 4
    assert sorted(int(output) for output in outputs) == [0, 0, 0, len(_steps())]
    async with db.open_database(url):
        assert await pending(url) == []
        assert await db.value("SELECT count(*) FROM tortoise_migrations") == len(_steps())
    postgres_server.drop_database("careline_four")
