"""What may be said of a schedule, and what of it will do."""

from collections.abc import Callable
from typing import Any, TypedDict

from domain import timekeeping
from domain.errors import Invalid, Reasons
from domain.runs.cron import Cron
from domain.runs.models import CatchUp
from domain.runs.presets import SchedulePreset
from domain.runs.slots import ON_TIME_SECONDS
from domain.runs.work import kinds
from domain.texts import text

LONGEST_NAME = 64
LONGEST_JITTER = 86_400
LONGEST_CATCH_UP = 366 * 86_400


class Terms(TypedDict, total=False):
    """A schedule's own words. A zone of None is the workspace's."""

    name: str
    cron: str
    zone: str | None
    jitter_seconds: int
    catch_up: CatchUp
    catch_up_seconds: int
    pause_on_failure: bool
    args: dict[str, Any]


def checked(reasons: Reasons, kind: str | None, given: dict[str, Any], own: str | None) -> dict[str, Any]:
    """The terms as they are kept, without those that will not do: why is gathered in `reasons`.

    `own` is the name that it has or is to have by right; other presets' names are theirs.
    """
    checks: dict[str, Callable[[Any], Any]] = {
        "name": lambda name: _name(name, own),
        "cron": lambda expression: Cron.of(expression).expression,
        "zone": lambda name: None if name is None else timekeeping.zone(name).key,
        "jitter_seconds": lambda seconds: _seconds(seconds, 0, LONGEST_JITTER, "jitterSeconds"),
        "catch_up_seconds": lambda seconds: _seconds(
            seconds, ON_TIME_SECONDS, LONGEST_CATCH_UP, "catchUpSeconds"
        ),
        "args": lambda args: kinds[kind].arguments(args) if kind in kinds else {},
    }
    good = {}
    for term, value in given.items():
        with reasons.gathered():
            good[term] = checks[term](value) if term in checks else value
    return good


def check_kind(kind: str, field: str = "kind") -> None:
    """Raises `Invalid` where it is no kind of run that a schedule may ask for."""
    known = sorted(name for name, declared in kinds.items() if declared.schedulable)
    if kind not in known:
        raise Invalid(f"a schedule may ask for {', '.join(known)}", field=field)


def _name(given: str, own: str | None) -> str:
    name = text(given, "name", LONGEST_NAME)
    if name in SchedulePreset.__members__ and name != own:
        raise Invalid("this is the name of a preset", field="name")
    return name


def _seconds(given: int, least: int, most: int, field: str) -> int:
    if not least <= given <= most:
        raise Invalid(f"from {least} to {most} seconds", field=field)
    return given
