"""Opens the database that a URL names, and says clearly when it cannot."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from tortoise.connection import get_connections
from tortoise.context import TortoiseContext, set_global_context

from domain.db.embedded import file_of, is_embedded, make_private

MODELS = [
    "domain.journal",
    "domain.idempotency",
    "domain.workspaces.models",
    "domain.files.models",
    "domain.runs.models",
    "domain.customers.models",
    "domain.contacts.models",
    "domain.segments.models",
    "domain.predictions.models",
    "domain.alerts.models",
    "domain.tasks.models",
    "domain.health.models",
    "domain.campaigns.models",
    "domain.kpis.models",
    "domain.webhooks.models",
]
APP = "careline"
BUSY_MS = 10_000
CONNECT_SECONDS = 5.0
CONNECTIONS = 16
STATEMENT_SECONDS = 900.0
DRIVER_SECONDS = 0.5
LOCK_SECONDS = 10.0
IDLE_SECONDS = 30.0
"""How long a transaction may stand still: a frozen process must not keep its locks."""


class Unreachable(Exception):
    """The database cannot be opened; the message names it without its password."""


def dialect() -> str:
    """`sqlite` or `postgres`; also the connection's alias, since Tortoise caches statements by it."""
    return next(iter(get_connections().db_config))


def is_postgres() -> bool:
    return dialect() == "postgres"


def opened() -> object:
    """What stands for the open database: for another one, or the same opened again, it is another object."""
    return get_connections()


def pool_use() -> dict[str, int]:
    """Connections of this process's pool: in use, idle, and the most there may be; nothing on SQLite."""
    client = get_connections().get(dialect())
    pool = getattr(getattr(client, "_parent", client), "_pool", None)
    if pool is None:
        return {}
    size, idle = pool.get_size(), pool.get_idle_size()
    return {"used": size - idle, "idle": idle, "most": pool.get_max_size()}


def config(
    url: str,
    *,
    statement_seconds: float = STATEMENT_SECONDS,
    connections: int = CONNECTIONS,
    lock_seconds: float = LOCK_SECONDS,
) -> dict[str, Any]:
    """Tortoise's configuration for a database URL: `sqlite:///path`, or `postgres://user:pw@host/name`."""
    parts = urlsplit(url)
    if is_embedded(url):
        alias, engine = "sqlite", "domain.db.sqlite"
        credentials: dict[str, Any] = {
            "file_path": str(file_of(url)),
            "synchronous": "FULL",
            "busy_timeout": BUSY_MS,
            "temp_store": "MEMORY",
            "journal_size_limit": 64 * 2**20,
        }
    elif parts.scheme in ("postgres", "postgresql"):
        alias, engine = "postgres", "domain.db.asyncpg"
        credentials = {
            "host": parts.hostname or "localhost",
            "port": parts.port or 5432,
            "user": unquote(parts.username or "") or None,
            "password": unquote(parts.password or "") or None,
            "database": unquote(parts.path.lstrip("/")),
            "minsize": 2,  # one that sees everywhere, for keys, and one for a workspace
            "maxsize": connections,
            "timeout": CONNECT_SECONDS,
            # The server ends a slow statement; the driver gives up a little later on a silent server.
            "command_timeout": statement_seconds + DRIVER_SECONDS,
            "statement_cache_size": 500,
            "server_settings": {
                "timezone": "UTC",
                "application_name": "careline",
                "statement_timeout": f"{statement_seconds * 1000:.0f}",
                "lock_timeout": f"{lock_seconds * 1000:.0f}",
                "idle_in_transaction_session_timeout": f"{IDLE_SECONDS * 1000:.0f}",
            },
        }
    else:
        raise ValueError(
            f"DATABASE_URL: {parts.scheme!r} is not a known database; use sqlite:/// or postgres://"
        )
    return {
        "connections": {alias: {"engine": engine, "credentials": credentials}},
        "apps": {
            APP: {"models": MODELS, "default_connection": alias, "migrations": "domain.migrations"},
        },
        "use_tz": True,
        "timezone": "UTC",
    }


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return url.replace(f":{parts.password}@", ":…@") if parts.password else url


@asynccontextmanager
async def open_database(
    url: str,
    *,
    statement_seconds: float = STATEMENT_SECONDS,
    connections: int = CONNECTIONS,
    lock_seconds: float = LOCK_SECONDS,
) -> AsyncIterator[TortoiseContext]:
    """The database for the time of the block, for the whole process and its one event loop.

    On PostgreSQL, at most `connections` are opened, and a statement may take `statement_seconds`, of
    them `lock_seconds` waiting for a lock.

    Raises:
        Unreachable: it does not answer, or refuses these credentials.
    """
    settings = config(
        url, statement_seconds=statement_seconds, connections=connections, lock_seconds=lock_seconds
    )
    if is_embedded(url):
        try:
            make_private(file_of(url))
        except OSError as error:
            raise Unreachable(
                f"cannot make the database {url}: {error.strerror}: {error.filename}"
            ) from error
    context = TortoiseContext()
    # Process-wide, so that the tasks of requests, which a web server starts, see it too.
    set_global_context(context)
    try:
        await context.init(settings)
        try:
            await get_connections().get(dialect()).execute_query("SELECT 1")
        except Exception as error:
            raise Unreachable(f"cannot open the database {_shown(url)}: {error}") from error
        yield context
    finally:
        await context.close_connections()
