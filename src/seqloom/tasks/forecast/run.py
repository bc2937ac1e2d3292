"""A comparison of models on one table, kept in a run folder that can be interrupted, resumed and reported on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...data import Panel
from ...diagnostics import BASELINES, mase_scale
from ...errors import DataError
from ...files import write_json
from ..comparison.folder import SCHEMA, ModelFinished, ModelStarted, RunFolder, check_out, open_run, run_record
from .forecaster import Forecaster
from .predicting import ForecastTable
from .scoring import Scores, statements
from .tables import forecast_csv, history_csv, predictions_csv
from .windowed import ForecastData, observed

__all__ = ["ForecastRun", "ModelFinished", "ModelStarted", "check_out", "compare_forecasters"]


_FILES = ("data.json", "metrics.json", "history.csv", "predictions.csv", "forecast.csv")


@dataclass(frozen=True, eq=False)
class ForecastRun:
    """What a comparison found: the metrics as in `metrics.json`, the fitted forecasters, and the forecast of the best.

    `table` has no rows where the best model can't forecast from the end of the data; the metrics' notes say why.
    """

    metrics: dict[str, Any]
    forecasters: dict[str, Forecaster]
    table: ForecastTable
    data: ForecastData
    directory: Path | None = None

    @property
    def best(self) -> Forecaster:
        """The forecaster with the lowest error on the validation rows that choose."""
        return self.forecasters[self.metrics["best"]]


@dataclass(eq=False)
class _Progress:
    """What has been computed so far, by model."""

    forecasters: dict[str, Forecaster] = field(default_factory=dict)
    valid: dict[str, np.ndarray] = field(default_factory=dict)
    test: dict[str, np.ndarray] = field(default_factory=dict)


def compare_forecasters(
    panel: Panel,
    models: Sequence[str],
    parameters: Mapping[str, Any],
    *,
    target: str,
    inputs: Sequence[str] | None = None,
    future: Sequence[str] = (),
    source: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    directory: str | os.PathLike[str] | None = None,
    resume: bool = False,
    on_event: Callable[[Any], None] | None = None,
) -> ForecastRun:
    """Fit each of `models` (names as in `Forecaster`) on the same windows, score them all, and forecast with the best.

    `parameters` are the forecasters' other parameters. The naive baseline always takes part. The best model is chosen
    on the first two thirds of the validation rows; test rows choose nothing. With `directory` everything is written
    there (see docs/files.md) and `resume=True` goes on where an interrupted run stopped, to the same bytes; a finished
    run is left as it is. `settings` and `source` (the names of the time and id columns) are recorded.

    Raises SettingError, DataError and TrainingError as `Forecaster.fit` does, and SettingError, FormatError and
    RunLockedError where the folder can't be used.

    >>> from seqloom.data import Panel
    >>> panel = Panel.from_numpy(np.sin(np.arange(300) / 4), ["load"])
    >>> parameters = {"lookback": 8, "horizon": 2, "epochs": 3, "batch_size": 16, "learning_rate": 0.02}
    >>> run = compare_forecasters(panel, ["linear"], parameters, target="load")
    >>> run.metrics["best"], list(run.metrics["models"]), len(run.table.values)
    ('linear', ['naive', 'linear'], 2)
    """
    models = list(dict.fromkeys(["naive", *models]))
    forecasters = {name: Forecaster().set_params(**{**parameters, "model": name}) for name in models}
    for forecaster in forecasters.values():
        forecaster.check(panel)
    data = forecasters["naive"].prepare(panel, target=target, inputs=inputs, future=future)
    asked = {"target": target, "models": models, "inputs": inputs, "future": future, **parameters}
    origin = {
        "source": None if panel.quality is None else panel.quality.source,
        "fingerprint": panel.fingerprint(),
        "rows": len(panel.values),
    }
    record = run_record("forecast", settings or asked, forecasters["naive"].seed, origin)
    named = {"time": None, "id": None, "frame": "polars", **(source or {})}
    with ExitStack() as stack:
        folder = None if directory is None else stack.enter_context(open_run(Path(directory), record, resume, _FILES))
        progress = _Progress()
        for index, forecaster in enumerate(forecasters.values()):
            _fit_one(progress, forecaster, data, named, folder, resume, on_event, (index, len(models)))
        run = _conclude(progress, data, None if folder is None else folder.root)
        if folder is not None and not folder.complete:
            _write(run, progress, folder)
    return run


def _fit_one(
    progress: _Progress,
    forecaster: Forecaster,
    data: ForecastData,
    source: Mapping[str, Any],
    folder: RunFolder | None,
    resume: bool,
    on_event: Callable[[Any], None] | None,
    place: tuple[int, int],
) -> None:
    name = forecaster.model
    send = on_event or (lambda event: None)
    send(ModelStarted(name, *place))
    began = time.perf_counter()
    checkpoint = None
    if folder is not None and name not in BASELINES:
        checkpoint = folder.checkpoint(name)
        checkpoint.mkdir(parents=True, exist_ok=True)
    forecaster.fit_prepared(
        data,
        source=source,
        directory=checkpoint,
        resume=resume and checkpoint is not None,
        on_event=on_event,
    )
    progress.forecasters[name] = forecaster
    progress.valid[name] = forecaster.forecast_windows(data, data.valid)
    progress.test[name] = forecaster.forecast_windows(data, data.test)
    seconds = round(time.perf_counter() - began, 3)
    if folder is not None:
        folder.took(name, seconds)
    send(ModelFinished(name, *place, seconds))


def _conclude(progress: _Progress, data: ForecastData, root: Path | None) -> ForecastRun:
    scores = Scores(data, _mase_scale(data), {"valid": progress.valid["naive"], "test": progress.test["naive"]})
    models: dict[str, dict[str, Any]] = {}
    notes: list[str] = []
    for name, forecaster in progress.forecasters.items():
        valid, test = progress.valid[name], progress.test[name]
        models[name] = {
            "kind": "baseline" if name in BASELINES else "network",
            "parameters": forecaster.n_parameters_,
            "anchor": forecaster.anchor_,
            "choosing_mae": forecaster.choosing_mae_,
            "valid": scores.of("valid", valid, forecaster.radii_),
            "test": scores.of("test", test, forecaster.radii_),
            "by_step": scores.by_step(valid, test),
            "by_time_of_day": scores.by_time_of_day(valid, test),
        }
        notes += [note for note in forecaster.notes_ if note not in notes]
    best = min(models, key=lambda name: scores.against_naive(progress.valid[name]))
    table = _forecast(progress.forecasters[best])
    spec, target = data.spec, data.features.roles.target
    metrics = {
        "schema": SCHEMA,
        "task": "forecast",
        "target": target,
        "unit": _unit(target),
        "target_scale": _target_scale(data),
        "inputs": list(data.features.names),
        "lookback": spec.lookback,
        "horizon": spec.horizon,
        "every": spec.every,
        "at": spec.at,
        "step_label": data.panel.frequency.label,
        "windows": {
            "train": len(data.train),
            "valid": len(data.valid),
            "valid_choosing": len(data.choose),
            "test": len(data.test),
            "dropped": {reason: int(count) for reason, count in data.windows.dropped.items()},
        },
        "models": models,
        "baseline": "naive",
        "best": best,
        "statements": statements(models, best),
        "notes": [*notes, *table.notes],
    }
    return ForecastRun(metrics, progress.forecasters, table, data, root)


def _forecast(best: Forecaster) -> ForecastTable:
    """The forecast past the end, or a table without rows and the reason: the comparison stands without it."""
    try:
        return best.forecast()
    except DataError as error:
        times = np.empty(0, np.int64) if best.context_.time is None else np.empty(0, "M8[us]")
        none = np.empty(0)
        bounds = dict.fromkeys(best.radii_, (none, none))
        return ForecastTable(
            np.empty(0, object), times, none, bounds, (f"No forecast past the end of the data: {error}",)
        )


def _write(run: ForecastRun, progress: _Progress, folder: RunFolder) -> None:
    root, quality = folder.root, run.data.panel.quality
    nothing: dict[str, Any] = {"columns": [], "findings": [], "repairs": []}
    write_json(root / "data.json", nothing if quality is None else quality.to_json())
    history_csv(root / "history.csv", progress.forecasters)
    predictions_csv(root / "predictions.csv", run.data, progress.valid, progress.test, run.best)
    forecast_csv(root / "forecast.csv", run.table, run.best)
    run.best.save(root / "model")
    write_json(root / "metrics.json", run.metrics)
    folder.finish()


def _target_scale(data: ForecastData) -> float:
    """Standard deviation of the target's training rows: the scaler's, or over all series where each has its own."""
    if not data.features.per_series:
        return float(data.std[0])
    rows = data.train_rows & observed(data.panel, data.features.roles.target)
    return float(data.target[rows].std()) or 1.0


def _mase_scale(data: ForecastData) -> float | None:
    """In-sample error of the seasonal naive forecast where the training rows hold a season, else of the naive one."""
    for season in (data.season or 1.0, 1.0):
        try:
            return mase_scale(data.history, season)
        except DataError:  # no two training rows are a season apart
            continue
    return None


def _unit(name: str) -> str | None:
    """The text in a column name's last brackets, as in "T (degC)", or None."""
    opened, closed = name.rfind("("), name.rfind(")")
    if 0 < opened < closed == len(name.rstrip()) - 1 and name[opened + 1 : closed].strip():
        return name[opened + 1 : closed].strip()
    return None
