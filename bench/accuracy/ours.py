"""Our forecasts, made as a user makes them: by `seqloom forecast`, and by the public `load` and `predict`."""

from __future__ import annotations

import csv
import functools
import io
import itertools
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Forecasts", "forecast", "forecast_each", "long_table", "takes"]

SECONDS = 3600  # that one command may take


@dataclass(frozen=True)
class Forecasts:
    """values: (S, H), a row for each series or origin; bounds: level → low and high, of the same shape.

    Seconds are those of the command, or of training and predicting. chosen: the model that it took.
    """

    names: list[str]
    values: np.ndarray
    bounds: dict[str, tuple[np.ndarray, np.ndarray]]
    seconds: float
    chosen: str | None = None


def forecast(
    table: Path, horizon: int | None, arguments: Sequence[str] = (), *, threads: int = 1, out: Path | None = None
) -> Forecasts:
    """`seqloom forecast TABLE --horizon H ARGUMENTS`: what stands in its result; raises RuntimeError with its error."""
    command = [
        str(_program()),
        "forecast",
        str(table),
        "--threads",
        str(threads),
        *arguments,
    ]
    if horizon is not None:
        command += ["--horizon", str(horizon)]
    if out is not None:
        command += ["--out", str(out)]
    began = time.perf_counter()
    done = subprocess.run(
        [*command, "--json"], capture_output=True, text=True, timeout=SECONDS, env=_environment(threads), check=False
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{_told(arguments)}: {_last_line(done.stderr)}")
    said = json.loads(done.stdout)
    names = _by_id(said["forecast"])
    found = _arrays(list(names.values()), said["horizon"], said["target"])
    return Forecasts(list(names), *found, seconds, said["best"])


def forecast_each(
    model: Path, tables: Iterator[dict[str, Any]], horizon: int, target: str, *, names: Sequence[str] | None = None
) -> Forecasts:
    """What a saved model forecasts from the end of each of the tables (columns by name).

    A row for each table; with `names`, for each of these series of the first table, then of the second, and so on.
    """
    import polars

    import seqloom

    loaded = seqloom.load(model)
    rows: list[list[dict[str, Any]]] = []
    began = time.perf_counter()
    for columns in tables:
        said = loaded.predict(polars.DataFrame(columns)).to_dicts()
        if names is None:
            rows.append(said)
        else:
            by_name = _by_id(said)
            rows += [by_name[name] for name in names]
    found = _arrays(rows, horizon, target)
    return Forecasts([str(number) for number in range(len(rows))], *found, time.perf_counter() - began, loaded.model)


def takes(arguments: Sequence[str]) -> bool:
    """Whether this version's `seqloom forecast` has the flags, and the models that are named."""
    known = _help()
    named = [word for flag, word in itertools.pairwise(arguments) if flag == "--model"]
    return all(word in known for word in [*(word for word in arguments if word.startswith("--")), *named])


@functools.lru_cache
def _help() -> frozenset[str]:
    """The words of `seqloom forecast --help`."""
    done = subprocess.run(
        [str(_program()), "forecast", "--help"], capture_output=True, text=True, check=True, env=_environment(1)
    )
    return frozenset(word.strip("│,;.") for word in done.stdout.split())


def _program() -> Path:
    path = Path(sys.executable).with_name("seqloom")
    if not path.exists():
        raise RuntimeError(
            "seqloom is not installed beside this Python: run `make install-dev`, then .venv/bin/python."
        )
    return path


def _environment(threads: int) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": str(threads), "COLUMNS": "120", "NO_COLOR": "1"}


def _arrays(
    rows: list[list[dict[str, Any]]], horizon: int, target: str
) -> tuple[np.ndarray, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """(S, H) of the forecast and of each level's bounds; raises RuntimeError where a series has other steps."""
    if not rows or any(len(row) != horizon for row in rows):
        raise RuntimeError(f"expected {horizon} steps of every series, got {sorted({len(row) for row in rows})}")
    name = target if target in rows[0][0] else "forecast"
    levels = [key.removeprefix("low_") for key in rows[0][0] if key.startswith("low_")]

    def of(key: str) -> np.ndarray:
        return np.array([[np.nan if step[key] is None else float(step[key]) for step in row] for row in rows])

    return of(name), {level: (of(f"low_{level}"), of(f"high_{level}")) for level in levels}


def _by_id(rows: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    names: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        names.setdefault(str(row["id"]), []).append(row)
    return names


def _told(arguments: Sequence[str]) -> str:
    return shlex.join(["seqloom forecast", *arguments]).replace("'seqloom forecast'", "seqloom forecast")


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"


def long_table(path: Path, series: dict[str, np.ndarray], times: Sequence[str], time: str = "week") -> Path:
    """Write series as rows `id, time, value` that all end at the last of `times`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", time, "value"])
    for name, values in series.items():
        writer.writerows(zip([name] * len(values), times[-len(values) :], map(repr, values.tolist())))
    path.write_text(text.getvalue(), encoding="utf-8")
    return path
