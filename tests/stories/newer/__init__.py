"""Careline of the next version, as far as the database can tell: one migration more."""

import domain.migrations

# Tortoise looks for migrations in a package's folders: ours and then the one here.
__path__ = [*domain.migrations.__path__, *__path__]
