"""Imports go one way: the domain knows nobody, the API and the jobs know the domain, not each other."""

import pytest

from tests.architecture.sources import LAYERS, Sources, imports, python_of

EDGE = {"strawberry", "starlette", "graphql", "uvicorn"}
FORBIDDEN = {
    "domain": EDGE | {"api", "jobs", "dramatiq", "redis"},
    "api": {"jobs", "dramatiq"},
    "jobs": {"api", "strawberry", "starlette", "graphql"},
}
COMPOSITION_ROOT = {"api/__main__.py", "api/serving.py"}
"""The two files that put a process together: they alone know both the API and the jobs."""


def breaches(sources: Sources) -> list[str]:
    """Imports against the direction, as `file:line: module`."""
    found = []
    for path, text in sources.items():
        forbidden = FORBIDDEN[path.split("/")[0]]
        if path in COMPOSITION_ROOT:
            forbidden = forbidden - {"jobs", "dramatiq"}
        for item in imports(path, text):
            if item.module.partition(".")[0] in forbidden or item.module == "tests":
                found.append(f"{path}:{item.line}: {item.module}")
    return found


def test_imports_go_one_way() -> None:
    sources = python_of(*LAYERS)
    assert len(sources) > 100
    assert breaches(sources) == []


def test_nothing_imports_the_tests() -> None:
    for path, text in python_of(*LAYERS).items():
        assert not any(item.module.partition(".")[0] == "tests" for item in imports(path, text)), path


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("domain/tasks/actions.py", "import strawberry"),
        ("domain/tasks/actions.py", "from redis.asyncio import Redis"),
        ("domain/records.py", "from api.ids import row_id"),
        ("domain/records.py", "def late():\n    from jobs import due"),
        ("domain/records.py", "import importlib\nimportlib.import_module('jobs.due')"),
        ("domain/records.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import starlette"),
        ("api/app.py", "from jobs.worker import working"),
        ("api/app.py", "import dramatiq.middleware as m"),
        ("api/__main__.py", "import tests"),
        ("jobs/due.py", "import api.schema"),
        ("jobs/due.py", "from starlette.requests import Request"),
    ],
)
def test_an_import_against_the_direction_is_noticed(path: str, line: str) -> None:
    assert len(breaches({path: line})) == 1


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("domain/tasks/actions.py", "from domain import db"),
        ("api/app.py", "import apispec\nfrom domain import tasks"),
        ("api/serving.py", "from jobs.worker import working"),
        ("jobs/due.py", "import dramatiq, redis"),
    ],
)
def test_an_import_along_the_direction_is_not(path: str, line: str) -> None:
    assert breaches({path: line}) == []
