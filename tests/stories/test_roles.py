"""docs/operations.md followed to the letter on a fresh PostgreSQL with passwords: roles, service, copy, restore."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from tests.servers import Postgres, Valkey
from tests.servers.postgres import installation
from tests.stories.processes import ROOT, ask, command, started
from tests.stories.test_processes import made_workspace

WAIT_SECONDS = 90
PASSWORDS = {"OWNER_PASSWORD": "own er/%", "APP_PASSWORD": "p@ss:w#rd", "BACKUP_PASSWORD": "bäck'up?"}
OF = {"careline_owner": "OWNER_PASSWORD", "careline": "APP_PASSWORD", "careline_backup": "BACKUP_PASSWORD"}
RULES = (
    "host all app 127.0.0.1/32 trust\nhost all postgres 127.0.0.1/32 trust\n"
    "host all all 127.0.0.1/32 scram-sha-256\n"
)
IMPORT = (
    "mutation ($file: ID!) { ordersImport(input: {fileId: $file}) { __typename "
    "... on OrdersImportPayload { run { id } } ... on Refusal { userErrors { message } } } }"
)
RUN = "query ($id: ID!) { run(id: $id) { state errorCode } }"
COUNT = "{ customers(first: 1) { totalCount } }"


class Site:
    """A PostgreSQL that asks for passwords, as it is before anybody has done anything."""

    def __init__(self, server: Postgres) -> None:
        self.server = server

    def url(self, role: str, database: str = "careline") -> str:
        password = quote(PASSWORDS[OF[role]], safe="")
        return f"postgres://{role}:{password}@127.0.0.1:{self.server.port}/{database}"

    def shell(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        path = f"{installation().programs}:{os.environ['PATH']}"
        return subprocess.run(
            words,
            cwd=ROOT,
            env={**os.environ, "PATH": path, **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )

    def done(self, *words: str, **environment: str) -> None:
        ended = self.shell(*words, **environment)
        assert ended.returncode == 0, ended.stderr


@pytest.fixture
def site() -> Iterator[Site]:
    with Postgres() as server:
        server.sql("CREATE ROLE postgres SUPERUSER LOGIN")
        (server.data / "pg_hba.conf").write_text(RULES)
        server.sql("SELECT pg_reload_conf()")
        yield Site(server)


def imported(url: str, key: str) -> None:
    answer = httpx2.post(
        f"{url}/files?name=orders.csv",
        content="order_id,customer_id,ordered_at,amount\nO-1,C-1,2025-03-01,1\nO-2,C-2,2025-03-01,2\n",
        headers={"Authorization": f"Bearer {key}"},
        timeout=60,
    )
    asked: Any = ask(url, key, IMPORT, {"file": answer.json()["fileId"]})
    until = time.monotonic() + WAIT_SECONDS
    while True:
        run: Any = ask(url, key, RUN, {"id": asked["ordersImport"]["run"]["id"]})["run"]
        if run["state"] == "SUCCEEDED":
            return
        assert run["state"] not in ("FAILED", "CANCELLED") and time.monotonic() < until, run
        time.sleep(0.05)


def counted(url: str, key: str) -> int:
    found: Any = ask(url, key, COUNT)
    return int(found["customers"]["totalCount"])


def test_the_page_can_be_followed_from_an_empty_server_to_a_restored_copy(site: Site, tmp_path: Path) -> None:
    superuser = site.server.url_of("postgres", "postgres")
    site.done("psql", "--no-psqlrc", "--file=deploy/roles.sql", superuser, **PASSWORDS)
    owner, app = site.url("careline_owner"), site.url("careline")
    command("migrate", "--grant-to", "careline", DATABASE_URL=owner)
    key = made_workspace(app)
    shared = {"DATABASE_URL": app, "CARELINE_PORT": "0"}
    with Valkey() as valkey:
        shared["REDIS_URL"] = valkey.url
        with (
            started(tmp_path / "api.log", "serve", **shared) as api,
            started(tmp_path / "worker.log", "worker", **shared) as worker,
        ):
            url = str(api.wait_for("serving")["url"])
            worker.wait_for("working")
            imported(url, key)
            assert counted(url, key) == 2
            ready = httpx2.get(f"{url}/health/ready", timeout=10).json()
            assert "wall" not in ready.get("warnings", {})
            for process in (api, worker):
                assert not [line for line in process.events() if line["event"] == "wall_missing"]
            copy = tmp_path / "careline.backup"
            site.done("sh", "deploy/backup.sh", str(copy), DATABASE_URL=site.url("careline_backup"))
            assert api.stop() == 0 and worker.stop() == 0
        site.done("psql", superuser, "--command=CREATE DATABASE careline_restored OWNER careline_owner")
        restored = site.url("careline_owner", "careline_restored")
        site.done("sh", "deploy/restore.sh", str(copy), DATABASE_URL=restored)
        command("migrate", "--grant-to", "careline", DATABASE_URL=restored)
        shared["DATABASE_URL"] = site.url("careline", "careline_restored")
        with (
            started(tmp_path / "api2.log", "serve", **shared) as api,
            started(tmp_path / "worker2.log", "worker", **shared) as worker,
        ):
            url = str(api.wait_for("serving")["url"])
            worker.wait_for("working")
            assert counted(url, key) == 2
            imported(url, key)
            assert not [line for line in api.events() if line["event"] == "wall_missing"]
            assert api.stop() == 0 and worker.stop() == 0
    forced = site.server.sql(
        "SELECT count(*) FROM pg_class WHERE relrowsecurity AND relforcerowsecurity", "careline_restored"
    )
    assert int(forced) > 30, "the wall stands in the copy too"


def test_no_role_can_do_what_another_is_for(site: Site, tmp_path: Path) -> None:
    superuser = site.server.url_of("postgres", "postgres")
    site.done("psql", "--no-psqlrc", "--file=deploy/roles.sql", superuser, **PASSWORDS)
    command("migrate", "--grant-to", "careline", DATABASE_URL=site.url("careline_owner"))
    made_workspace(site.url("careline"))
    for role in ("careline", "careline_owner"):  # half a copy would look like a whole one
        ended = site.shell("sh", "deploy/backup.sh", str(tmp_path / role), DATABASE_URL=site.url(role))
        assert ended.returncode != 0 and "row-level security" in ended.stderr
        assert not (tmp_path / role).exists()
    for role, statement, no in (
        ("careline", "ALTER TABLE customers NO FORCE ROW LEVEL SECURITY", "must be owner"),
        ("careline", "CREATE TABLE mine (id int)", "permission denied"),
        ("careline", "DROP POLICY customers_scope ON customers", "must be owner"),
        ("careline_backup", "DELETE FROM workspaces", "permission denied"),
    ):
        ended = site.shell("psql", "--no-psqlrc", site.url(role), f"--command={statement}")
        assert no in ended.stderr, (role, statement)
    wrong = site.url("careline").replace(quote(PASSWORDS["APP_PASSWORD"], safe=""), "wrong")
    assert "password authentication failed" in site.shell("psql", wrong, "--command=SELECT 1").stderr


def test_without_every_password_no_role_is_made(site: Site) -> None:
    superuser = site.server.url_of("postgres", "postgres")
    given = {name: value for name, value in PASSWORDS.items() if name != "OWNER_PASSWORD"}
    assert site.shell("psql", "--no-psqlrc", "--file=deploy/roles.sql", superuser, **given).returncode != 0
    assert site.server.sql("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'careline%'") == "0"
