"""Very many series on two cores: ours beside mlforecast (LightGBM) and neuralforecast on the same made retail table.

    python -m bench.many_series --series 1000,5000,30490 --folder DIR [--peers PYTHON] [--json FILE]

The last 28 days are held back: each program gets the days before and forecasts them. Each works in a process of its
own, one after the other, reads the Parquet file itself, and is told the same: 28 days ahead, 28 days back, 2,000 steps
of 128 windows for a network, lags and averages of the usual kind for trees. `--peers` names the Python of an
environment that has the peers (`pip install mlforecast lightgbm polars neuralforecast`). Errors are means over the
series of each one's MASE (season 7) and RMSSE, and the MAE over all values; peak memory is VmHWM of the process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["main", "scores", "table_of"]

AHEAD, BACK, SEASON, STEPS = 28, 28, 7, 2_000
OURS = ("naive", "seasonal", "gru")
PEERS = ("mlforecast", "neuralforecast")


def main() -> None:
    """Make each table, start each program on it in turn, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", default="1000,5000,30490", help="numbers of series")
    parser.add_argument("--rows", type=int, default=1941, help="days of each series")
    parser.add_argument("--folder", type=Path, required=True, help="where the tables are made and kept")
    parser.add_argument("--peers", help="the Python of an environment that has the peers; without it they are left out")
    parser.add_argument("--programs", default=",".join((*OURS, *PEERS)), help="which ones")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--json", type=Path, help="a file for the results")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run is not None:
        print(json.dumps(run(given.run, given.folder, given.threads)))
        return
    results = []
    for count in map(int, given.series.split(",")):
        path = _made(given.folder, count, given.rows)
        for program in given.programs.split(","):
            python = given.peers if program in PEERS else sys.executable
            if python is not None:
                results.append({"program": program, "series": count, **_apart(python, program, path, given.threads)})
                print(json.dumps(results[-1]), flush=True)
    if given.json is not None:
        given.json.write_text(json.dumps(results, indent=1))
    print(table_of(results))


def _made(folder: Path, series: int, rows: int) -> Path:
    """The table of so many series, made once."""
    from bench.retail import write_parquet

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"retail-{series}-{rows}.parquet"
    if not path.exists():
        write_parquet(path, series, rows)
    return path


def _apart(python: str, program: str, path: Path, threads: int) -> dict[str, Any]:
    """What a program says in a process of its own; in words why, where it fails."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "POLARS_MAX_THREADS": str(threads)}
    command = [python, "-m", "bench.many_series", "--run", program, "--folder", str(path), "--threads", str(threads)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return {"failed": lines[-1][:200] if lines else f"ended with {done.returncode}"}
    return json.loads(done.stdout.strip().splitlines()[-1])


def run(program: str, path: Path, threads: int) -> dict[str, Any]:
    """Seconds, peak memory and errors of one program in this process."""
    import polars as pl

    began = time.perf_counter()
    frame = pl.read_parquet(path).with_columns(pl.col("sales").cast(pl.Float32))
    last = frame["date"].max()
    first_held = last - pl.duration(days=AHEAD - 1)
    known = frame.filter(pl.col("date") < first_held)
    read = time.perf_counter()
    del frame
    forecast = {"mlforecast": _mlforecast, "neuralforecast": _neuralforecast}.get(program, _ours)(
        program, known, threads
    )
    done = time.perf_counter()
    memory = _peak()  # before the scores, which read the table anew
    del known
    whole = pl.read_parquet(path, columns=["id", "date", "sales"])
    found = scores(whole, forecast, AHEAD, SEASON)
    return {
        "minutes": round((done - began) / 60, 3),
        "reading": round((read - began) / 60, 3),
        "gigabytes": round(memory, 3),
        **{name: round(value, 4) for name, value in found.items()},
    }


def _ours(program: str, known: Any, threads: int) -> Any:
    """The forecast of one of our models."""
    import torch

    from seqloom import Forecaster

    torch.set_num_threads(threads)
    training: dict[str, Any] = {}
    if program == "gru":
        training = {"epochs": 10, "steps_per_epoch": STEPS // 10, "batch_size": 128, "learning_rate": 2e-3}
        training |= {"schedule": "cosine", "loss": "mse", "scaling": "series"}
    model = Forecaster(model=program, lookback=BACK, horizon=AHEAD, season=SEASON, split=(0.94, 0.04), **training)
    model.fit(known, target="sales", time="date", id="id")
    found = model.predict()
    return found.rename({"sales": "forecast"}).select("id", "date", "forecast")


def _mlforecast(program: str, known: Any, threads: int) -> Any:
    """LightGBM over lags, moving averages and dates, one model for all series, each scaled by nothing."""
    import lightgbm  # pyright: ignore[reportMissingImports]
    import polars as pl
    from mlforecast import MLForecast  # pyright: ignore[reportMissingImports]
    from mlforecast.lag_transforms import RollingMean  # pyright: ignore[reportMissingImports]

    trees = lightgbm.LGBMRegressor(n_estimators=200, num_leaves=63, learning_rate=0.1, n_jobs=threads, verbosity=-1)
    means: Any = {1: [RollingMean(window_size=7), RollingMean(window_size=28)]}
    model = MLForecast({"forecast": trees}, freq="1d", lags=[1, 7, 14, 28], lag_transforms=means,
                       date_features=["weekday", "month"], num_threads=threads)  # fmt: skip
    model.fit(known.select("id", "date", "sales"), id_col="id", time_col="date", target_col="sales", static_features=[])
    found = model.predict(AHEAD)
    return found.select("id", pl.col("date").cast(pl.Date), "forecast")


def _neuralforecast(program: str, known: Any, threads: int) -> Any:
    """Its GRU with as many units, steps and windows of the same lengths."""
    import polars as pl
    import torch
    from neuralforecast import NeuralForecast  # pyright: ignore[reportMissingImports]
    from neuralforecast.losses.pytorch import MSE  # pyright: ignore[reportMissingImports]
    from neuralforecast.models import GRU  # pyright: ignore[reportMissingImports]

    torch.set_num_threads(threads)
    network = GRU(h=AHEAD, input_size=BACK, encoder_hidden_size=32, encoder_n_layers=1, decoder_hidden_size=32,
                  max_steps=STEPS, batch_size=32, windows_batch_size=128, learning_rate=2e-3, loss=MSE(),
                  scaler_type="standard", enable_progress_bar=False, logger=False, enable_checkpointing=False,
                  accelerator="cpu")  # fmt: skip
    model = NeuralForecast([network], freq="1d")
    model.fit(known.select("id", "date", "sales"), id_col="id", time_col="date", target_col="sales")
    found = model.predict()
    return found.select("id", pl.col("date").cast(pl.Date), pl.col("GRU").alias("forecast"))


def scores(whole: Any, forecast: Any, ahead: int, season: int) -> dict[str, float]:
    """MAE over all values of the last days, and the mean over the series of MASE and RMSSE.

    whole: id, date, sales, of series of one length each behind the other; forecast: id, date, forecast.
    """
    import polars as pl

    series = whole["id"].n_unique()
    rows = len(whole) // series
    values = whole["sales"].to_numpy().reshape(series, rows)
    held = whole.group_by("id", maintain_order=True).tail(ahead).select("id", "date")
    made = held.join(forecast.with_columns(pl.col("date").cast(pl.Date)), on=["id", "date"], how="left")
    error = made["forecast"].to_numpy().astype(np.float64).reshape(series, ahead) - values[:, -ahead:]
    known = values[:, :-ahead]
    absolute, squared = np.empty(series), np.empty(series)
    for at in range(0, series, 1000):  # some at a time: the whole difference is as large as the table
        step = (known[at : at + 1000, season:] - known[at : at + 1000, :-season]).astype(np.float64)
        absolute[at : at + 1000], squared[at : at + 1000] = np.abs(step).mean(axis=1), (step**2).mean(axis=1)
    there = absolute > 0
    return {
        "mae": float(np.abs(error).mean()),
        "mase": float((np.abs(error).mean(axis=1)[there] / absolute[there]).mean()),
        "rmsse": float(np.sqrt((error**2).mean(axis=1)[there] / squared[there]).mean()),
    }


def table_of(results: list[dict[str, Any]]) -> str:
    """The results as a table in Markdown."""
    lines = ["| series | program | minutes | peak memory (GB) | MAE | MASE | RMSSE |", "|---|---|---|---|---|---|---|"]
    for each in results:
        numbers = [each.get("minutes"), each.get("gigabytes"), *(each.get(name) for name in ("mae", "mase", "rmsse"))]
        digits = (2, 2, 3, 3, 3)
        cells = ["–" if value is None else f"{value:.{places}f}" for value, places in zip(numbers, digits)]
        cells = [f"failed: {each['failed']}", *cells[1:]] if "failed" in each else cells
        lines.append(f"| {each['series']:,} | {each['program']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _peak() -> float:
    """The most memory that this process had at once, in gigabytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e9
    return float("nan")


if __name__ == "__main__":
    main()
