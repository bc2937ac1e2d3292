"""A piece of work: one method on one dataset with one seed, over some windows; and what it is given to work with."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .scores import coverage, mae

__all__ = ["LEVELS", "Means", "Record", "Work", "local_record", "revision"]

LEVELS = ("80", "95")
Record = dict[str, Any]


@dataclass(frozen=True)
class Means:
    """What work is done with: the data's folder, the peers' interpreter (or None), a scratch folder, threads."""

    data: Path
    peers: Path | None
    scratch: Path
    threads: int = 1


@dataclass(frozen=True)
class Work:
    """`run` makes the records of the windows that it is given, by window.

    group: what the work is asked for by. peer: whether it needs the peers' environment.
    """

    group: str
    dataset: str
    method: str
    seed: int
    windows: tuple[str, ...]
    run: Callable[[Means, Sequence[str]], dict[str, Record]] = field(repr=False)
    peer: bool = False

    @property
    def name(self) -> str:
        """The work as `--only` finds it."""
        return f"{self.group}/{self.dataset}/{self.method}/{self.seed}"


def local_record(
    truth: np.ndarray, values: np.ndarray, bounds: dict[str, tuple[np.ndarray, np.ndarray]], seconds: float
) -> Record:
    """The record of one window of one series: its MAE, the coverage of its bounds, and the seconds it took."""
    scores: dict[str, float] = {"mae": mae(truth, values)}
    for level, (low, high) in bounds.items():
        if np.isfinite(low).all() and np.isfinite(high).all():
            scores[f"within_{level}"] = coverage(truth, low, high)
    return {"scores": scores, "seconds": seconds}


def revision(root: Path) -> str:
    """The last commit that changed the package, with + behind it where files differ; unknown outside a repository."""
    said = _git(root, "log", "-1", "--format=%h", "--", "src", "native")
    changed = _git(root, "status", "--porcelain", "--", "src", "native")
    return f"{said}+" if changed else said or "unknown"


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False).stdout.strip()
