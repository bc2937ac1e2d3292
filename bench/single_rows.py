"""`python -m bench.single_rows`: the forward pass of one sequence, and of a few, beside ONNX Runtime's.

Ours through the plain function (`ops.scan`) and through `nn`, without a gradient. Every side works in a process of its
own, the sides take turns in each round, and a ratio is ONNX Runtime's time over ours of the same round.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from itertools import product
from pathlib import Path
from typing import Any

from bench.cases import Case
from bench.harness import SETTLE, Worker

__all__ = ["main"]

SIDES = ("seqloom scan", "seqloom", "onnxruntime")


def main() -> None:
    """Measure the cells that the arguments name; print a table, and write the figures as JSON where a path is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batches", type=int, nargs="+", default=[1])
    parser.add_argument("--steps", type=int, nargs="+", default=[24, 120, 720])
    parser.add_argument("--units", type=int, nargs="+", default=[32, 128, 512])
    parser.add_argument("--inputs", type=int, default=14)
    parser.add_argument("--kinds", nargs="+", default=["elman", "gru", "lstm"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.4, help="time to measure each side of a cell for")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    workers = {side: Worker(side, chosen.threads) for side in SIDES}
    rows = []
    print("| case | ops.scan µs (ratio) | nn µs (ratio) | ONNX Runtime µs |\n|---|---|---|---|")
    for kind, batch, units, steps in product(chosen.kinds, chosen.batches, chosen.units, chosen.steps):
        case = Case(kind, batch, steps, chosen.inputs, units, "forward")
        row = measured(workers, case, chosen.rounds, chosen.seconds)
        rows.append(row)
        cells = [f"{row['us'][side]:.1f} ({row['ratio'][side]:.2f}×)" for side in SIDES[:-1]]
        print(f"| {case.name} | {' | '.join(cells)} | {row['us'][SIDES[-1]]:.1f} |", flush=True)
    for worker in workers.values():
        worker.close()
    if chosen.out is not None:
        chosen.out.write_text(json.dumps(rows, indent=1))


def measured(workers: dict[str, Worker], case: Case, rounds: int, seconds: float) -> dict[str, Any]:
    """Median time in µs of each side, and the median of ONNX Runtime's time over it."""
    first = {side: worker.ask(do="prepare", case=case.to_json())["first"] for side, worker in workers.items()}
    times: dict[str, list[float]] = {side: [] for side in workers}
    for number in range(rounds):
        for side in SIDES[number % len(SIDES) :] + SIDES[: number % len(SIDES)]:
            time.sleep(SETTLE)
            repeats = max(1, int(seconds / rounds / max(first[side], 1e-6)))
            times[side].append(workers[side].ask(do="time", repeats=repeats)["seconds"])
    peer = times[SIDES[-1]]
    return {
        "case": case.name,
        "us": {side: 1e6 * statistics.median(taken) for side, taken in times.items()},
        "ratio": {side: statistics.median(p / t for p, t in zip(peer, taken)) for side, taken in times.items()},
    }


if __name__ == "__main__":
    main()
