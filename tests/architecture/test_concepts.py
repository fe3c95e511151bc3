"""Concepts stand in one order, know only those before them, and are entered by their face."""

import ast
import importlib
from collections.abc import Callable

import pytest

from tests.architecture.sources import (
    CONCEPTS,
    LAYERS,
    ROOT,
    Sources,
    built,
    concept_of,
    face_of,
    imports,
    module_of,
    python_of,
)

FLOOR = {
    "access",
    "db",
    "errors",
    "feeds",
    "figures",
    "idempotency",
    "journal",
    "language",
    "money",
    "nudges",
    "paging",
    "reading",
    "records",
    "sealing",
    "settings",
    "texts",
    "timekeeping",
    "tracing",
    "wires",
}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
SCOPES = (*FUNCTIONS, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
Face = Callable[[str], list[str]]


def breaches(sources: Sources, face: Face = face_of) -> list[str]:
    """Imports of a concept that are against the order or not by its face, as `file:line: import`."""
    found = []
    for path, text in sources.items():
        if path.startswith("domain/migrations/"):
            continue
        own = concept_of(module_of(path))
        tree = ast.parse(text)
        faces = {}
        for item in imports(path, text):
            whole = f"{item.module}.{item.name}" if item.module == "domain" and item.name else item.module
            concept = concept_of(whole)
            if not concept or concept == own:
                continue
            said = f"{path}:{item.line}: from {item.module} import {item.name}"
            if path.startswith("domain/") and (not own or CONCEPTS.index(concept) > CONCEPTS.index(own)):
                found.append(f"{said} (against the order)")
            elif whole == f"domain.{concept}":
                if not item.name:
                    found.append(f"{said} (write: from domain import {concept})")
                elif item.module == "domain":
                    faces[item.bound] = concept
                elif item.name not in face(concept):
                    found.append(f"{said} (not on the face)")
            elif not (path.endswith("/models.py") and whole == f"domain.{concept}.models"):
                found.append(f"{said} (past the face)")
        found += [
            f"{path}:{line}: {faces[name]}.{attribute} (not on the face)"
            for name, attribute, line in _attributes(tree, set(faces))
            if attribute not in face(faces[name])
        ]
    return found


def _attributes(tree: ast.AST, names: set[str]) -> list[tuple[str, str, int]]:
    """`name.attribute` wherever the name stands for what was imported, and not for a local of that name."""
    found: list[tuple[str, str, int]] = []

    def visit(node: ast.AST, visible: set[str]) -> None:
        if isinstance(node, SCOPES):
            visible = visible - _locals(node)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in visible:
            found.append((node.value.id, node.attr, node.lineno))
        for child in ast.iter_child_nodes(node):
            visit(child, visible)

    visit(tree, names)
    return found


def _locals(scope: ast.AST) -> set[str]:
    found = {node.arg for node in ast.walk(scope) if isinstance(node, ast.arg)}
    return found | {
        node.id for node in ast.walk(scope) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def floor_breaches(sources: Sources) -> list[str]:
    """Modules of the floor that are not on its list, or that know a concept."""
    found = []
    for path, text in sources.items():
        parts = module_of(path).split(".")
        if parts[0] != "domain" or len(parts) == 1 or parts[1] in CONCEPTS or parts[1] == "migrations":
            continue
        if parts[1] not in FLOOR:
            found.append(f"{path}: neither a concept nor on the floor's list")
        for item in imports(path, text):
            whole = f"{item.module}.{item.name}" if item.module == "domain" else item.module
            if concept_of(whole):
                found.append(f"{path}:{item.line}: {whole}")
    return found


def test_concepts_stand_in_one_order_and_are_entered_by_their_face() -> None:
    sources = python_of(*LAYERS)
    assert len(sources) > 100
    assert breaches(sources) == []


def test_the_floor_knows_no_concept() -> None:
    assert floor_breaches(python_of("domain")) == []


def test_every_package_of_the_domain_is_a_concept_in_the_order() -> None:
    packages = {path.parent.name for path in (ROOT / "domain").glob("*/__init__.py")}
    assert packages - {"db", "migrations"} == set(built())
    assert len(built()) >= 9


@pytest.mark.parametrize("concept", built())
def test_every_name_on_a_face_exists(concept: str) -> None:
    face = importlib.import_module(f"domain.{concept}")
    names = face_of(concept)
    assert names
    assert names == sorted(set(names), key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    assert [name for name in names if not hasattr(face, name)] == []
    assert face.__doc__


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("domain/customers/actions.py", "from domain import tasks"),
        ("domain/customers/actions.py", "from domain.tasks import open_many"),
        ("domain/customers/actions.py", "def late():\n    from domain import tasks"),
        ("domain/customers/models.py", "from domain.tasks.models import TaskState"),
        ("domain/tasks/actions.py", "from domain.customers.models import Customer"),
        ("domain/tasks/actions.py", "from domain.customers.rules import clean"),
        ("domain/tasks/actions.py", "from domain.customers import _hidden"),
        ("domain/tasks/actions.py", "import domain.customers"),
        ("domain/tasks/actions.py", "from ..customers.rules import clean"),
        (
            "domain/tasks/actions.py",
            "from domain import customers\nasync def f(): return customers._hidden()",
        ),
        ("domain/tasks/actions.py", "from domain import customers as c\nx = c.rules"),
        ("domain/tasks/models.py", "from domain.customers.rules import clean"),
        ("domain/records.py", "from domain import customers"),
        ("api/tasks/types.py", "from domain.tasks.models import Task"),
        ("jobs/due.py", "from domain import tasks\ntasks.timers.due()"),
    ],
)
def test_a_way_around_the_order_or_the_face_is_noticed(path: str, text: str) -> None:
    assert len(breaches({path: text}, lambda concept: ["upsert", "Customer"])) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("domain/tasks/actions.py", "from domain import customers\ncustomers.upsert()"),
        ("domain/tasks/actions.py", "from domain.customers import Customer"),
        ("domain/tasks/models.py", "from domain.customers.models import LeadSource"),
        ("domain/tasks/actions.py", "from domain.tasks.models import Task\nfrom domain.tasks import care"),
        (
            "domain/tasks/actions.py",
            "from domain import customers\ndef f(customers): return customers.anything\ncustomers.upsert",
        ),
        ("jobs/due.py", "from domain import db, tasks\ntasks.upsert()\ndb.rows()"),
    ],
)
def test_the_way_through_the_face_is_not(path: str, text: str) -> None:
    assert breaches({path: text}, lambda concept: ["upsert", "Customer"]) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("domain/feeds.py", "from domain import tasks"),
        ("domain/db/sql.py", "from domain.runs import Run"),
        ("domain/journal.py", "import domain.runs.models"),
        ("domain/extras.py", "pass"),
    ],
)
def test_a_floor_that_knows_a_concept_is_noticed(path: str, text: str) -> None:
    assert len(floor_breaches({path: text})) == 1
