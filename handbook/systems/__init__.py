"""The systems of the field, a function each: its docstring says what it is, its body shows it, what it returns is its
picture. `python -m handbook.systems A1` writes the picture of one.

A function's assertions are the published facts; the tests run every one.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch

__all__ = ["GROUPS", "System", "page_of", "systems"]

GROUPS = {
    "a": "Recurrent networks",
    "b": "Convolutions",
    "c": "Text",
    "d": "Time series",
    "e": "How training behaves",
    "f": "The sequence-modelling table",
    "g": "Applications",
}
"""Module of this package → what its systems are."""


@dataclass(frozen=True)
class System:
    """One system: its id, what it is called, what is said of it (Markdown), the code, and what draws its picture."""

    id: str
    title: str
    text: str
    code: str
    draw: Callable[[], str]


def systems(group: str) -> list[System]:
    """Those of a group, in their order."""
    module = importlib.import_module(f".{group}", __name__)
    source = inspect.getsource(module)
    tree = ast.parse(source)
    imports = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom)) and node.lineno > 1]
    found = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name[0] == group and node.name[1:].isdigit():
            title, _, text = (ast.get_docstring(node) or "").partition("\n")
            code = "\n".join([*_imports_for(node, imports), "", _body(node, source)]).strip()
            drawn = partial(_drawn, getattr(module, node.name))
            found.append(System(node.name.upper(), title.rstrip("."), text.strip(), code, drawn))
    return found


def _drawn(draw: Callable[[], str]) -> str:
    """The picture, the same at every build."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return draw()


def _imports_for(node: ast.FunctionDef, imports: list[ast.Import | ast.ImportFrom]) -> Iterator[str]:
    """The lines that import what a function uses, those of the module's own future left out."""
    used = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    for each in imports:
        names = [alias for alias in each.names if (alias.asname or alias.name).split(".")[0] in used]
        if names:
            kept = ast.Import(names) if isinstance(each, ast.Import) else ast.ImportFrom(each.module, names, each.level)
            yield ast.unparse(kept)


def _body(node: ast.FunctionDef, source: str) -> str:
    """The body without its docstring, what it returns as `picture`."""
    lines = source.splitlines()
    body = textwrap.dedent("\n".join(lines[node.body[0].end_lineno or 0 : node.end_lineno])).strip("\n")
    return body.replace("\nreturn ", "\npicture = ") if "\nreturn " in body else body.replace("return ", "picture = ")


def page_of(group: str) -> str:
    """The page of a group: every system with its code, what it is, and its picture."""
    parts = [
        f"# {GROUPS[group]}",
        "",
        "Each is run, and held to the published fact beside it, when this page is made.",
        "",
    ]
    for system in systems(group):
        parts += [f"## {system.id} · {system.title} {{ #{system.id.lower()} }}", ""]
        parts += [system.text, ""] if system.text else []
        parts += ["```python", system.code, "```", "", f'<div class="drawn">{system.draw()}</div>', ""]
    return "\n".join(parts)
