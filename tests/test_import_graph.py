"""No circle of imports, module by module: imports inside functions count, those for a type alone don't."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = {
    ".".join(path.with_suffix("").relative_to(source).parts).removesuffix(".__init__"): path
    for source in (ROOT / "src", ROOT / "runtime" / "src")
    for path in source.rglob("*.py")
}


def imported(name: str) -> set[str]:
    """The modules of the package that a module imports, anywhere in its text."""
    path, found = MODULES[name], set[str]()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]

    def look(node: ast.AST) -> None:
        for inner in ast.iter_child_nodes(node):
            # Imports are statements, and stand in statements alone; expressions are most of a tree.
            if not isinstance(inner, (ast.stmt, ast.ExceptHandler, ast.match_case)):
                continue
            if isinstance(inner, ast.If) and "TYPE_CHECKING" in ast.dump(inner.test):
                continue
            if isinstance(inner, ast.Import):
                found.update(alias.name for alias in inner.names)
            elif isinstance(inner, ast.ImportFrom):
                parts = package.split(".")[: len(package.split(".")) - inner.level + 1] if inner.level else []
                base = ".".join([*parts, *([inner.module] if inner.module else [])])
                found.update(full if (full := f"{base}.{a.name}") in MODULES else base for a in inner.names)
            look(inner)

    look(ast.parse(path.read_text(encoding="utf-8")))
    return (found & MODULES.keys()) - {name}


def test_no_circle_of_imports() -> None:
    graph = {name: imported(name) for name in MODULES}
    assert len(graph) > 100
    assert "seqloom_runtime.data.panel" in graph["seqloom_runtime.data.reading"]
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        pytest.fail(" imports ".join(circle.args[1]))
