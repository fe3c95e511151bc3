"""The database: one set of statements for SQLite and PostgreSQL."""

from domain.db.clashing import again_after_a_clash
from domain.db.clock import keeping_time, machine_now
from domain.db.connection import Unreachable, dialect, is_postgres, open_database, opened, pool_use
from domain.db.failures import Failure, Unavailable, failure_of
from domain.db.fields import Derived, Document, Index, Instant, Reference, choice, encode
from domain.db.patience import ANSWER_SECONDS, answer_within
from domain.db.projected import Column, Row, column, select, select_by_ids, select_each
from domain.db.readonly import is_read_only, until_writable
from domain.db.schema import references_to
from domain.db.scope import EVERYWHERE, enter, enter_everywhere, everywhere, nowhere, within
from domain.db.scope import SETTING as SCOPE
from domain.db.sql import (
    after_commit,
    compiled,
    execute,
    hydrate,
    in_transaction,
    insert_many,
    is_unique_violation,
    lock,
    one,
    rows,
    transaction,
    try_lock,
    value,
)
from domain.db.values import day_of, document_of, instant_of
from domain.db.wall import gap, shares_sessions

__all__ = [
    "ANSWER_SECONDS",
    "EVERYWHERE",
    "SCOPE",
    "Column",
    "Derived",
    "Document",
    "Failure",
    "Index",
    "Instant",
    "Reference",
    "Row",
    "Unavailable",
    "Unreachable",
    "after_commit",
    "again_after_a_clash",
    "answer_within",
    "choice",
    "column",
    "compiled",
    "day_of",
    "dialect",
    "document_of",
    "encode",
    "enter",
    "enter_everywhere",
    "everywhere",
    "execute",
    "failure_of",
    "gap",
    "hydrate",
    "in_transaction",
    "insert_many",
    "instant_of",
    "is_postgres",
    "is_read_only",
    "is_unique_violation",
    "keeping_time",
    "lock",
    "machine_now",
    "nowhere",
    "one",
    "open_database",
    "opened",
    "pool_use",
    "references_to",
    "rows",
    "select",
    "select_by_ids",
    "select_each",
    "shares_sessions",
    "transaction",
    "try_lock",
    "until_writable",
    "value",
    "within",
]
