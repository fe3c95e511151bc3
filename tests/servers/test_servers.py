"""The servers of the tests start, answer, come back after a sudden death, and never outlive the tests."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.servers import Postgres, ServerError, Valkey
from tests.servers.process import alive, children_of, wait_until

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    with Valkey() as server:
        yield server


@pytest.fixture
def open_folder() -> Iterator[str]:
    """A folder that PostgreSQL's own user can enter too, removed with whatever killed servers leave."""
    with tempfile.TemporaryDirectory(prefix="careline-tests-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield folder


def client(server: Valkey) -> redis.Redis:
    return redis.Redis.from_url(server.url, decode_responses=True)


def test_postgres_answers_and_restarts_after_kill9_with_its_data(postgres: Postgres) -> None:
    assert postgres.sql("SHOW server_version").startswith("18.")
    url, first = postgres.url, postgres.pid
    postgres.sql("CREATE TABLE kept (n int)")
    postgres.sql("INSERT INTO kept VALUES (1)")
    postgres.sql("CHECKPOINT")

    family = [first, *children_of(first)]
    assert len(family) > 3 or sys.platform != "linux"
    postgres.kill9()
    assert not postgres.running
    assert not any(alive(pid) for pid in family)
    with pytest.raises(ServerError, match="refused"):
        postgres.sql("SELECT 1")

    postgres.start()
    assert postgres.url == url
    assert postgres.pid != first
    assert postgres.sql("SELECT n FROM kept") == "1"
    assert postgres.restart().sql("SELECT n FROM kept") == "1"
    postgres.stop()
    assert not postgres.running


def test_postgres_copies_and_drops_databases(postgres: Postgres) -> None:
    template = postgres.create_database("template_of_tests")
    assert template == postgres.url.removesuffix("postgres") + "template_of_tests"
    postgres.sql("CREATE TABLE t (n int)", "template_of_tests")
    postgres.create_database('odd "name"', template="template_of_tests")
    assert postgres.sql("SELECT count(*) FROM t", 'odd "name"') == "0"
    postgres.drop_database('odd "name"')
    postgres.drop_database('odd "name"')
    assert postgres.sql("SELECT count(*) FROM pg_database WHERE datname LIKE 'odd%'") == "0"


@pytest.mark.parametrize(("durable", "setting"), [(False, "off"), (True, "on")])
def test_only_a_durable_postgres_syncs(durable: bool, setting: str) -> None:
    with Postgres(durable=durable) as server:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            assert server.sql(f"SHOW {name}") == setting


def test_a_postgres_that_cannot_start_says_why() -> None:
    server = Postgres(settings={"shared_buffers": "nonsense"})
    try:
        with pytest.raises(ServerError, match=r"(?s)ended at once.*log.*shared_buffers"):
            server.start()
    finally:
        server.close()
    assert not server.folder.exists()


def test_valkey_answers_flushes_and_restarts_after_kill9(valkey: Valkey) -> None:
    url, first = valkey.url, valkey.pid
    with client(valkey) as connection:
        connection.set("a", "1")
        assert connection.get("a") == "1"
        valkey.flush()
        assert connection.get("a") is None
        connection.set("a", "2")
    valkey.kill9()
    assert not alive(first)
    valkey.start()
    assert valkey.url == url
    with client(valkey) as connection:
        assert connection.get("a") is None


def test_a_durable_valkey_keeps_its_data_over_kill9() -> None:
    with Valkey(durable=True) as server:
        with client(server) as connection:
            connection.set("a", "1")
        server.kill9()
        with client(server.start()) as connection:
            assert connection.get("a") == "1"


def test_a_taken_port_is_changed_before_the_first_start_and_reported_after_it(valkey: Valkey) -> None:
    second = Valkey()
    try:
        second.port = valkey.port
        second.start()
        assert second.port != valkey.port
        second.stop()
        second.port = valkey.port
        with pytest.raises(ServerError, match="in use"):
            second.start()
    finally:
        second.close()


def test_a_server_outlives_the_thread_that_started_it() -> None:
    with Valkey() as server:
        server.stop()
        starter = threading.Thread(target=server.start)
        starter.start()
        starter.join()
        server.flush()
        assert server.running


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's tie between parent and child is Linux's")
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM], ids=lambda end: end.name)
def test_servers_die_with_the_tests_however_these_end(end: signal.Signals, open_folder: str) -> None:
    program = (
        "import time; from tests.servers import Postgres, Valkey;"
        "p, v = Postgres().start(), Valkey().start(); print(p.pid, v.pid, flush=True); time.sleep(600)"
    )
    environment = {**os.environ, "TMPDIR": open_folder}
    run = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, env=environment)
    assert run.stdout is not None
    with run.stdout as stdout:
        servers = [int(pid) for pid in stdout.readline().split()]
    assert [alive(pid) for pid in servers] == [True, True]
    run.send_signal(end)
    run.wait(20)
    wait_until(lambda: not any(alive(pid) for pid in servers), "both servers are gone")
