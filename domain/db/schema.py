"""Makes tables with their composite keys and partial indexes, the same on both databases."""

from collections.abc import Mapping, Sequence
from typing import Any

from tortoise import Model, Tortoise
from tortoise.migrations.operations import AddField, AddIndex, CreateModel, RemoveIndex, TortoiseOperation

from domain.db.connection import APP, is_postgres
from domain.db.fields import Derived, Index, Reference
from domain.db.scope import policy


class CreateTable(CreateModel):
    """Tortoise's CreateModel, plus what its schema editors leave out.

    Every table of a workspace gets UNIQUE (workspace_id, id), so that references can be composite;
    each `Reference` becomes such a foreign key; each `Index` is made with its condition.
    """

    async def database_forward(
        self, app_label: str, old_state: Any, new_state: Any, state_editor: Any = None
    ) -> None:
        if not state_editor:
            return
        model: Any = new_state.apps.get_model(f"{app_label}.{self.name}")
        meta = model._meta
        indexes, meta.indexes = meta.indexes, ()
        try:
            sql: str = state_editor._get_model_sql_data(model).table_sql
        finally:
            meta.indexes = indexes
        clauses = []
        if "workspace_id" in meta.fields_map:
            clauses.append('UNIQUE ("workspace_id", "id")')
        for name, field in meta.fields_map.items():
            if isinstance(field, Reference):
                clauses.append(
                    f'FOREIGN KEY ("workspace_id", "{name}") REFERENCES "{field.to}" ("workspace_id", "id")'
                )
        head, end, tail = sql.rpartition(")")
        body = ",\n    ".join([head.rstrip(), *clauses])
        await state_editor._run_sql(f"{body}\n{end}{tail}")
        for index in indexes:
            assert isinstance(index, Index), f"{self.name}: use domain.db.Index"
            await state_editor._run_sql(index.statement(meta.db_table) + ";")


class AddDerived(TortoiseOperation):
    """Adds columns that the database derives of others, in one pass over the table.

    PostgreSQL stores them and writes the table anew; SQLite works them out when they are read, and keeps
    them in their indexes alone.
    """

    def __init__(self, model_name: str, columns: Mapping[str, str]) -> None:
        self.model_name, self.columns = model_name, dict(columns)

    def describe(self) -> str:
        return f"Add {len(self.columns)} derived columns to {self.model_name}"

    def state_forward(self, app_label: str, state: Any) -> None:
        for name, form in self.columns.items():
            AddField(self.model_name, name, Derived(form)).state_forward(app_label, state)

    async def database_forward(
        self, app_label: str, old_state: Any, new_state: Any, state_editor: Any = None
    ) -> None:
        if not state_editor:
            return
        table = new_state.apps.get_model(f"{app_label}.{self.model_name}")._meta.db_table
        if is_postgres():
            added = ", ".join(
                f'ADD COLUMN "{name}" text COLLATE "C" GENERATED ALWAYS AS ({form}) STORED'
                for name, form in self.columns.items()
            )
            await state_editor._run_sql(f'ALTER TABLE "{table}" {added};')
            return
        for name, form in self.columns.items():
            await state_editor._run_sql(
                f'ALTER TABLE "{table}" ADD COLUMN "{name}" TEXT GENERATED ALWAYS AS ({form}) VIRTUAL;'
            )


class MakeIndex(AddIndex):
    """Tortoise's AddIndex, for a `domain.db.Index` with its condition."""

    async def database_forward(
        self, app_label: str, old_state: Any, new_state: Any, state_editor: Any = None
    ) -> None:
        if state_editor:
            model: Any = new_state.apps.get_model(f"{app_label}.{self.model_name}")
            assert isinstance(self.index, Index)
            await state_editor._run_sql(self.index.statement(model._meta.db_table) + ";")


class DropIndex(RemoveIndex):
    """Tortoise's RemoveIndex, by name alone."""

    async def database_forward(
        self, app_label: str, old_state: Any, new_state: Any, state_editor: Any = None
    ) -> None:
        if state_editor:
            await state_editor._run_sql(f'DROP INDEX "{self.name}";')


class Statements(TortoiseOperation):
    """Statements that each database has its own words for, such as triggers; the models do not change."""

    def __init__(self, what: str, *, sqlite: Sequence[str], postgres: Sequence[str]) -> None:
        self.what = what
        self.sqlite, self.postgres = tuple(sqlite), tuple(postgres)

    def describe(self) -> str:
        return self.what

    def state_forward(self, app_label: str, state: Any) -> None:
        """The models do not change."""

    async def database_forward(
        self, app_label: str, old_state: Any, new_state: Any, state_editor: Any = None
    ) -> None:
        if not state_editor:
            return
        for statement in self.postgres if is_postgres() else self.sqlite:
            if state_editor.collect_sql:
                await state_editor._run_sql(statement)
            else:  # whole: a trigger's body has semicolons, at which SQLite's editor would cut it up
                await state_editor.client.execute_query(statement)


class SecureRows(TortoiseOperation):
    """Puts tables behind PostgreSQL's row-level security; SQLite has none."""

    def __init__(self, tables: Sequence[str]) -> None:
        self.tables = tuple(tables)

    def describe(self) -> str:
        return f"Secure the rows of {len(self.tables)} tables"

    def state_forward(self, app_label: str, state: Any) -> None:
        """The models do not change."""

    async def database_forward(
        self, app_label: str, old_state: Any, new_state: Any, state_editor: Any = None
    ) -> None:
        if state_editor and is_postgres():
            for table in self.tables:
                for statement in policy(table):
                    await state_editor._run_sql(f"{statement};")


def references_to(model: type[Model]) -> list[tuple[str, str]]:
    """Every table and column that points to a model's rows."""
    assert Tortoise.apps is not None
    table = model._meta.db_table
    return sorted(
        (other._meta.db_table, name)
        for other in Tortoise.apps[APP].values()
        for name, field in other._meta.fields_map.items()
        if isinstance(field, Reference) and field.to == table
    )
