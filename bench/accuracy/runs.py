"""What a whole run says of its own test part: CO2 by a GRU, and the 200 days that one batch an epoch left untrained.

The command makes the windows here, so its predictions.csv is held to the table: every value that it calls actual must
be the table's at that time.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from . import ours
from .scores import mae
from .tables import Table, read_table, small_table
from .work import Means, Record, Work

__all__ = ["rows_of_test", "runs_work"]

CASE = Path("cases") / "55-undertrained-defaults" / "a.csv"


def runs_work() -> Iterator[Work]:
    """CO2 with networks of three seeds, the case with five."""
    for seed in range(3):
        for model in ("linear", "gru"):
            yield Work(
                "runs", "co2-run", f"seqloom --model {model}", seed, ("test",), _run(_co2, model, seed, (), None)
            )
    promo = ("--target", "sales", "--future", "promo")
    for seed in range(5):
        for model in ("linear", "gru"):
            work = _run(_case, model, seed, promo, 7)
            yield Work("runs", "case-55", f"seqloom --model {model}", seed, ("test",), work)


def rows_of_test(path: Path, model: str, table: Table) -> tuple[np.ndarray, np.ndarray]:
    """Truth and forecasts of the test rows of a predictions.csv; raises ValueError where its truth is another."""
    known = {row[0]: value for row, value in zip(csv.reader(table.lines), table.values)}
    truth, values = [], []
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["split"] != "test" or not row["actual"]:
                continue
            expected = known[row["time"]]
            if not np.isclose(float(row["actual"]), expected, rtol=1e-6):
                raise ValueError(f"{path.name}: expected {expected} at {row['time']}, got {row['actual']}.")
            truth.append(expected)
            values.append(float(row[model]))
    return np.array(truth), np.array(values)


def _co2(means: Means) -> Table:
    return small_table("co2", means.data)[0]


def _case(means: Means) -> Table:
    path = means.data.parent / CASE
    if not path.exists():
        raise ValueError(f"expected {CASE} beside the folder of the data")
    return read_table(path, "case-55", "sales")


def _run(
    made: Callable[[Means], Table], model: str, seed: int, arguments: Sequence[str], horizon: int | None
) -> Callable[[Means, Sequence[str]], dict[str, Record]]:
    def run(means: Means, wanted: Sequence[str]) -> dict[str, Record]:
        table = made(means)
        path = table.before(len(table.values), means.scratch / f"{table.name}.csv")
        out = means.scratch / "run"
        shutil.rmtree(out, ignore_errors=True)
        given = ("--model", model, "--seed", str(seed), *arguments)
        said = ours.forecast(path, horizon, given, threads=means.threads, out=out)
        truth, values = rows_of_test(out / "predictions.csv", model, table)
        return {wanted[0]: {"scores": {"mae": mae(truth, values)}, "seconds": said.seconds, "rows": len(truth)}}

    return run
