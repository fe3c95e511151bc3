"""Real servers for the tests (PostgreSQL, Valkey, Node) from packages alone, on free loopback ports."""

from tests.servers.postgres import ROLE, Postgres
from tests.servers.process import ServerError
from tests.servers.valkey import Valkey

__all__ = ["ROLE", "Postgres", "ServerError", "Valkey"]
