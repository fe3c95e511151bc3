"""The command line says what happened in one line, where it happened, and by its exit code."""

import io
import json
import socket
from pathlib import Path

import httpx2
import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from api.__main__ import cli
from api.client import Client, Failed, follow_import
from api.serving import only_process
from domain.customers import Order
from domain.runs import Run
from domain.settings import from_environment
from tests.stories.stage import Stage

HEADER = "order_id,customer_id,ordered_at,amount\n"


def client(stage: Stage, key: str | None = None) -> Client:
    return Client("http://careline.test", key or stage.owner.key, stage.client._transport)


async def imported(stage: Stage, path: Path) -> tuple[str, Failed | None]:
    """What importing a file showed, and how it failed."""
    shown = io.StringIO()
    console = Console(file=shown, soft_wrap=True, markup=False, highlight=False)
    try:
        await follow_import(client(stage), "orders", path, console)
    except Failed as failed:
        return shown.getvalue(), failed
    return shown.getvalue(), None


def sheet(folder: Path, *rows: str) -> Path:
    path = folder / "orders.csv"
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return path


async def test_an_import_of_good_rows_shows_its_figures_and_no_failure(stage: Stage, tmp_path: Path) -> None:
    shown, failed = await imported(stage, sheet(tmp_path, "O-1,C-1,2025-03-01,1", "O-2,C-1,2025-03-01,2"))
    assert failed is None
    assert [line.split() for line in shown.splitlines()][:2] == [["rows", "2"], ["created", "2"]]
    assert "line" not in shown


async def test_rows_that_were_not_taken_are_shown_with_their_reasons_and_fail(
    stage: Stage, tmp_path: Path
) -> None:
    shown, failed = await imported(stage, sheet(tmp_path, "O-1,C-1,2025-03-01,1", "O-2,,2025-03-01,-1"))
    assert str(failed) == "1 of 2 rows of orders.csv were not taken"
    faults = [line for line in shown.splitlines() if line.startswith("line ")]
    assert faults[1:] == ["line 3, amount: amount is negative"]
    assert faults[0].startswith("line 3, customer_id: ")
    assert "more" not in shown
    assert await Order.all().count() == 1


async def test_of_many_rows_that_were_not_taken_ten_are_shown(stage: Stage, tmp_path: Path) -> None:
    shown, failed = await imported(stage, sheet(tmp_path, *[f"O-{n},C-1,someday,1" for n in range(13)]))
    assert str(failed) == "13 of 13 rows of orders.csv were not taken"
    assert len([line for line in shown.splitlines() if line.startswith("line ")]) == 10
    assert shown.splitlines()[-1] == "and 3 more"


async def test_a_file_that_is_no_such_sheet_fails_with_the_reason(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    for content, reason in (
        (b"a,b\n1,2\n", "IMPORT_HEADER: line 1"),
        (b"\xff\xfe", "IMPORT_ENCODING: line 1"),
    ):
        path.write_bytes(content)
        _, failed = await imported(stage, path)
        assert f"import orders.csv: FAILED {reason}" in str(failed)
    assert await Order.all().count() == 0


async def test_a_compressed_file_is_not_even_sent(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv.gz"
    path.write_bytes(b"\x1f\x8b\x08rest")
    _, failed = await imported(stage, path)
    assert "orders.csv.gz is compressed" in str(failed)
    assert await Run.all().count() == 0


async def test_a_key_that_is_not_known_is_told_with_the_place(stage: Stage, tmp_path: Path) -> None:
    stranger = client(stage, "cl_unknown")
    for asked in (stranger.ask("{ __typename }"), stranger.upload(sheet(tmp_path))):
        with pytest.raises(Failed, match=r"^http://careline\.test does not take this API key$"):
            await asked


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(404, text="<html>"),
        httpx2.Response(200, json=[]),
        httpx2.Response(200, json={"data": None}),
    ],
)
async def test_a_server_that_is_not_careline_is_told(answer: httpx2.Response, tmp_path: Path) -> None:
    other = Client("http://other.test", "key", httpx2.MockTransport(lambda _: answer))
    with pytest.raises(Failed, match=r"^http://other\.test does not answer as Careline does"):
        await other.ask("{ __typename }")
    with pytest.raises(Failed, match=r"^http://other\.test"):
        await other.upload(sheet(tmp_path))


@pytest.fixture
def absent() -> str:
    """The URL of a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        return f"http://127.0.0.1:{gone.getsockname()[1]}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the command runs in; nothing is said by the environment."""
    for name in ("CARELINE_URL", "CARELINE_API_KEY", "DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    # The runner's standard error is gone after the call; nobody is to go on logging to it.
    monkeypatch.setattr("api.logs.configure", lambda *_: None)
    return tmp_path


def called(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def refused(*arguments: str) -> str:
    """The one line that a command ends with, and 1."""
    done = called(*arguments)
    assert (done.exit_code, type(done.exception)) == (1, SystemExit), done.output
    (line,) = done.stderr.splitlines()
    assert line.startswith("careline: ")
    return line.removeprefix("careline: ")


def test_a_server_that_is_down_is_named_in_one_line(folder: Path, absent: str) -> None:
    file = sheet(folder)
    where = ("--url", absent, "--api-key", "key")
    for command in (("runs", *where), ("runs", "--watch", *where), ("import", "orders", str(file), *where)):
        assert refused(*command).startswith(f"cannot reach {absent}: ")


@pytest.mark.parametrize("url", ["nonsense", "ftp://careline.test", "http://[", "http://127.0.0.1:port"])
def test_a_bad_url_is_named_in_one_line(folder: Path, url: str) -> None:
    assert url in refused("runs", "--url", url, "--api-key", "key")


def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(folder: Path, absent: str) -> None:
    for key in ("ключ", "two\nlines"):
        assert (
            refused("runs", "--url", absent, "--api-key", key) == "the API key has characters that no key has"
        )


def test_a_demonstration_s_file_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / ".data").mkdir()
    for content in ("{", "[]"):
        (folder / ".data" / "demo.json").write_text(content)
        assert refused("runs").startswith("cannot read .data/demo.json: ")


@pytest.mark.parametrize("instant", ["yesterday", "2025-03-03T12:00:00", "0001-01-01T00:00:00+08:00"])
def test_a_sandbox_s_instant_that_is_none_is_refused_and_no_workspace_made(
    folder: Path, instant: str
) -> None:
    assert refused("workspace", "Acme", "--sandbox-at", instant).startswith("--sandbox-at")
    assert list(folder.iterdir()) == []


def test_a_database_that_cannot_be_made_is_named_in_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "file").touch()
    monkeypatch.setenv("DATABASE_URL", "sqlite:///file/careline.db")
    for command in ("serve", "migrate", "demo"):
        assert refused(command).startswith(
            "cannot make the database sqlite:///file/careline.db: Not a directory"
        )


def test_several_workers_on_an_embedded_database_are_refused_at_once(folder: Path) -> None:
    assert "a worker of its own needs PostgreSQL" in refused("worker", "--processes", "2")


def test_a_second_demonstration_leaves_the_running_one_s_file_alone(folder: Path) -> None:
    where = folder / ".data" / "demo.json"
    with only_process(from_environment()):
        where.write_text(json.dumps({"url": "http://careline.test", "apiKey": "key"}))
        before = where.read_text()
        assert refused("demo").startswith("another Careline process")
        assert where.read_text() == before
