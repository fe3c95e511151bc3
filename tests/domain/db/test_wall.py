"""A process knows whether the second wall holds for it, and does not start where it would leak."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from domain import db
from domain.settings import Settings
from jobs.vitals import Vitals
from tests.servers import ROLE, Postgres
from tests.servers.pooler import Pooler
from tests.stories.processes import Process, started

GAPS = {
    "app": "the role app is a superuser",
    "passing": "the role passing has BYPASSRLS",
    "owning": "the role owning owns tables",
    "belonging": "the role belonging owns tables",
}


@pytest.fixture
def database_name(postgres_server: Postgres, postgres_template: str) -> Iterator[str]:
    """A database with every sort of role that the wall does not hold."""
    name = "walled"
    postgres_server.create_database(name, template=postgres_template)
    for role, more in (("passing", "BYPASSRLS"), ("owning", ""), ("belonging", "NOINHERIT IN ROLE owning")):
        postgres_server.sql(f"CREATE ROLE {role} LOGIN {more}", name)
        postgres_server.sql(f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {role}", name)
    postgres_server.sql("ALTER TABLE customers OWNER TO owning", name)
    yield name
    postgres_server.drop_database(name)
    for role in ("belonging", "owning", "passing"):
        postgres_server.sql(f"DROP ROLE {role}")


@pytest.mark.parametrize("role", [*GAPS, ROLE])
async def test_a_role_that_passes_the_wall_is_known(
    postgres_server: Postgres, database_name: str, role: str
) -> None:
    url = postgres_server.url_of(database_name, role)
    async with db.open_database(url):
        assert await db.gap() == GAPS.get(role)
        ailing = await Vitals(Settings(DATABASE_URL=url)).ailing() if role != "owning" else {}
    if role in ("app", ROLE):
        assert ("wall" in ailing) is (role == "app")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_sqlite_has_no_such_wall_to_miss(database: str) -> None:
    assert await db.gap() is None


@pytest.mark.parametrize("command", ["serve", "worker"])
@pytest.mark.parametrize("role", ["app", ROLE])
def test_a_process_says_at_its_start_that_the_wall_is_missing(
    postgres_server: Postgres, database_name: str, tmp_path: Path, command: str, role: str
) -> None:
    url = postgres_server.url_of(database_name, role)
    with started(tmp_path / "log", command, DATABASE_URL=url, CARELINE_PORT="0") as process:
        line = process.wait_for("serving" if command == "serve" else "working")
        told = [each for each in process.events() if each["event"] == "wall_missing"]
        assert [each["why"] for each in told] == ([GAPS[role]] if role in GAPS else [])
        if command == "serve":
            ready = httpx2.get(f"{line['url']}/health/ready", timeout=10).json()
            assert ("wall" in ready.get("warnings", {})) is (role in GAPS)
        assert process.stop() == 0


async def test_sessions_that_several_clients_share_are_noticed(
    postgres_server: Postgres, database_name: str
) -> None:
    direct = postgres_server.url_of(database_name, ROLE)
    assert not await db.shares_sessions(direct)
    with Pooler(postgres_server.port) as pooler:
        assert await db.shares_sessions(direct.replace(str(postgres_server.port), str(pooler.port)))
    assert not await db.shares_sessions("postgres://careline@127.0.0.1:9/careline")


@pytest.mark.parametrize("command", ["serve", "worker", "migrate"])
def test_no_process_starts_where_one_would_see_another_s_workspace(
    postgres_server: Postgres, database_name: str, tmp_path: Path, command: str
) -> None:
    role = "app" if command == "migrate" else ROLE
    with Pooler(postgres_server.port) as pooler:
        url = postgres_server.url_of(database_name, role).replace(str(postgres_server.port), str(pooler.port))
        process = Process(tmp_path / "log", command, DATABASE_URL=url, CARELINE_PORT="0")
        assert process.wait() == 1
    said = (tmp_path / "log").read_text().splitlines()
    assert "PgBouncer in transaction mode" in said[-1], said
    assert not [line for line in said if line.startswith("{") and json.loads(line)["event"] == "serving"]
