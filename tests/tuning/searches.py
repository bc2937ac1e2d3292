"""Searches of the tiny task, in a folder as a run has it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tiny_task import PARTS, Line

from seqloom.engines import LocalEngine
from seqloom.tasks.comparison import Task
from seqloom.tuning import Search, SearchPlan

__all__ = ["SPACE", "Folder", "InTurn", "searched"]

SPACE = {"learning_rate": (0.005, 0.2, "log"), "units": (2, 14), "layers": [1, 2]}


class InTurn(LocalEngine):
    """Jobs in this process, so that a test ends a search where it wants."""

    def run(self, work: Any, shared: Any, jobs: Any, *, on_result: Any = None, on_told: Any = None) -> list[Any]:
        found = []
        for index, job in enumerate(jobs):
            found.append(work(shared, job, lambda value: None))
            if on_result is not None:
                on_result(index, found[-1])
        return found


class Folder:
    """What a search needs of a run folder."""

    def __init__(self, root: Path) -> None:
        self.root, self.complete, self.record = root, False, {}

    def checkpoint(self, name: str) -> Path:
        return self.root / "checkpoint" / name

    def took(self, name: str, seconds: float) -> None:
        self.record[name] = seconds


def searched(root: Path, engine: Any = None, on_event: Any = None, **plan: Any) -> list[dict[str, Any]]:
    """The trials of a search in a folder, as trials.json has them."""
    root.mkdir(exist_ok=True)
    line = Line(epochs=plan.pop("epochs", 9))
    search = Search(SearchPlan(**{"trials": 8, "round": 4, "space": SPACE, **plan}), engine or InTurn(1))
    folder: Any = Folder(root)
    further = search(Task("line"), {"line": line}, PARTS, folder, True, on_event)
    told = json.loads((root / "trials.json").read_text())
    assert search.found is not None
    assert list(further) == (["line-tuned"] if told["tuned"] else [])
    for estimator in further.values():
        assert estimator.get_params()["units"] == told["trials"][told["best"]]["parameters"]["units"]
    assert not list((root / "checkpoint").rglob("*"))
    return told["trials"]
