"""Time of 100 training steps of a 128-unit GRU and LSTM forecaster: ours, neuralforecast's and darts', in turn.

With one thread these are processor seconds, which other work on the machine changes little; with more, seconds of the
clock (threads that wait in a loop would count too).
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .work import Means, Record, Work

__all__ = ["CELLS", "LIBRARIES", "steps_work"]

CELLS = ("gru", "lstm")
LIBRARIES = ("seqloom", "seqloom, default patches", "neuralforecast", "darts")
ROUNDS = 3
WORKER = Path(__file__).with_name("step_worker.py")
SECONDS = 1800  # that one process may take


def steps_work() -> Iterator[Work]:
    """A piece for each cell, with every library in it: their rounds take turns."""
    for cell in CELLS:
        yield Work("steps", f"steps-{cell}", "interleaved", 0, LIBRARIES, _run(cell), peer=True)


def _run(cell: str) -> Callable[[Means, Sequence[str]], dict[str, Record]]:
    def run(means: Means, wanted: Sequence[str]) -> dict[str, Record]:
        assert means.peers is not None
        seconds: dict[str, list[float]] = {library: [] for library in LIBRARIES}
        memory: dict[str, float] = dict.fromkeys(LIBRARIES, 0.0)
        for turn in range(ROUNDS):
            for library in (*LIBRARIES[turn:], *LIBRARIES[:turn]):
                python = Path(sys.executable) if library.startswith("seqloom") else means.peers
                said = _ask(python, library, cell, means.threads)
                seconds[library] += said["processor" if means.threads == 1 else "seconds"]
                memory[library] = max(memory[library], said["mib"])
        own = seconds["seqloom"]
        return {
            library: {
                "scores": {
                    "seconds": statistics.median(times),
                    "ratio": statistics.median(other / ours for other, ours in zip(times, own)),
                    "mib": memory[library],
                },
                "rounds": times,
            }
            for library, times in seconds.items()
        }

    return run


def _ask(python: Path, library: str, cell: str, threads: int) -> Any:
    done = subprocess.run(
        [str(python), str(WORKER), library, cell, str(threads), "1"],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{library}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    return json.loads(done.stdout.strip().splitlines()[-1])
