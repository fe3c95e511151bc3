"""The database: one set of statements for SQLite and PostgreSQL."""

from domain.db.connection import Unreachable, dialect, is_postgres, open_database
from domain.db.fields import Document, Index, Instant, Reference, choice, encode
from domain.db.sql import (
    after_commit,
    execute,
    hydrate,
    in_transaction,
    insert_many,
    is_unique_violation,
    one,
    rows,
    transaction,
    value,
)
from domain.db.values import day_of, document_of, instant_of

__all__ = [
    "Document",
    "Index",
    "Instant",
    "Reference",
    "Unreachable",
    "after_commit",
    "choice",
    "day_of",
    "dialect",
    "document_of",
    "encode",
    "execute",
    "hydrate",
    "in_transaction",
    "insert_many",
    "instant_of",
    "is_postgres",
    "is_unique_violation",
    "one",
    "open_database",
    "rows",
    "transaction",
    "value",
]
