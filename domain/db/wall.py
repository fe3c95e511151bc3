"""Whether the second wall stands for this process: what its role may pass, and whose its sessions are."""

import asyncio
import contextlib

import asyncpg

from domain.db.connection import is_postgres
from domain.db.sql import one

LOOK_SECONDS = 5.0
ROUNDS = 3
OWN_PID = "SELECT pg_backend_pid()"


async def gap() -> str | None:
    """Why row-level security does not hold for this process's role; none where it does, nor on SQLite."""
    if not is_postgres():
        return None
    role = await one(
        """SELECT rolname, rolsuper, rolbypassrls, EXISTS (SELECT 1 FROM pg_class
             WHERE relrowsecurity AND pg_has_role(current_user, relowner, 'MEMBER')) AS owns
           FROM pg_roles WHERE rolname = current_user"""
    )
    assert role is not None
    for why, so in (
        ("is a superuser", role["rolsuper"]),
        ("has BYPASSRLS", role["rolbypassrls"]),
        ("owns tables", role["owns"]),
    ):
        if so:
            return f"the role {role['rolname']} {why}"
    return None


async def shares_sessions(url: str) -> bool:
    """Whether several clients get one session of the server by turns, as in PgBouncer's transaction mode.

    What one sets for its session, such as the workspace it may see, another would then have. Two
    clients look at which session they have; a yes is certain, a no as good as the pooler is idle.
    """
    try:
        async with asyncio.timeout(LOOK_SECONDS), contextlib.AsyncExitStack() as stack:
            clients = []
            for _ in range(2):
                client = await asyncpg.connect(url, statement_cache_size=0)
                stack.callback(client.terminate)
                clients.append(client)
            seen: list[set[int]] = [set(), set()]
            for _ in range(ROUNDS):
                for client, pids in zip(clients, seen, strict=True):
                    async with client.transaction():
                        pids.add(await client.fetchval(OWN_PID))
                if seen[0] & seen[1] or max(map(len, seen)) > 1:
                    return True
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False  # whoever opens the database next says what is wrong with it
    return False
