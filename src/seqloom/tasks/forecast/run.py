"""A comparison of models on one table, kept in a run folder that can be interrupted, resumed and reported on."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ... import __version__
from ...data import Panel
from ...diagnostics import BASELINES, mase_scale
from ...errors import DataError, FormatError, SettingError
from ...files import folder_lock, read_json, write_json
from .forecaster import Forecaster
from .predicting import ForecastTable
from .scoring import Scores, statements
from .tables import forecast_csv, history_csv, predictions_csv
from .windowed import ForecastData

__all__ = ["ForecastRun", "ModelFinished", "ModelStarted", "check_out", "compare_forecasters"]

SCHEMA = 1


@dataclass(frozen=True)
class ModelStarted:
    """A model of the comparison is about to be fitted."""

    name: str
    index: int
    total: int


@dataclass(frozen=True)
class ModelFinished:
    """A model of the comparison is fitted and scored."""

    name: str
    index: int
    total: int
    seconds: float


@dataclass(frozen=True, eq=False)
class ForecastRun:
    """What a comparison found: the metrics as in `metrics.json`, the fitted forecasters, and the forecast of the best."""

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
    seconds: dict[str, float] = field(default_factory=dict)


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

    `parameters` are the forecasters' other parameters. The naive baseline always takes part. The best model is chosen on
    the first two thirds of the validation rows; test rows choose nothing. With `directory` everything is written there
    (see docs/files.md) and `resume=True` goes on where an interrupted run stopped, to the same bytes. `settings` and `source`
    (the names of the time and id columns) are recorded.
    """
    models = list(dict.fromkeys(["naive", *models]))
    forecasters = {name: Forecaster(**{**parameters, "model": name}) for name in models}
    for forecaster in forecasters.values():
        forecaster.source_ = {"time": None, "id": None, "frame": "polars", **(source or {})}
    data = _prepare(forecasters, panel, target, inputs, future)
    root = None if directory is None else Path(directory)
    record = _record(panel, settings or {}, parameters, models, target)
    with ExitStack() as stack:
        if root is not None:
            _open_folder(root, record, resume)
            stack.enter_context(folder_lock(root))
            write_json(root / "run.json", record)
        progress = _Progress()
        for index, (name, forecaster) in enumerate(forecasters.items()):
            _fit_one(progress, forecaster, data, index, len(models), root, resume, on_event)
        run = _conclude(progress, data, root)
        if root is not None:
            _write(run, progress, root, record)
    return run


def check_out(path: str | os.PathLike[str]) -> None:
    """Raise SettingError where `path` can't become a new run folder: a file, a folder that is not empty, or not writable."""
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise SettingError(f"--out: {path} is a file; give the path of a new folder.")
    if path.is_dir() and any(path.iterdir()):
        hint = f"; to go on with that run use --resume {path}" if (path / "run.json").is_file() else ""
        raise SettingError(
            f"--out: {path} is not empty{hint}; nothing there was touched, give the path of a new folder."
        )
    nearest = path
    while not nearest.exists():
        nearest = nearest.parent
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise SettingError(f"--out: {path} can't be created because {nearest} is not a folder that you may write to.")


def _prepare(
    forecasters: Mapping[str, Forecaster],
    panel: Panel,
    target: str,
    inputs: Sequence[str] | None,
    future: Sequence[str],
) -> ForecastData:
    for forecaster in forecasters.values():
        forecaster.check(panel)
    return forecasters["naive"].prepare(panel, target=target, inputs=inputs, future=future)


def _record(
    panel: Panel, settings: Mapping[str, Any], parameters: Mapping[str, Any], models: Sequence[str], target: str
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "command": "forecast",
        "settings": dict(settings) or {"target": target, "models": list(models), **parameters},
        "versions": {
            "seqloom": __version__,
            "python": platform.python_version(),
            "torch": str(torch.__version__),
            "numpy": np.__version__,
        },
        "seed": parameters.get("seed", 0),
        "threads": torch.get_num_threads(),
        "data": {"fingerprint": panel.fingerprint(), "rows": len(panel.values)},
        "timings": {},
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "finished": None,
    }


def _open_folder(root: Path, record: dict[str, Any], resume: bool) -> None:
    if not resume:
        check_out(root)
        root.mkdir(parents=True, exist_ok=True)
        return
    if not (root / "run.json").is_file():
        raise FormatError(f"{root}: expected a run folder to resume, found no run.json in it.")
    earlier = read_json(root / "run.json")
    if not isinstance(earlier, dict) or earlier.get("schema") != SCHEMA:
        raise FormatError(
            f"{root / 'run.json'}: expected a run of schema {SCHEMA}; it is damaged or of another version."
        )
    for key in ("settings", "data", "seed"):
        if earlier.get(key) != record[key]:
            what = _first_difference(earlier.get(key), record[key])
            raise SettingError(
                f"{root}: can't resume, because {key} differ from the interrupted run ({what}); start a new run with --out."
            )
    record["started"] = earlier.get("started", record["started"])
    record["timings"] = dict(earlier.get("timings") or {})


def _first_difference(before: Any, now: Any) -> str:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in [*before, *now]:
            if before.get(key) != now.get(key):
                return f"{key} was {before.get(key)!r} and is {now.get(key)!r}"
    return f"was {before!r} and is {now!r}"


def _fit_one(
    progress: _Progress,
    forecaster: Forecaster,
    data: ForecastData,
    index: int,
    total: int,
    root: Path | None,
    resume: bool,
    on_event: Callable[[Any], None] | None,
) -> None:
    name = forecaster.model
    send = on_event or (lambda event: None)
    send(ModelStarted(name, index, total))
    began = time.perf_counter()
    place = None
    if root is not None and name not in BASELINES:
        place = root / "checkpoint" / name
        place.mkdir(parents=True, exist_ok=True)
    forecaster.fit_prepared(data, directory=place, resume=resume, on_event=on_event)
    progress.forecasters[name] = forecaster
    progress.valid[name] = forecaster.forecast_windows(data, data.valid)
    progress.test[name] = forecaster.forecast_windows(data, data.test)
    progress.seconds[name] = round(time.perf_counter() - began, 3)
    send(ModelFinished(name, index, total, progress.seconds[name]))


def _conclude(progress: _Progress, data: ForecastData, root: Path | None) -> ForecastRun:
    scores = Scores(
        data,
        _mase_scale(data),
        {"valid": progress.valid["naive"], "test": progress.test["naive"]},
    )
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
    best = min(models, key=lambda name: models[name]["choosing_mae"])
    table = progress.forecasters[best].forecast()
    spec = data.spec
    metrics = {
        "schema": SCHEMA,
        "task": "forecast",
        "target": data.features.roles.target,
        "unit": _unit(data.features.roles.target),
        "target_scale": float(data.std[0]),
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


def _write(run: ForecastRun, progress: _Progress, root: Path, record: dict[str, Any]) -> None:
    quality = run.data.panel.quality
    write_json(root / "data.json", {} if quality is None else quality.to_json())
    history_csv(root / "history.csv", progress.forecasters)
    predictions_csv(root / "predictions.csv", run.data, progress.valid, progress.test, run.best)
    forecast_csv(root / "forecast.csv", run.table, run.best)
    run.best.save(root / "model")
    write_json(root / "metrics.json", run.metrics)
    record["timings"] |= {name: seconds for name, seconds in progress.seconds.items() if name not in record["timings"]}
    record["finished"] = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(root / "run.json", record)


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
