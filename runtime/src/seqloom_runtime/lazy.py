"""Packages whose public names load at first use (PEP 562), so that a part that needs no torch doesn't wait for it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["lazy_names"]


def lazy_names(
    package: str, homes: Mapping[str, str], public: Sequence[str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of `package`: `homes` says in which of its modules each of the lazy names stands.

    >>> get, names = lazy_names("seqloom_runtime.data", {"Decision": "decisions"}, ["Decision"])
    >>> get("Decision").__name__, names()
    ('Decision', ['Decision'])
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f".{homes[name]}", package), name)

    return get, lambda: sorted(public)
