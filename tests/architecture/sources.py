"""The house's own files, and what each Python module imports."""

import ast
import importlib
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LAYERS = ("api", "domain", "jobs")
CONCEPTS = (
    "workspaces",
    "files",
    "runs",
    "customers",
    "content",
    "contacts",
    "feedback",
    "loyalty",
    "segments",
    "predictions",
    "alerts",
    "tasks",
    "health",
    "campaigns",
    "kpis",
    "webhooks",
)
"""The one order in which concepts stand; some have not been built."""

Sources = Mapping[str, str]
"""Path from the root, with forward slashes → text."""


def tracked() -> list[str]:
    """Every file that is in the repository, or would be if it were added now."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted({name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()})


def python_of(*layers: str) -> Sources:
    """The Python files of these layers, migrations among them."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for layer in layers
        for path in sorted((ROOT / layer).rglob("*.py"))
    }


@dataclass(frozen=True)
class Import:
    """`from module import name as bound`, or `import module` (then there is no name)."""

    module: str
    name: str
    bound: str
    line: int


def imports(path: str, text: str) -> Iterator[Import]:
    """Every import of a module, also those inside functions and under TYPE_CHECKING."""
    package = path.removesuffix(".py").removesuffix("/__init__").split("/")
    if not path.endswith("__init__.py"):
        package = package[:-1]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, "", alias.asname or alias.name.partition(".")[0], node.lineno)
        elif isinstance(node, ast.ImportFrom):
            parts = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*parts, *([node.module] if node.module else [])])
            for alias in node.names:
                yield Import(module, alias.name, alias.asname or alias.name, node.lineno)
        elif isinstance(node, ast.Call) and (target := _imported_by_call(node)):
            yield Import(target, "", "", node.lineno)


def _imported_by_call(node: ast.Call) -> str:
    """The module that `importlib.import_module("…")` or `__import__("…")` names."""
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    first = node.args[0] if node.args else None
    named = isinstance(first, ast.Constant) and isinstance(first.value, str)
    return str(first.value) if called in ("import_module", "__import__") and named else ""  # type: ignore[union-attr]


def concept_of(module: str) -> str:
    """The concept that a dotted module belongs to; empty for the floor."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "domain" and parts[1] in CONCEPTS else ""


def module_of(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def face_of(concept: str) -> list[str]:
    """The names that a concept's face shows."""
    return list(importlib.import_module(f"domain.{concept}").__all__)


def built() -> list[str]:
    """The concepts that exist, in their order."""
    return [concept for concept in CONCEPTS if (ROOT / "domain" / concept / "__init__.py").exists()]
