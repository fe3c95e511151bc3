"""What is released moves by `make release-schema` alone, which breaks nothing without saying why."""

import json
import subprocess
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT
from tests.contract.changes import breaches
from tests.contract.releasing import Refused, dangers, digest, flaws, lines, release, released

TODAY = date(2026, 11, 23)
OLD = "type Query { one: Int  two(at: Int = 1): State }\nenum State { OPEN }\n"
MORE = OLD.replace("OPEN", "OPEN DONE")
BROKEN = OLD.replace("one: Int  ", "")
REASON = "a leak of personal data had to be closed"
FILE = "tests/contract/released.graphql"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "released.graphql").write_text(OLD)
    first = {"release": 1, "day": "2026-11-22", "sha256": digest(OLD)}
    (tmp_path / "releases.json").write_text(json.dumps([first]))
    return tmp_path


def everything(folder: Path) -> list[str]:
    return [file.read_text() for file in sorted(folder.iterdir())]


def test_the_reference_is_as_its_last_release_left_it() -> None:
    assert flaws(released(), lines()) == []


def test_no_reference_that_was_ever_committed_broke_the_one_before_unless_that_was_accepted() -> None:
    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
        return done.stdout

    commits = git("log", "--reverse", "--format=%H", "--", FILE).split()
    texts = [git("show", f"{commit}:{FILE}") for commit in commits] + [released()]
    accepted = {line["sha256"]: line["accepted"]["breaks"] for line in lines() if "accepted" in line}
    for before, now in pairwise(texts):
        if before != now:
            assert set(breaches(before, now, date.today())) <= set(accepted.get(digest(now), []))


def test_what_adds_is_released(folder: Path) -> None:
    line = release(MORE, TODAY, folder=folder)
    assert line == {"release": 2, "day": "2026-11-23", "sha256": digest(MORE)}
    assert (released(folder), lines(folder)[1:]) == (MORE, [line])
    assert flaws(released(folder), lines(folder)) == []
    assert release(MORE, TODAY, folder=folder) is None
    assert len(lines(folder)) == 2


@pytest.mark.parametrize(
    ("now", "reason", "said"),
    [
        (BROKEN, "", "Query.one was removed"),
        (BROKEN, "because", "has to say why"),
        (MORE, REASON, "nothing is broken"),
    ],
)
def test_what_breaks_is_not_released_without_a_reason(folder: Path, now: str, reason: str, said: str) -> None:
    before = everything(folder)
    with pytest.raises(Refused, match=said):
        release(now, TODAY, reason, folder)
    assert everything(folder) == before


def test_a_break_that_was_forced_stands_in_the_list_with_its_reason_and_day(folder: Path) -> None:
    line = release(BROKEN, TODAY, REASON, folder)
    assert line is not None
    assert line["accepted"] == {"reason": REASON, "breaks": ["Field Query.one was removed."]}
    assert lines(folder)[-1] == line
    assert flaws(released(folder), lines(folder)) == []


def test_a_reference_that_somebody_else_moved_is_noticed(folder: Path) -> None:
    (folder / "released.graphql").write_text(BROKEN)
    assert flaws(released(folder), lines(folder)) == [
        "released.graphql is not what the last line of releases.json says"
    ]
    before = everything(folder)
    with pytest.raises(Refused, match="is not what the last line"):
        release(BROKEN, TODAY, folder=folder)
    assert everything(folder) == before
    unsaid = {"reason": "", "breaks": ["Field Query.one was removed."]}
    line = {"release": 3, "day": "2026-11-21", "sha256": digest(BROKEN), "accepted": unsaid}
    assert len(flaws(BROKEN, [*lines(folder), line])) == 3


def test_what_may_surprise_a_client_is_said() -> None:
    now = MORE.replace("at: Int = 1", "at: Int = 2")
    found = dangers(OLD, now)
    assert len(found) == 2
    assert any("DONE" in change for change in found)
    assert any("at" in change and "default" in change for change in found)
    assert dangers(OLD, OLD) == []
