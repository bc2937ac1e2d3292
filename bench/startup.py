"""What starting costs: imports and short commands, each in a process of its own, in interleaved rounds.

    python -m bench.startup MODEL DATA [NEW_DATA] [--beside CHECKOUT] [--rounds 7]

MODEL: a run or model folder, DATA: a table, NEW_DATA: what the model predicts (a forecaster needs none). --beside:
another checkout of this repository whose source is measured in the same rounds. Prints medians of processor seconds
(other programs on the machine move them less than the clock) and the largest memory of each.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

__all__ = ["main"]

_OWN = Path(__file__).resolve().parents[1]


def main() -> int:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("new_data", type=Path, nargs="?")
    parser.add_argument("--beside", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    checkouts = {"this checkout": _OWN} | ({"the other": arguments.beside} if arguments.beside else {})
    model, data = arguments.model.resolve(), arguments.data.resolve()
    fresh = [] if arguments.new_data is None else [arguments.new_data.resolve()]
    starts: dict[str, Sequence[str | Path]] = {
        "import torch": ("-c", "import torch"),
        "import seqloom.nn": ("-c", "import seqloom.nn"),
        "seqloom --help": ("-m", "seqloom", "--help"),
        "seqloom --version": ("-m", "seqloom", "--version"),
        "seqloom inspect MODEL": ("-m", "seqloom", "inspect", model),
        "seqloom data DATA": ("-m", "seqloom", "data", data),
        "seqloom predict MODEL": ("-m", "seqloom", "predict", model, *fresh),
    }
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as compiled:
        for turn in range(arguments.rounds + 1):
            for name, start in starts.items():
                for checkout, root in checkouts.items():
                    taken = _run([sys.executable, *map(str, start)], root, Path(compiled))
                    if turn:  # the first round compiles the modules
                        found.setdefault((name, checkout), []).append(taken)
    print(f"| start | {' | '.join(checkouts)} |\n|---{'|---' * len(checkouts)}|")
    for name in starts:
        cells = [_cell(found[name, checkout]) for checkout in checkouts]
        print(f"| {name} | {' | '.join(cells)} |")
    return 0


def _run(command: list[str], root: Path, compiled: Path) -> tuple[float, float]:
    """Processor seconds and MB of one process that takes seqloom from a checkout's source."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = kept | {"PYTHONPATH": str(root / "src"), "PYTHONPYCACHEPREFIX": str(compiled)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} in {root}: {said.decode(errors='replace')}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def _cell(taken: list[tuple[float, float]]) -> str:
    seconds = statistics.median(s for s, _ in taken)
    return f"{seconds:.2f} s, {statistics.median(m for _, m in taken):.0f} MB"


if __name__ == "__main__":
    sys.exit(main())
