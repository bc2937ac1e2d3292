"""What an engine costs beside the work itself: its start, each job, cutoffs and trials; in a process of its own."""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any

__all__ = ["JOBS", "KINDS", "main", "measure"]

JOBS = (1, 10, 100)
KINDS = {"cutoffs": (4, 12, 36), "trials": (4, 12, 36)}


def spin(shared: Any, job: float, tell: Any) -> float:
    """A job of so many processor seconds."""
    began = time.process_time()
    while time.process_time() - began < job:
        pass
    return job


def measure(kind: str, engine: str, workers: int, count: int) -> dict[str, float]:
    """Wall and processor seconds of `count` jobs, cutoffs or trials on an engine of so many workers."""
    from seqloom.engines import open_engine

    began, used = time.perf_counter(), _processor()
    with open_engine(engine, workers) as opened:
        ready = time.perf_counter()
        if kind == "jobs":
            opened.run(spin, None, [0.0] * count)
        elif kind == "cutoffs":
            _cutoffs(opened, count)
        else:
            _trials(opened, count)
        done = time.perf_counter()
    return {"start": ready - began, "seconds": done - ready, "processor": _processor() - used}


def _table() -> Any:
    import numpy as np
    import polars as pl

    hours = np.datetime64("2020-01-01T00", "us") + np.arange(3000).astype("timedelta64[h]")
    noise = np.random.default_rng(1).standard_normal(3000)
    return pl.DataFrame({"time": hours, "value": 10 + 3 * np.sin(np.arange(3000) / 24 * 2 * np.pi) + noise})


def _network() -> Any:
    from seqloom import Forecaster

    return Forecaster(model="gru", lookback=24, horizon=12, season=24, units=16, epochs=9, steps_per_epoch=10)


def _cutoffs(engine: Any, count: int) -> None:
    _network().cross_validate(_table(), target="value", time="time", n_windows=count, engine=engine)


def _trials(engine: Any, count: int) -> None:
    from seqloom import tune

    tune(_network(), _table(), target="value", time="time", trials=count, engine=engine, round=6)


def _processor() -> float:
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def main() -> None:
    """Measure what the four words name, and print the figures as JSON."""
    kind, engine, workers, count = sys.argv[1:]
    print(json.dumps(measure(kind, engine, int(workers), int(count))))


if __name__ == "__main__":
    main()
