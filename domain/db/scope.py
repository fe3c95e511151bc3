"""Which workspace's rows the statements of a task may touch: the second wall, which PostgreSQL itself keeps.

Every statement says its workspace in its own condition; this is for the one that forgets to. The
setting `careline.workspace` holds the scope, and the policies of every table look at it: a number,
`*` for the machine's own look at all workspaces, or nothing, and then there is nothing to see. SQLite
has no such wall; there the conditions are all.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

SETTING = "careline.workspace"
EVERYWHERE = "*"
NOWHERE = ""
_scope: ContextVar[str] = ContextVar("scope", default=NOWHERE)


def scope() -> str:
    """The scope of this task, as the database's setting holds it."""
    return _scope.get()


def enter(workspace_id: int) -> None:
    """Keep the rest of this task, and the tasks it starts, to one workspace."""
    _scope.set(f"{workspace_id:d}")


def enter_everywhere() -> None:
    """Let the rest of this task see all workspaces: for a command line, never for a caller."""
    _scope.set(EVERYWHERE)


@contextmanager
def nowhere() -> Iterator[None]:
    """Begin the block with nothing to see; what it enters by itself, it leaves at its end."""
    token = _scope.set(NOWHERE)
    try:
        yield
    finally:
        _scope.reset(token)


@contextmanager
def within(workspace_id: int) -> Iterator[None]:
    """Keep the block to one workspace. A transaction keeps the scope in which it began."""
    token = _scope.set(f"{workspace_id:d}")
    try:
        yield
    finally:
        _scope.reset(token)


@contextmanager
def everywhere() -> Iterator[None]:
    """Let the block see all workspaces: what is due, what waits, who a key belongs to."""
    token = _scope.set(EVERYWHERE)
    try:
        yield
    finally:
        _scope.reset(token)


def policy(table: str) -> list[str]:
    """The statements that put a table behind the wall, also for the role that owns it."""
    column = "id" if table == "workspaces" else "workspace_id"
    setting = f"current_setting('{SETTING}', true)"
    # In sub-selects, the setting is read once for a statement, not for every row.
    seen = (
        f"(SELECT {setting} = '{EVERYWHERE}')"
        f" OR \"{column}\" = (SELECT NULLIF(NULLIF({setting}, ''), '{EVERYWHERE}')::bigint)"
    )
    # What a bare OR lets pass PostgreSQL guesses to be one row in a hundred, and then sorts a whole
    # workspace where it could have read one page from an index. Of this it knows that nearly all pass,
    # as they do behind a condition that says its workspace itself.
    passes = f"CASE WHEN {seen} THEN TRUE END IS NOT NULL"
    return [
        f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY',
        f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY',
        f'DROP POLICY IF EXISTS "{table}_scope" ON "{table}"',
        f'CREATE POLICY "{table}_scope" ON "{table}" USING ({passes}) WITH CHECK ({seen})',
    ]
