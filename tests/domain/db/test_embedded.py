"""An embedded database stands where its URL says, for every reader of it, and is its owner's alone."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.serving import only_process
from domain import db
from domain.db.connection import config
from domain.db.embedded import file_of, make_private
from domain.db.migrate import migrate
from domain.settings import from_environment


@pytest.fixture(autouse=True)
def usual_mask() -> Iterator[None]:
    """With the mask that most machines have, whatever the one of this run."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///careline.db", "careline.db"),
        ("sqlite:///.data/careline.db", ".data/careline.db"),
        ("sqlite:///data/careline.db", "data/careline.db"),
        ("sqlite:////data/careline.db", "/data/careline.db"),
    ],
)
def test_a_url_names_the_same_file_to_the_lock_and_to_the_engine(url: str, path: str) -> None:
    assert file_of(url) == Path(path)
    assert config(url)["connections"]["sqlite"]["credentials"]["file_path"] == path
    assert from_environment(database_url=url).database_file == Path(path)


async def test_the_lock_stands_beside_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = from_environment(database_url="sqlite:///data/careline.db")
    with only_process(settings):
        async with db.open_database(settings.database_url):
            await migrate(settings.database_url)
    made = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert made >= {"data/careline.db", "data/careline.db.lock"}
    assert all(name.startswith("data/careline.db") for name in made)


async def test_what_is_made_only_its_owner_can_read(tmp_path: Path) -> None:
    file = tmp_path / "new" / "within" / "careline.db"
    settings = from_environment(database_url=f"sqlite:///{file}")
    with only_process(settings):
        async with db.open_database(settings.database_url):
            await migrate(settings.database_url)
            files = list(file.parent.iterdir())
            assert {path.name for path in files} >= {"careline.db", "careline.db-wal", "careline.db.lock"}
            assert {mode(path) for path in files} == {0o600}
    assert (mode(file.parent), mode(file.parent.parent)) == (0o700, 0o700)


def test_what_was_there_keeps_its_mode_and_content(tmp_path: Path) -> None:
    file = tmp_path / "careline.db"
    file.write_text("kept")
    file.chmod(0o640)
    tmp_path.chmod(0o755)
    make_private(file)
    assert (mode(file), mode(tmp_path), file.read_text()) == (0o640, 0o755, "kept")


async def test_a_file_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(db.Unreachable, match=r"cannot make the database .*Not a directory: .*file/x"):
        async with db.open_database(f"sqlite:///{tmp_path}/file/x/careline.db"):
            raise AssertionError("it was opened")
