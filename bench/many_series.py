"""Very many series on two cores: ours beside mlforecast and neuralforecast on the same made retail table.

    python -m bench.many_series --series 1000,5000,30490 --folder DIR [--peers PYTHON] [--json FILE]

The last 28 days are held back: each program gets a Parquet file of the days before and forecasts them, and its
forecasts are scored in the same process. Each works in a process of its own, one after the other, and is told the same:
28 days ahead, 28 days back, 2,000 steps of 128 windows for a network, lags and averages of the usual kind for trees
(LightGBM) and the linear model. Ours whose name ends in -disk put the table on disk first (`store_panel`, 2 GB allowed)
and forecast every series from there. `--peers` names the Python of an environment that has the peers (`pip install
mlforecast lightgbm polars pyarrow neuralforecast`). Errors are means over the series of each one's MASE (season 7) and
RMSSE, and the MAE over all values; peak memory is VmHWM of the process, files that are mapped included.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["main", "scores", "table_of"]

AHEAD, BACK, SEASON, STEPS = 28, 28, 7, 2_000
OURS = ("naive", "seasonal", "gru", "naive-disk", "seasonal-disk", "gru-disk")
PEERS = ("mlforecast", "mlforecast-linear", "neuralforecast")
MEMORY = 2 << 30  # bytes that a panel on disk may take while it is made


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
    """The table of so many series and, beside it, that of the days which are known, made once; the path of these."""
    from bench.retail import write_parquet

    folder.mkdir(parents=True, exist_ok=True)
    whole, known = folder / f"retail-{series}-{rows}.parquet", folder / f"retail-{series}-{rows}-known.parquet"
    for path, held in ((whole, 0), (known, AHEAD)):
        if not path.exists():
            write_parquet(path, series, rows, held=held)
    return known


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
    """Minutes of each part, peak memory and errors of one program in this process."""
    import pyarrow.parquet as pq

    found = {"mlforecast": _mlforecast, "mlforecast-linear": _mlforecast, "neuralforecast": _neuralforecast}
    work = found.get(program, _on_disk if program.endswith("-disk") else _ours)
    times = [time.perf_counter()]
    forecast = work(program, path, threads, lambda: times.append(time.perf_counter()))
    times.append(time.perf_counter())
    before = _peak()
    whole = pq.ParquetFile(path.with_name(path.name.replace("-known", "")))
    found = scores(_blocks(whole), forecast, AHEAD, SEASON)
    times.append(time.perf_counter())
    parts = dict(zip(("reading", "fitting", "forecasting", "metrics"), np.diff(times) / 60))
    return {
        "minutes": round((times[-1] - times[0]) / 60, 3),
        **{name: round(value, 3) for name, value in parts.items()},
        "gigabytes": round(_peak(), 3),
        "gigabytes_before_metrics": round(before, 3),
        **{name: round(value, 4) for name, value in found.items()},
    }


def _blocks(file: Any) -> Iterator[Any]:
    """A made table's row groups, each of whole series, as polars frames."""
    import polars as pl

    for group in range(file.num_row_groups):
        yield pl.from_arrow(file.read_row_group(group, columns=["id", "date", "sales"]))


def _training(model: str) -> dict[str, Any]:
    """How a network is trained; nothing for a baseline."""
    if model != "gru":
        return {}
    found: dict[str, Any] = {"epochs": 10, "steps_per_epoch": STEPS // 10, "batch_size": 128, "learning_rate": 2e-3}
    return found | {"schedule": "cosine", "loss": "mse", "scaling": "series"}


def _ours(program: str, path: Path, threads: int, told: Callable[[], None]) -> Any:
    """The forecast of one of our models, of a frame in memory."""
    import polars as pl
    import torch

    from seqloom import Forecaster
    from seqloom.data import Panel

    torch.set_num_threads(threads)
    model = Forecaster(
        model=program, lookback=BACK, horizon=AHEAD, season=SEASON, split=(0.94, 0.04), **_training(program)
    )
    panel = Panel.from_frame(pl.read_parquet(path), time="date", id="id")
    told()
    model.fit(panel, target="sales")
    told()
    table = model.forecast()
    return pl.DataFrame({"id": table.ids.astype(str), "date": table.times, "forecast": table.values})


def _on_disk(program: str, path: Path, threads: int, told: Callable[[], None]) -> Any:
    """The forecast of one of our models, of a panel on disk that is made first, for every series of it."""
    import polars as pl
    import torch

    from seqloom import Forecaster
    from seqloom.app.stored import forecast_parts
    from seqloom.data import store_panel

    torch.set_num_threads(threads)
    name = program.removesuffix("-disk")
    model = Forecaster(model=name, lookback=BACK, horizon=AHEAD, season=SEASON, split=(0.94, 0.04), **_training(name))
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        stored = store_panel(path, Path(folder) / "panel", memory=MEMORY, time="date", id="id", target=("sales",))
        told()
        model.fit(stored, target="sales")
        told()
        forecast_parts(model, stored, Path(folder) / "forecast", model.forecast)
        found = pl.read_parquet(Path(folder) / "forecast", columns=["id", "time", "sales"])
    return found.rename({"time": "date", "sales": "forecast"})


def _mlforecast(program: str, path: Path, threads: int, told: Callable[[], None]) -> Any:
    """LightGBM or a linear model over lags, moving averages and dates, one for all series, each scaled by nothing."""
    import polars as pl
    from mlforecast import MLForecast  # pyright: ignore[reportMissingImports]
    from mlforecast.lag_transforms import RollingMean  # pyright: ignore[reportMissingImports]

    if program == "mlforecast":
        import lightgbm  # pyright: ignore[reportMissingImports]

        learner: Any = lightgbm.LGBMRegressor(
            n_estimators=200, num_leaves=63, learning_rate=0.1, n_jobs=threads, verbosity=-1
        )
    else:
        from sklearn.linear_model import Ridge

        learner = Ridge(copy_X=False, solver="cholesky")
    means: Any = {1: [RollingMean(window_size=7), RollingMean(window_size=28)]}
    model = MLForecast({"forecast": learner}, freq="1d", lags=[1, 7, 14, 28], lag_transforms=means,
                       date_features=["weekday", "month"], num_threads=threads)  # fmt: skip
    known = pl.read_parquet(path, columns=["id", "date", "sales"]).with_columns(pl.col("sales").cast(pl.Float32))
    told()
    model.fit(known, id_col="id", time_col="date", target_col="sales", static_features=[], as_numpy=True)
    told()
    found = model.predict(AHEAD)
    return found.select("id", pl.col("date").cast(pl.Date), "forecast")


def _neuralforecast(program: str, path: Path, threads: int, told: Callable[[], None]) -> Any:
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
    known = pl.read_parquet(path, columns=["id", "date", "sales"]).with_columns(pl.col("sales").cast(pl.Float32))
    told()
    model.fit(known, id_col="id", time_col="date", target_col="sales")
    told()
    found = model.predict()
    return found.select("id", pl.col("date").cast(pl.Date), pl.col("GRU").alias("forecast"))


def scores(blocks: Iterable[Any], forecast: Any, ahead: int, season: int) -> dict[str, float]:
    """MAE over all values of the last days, and the mean over the series of MASE and RMSSE.

    blocks: frames of id, date, sales, each of whole series of one length behind the other, read one after the other, as
    the whole table may be larger than memory; forecast: id, date, forecast.
    """
    import polars as pl

    held, absolute, squared = [], [], []
    for block in blocks:
        values = block["sales"].to_numpy().reshape(block["id"].n_unique(), -1)
        known = values[:, :-ahead]
        step = (known[:, season:] - known[:, :-season]).astype(np.float64)
        absolute.append(np.abs(step).mean(axis=1))
        squared.append((step**2).mean(axis=1))
        held.append(block.group_by("id", maintain_order=True).tail(ahead))
    absolute, squared = np.concatenate(absolute), np.concatenate(squared)
    made = forecast.with_columns(pl.col("date").cast(pl.Date))
    made = pl.concat(held).join(made, on=["id", "date"], how="left", maintain_order="left")
    error = (made["forecast"].cast(pl.Float64) - made["sales"]).to_numpy().reshape(len(absolute), ahead)
    there = absolute > 0
    return {
        "mae": float(np.abs(error).mean()),
        "mase": float((np.abs(error).mean(axis=1)[there] / absolute[there]).mean()),
        "rmsse": float(np.sqrt((error**2).mean(axis=1)[there] / squared[there]).mean()),
    }


def table_of(results: list[dict[str, Any]]) -> str:
    """The results as a table in Markdown."""
    names = {
        "minutes": 2,
        "reading": 2,
        "fitting": 2,
        "forecasting": 2,
        "gigabytes": 2,
        "mae": 3,
        "mase": 3,
        "rmsse": 3,
    }
    headings = ["minutes", "reading", "fitting", "forecasting", "peak memory (GB)", "MAE", "MASE", "RMSSE"]
    lines = [f"| series | program | {' | '.join(headings)} |", "|---" * (2 + len(names)) + "|"]
    for each in results:
        cells = ["–" if each.get(name) is None else f"{each[name]:.{digits}f}" for name, digits in names.items()]
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
