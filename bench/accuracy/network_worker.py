"""neuralforecast's and darts' networks, run by the peers' own Python: `python network_worker.py FOLDER`.

The folder holds `job.json` (library, model, horizon, lookback, valid, seed, settings, threads) and `job.npz`: series to
train on, whose last `valid` rows stop the training early, and contexts to forecast from. No row behind a context is
there. The answer goes beside them: `forecasts` (contexts, horizon) in `answer.npz`; seconds, steps and versions in
`answer.json`. Imports nothing of this project.
"""

# pyright: reportMissingImports=false
# The peers are not installed where the project is checked.

from __future__ import annotations

import json
import logging
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

STEPS: dict[str, int | None] = {"taken": None}
QUIET = {
    "accelerator": "cpu",
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "enable_checkpointing": False,
}


def main(folder: Path) -> None:
    """Do the job."""
    import torch

    warnings.simplefilter("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    torch.set_num_threads(job["threads"])
    with np.load(folder / "job.npz", allow_pickle=False) as arrays:
        series, contexts = (
            [arrays[name] for name in arrays.files if name.startswith(kind)] for kind in ("series_", "context_")
        )
    forecasts, facts = LIBRARIES[job["library"]](job, series, contexts)
    np.savez(folder / "answer.npz", forecasts=np.asarray(forecasts, dtype=np.float64))
    packages = (job["library"], "pytorch-lightning", "torch")
    facts["versions"] = {name: version(name) for name in packages}
    (folder / "answer.json").write_text(json.dumps(facts), encoding="utf-8")


def neuralforecast(job: dict[str, Any], series: list[Any], contexts: list[Any]) -> tuple[Any, dict[str, Any]]:
    """Train one of `neuralforecast.models` on all windows of the series, and forecast from each context."""
    import neuralforecast.losses.pytorch as losses
    from neuralforecast import NeuralForecast, models

    settings = dict(job["settings"])
    loss = getattr(losses, settings.pop("loss", "MAE"))()
    patience = {"early_stop_patience_steps": settings.pop("patience", 3)} if job["valid"] else {}
    model = getattr(models, job["model"])(
        h=job["horizon"],
        input_size=job["lookback"],
        loss=loss,
        random_seed=job["seed"],
        **patience,
        **settings,
        **QUIET,
        callbacks=[_counter()],
    )
    forecaster = NeuralForecast(models=[model], freq=1)
    began = time.perf_counter()
    forecaster.fit(_frame(series), val_size=job["valid"])
    trained = time.perf_counter()
    frame = forecaster.predict(df=_frame(contexts))
    done = time.perf_counter()
    column = frame.columns[-1]
    values = frame.sort_values(["unique_id", "ds"])[column].to_numpy().reshape(len(contexts), job["horizon"])
    return values, {"seconds": done - began, "seconds_to_train": trained - began, "steps": STEPS["taken"]}


def darts(job: dict[str, Any], series: list[Any], contexts: list[Any]) -> tuple[Any, dict[str, Any]]:
    """Train one of `darts.models` on all but the last rows, which stop it early, and forecast from each context."""
    from darts import TimeSeries, models
    from pytorch_lightning.callbacks import EarlyStopping
    from torch import nn

    settings = dict(job["settings"])
    valid, patience = job["valid"], settings.pop("patience", 3)
    callbacks = [EarlyStopping(monitor="val_loss", patience=patience)] if valid else []
    losses = {"MAE": nn.L1Loss, "MSE": nn.MSELoss}
    model = getattr(models, job["model"])(
        input_chunk_length=job["lookback"],
        output_chunk_length=job["horizon"],
        loss_fn=losses[settings.pop("loss", "MSE")](),
        random_state=job["seed"],
        pl_trainer_kwargs={**QUIET, "callbacks": [*callbacks, _counter()]},
        **settings,
    )

    def of(values: Any) -> Any:
        return TimeSeries.from_values(np.asarray(values, dtype=np.float32))

    began = time.perf_counter()
    if valid:
        span = job["lookback"] + valid
        model.fit([of(s[:-valid]) for s in series], val_series=[of(s[-span:]) for s in series], verbose=False)
    else:
        model.fit([of(s) for s in series], verbose=False)
    trained = time.perf_counter()
    found = model.predict(job["horizon"], series=[of(context) for context in contexts], verbose=False)
    done = time.perf_counter()
    values = np.stack([forecast.values()[:, 0] for forecast in found])
    return values, {"seconds": done - began, "seconds_to_train": trained - began, "steps": STEPS["taken"]}


def _counter() -> Any:
    """A callback that counts the steps that training took, also where the library trains a copy of the model."""
    from pytorch_lightning.callbacks import Callback

    class Counter(Callback):
        def on_train_end(self, trainer: Any, pl_module: Any) -> None:
            STEPS["taken"] = int(trainer.global_step)

    return Counter()


def _frame(series: list[Any]) -> Any:
    """neuralforecast's long table: unique_id, ds, y; the names sort as the series are ordered."""
    import pandas as pd

    lengths = [len(values) for values in series]
    return pd.DataFrame(
        {
            "unique_id": np.repeat([f"{number:06d}" for number in range(len(series))], lengths),
            "ds": np.concatenate([np.arange(length) for length in lengths]),
            "y": np.concatenate(series).astype(np.float32),
        }
    )


LIBRARIES = {"neuralforecast": neuralforecast, "darts": darts}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
