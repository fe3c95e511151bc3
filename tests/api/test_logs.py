"""What an exception says stands in no log of production, in whichever style: it may quote a row."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from api import logs
from domain.settings import LogStyle, Profile

SAID = "Key (email)=(wang@example.cn) already exists"


@pytest.fixture(autouse=True)
def put_back() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, style: LogStyle, profile: Profile
) -> list[str]:
    """What our own logger and a library's print about one failure."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # the tests' own: basicConfig adds to none
    logs.configure(style, profile)
    shown = []
    for report in (
        lambda error: structlog.get_logger("ours").error("failed", run=7, exc_info=error),
        lambda error: logging.getLogger("tortoise").error("cannot store %s", SAID, exc_info=error),
    ):
        try:
            try:
                raise KeyError(SAID)
            except KeyError as error:
                raise ValueError(SAID) from error
        except ValueError as error:
            report(error)
        shown.append(capsys.readouterr().err)
    return shown


@pytest.mark.parametrize("style", LogStyle)
def test_in_production_exceptions_are_told_by_type_and_place(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, style: LogStyle
) -> None:
    ours, of_library = told(capsys, monkeypatch, style, Profile.PRODUCTION)
    assert "run" in ours and "failed" in ours
    assert "cannot store %s" in of_library
    for shown in (ours, of_library):
        assert "builtins.KeyError" in shown and "builtins.ValueError" in shown
        assert "test_logs.py" in shown
        assert "wang@example.cn" not in shown


def test_in_development_they_are_told_in_full(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for shown in told(capsys, monkeypatch, LogStyle.TEXT, Profile.DEVELOPMENT):
        assert f"ValueError: {SAID}" in shown
