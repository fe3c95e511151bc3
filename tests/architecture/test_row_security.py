"""Every table of a workspace is put behind row-level security by a migration, also one that comes later."""

import importlib
import inspect
from collections.abc import Collection, Iterator

from tortoise import Model

from domain.db.connection import MODELS
from domain.db.schema import SecureRows
from tests.architecture.sources import ROOT


def models() -> Iterator[type[Model]]:
    for name in MODELS:
        module = importlib.import_module(name)
        for _, model in inspect.getmembers(module, inspect.isclass):
            if issubclass(model, Model) and model.__module__ == name and not model._meta.abstract:
                yield model


def tables_of_workspaces(found: Collection[type[Model]]) -> set[str]:
    return {
        model._meta.db_table
        for model in found
        if "workspace_id" in model._meta.fields_map or model._meta.db_table == "workspaces"
    }


def secured() -> list[str]:
    """The tables that migrations put behind the wall."""
    tables: list[str] = []
    for path in sorted((ROOT / "domain/migrations").glob("0*.py")):
        migration = importlib.import_module(f"domain.migrations.{path.stem}").Migration
        for operation in migration.operations:
            tables += operation.tables if isinstance(operation, SecureRows) else ()
    return tables


def test_every_table_of_a_workspace_is_secured_by_a_migration() -> None:
    wanted = tables_of_workspaces(list(models()))
    assert len(wanted) > 30
    assert set(secured()) == set(wanted)


def test_a_table_that_was_forgotten_is_noticed() -> None:
    from tortoise import fields

    class Later(Model):
        id = fields.BigIntField(primary_key=True)
        workspace_id = fields.BigIntField()

        class Meta:
            table = "later"

    assert tables_of_workspaces([*models(), Later]) - set(secured()) == {"later"}
