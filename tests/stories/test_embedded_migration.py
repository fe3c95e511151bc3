"""An embedded server is read while the next version migrates its file, changes nothing, and then goes on."""

import time
from pathlib import Path
from typing import Any

import httpx2

from tests.stories.processes import Process, ask, started
from tests.stories.test_processes import made_workspace
from tests.stories.test_rolling import NEWER, SEEN, UPSERT

STEP_SECONDS = "4"


def upserted(url: str, key: str, name: str) -> dict[str, Any]:
    answer = httpx2.post(
        f"{url}/graphql",
        json={"query": UPSERT, "variables": {"id": name, "key": name}},
        headers={"Authorization": f"Bearer {key}"},
        timeout=30,
    )
    return dict(answer.json())


def migrated(database: str, log: Path) -> Process:
    return Process(
        log, "migrate", module=NEWER, DATABASE_URL=database, CARELINE_TEST_STEP_SECONDS=STEP_SECONDS
    )


def test_questions_are_answered_and_changes_refused_while_the_file_is_migrated(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/careline.db"
    key = made_workspace(database)
    with started(tmp_path / "api.log", "serve", DATABASE_URL=database, CARELINE_PORT="0") as api:
        url = str(api.wait_for("serving")["url"])
        assert "errors" not in upserted(url, key, "before")
        migrating = migrated(database, tmp_path / "migrate.log")
        try:
            api.wait_for("read_only")
            asked, refused = 0, {}
            while migrating.ended is None:
                refused = upserted(url, key, "meanwhile")
                told: Any = ask(url, key, SEEN)
                if migrating.ended is None and not any(e["event"] == "read_write" for e in api.events()):
                    asked += 1
                    (error,) = refused["errors"]
                    assert error["extensions"] == {"code": "UNAVAILABLE"}
                    assert "is being brought up to date" in error["message"]
                    assert told["customers"]["totalCount"] == 1
            assert asked > 0, "it was over before anybody could ask"
            assert migrating.ended == 0, migrating.log.read_text()
        finally:
            migrating.kill9()
        api.wait_for("read_write")
        assert "errors" not in upserted(url, key, "after")
        assert ask(url, key, SEEN)["customers"]["totalCount"] == (  # type: ignore[index, call-overload]
            2 if "errors" in refused else 3  # the last of them may have come after the end
        )
        assert api.stop() == 0
    with started(tmp_path / "n.log", "serve", module=NEWER, DATABASE_URL=database, CARELINE_PORT="0") as new:
        assert "errors" not in upserted(str(new.wait_for("serving")["url"]), key, "newer")
        assert new.stop() == 0


def test_who_migrates_and_dies_leaves_a_server_that_goes_on(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/careline.db"
    key = made_workspace(database)
    with started(tmp_path / "api.log", "serve", DATABASE_URL=database, CARELINE_PORT="0") as api:
        url = str(api.wait_for("serving")["url"])
        migrating = migrated(database, tmp_path / "migrate.log")
        api.wait_for("read_only")
        migrating.kill9()
        api.wait_for("read_write")
        until = time.monotonic() + 30
        while "errors" in (answer := upserted(url, key, "after")):
            assert time.monotonic() < until, answer
        assert not any(e["event"] == "unexpected_error" for e in api.events())
        assert api.stop() == 0
