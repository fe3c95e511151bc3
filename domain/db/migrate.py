"""Brings a database's schema up to date, one process at a time."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import structlog
from tortoise.connection import get_connections
from tortoise.migrations.executor import MigrationExecutor

from domain.db.connection import config, dialect, is_postgres
from domain.db.failures import Failure, failure_of
from domain.db.scope import everywhere
from domain.errors import Invalid

FIRST = "0001_initial"
"""The step that makes the tables: a database without it is new."""
LOCK = 0x636172656C696E65  # "careline"
GIVE_WAY_SECONDS = 0.5
"""How long a step waits for a table in use, with everybody else waiting behind it; below PostgreSQL's
`deadlock_timeout` (1 s), so that of two who wait for each other it is never a client that is refused."""
TRIES = 200
log = structlog.get_logger(__name__)


async def migrate(url: str) -> list[str]:
    """Apply the steps that are missing; the names of those applied.

    Each step is one transaction. Several processes may call this at once: on PostgreSQL they queue
    for a lock, and on SQLite only one process has the file.
    """
    applied: list[str] = []
    with everywhere():
        async with _alone(url):
            tries = 1
            while True:
                executor = MigrationExecutor(get_connections().get(dialect()), config(url)["apps"])
                try:
                    await executor.migrate(
                        progress=lambda event, _, name: applied.append(name) if "done" in event else None
                    )
                    return applied
                except Exception as error:
                    # The step gave way to those who have its tables in use; all of it is undone.
                    if failure_of(error) not in (Failure.BUSY, Failure.CLASH) or tries == TRIES:
                        raise
                tries += 1
                log.info("migration_gives_way", tries=tries)
                await asyncio.sleep(random.uniform(0.1, 0.5))  # noqa: S311


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


async def ahead(url: str) -> list[str]:
    """The steps that are applied and that this code does not know: a newer version has been here."""
    executor = MigrationExecutor(get_connections().get(dialect()), config(url)["apps"])
    await executor.loader.build_graph()
    known = executor.loader.disk_migrations
    return sorted(key.name for key in executor.loader.applied_migrations if key not in known)


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


__all__ = ["FIRST", "GIVE_WAY_SECONDS", "ahead", "grant", "migrate", "pending"]
