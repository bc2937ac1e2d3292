"""Fits of other people's libraries with and without `seqloom.accelerate()`, in pairs, and what must stay the same.

    python -m bench.accelerated --python Darts=~/darts/bin/python --python plain=~/plain/bin/python [--repeats 7]
    python -m bench.accelerated --write          # the table of docs/benchmarks.md from what has been measured

Each library has a Python of its own, in which `pip install` put the library, torch, safetensors and narwhals; seqloom
is found there through PYTHONPATH, and only by the side that uses it. One process is one fit, and what is measured is
the library's whole fit: its loading of batches, its losses, its optimizer. The two sides take turns, the order turns
from pair to pair, and a ratio is torch's time over ours of one pair: with `--threads 1` processor time, which other
programs on the machine change little, with more the time that passes. What is done is kept in
`bench/accelerating/rows.jsonl` and not done again.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from bench.studies import between_marks

__all__ = ["MARKS", "compared", "main", "table"]

ROOT = Path(__file__).resolve().parents[1]
ROWS = ROOT / "bench" / "accelerating" / "rows.jsonl"
MARKS = "<!-- accelerate: first line -->", "<!-- accelerate: last line -->"
KINDS = ("GRU", "LSTM")
GOALS = {"GRU": 2.0, "LSTM": 1.5}
EPOCHS = {
    "Darts": 3, "neuralforecast": 3, "pytorch-forecasting": 2, "flair": 4, "plain: names": 2, "plain: words": 3,
    "plain: series": 4,
}  # fmt: skip
WHAT = {
    "Darts": "BlockRNNModel, lookback 120, batches of 32",
    "neuralforecast": "its LSTM and GRU: 2 layers, lookback 120, batches of 128 windows",
    "pytorch-forecasting": "RecurrentNetwork: 2 layers, lookback 120, horizon 24, batches of 64",
    "flair": "SequenceTagger: two directions, 5 to 40 words, batches of 32, CRF",
    "plain: names": "names letter by letter, one at a time",
    "plain: words": "language model: 2 layers, 1,000 words, batches of 20×35",
    "plain: series": "windows of 120, batches of 32",
}


class Runs:
    """Starts the worker with the Python of a library."""

    def __init__(self, pythons: Mapping[str, str]) -> None:
        self._pythons = pythons

    def can(self, program: str) -> bool:
        """Whether there is a Python for this program."""
        return program.partition(":")[0] in self._pythons

    def run(self, program: str, kind: str, side: str, do: str, folder: Path, threads: int = 1) -> dict[str, Any]:
        """What the worker printed; raises RuntimeError with its last words where it failed."""
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        variables["OMP_NUM_THREADS"] = str(threads)
        if side != "torch":
            variables["PYTHONPATH"] = os.pathsep.join(str(ROOT / part) for part in ("runtime/src", "src"))
        worker = str(ROOT / "bench" / "accelerating" / "worker.py")
        epochs = EPOCHS[program] if do in ("time", "share") else 1
        command = [
            os.path.expanduser(self._pythons[program.partition(":")[0]]), worker, program, kind,
            "--side", side, "--do", do, "--epochs", str(epochs), "--folder", str(folder),
        ]  # fmt: skip
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{program}, {kind}, {side}, {do}: {done.stderr[-1500:]}")
        return json.loads(done.stdout.splitlines()[-1])


def pair(runs: Runs, program: str, kind: str, number: int, folder: Path, threads: int) -> dict[str, Any]:
    """Seconds of a fit on both sides, one right after the other: with one thread the processor's, which others on the
    machine change little, with more those that pass."""
    sides = ("torch", "ours") if number % 2 == 0 else ("ours", "torch")
    what = "processor" if threads == 1 else "seconds"
    return {side: runs.run(program, kind, side, "time", folder, threads)[what] for side in sides}


def compared(runs: Runs, program: str, kind: str, folder: Path) -> dict[str, Any]:
    """Losses and forecasts of the two ways to accelerate beside torch's, and of what they saved, read without seqloom.

    The numbers are the largest differences, of losses in parts of the loss, of forecasts in parts of the largest
    forecast. Raises AssertionError where a layer is not on the engine that should be, or the other way round.
    """
    theirs = runs.run(program, kind, "torch", "fit", folder / "torch")
    found: dict[str, Any] = {}
    for side in ("ours", "converted"):
        ours = runs.run(program, kind, side, "fit", folder / side)
        there = runs.run(program, kind, "torch", "load", folder / side)
        assert not there["seqloom"], "the other side must read the file without seqloom"
        assert ours["layers"], "the network has no recurrent layer"
        for name in ("layers", "copied"):
            assert all(layer.endswith(":engine") for layer in ours[name]), (name, ours[name])
        for layers in (ours["undone"], there["layers"]):
            assert layers == theirs["layers"], (layers, theirs["layers"])
        assert not ours["named"], "a pickled layer names seqloom"
        found[side] = {
            "losses": _apart(ours["losses"], theirs["losses"]),
            "forecasts": _apart(ours["forecasts"], theirs["forecasts"]),
            "loaded": _apart(there["forecasts"], ours["forecasts"]),
            "undone": _apart(ours["undone_forecasts"], ours["forecasts"]),
        }
    here = runs.run(program, kind, "ours", "load", folder / "torch")
    assert all(layer.endswith(":engine") for layer in here["layers"]), here["layers"]
    found["read"] = _apart(here["forecasts"], theirs["forecasts"])
    return found


def _apart(some: Any, others: Any) -> float:
    a, b = np.asarray(some, dtype=np.float64), np.asarray(others, dtype=np.float64)
    assert a.shape == b.shape, (a.shape, b.shape)
    assert np.isfinite(a).all()
    return float(np.abs(a - b).max() / np.abs(b).max())


def wanted(runs: Runs, repeats: int, only: str, threads: int) -> Iterator[tuple[str, str, str, int]]:
    """Each thing to do: all checks, then the pairs, one of each program after the other."""
    programs = [program for program in EPOCHS if runs.can(program) and only in program]
    for do, count in (("check", 1), ("share", 1), (f"pair {threads}", repeats)):
        for number in range(count):
            yield from ((do, program, kind, number) for program in programs for kind in KINDS)


def measure(runs: Runs, rows: Path, repeats: int, only: str, threads: int) -> None:
    """Do what is not kept yet, and keep it."""
    kept = {(row["do"], row["program"], row["kind"], row["number"]) for row in _read(rows)}
    for do, program, kind, number in wanted(runs, repeats, only, threads):
        if (do, program, kind, number) in kept:
            continue
        with TemporaryDirectory() as folder:
            if do == "check":
                found = compared(runs, program, kind, Path(folder))
            elif do == "share":
                found = runs.run(program, kind, "torch", "share", Path(folder))
            else:
                found = pair(runs, program, kind, number, Path(folder), threads)
        row = {"do": do, "program": program, "kind": kind, "number": number, **found}
        with rows.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row), file=sys.stderr)


def _read(rows: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in rows.read_text(encoding="utf-8").splitlines()] if rows.exists() else []


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The Markdown table: a line for each program and kind of layer that has been measured."""
    titles = (
        "fit", "layer", "torch s", "ours s", "ratio (lowest–highest)", "layers' share", "losses apart",
        "forecasts apart", *(["two threads"] if any(row["do"] == "pair 2" for row in rows) else []),
    )  # fmt: skip
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    for program in EPOCHS:
        for kind in KINDS:
            mine = [row for row in rows if (row["program"], row["kind"]) == (program, kind)]
            if any(row["do"] == "pair 1" for row in mine):
                cells = [f"{program}: {WHAT[program]}", kind, *_cells(mine, kind)]
                if len(cells) < len(titles):
                    cells.append(_two(mine))
                lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cells(rows: Sequence[Mapping[str, Any]], kind: str) -> list[str]:
    theirs, ours = zip(*((row["torch"], row["ours"]) for row in rows if row["do"] == "pair 1"))
    middle, spread = _ratio(rows, 1)
    cells = [f"{statistics.median(theirs):.2f}", f"{statistics.median(ours):.2f}"]
    cells.append(f"**{middle:.2f}×** ({spread})" + " †" * (middle < GOALS[kind]))
    cells.append(next((f"{row['share']:.0%}" for row in rows if row["do"] == "share"), "–"))
    check = next((row for row in rows if row["do"] == "check"), None)
    if check is None:
        return [*cells, "–", "–"]
    both = [check[side] for side in ("ours", "converted")]
    most = [max(found[name] for found in both) for name in ("losses", "forecasts")]
    return cells + [f"{apart:.0e}" if apart else "0" for apart in most]


def _two(rows: Sequence[Mapping[str, Any]]) -> str:
    if not any(row["do"] == "pair 2" for row in rows):
        return "–"
    middle, spread = _ratio(rows, 2)
    return f"{middle:.2f}× ({spread})"


def _ratio(rows: Sequence[Mapping[str, Any]], threads: int) -> tuple[float, str]:
    """The median of the pairs' ratios, and the lowest and the highest."""
    ratios = [row["torch"] / row["ours"] for row in rows if row["do"] == f"pair {threads}"]
    return statistics.median(ratios), f"{min(ratios):.2f}–{max(ratios):.2f}"


def main() -> None:
    """Measure, or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", action="append", default=[], metavar="NAME=PATH", help="the Python of a library")
    parser.add_argument("--repeats", type=int, default=7, help="pairs of each fit")
    parser.add_argument("--only", default="", help="programs with this in their name")
    parser.add_argument("--threads", type=int, default=1, help="of torch and of the engine")
    parser.add_argument("--rows", type=Path, default=ROWS)
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    given = parser.parse_args()
    if given.python:
        pythons = dict(item.split("=", 1) for item in given.python)
        measure(Runs(pythons), given.rows, given.repeats, given.only, given.threads)
    text = table(_read(given.rows))
    if given.write:
        page = ROOT / "docs" / "benchmarks.md"
        page.write_text(between_marks(page.read_text(encoding="utf-8"), text, MARKS), encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
