"""Seconds of 100 training steps as each library trains: `python step_worker.py LIBRARY CELL THREADS ROUNDS`.

A GRU or LSTM of 128 units on windows of 120 rows, 24 ahead, batches of 128. A whole fit of 50 steps and one of 150 are
timed; their difference leaves out what is done once (reading, windows, compiling, validating). Prints as JSON the
seconds of each round, the processor seconds, and the peak of the process's memory in MiB. `seqloom` runs in the
project's Python, the others in the peers'; nothing else of this project is imported.
"""

# pyright: reportMissingImports=false
# The peers are not installed where the project is checked.

from __future__ import annotations

import json
import logging
import resource
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

UNITS, LOOKBACK, HORIZON, BATCH, STEPS, ROWS = 128, 120, 24, 128, (50, 150), 6000
QUIET = {
    "accelerator": "cpu",
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "enable_checkpointing": False,
}


def main(library: str, cell: str, threads: int, rounds: int) -> None:
    """Time the rounds and print them."""
    import torch

    warnings.simplefilter("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    torch.set_num_threads(threads)
    steps = np.arange(ROWS)
    values = np.sin(steps / 12) + np.random.default_rng(1).normal(0, 0.1, ROWS)
    fit = LIBRARIES[library](cell, values.astype(np.float32))
    fit(20)
    seconds, processor = [], []
    for _ in range(rounds):
        times = []
        for count in STEPS:
            began = time.perf_counter(), time.process_time()
            fit(count)
            times.append((time.perf_counter() - began[0], time.process_time() - began[1]))
        seconds.append(times[1][0] - times[0][0])
        processor.append(times[1][1] - times[0][1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "processor": processor, "mib": peak}))


def _seqloom(cell: str, values: np.ndarray, patch: int | None = 1) -> Callable[[int], None]:
    """Every row a step, as the others read them; `patch` None reads some rows as one, which is our default."""
    from seqloom import Forecaster

    def fit(steps: int) -> None:
        Forecaster(
            model=cell,
            units=UNITS,
            lookback=LOOKBACK,
            horizon=HORIZON,
            batch_size=BATCH,
            epochs=1,
            steps_per_epoch=steps,
            patch=patch,
            split=(0.9, 0.05),
        ).fit(values, target="column_0")

    return fit


def _neuralforecast(cell: str, values: np.ndarray) -> Callable[[int], None]:
    import pandas as pd
    from neuralforecast import NeuralForecast, models

    frame = pd.DataFrame({"unique_id": "a", "ds": np.arange(len(values)), "y": values})

    def fit(steps: int) -> None:
        model = getattr(models, cell.upper())(
            h=HORIZON,
            input_size=LOOKBACK,
            encoder_n_layers=1,
            encoder_hidden_size=UNITS,
            windows_batch_size=BATCH,
            max_steps=steps,
            **QUIET,
        )
        NeuralForecast(models=[model], freq=1).fit(frame)

    return fit


def _darts(cell: str, values: np.ndarray) -> Callable[[int], None]:
    from darts import TimeSeries
    from darts.models import BlockRNNModel

    series = TimeSeries.from_values(values)

    def fit(steps: int) -> None:
        settings: dict[str, Any] = {**QUIET, "max_steps": steps}
        BlockRNNModel(
            input_chunk_length=LOOKBACK,
            output_chunk_length=HORIZON,
            model=cell.upper(),
            hidden_dim=UNITS,
            batch_size=BATCH,
            n_epochs=1000,
            pl_trainer_kwargs=settings,
        ).fit(series, verbose=False)

    return fit


def _seqloom_patches(cell: str, values: np.ndarray) -> Callable[[int], None]:
    return _seqloom(cell, values, None)


LIBRARIES = {
    "seqloom": _seqloom,
    "seqloom, default patches": _seqloom_patches,
    "neuralforecast": _neuralforecast,
    "darts": _darts,
}


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
