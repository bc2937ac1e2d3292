"""One table measured from file to forecast in a process of its own: `python -m bench.scale.phases FILE`."""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["PHASES", "main", "measure", "write_table"]

PHASES = {
    "read": "reading the Parquet file into a panel",
    "windows": "windows, split and scaled arrays",
    "gather": "every training window gathered once",
    "baselines": "naive and seasonal: fitted and scored on test",
    "train": "200 steps of a GRU with 16 units, batches of 128 windows",
    "score": "the GRU scored on test",
    "predict": "the forecast of every series",
}
STEPS = 200
LOOKBACK, HORIZON, SEASON = 24, 12, 24


def write_table(path: Path, series: int, rows: int) -> Path:
    """Hourly rows of so many series: a day's wave of each series' own height, and noise. Made once."""
    import numpy as np
    import polars as pl

    if path.exists():
        return path
    rng = np.random.default_rng([series, rows])
    hours = np.datetime64("2020-01-01T00", "us") + np.arange(rows).astype("timedelta64[h]")
    wave = np.sin(2 * np.pi * np.arange(rows) / 24).astype(np.float32)
    height = rng.gamma(4.0, 1.0, (series, 1)).astype(np.float32)
    value = height * (3 + wave) + rng.standard_normal((series, rows), dtype=np.float32)
    width = len(str(series))
    names = pl.Series("id", [f"s{at:0{width}d}" for at in range(series)], dtype=pl.Categorical)
    frame = pl.DataFrame(
        {
            "id": names.gather(np.repeat(np.arange(series), rows)),
            "time": np.tile(hours, series),
            "value": value.ravel(),
        }
    )
    part = path.with_suffix(".part")
    frame.write_parquet(part)
    part.replace(path)
    return path


class Meter:
    """Seconds, processor seconds and the growth of anonymous memory of each phase."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, float]] = {}
        self._most = 0.0

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure the block."""
        before = _anonymous()
        self._most = before
        stop = threading.Event()
        watch = threading.Thread(target=self._watch, args=(stop,), daemon=True)
        watch.start()
        wall, processor = time.perf_counter(), _processor()
        yield
        seconds, used = time.perf_counter() - wall, _processor() - processor
        stop.set()
        watch.join()
        grown = max(self._most, _anonymous()) - before
        self.found[name] = {"seconds": seconds, "processor": used, "megabytes": grown}

    def _watch(self, stop: threading.Event) -> None:
        while not stop.wait(0.01):
            self._most = max(self._most, _anonymous())


def measure(path: Path) -> dict[str, Any]:
    """Every phase on one table; `peak` is the most anonymous memory (MB) beyond what the imports hold."""
    import torch

    from seqloom import Forecaster
    from seqloom.data import read_panel
    from seqloom_runtime.gather import gather_windows

    torch.set_num_threads(min(2, os.cpu_count() or 1))
    lengths: dict[str, Any] = {"lookback": LOOKBACK, "horizon": HORIZON, "season": SEASON, "refit": False}
    training: dict[str, Any] = {"epochs": 2, "steps_per_epoch": STEPS // 2, "batch_size": 128, "units": 16}
    _warm(lengths, training)
    meter, start = Meter(), _anonymous()
    peak = threading.Event()
    most = [start]
    watch = threading.Thread(target=_highest, args=(most, peak), daemon=True)
    watch.start()
    with meter.phase("read"):
        panel = read_panel(path, time="time", id="id")
    network = Forecaster(model="gru", **lengths, **training)
    with meter.phase("windows"):
        data = network.prepare(panel, target="value")
    with meter.phase("gather"):
        windows = data.train
        for at in range(0, len(windows), 4096):
            gather_windows(data.x, windows[at : at + 4096], 1 - LOOKBACK, LOOKBACK, 1)
    with meter.phase("baselines"):
        for name in ("naive", "seasonal"):
            Forecaster(model=name, **lengths).fit_prepared(data).evaluate(data)
    with meter.phase("train"):
        network.fit_prepared(data)
    with meter.phase("score"):
        network.evaluate(data)
    with meter.phase("predict"):
        network.predict()
    peak.set()
    watch.join()
    return {"windows": len(windows), "phases": meter.found, "peak": most[0] - start}


def _warm(lengths: dict[str, Any], training: dict[str, Any]) -> None:
    """Import and start everything once, on a table of a few days, so that no phase pays for it."""
    import numpy as np
    import polars as pl

    from seqloom import Forecaster

    hours = np.datetime64("2020-01-01T00", "us") + np.arange(600).astype("timedelta64[h]")
    frame = pl.DataFrame({"time": hours, "value": np.sin(np.arange(600) / 4)})
    Forecaster(model="gru", **lengths, **{**training, "steps_per_epoch": 2}).fit(frame, target="value", time="time")
    Forecaster(model="seasonal", **lengths).fit(frame, target="value", time="time").predict()


def _highest(most: list[float], stop: threading.Event) -> None:
    while not stop.wait(0.02):
        most[0] = max(most[0], _anonymous())


def _anonymous() -> float:
    """Anonymous memory of this process, in megabytes: pages of mapped files don't count."""
    with open("/proc/self/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("this system does not tell RssAnon")


def _processor() -> float:
    """Processor seconds of this process and of those that it waited for."""
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def main() -> None:
    """Measure the table named, and print the figures as JSON."""
    print(json.dumps(measure(Path(sys.argv[1]))))


if __name__ == "__main__":
    main()
