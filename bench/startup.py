"""What starting costs: imports and short commands, each in a process of its own, in interleaved rounds.

    python -m bench.startup MODEL DATA [NEW_DATA] [--beside CHECKOUT] [--rounds 7]

MODEL: a run or model folder, DATA: a table, NEW_DATA: what the model predicts (a forecaster needs none). --beside:
another checkout of this repository whose source is measured in the same rounds. Prints medians of processor seconds
(other programs on the machine move them less than the clock) and the largest memory of each.

The last rows are the same forecaster from start to first forecast: by `seqloom predict`, by the runtime, and exported
and run by ONNX Runtime, where it is installed and the model has a form there.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

__all__ = ["main"]

_OWN = Path(__file__).resolve().parents[1]
_BY_RUNTIME = "import sys, seqloom_runtime; seqloom_runtime.load(sys.argv[1]).predict()"
_BY_ONNX = """
import sys
import numpy as np
import onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
kinds = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64, "tensor(bool)": np.bool_}
feed = {
    one.name: np.zeros([size if isinstance(size, int) else 1 for size in one.shape], kinds[one.type])
    for one in session.get_inputs()
}
session.run(None, feed)
"""
_ONNX = "ONNX Runtime: load the exported MODEL, run"
_OF_ONE = ("import numpy", "import seqloom_runtime", "runtime: load MODEL, predict", _ONNX)


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
        "import numpy": ("-c", "import numpy"),
        "import seqloom_runtime": ("-c", "import seqloom_runtime"),
        "runtime: load MODEL, predict": ("-c", _BY_RUNTIME, model),
    }
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as compiled:
        if (file := _exported(model, Path(compiled))) is not None:
            starts[_ONNX] = ("-c", _BY_ONNX, file)
        for turn in range(arguments.rounds + 1):
            for name, start in starts.items():
                for checkout, root in checkouts.items():
                    if name in _OF_ONE and root != _OWN:
                        continue  # these don't take seqloom from a checkout
                    taken = _run([sys.executable, *map(str, start)], root, Path(compiled))
                    if turn:  # the first round compiles the modules
                        found.setdefault((name, checkout), []).append(taken)
    print(f"| start | {' | '.join(checkouts)} |\n|---{'|---' * len(checkouts)}|")
    for name in starts:
        cells = [_cell(found[name, checkout]) if (name, checkout) in found else "" for checkout in checkouts]
        print(f"| {name} | {' | '.join(cells)} |")
    return 0


def _exported(model: Path, folder: Path) -> Path | None:
    """The model as an ONNX file; None where ONNX Runtime is missing or the model has no form there."""
    if importlib.util.find_spec("onnxruntime") is None:
        return None
    file = folder / "model.onnx"
    command = [sys.executable, "-m", "seqloom", "export", str(model), "--onnx", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"not run by ONNX Runtime: {(done.stderr or done.stdout).strip()}", file=sys.stderr)
    return file if file.exists() else None


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
