"""The command that runs a search again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .saved import SavedRun
from .wording import command_line

__all__ = ["search_line"]


def search_line(run: SavedRun) -> str:
    """The command of a search; the lengths that were chosen for its table are chosen again."""
    search = run.search
    space = search.get("space") or {}
    asked = {"trials": search.get("trials"), "round": search.get("round")}
    asked["space"] = ",".join(f"{name}={_dimension(value)}" for name, value in space.items()) or None
    asked |= {} if search.get("halving", True) else {"no_halving": True}
    asked = {name: value for name, value in asked.items() if value is not None}
    return command_line(f"tune {run.command}", run.settings, run.source, run.seed, run.threads, run.given, asked)


def _dimension(value: Any) -> str:
    if isinstance(value, Mapping):
        ends = value.get("range") or [value.get("low"), value.get("high"), *(["log"] if value.get("log") else [])]
        return ":".join(str(end) for end in ends)
    return "|".join(str(each) for each in value)
