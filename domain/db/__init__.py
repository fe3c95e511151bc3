"""The database: one set of statements for SQLite and PostgreSQL."""

from domain.db.connection import Unreachable, close, dialect, is_postgres, open_database
from domain.db.fields import Document, Index, Instant, Reference, choice
from domain.db.sql import (
    after_commit,
    execute,
    hydrate,
    in_transaction,
    insert_many,
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
    "close",
    "day_of",
    "dialect",
    "document_of",
    "execute",
    "hydrate",
    "in_transaction",
    "insert_many",
    "instant_of",
    "is_postgres",
    "one",
    "open_database",
    "rows",
    "transaction",
    "value",
]
