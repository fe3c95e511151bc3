"""Which keys of a file came before, at bounded memory: they are on disk, in a temporary database."""

import sqlite3
from collections.abc import Iterable


class Repeats:
    """Remembers keys for one pass over one file; gone when the pass ends, however it ends."""

    def __init__(self) -> None:
        # An empty name is SQLite's private temporary file. A pass uses one thread at a time.
        self._seen = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._seen.execute("PRAGMA journal_mode = OFF")
        self._seen.execute("CREATE TABLE seen (key TEXT PRIMARY KEY) WITHOUT ROWID")
        self._seen.execute("BEGIN")

    def first(self, key: str) -> bool:
        """Whether this key comes for the first time."""
        return self._seen.execute("INSERT OR IGNORE INTO seen VALUES (?)", (key,)).rowcount == 1

    def add(self, keys: Iterable[str]) -> None:
        self._seen.executemany("INSERT OR IGNORE INTO seen VALUES (?)", ((key,) for key in keys))

    def close(self) -> None:
        self._seen.close()
