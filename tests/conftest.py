"""A fresh database for each test, on SQLite and on a real PostgreSQL that the tests start themselves."""

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from domain import db, timekeeping, workspaces
from domain.access import Principal, Role
from domain.db.migrate import grant, migrate
from domain.workspaces import Workspace
from tests import doubling
from tests.servers import ROLE, Postgres, Valkey

NOON = datetime(2025, 3, 3, 4, 0, tzinfo=UTC)
"""Monday 3 March 2025, 12:00 in Shanghai: where a sandbox's clock stands unless a test says otherwise."""


# Its log repeats the query, and a lone surrogate in one cannot be reported by a parallel run.
logging.getLogger("strawberry.execution").setLevel(logging.CRITICAL)


LEAST_SHARE, LEAST_READS = 0.9, 200
"""Of the reads of a run of many tests, so large a share takes the compiled path."""


@pytest.fixture(autouse=True)
def _doubled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Queries asked in this process are answered on both paths, which must agree."""
    asks = {"api", "security", "stories"} & set(request.path.parts)
    if asks and request.node.get_closest_marker("one_path") is None:
        doubling.double(monkeypatch)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["reads"] = dict(doubling.reads)
        return
    share = doubling.reads["compiled"] / max(1, doubling.reads.total())
    if doubling.reads.total() >= LEAST_READS and share < LEAST_SHARE:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    doubling.reads.update(node.workeroutput.get("reads", {}))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if total := doubling.reads.total():
        said = ", ".join(f"{count} {path}" for path, count in doubling.reads.most_common())
        share = doubling.reads["compiled"] / total
        terminalreporter.write_line(f"reads: {said}; on the compiled path {share:.1%}")
        if total >= LEAST_READS and share < LEAST_SHARE:
            terminalreporter.write_line(f"FAILED: less than {LEAST_SHARE:.0%} of the reads were compiled")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Valkey]:
    with Valkey() as server:
        yield server


async def _migrated(url: str) -> None:
    async with db.open_database(url):
        await migrate(url)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "careline.db"
    asyncio.run(_migrated(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Postgres) -> str:
    url = postgres_server.create_database("careline_template")
    asyncio.run(_migrated(url))
    postgres_server.sql(f"CREATE ROLE {ROLE} LOGIN")
    asyncio.run(_granted(url))
    return "careline_template"


async def _granted(url: str) -> None:
    async with db.open_database(url):
        await grant(ROLE)
        await db.execute(f"GRANT CREATE ON SCHEMA public TO {ROLE}")  # scratch tables of tests


_numbers = iter(range(1_000_000))


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated, empty database of either kind."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        path = tmp_path / "careline.db"
        shutil.copy(template, path)
        yield f"sqlite:///{path}"
        return
    server: Postgres = request.getfixturevalue("postgres_server")
    name = f"careline_{next(_numbers)}"
    template = request.getfixturevalue("postgres_template")
    yield server.create_database(name, template=template, role=ROLE)
    server.drop_database(name)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[str]:
    """An open database; the test's own code may use the domain directly."""
    timekeeping.forget()
    db.enter_everywhere()  # the test itself may look at everything; what it calls sets its own scope
    async with db.open_database(database_url):
        yield database_url


@dataclass
class House:
    """A sandbox workspace with one member of staff in every role, all of one team."""

    workspace: Workspace
    staff: dict[Role, Principal]

    @property
    def id(self) -> int:
        return self.workspace.id

    @property
    def admin(self) -> Principal:
        return self.staff[Role.ADMIN]

    @property
    def owner(self) -> Principal:
        return self.staff[Role.OWNER]

    async def turn(self, to: datetime) -> None:
        """Set the clock without doing what falls due on the way."""
        workspace = await workspaces.get(self.id)
        assert workspace.clock_at is not None
        assert await workspaces.turn_clock(self.id, workspace.clock_at, to)


async def build_house(name: str = "House", clock_at: datetime | None = NOON, currency: str = "CNY") -> House:
    workspace = await workspaces.create(name, clock_at=clock_at, currency=currency)
    team = await workspaces.add_team(workspace.id, "Care")
    staff = {}
    for role in Role:
        user = await workspaces.add_user(
            workspace.id, role.value.title(), f"{role.value.lower()}@care.test", role
        )
        await workspaces.join_team(team, user)
        staff[role] = await workspaces.principal_of_user(user)
    return House(workspace, staff)


@pytest.fixture
async def house(database: str) -> House:
    return await build_house()
