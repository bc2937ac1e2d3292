"""Runs of one program, each in a process of its own, one after the other and around again."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence

__all__ = ["in_turn", "ratio_table"]


def in_turn(
    module: str, runs: Mapping[str, Mapping[str, str]], arguments: Sequence[str], *, rounds: int, threads: int
) -> dict[str, list[str]]:
    """What `python -m module --run NAME --threads N` and `arguments` print, for every run and round.

    runs: the environment variables of each. Raises CalledProcessError where one fails.
    """
    found: dict[str, list[str]] = {name: [] for name in runs}
    common = {"OMP_NUM_THREADS": str(threads), "TF_CPP_MIN_LOG_LEVEL": "3"}
    for _ in range(rounds):
        for name, variables in runs.items():
            command = [sys.executable, "-m", module, "--run", name, "--threads", str(threads), *arguments]
            environment = {**os.environ, **common, **variables}
            done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
            found[name].append(done.stdout)
    return found


def ratio_table(title: str, found: Mapping[str, Sequence[float]], digits: int) -> str:
    """A Markdown table: median, lowest and highest of each run, and the median's ratio to the first run's."""
    own = statistics.median(next(iter(found.values())))
    lines = [f"| {title} | seconds an epoch (lowest–highest) | ratio |", "|---|---|---|"]
    for name, taken in found.items():
        spread = f"{min(taken):.{digits}f}–{max(taken):.{digits}f}"
        middle = statistics.median(taken)
        lines.append(f"| {name} | {middle:.{digits}f} ({spread}) | {middle / own:.1f}× |")
    return "\n".join(lines)
