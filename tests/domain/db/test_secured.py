"""After all migrations every table of a workspace has the one wall that today's code would build for it."""

from collections.abc import Iterator

import pytest

from domain.db.scope import policy
from tests.servers import Postgres

NAME = "secured"
OF_WORKSPACES = """SELECT table_name FROM information_schema.columns
    WHERE table_schema = 'public' AND column_name = 'workspace_id' UNION SELECT 'workspaces'"""
WALLS = """SELECT relname, concat_ws(' ', CASE WHEN relrowsecurity THEN 'ENABLE' END,
      CASE WHEN relforcerowsecurity THEN 'FORCE' END)
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
      AND (relrowsecurity OR relforcerowsecurity)
    UNION ALL
    SELECT tablename, regexp_replace(
      concat_ws(' ', policyname, permissive, roles, cmd, 'USING', qual, 'CHECK', with_check), '\\s+', ' ', 'g')
    FROM pg_policies WHERE schemaname = 'public' ORDER BY 1, 2"""
PULLED_DOWN = """DO $$ DECLARE one record; BEGIN
    FOR one IN SELECT * FROM pg_policies WHERE schemaname = 'public' LOOP
      EXECUTE format('DROP POLICY %I ON %I', one.policyname, one.tablename);
    END LOOP;
    FOR one IN SELECT relname FROM pg_class WHERE relrowsecurity OR relforcerowsecurity LOOP
      EXECUTE format('ALTER TABLE %I DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY', one.relname);
    END LOOP; END $$"""


@pytest.fixture
def database(postgres_server: Postgres, postgres_template: str) -> Iterator[Postgres]:
    """A database called `secured`, as the migrations leave it."""
    postgres_server.create_database(NAME, template=postgres_template)
    yield postgres_server
    postgres_server.drop_database(NAME)


def tables_of_workspaces(database: Postgres) -> set[str]:
    """As the database itself knows them, whatever models and migrations say."""
    return set(database.sql(OF_WORKSPACES, NAME).split())


def walls(database: Postgres) -> dict[str, list[str]]:
    """Of each table that is secured at all: how, and each of its policies as it reads."""
    found: dict[str, list[str]] = {}
    for line in database.sql(WALLS, NAME).splitlines():
        table, _, how = line.partition("|")
        found.setdefault(table, []).append(how)
    return found


def ill_secured(database: Postgres) -> set[str]:
    """The tables that are secured otherwise than today's code does it; they are afterwards as it does it."""
    tables, before = tables_of_workspaces(database), walls(database)
    database.sql(PULLED_DOWN, NAME)
    assert walls(database) == {}
    database.sql("; ".join(statement for table in tables for statement in policy(table)), NAME)
    meant = walls(database)
    assert set(meant) == tables
    for secured in meant.values():
        assert len(secured) == 2, "one policy"
        assert "ENABLE FORCE" in secured
    return {table for table in {*tables, *before} if before.get(table) != meant.get(table)}


def test_each_table_of_a_workspace_is_secured_once_and_as_the_code_says_now(database: Postgres) -> None:
    assert len(tables_of_workspaces(database)) > 30
    assert ill_secured(database) == set()


@pytest.mark.parametrize(
    "gap",
    [
        "ALTER TABLE tasks DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE tasks NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY tasks_scope ON tasks",
        "CREATE POLICY more ON tasks USING (true)",
        "ALTER POLICY tasks_scope ON tasks USING (true)",
        "ALTER POLICY tasks_scope ON tasks WITH CHECK (true)",
        "ALTER POLICY tasks_scope ON tasks TO pg_monitor",
        "ALTER TABLE leases ENABLE ROW LEVEL SECURITY",
        "CREATE TABLE later (workspace_id bigint)",
    ],
)
def test_a_gap_in_the_wall_is_noticed(database: Postgres, gap: str) -> None:
    database.sql(gap, NAME)
    assert ill_secured(database) == {gap.partition("TABLE ")[2].split(" ")[0] or "tasks"}
