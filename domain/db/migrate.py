"""Brings a database's schema up to date, one process at a time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from tortoise.connection import get_connections
from tortoise.migrations.executor import MigrationExecutor

from domain.db.connection import config, dialect, is_postgres
from domain.db.scope import everywhere
from domain.errors import Invalid

FIRST = "0001_initial"
"""The step that makes the tables: a database without it is new."""
LOCK = 0x636172656C696E65  # "careline"


async def migrate(url: str) -> list[str]:
    """Apply the steps that are missing; the names of those applied.

    Each step is one transaction. Several processes may call this at once: on PostgreSQL they queue
    for a lock, and on SQLite only one process has the file.
    """
    applied: list[str] = []
    with everywhere():
        async with _alone(url):
            executor = MigrationExecutor(get_connections().get(dialect()), config(url)["apps"])
            await executor.migrate(
                progress=lambda event, _, name: applied.append(name) if "done" in event else None
            )
    return applied


async def grant(role: str) -> None:
    """Let a role read and write every table and own none: the one that serves and works.

    Raises:
        Invalid: this database has no roles.
    """
    if not is_postgres():
        raise Invalid("SQLite has no roles: --grant-to is for PostgreSQL")
    name = '"' + role.replace('"', '""') + '"'
    for statement in (
        f"GRANT USAGE ON SCHEMA public TO {name}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {name}",
    ):
        await get_connections().get(dialect()).execute_script(statement)


async def pending(url: str) -> list[str]:
    """The steps that are not applied yet."""
    executor = MigrationExecutor(get_connections().get(dialect()), config(url)["apps"])
    return [step.migration.name for step in await executor.plan()]


@asynccontextmanager
async def _alone(url: str) -> AsyncIterator[None]:
    if not is_postgres():
        yield
        return
    # A connection of its own: the lock lives as long as it does, whatever happens to the pool.
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        yield
    finally:
        await connection.close()


__all__ = ["FIRST", "grant", "migrate", "pending"]
