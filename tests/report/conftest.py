"""Makes run folders as a forecast writes them, small and random, for the tests of the report."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from seqloom.report.chart import Chart, Figure, unchecked
from seqloom.report.document import _picture  # pyright: ignore[reportPrivateUsage]

BASELINES = ("naive", "seasonal", "drift", "mean", "damped-persistence", "ets", "theta", "stl-ets")


@pytest.fixture(autouse=True)
def checked_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every chart that the tests draw is held to the schema of Vega-Lite, which pages are made without."""
    monkeypatch.setattr("seqloom.report.page.unchecked", nullcontext)


@dataclass(frozen=True)
class Plan:
    """What a made-up run looks like; every field has a sensible default."""

    models: tuple[str, ...] = ("naive", "damped-persistence", "gru")
    target: str = "T (degC)"
    unit: str | None = "degC"
    ids: tuple[str, ...] = ("",)
    steps: tuple[int, ...] = (1, 2, 3, 4, 5, 6)
    at: str = "path"
    frequency: str = "10 minutes"
    start: str | None = "2020-09-01"  # None: steps only
    seconds: int = 600  # 0: calendar months
    windows: int = 400  # per split and series
    levels: tuple[str, ...] = ("80", "95")
    epochs: int = 12
    time_of_day: bool = True
    suffix: str = ""  # appended to every time, such as "+01:00"
    gap: int = 0  # rows missing in the middle of test
    seed: int = 0


def write_run(folder: Path, plan: Plan) -> Path:
    """Write run.json, data.json, metrics.json and the three CSV files of `plan` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(plan.seed)
    error = {name: 2.0 / (1 + 0.15 * rank) for rank, name in enumerate(plan.models)}
    best = plan.models[-1]
    rows = _prediction_rows(plan, rng, error)
    _write_csv(folder / "predictions.csv", rows)
    _write_csv(folder / "forecast.csv", _forecast_rows(plan, rng))
    _write_csv(folder / "history.csv", _history_rows(plan, rng))
    _write_json(folder / "metrics.json", _metrics(plan, error, best))
    _write_json(folder / "data.json", _data(plan))
    _write_json(folder / "run.json", _run(plan))
    return folder


def _signal(plan: Plan, rng: np.random.Generator) -> np.ndarray:
    count = 2 * plan.windows + 4 * max(plan.steps) + plan.gap
    slots = max(1, 86_400 // plan.seconds) if plan.seconds else 12
    t = np.arange(count)
    slow = np.cumsum(rng.normal(0, 0.15, count))
    return 12 + 5 * np.sin(2 * np.pi * t / slots) + slow - slow.mean() + rng.normal(0, 0.3, count)


def _moment(plan: Plan, row: int) -> str:
    if plan.start is None:
        return str(row)
    if plan.seconds == 0:
        return str(np.datetime64(plan.start, "M") + row) + "-01" + plan.suffix
    moment = np.datetime64(plan.start, "s") + row * plan.seconds
    return str(moment) + plan.suffix


def _prediction_rows(plan: Plan, rng: np.random.Generator, error: dict[str, float]) -> list[list[object]]:
    bands = [f"{side}_{level}" for level in plan.levels for side in ("low", "high")]
    rows: list[list[object]] = [["split", "id", "origin", "step", "time", "actual", *plan.models, *bands]]
    for name in plan.ids:
        signal = _signal(plan, rng)
        for split, first in (("valid", 0), ("test", plan.windows + max(plan.steps))):
            for n in range(plan.windows):
                origin = first + n + (plan.gap if split == "test" and n > plan.windows // 2 else 0)
                for step in plan.steps:
                    actual = signal[origin + step]
                    size = np.sqrt(step / np.mean(plan.steps))
                    made = [actual + error[m] * size * rng.normal() * 1.25 for m in plan.models]
                    width = [float(level) / 30 * size for level in plan.levels]
                    edges = [f"{made[-1] + sign * w:.6g}" for w in width for sign in (-1, 1)]
                    values = [f"{v:.8g}" for v in made]
                    rows.append(
                        [split, name, origin, step, _moment(plan, origin + step), f"{actual:.8g}", *values, *edges]
                    )
    return rows


def _forecast_rows(plan: Plan, rng: np.random.Generator) -> list[list[object]]:
    bands = [f"{side}_{level}" for level in plan.levels for side in ("low", "high")]
    rows: list[list[object]] = [["id", "time", plan.target, *bands]]
    last = 2 * plan.windows + 2 * max(plan.steps) - 1 + plan.gap
    for name in plan.ids:
        for step in plan.steps:
            value = 12 + 3 * np.sin(step / 4) + rng.normal(0, 0.1)
            size = np.sqrt(step / np.mean(plan.steps))
            edges = [value + sign * float(level) / 30 * size for level in plan.levels for sign in (-1, 1)]
            rows.append([name, _moment(plan, last + step), f"{value:.6g}", *[f"{e:.6g}" for e in edges]])
    return rows


def _history_rows(plan: Plan, rng: np.random.Generator) -> list[list[object]]:
    rows: list[list[object]] = [["model", "epoch", "step", "learning_rate", "train_loss", "valid_loss", "valid_mae"]]
    for name in plan.models:
        if name in BASELINES:
            continue
        for epoch in range(1, plan.epochs + 1):
            train = 0.35 + 0.3 * np.exp(-epoch / 4) + rng.normal(0, 0.004)
            valid = 0.42 + 0.2 * np.exp(-epoch / 3) + 0.002 * epoch + rng.normal(0, 0.008)
            rows.append([name, epoch, epoch * 500, 0.001, f"{train:.6g}", f"{valid:.6g}", f"{valid * 6:.6g}"])
    return rows


def _metrics(plan: Plan, error: dict[str, float], best: str) -> dict[str, object]:
    naive = error[plan.models[0]]
    models: dict[str, object] = {}
    for name, size in error.items():
        scores = {}
        for split, factor in (("valid", 1.0), ("test", 0.92 + 0.1 * (name == best))):
            mae = size * factor
            scores[split] = {
                "mae": mae,
                "mae_scaled": mae / 6.5,
                "rmse": mae * 1.28,
                "rmse_scaled": mae * 1.28 / 6.5,
                "mase": mae / 1.9,
                "smape": 11 * mae,
                "skill": 1 - mae / (naive * (1.0 if split == "valid" else 0.92)),
                "windows": plan.windows * len(plan.ids),
            }
        if plan.levels:
            scores["test"]["coverage"] = {level: float(level) / 100 - 0.03 for level in plan.levels}
            scores["test"]["width"] = {level: float(level) / 15 for level in plan.levels}
        grow = [size * float(np.sqrt(step / np.mean(plan.steps))) for step in plan.steps]
        minutes = list(range(0, 1440, 30))
        day = [size * (1 + 0.3 * float(np.sin(m / 1440 * 2 * np.pi))) for m in minutes]
        models[name] = {
            "kind": "baseline" if name in BASELINES else "network",
            "parameters": 0 if name in BASELINES else 4_864,
            **scores,
            "by_step": {"steps": list(plan.steps), "valid_mae": grow, "test_mae": [g * 0.92 for g in grow]},
            "by_time_of_day": {"minutes": minutes, "valid_mae": day, "test_mae": [d * 0.9 for d in day]}
            if plan.time_of_day
            else None,
        }
    others = [name for name in plan.models if name != "naive"]
    return {
        "schema": 1,
        "task": "forecast",
        "target": plan.target,
        "unit": plan.unit,
        "target_scale": 6.5,
        "horizon": max(plan.steps),
        "every": 1,
        "at": plan.at,
        "step_label": plan.frequency,
        "windows": {"train": 1200, "valid": plan.windows, "test": plan.windows, "dropped": {"target repaired": 5}},
        "models": models,
        "baseline": "naive",
        "best": best,
        "statements": [f"{name}: better than naive on validation, worse on test." for name in others],
        "notes": ["The last third of the validation windows calibrated the intervals."] if plan.levels else [],
    }


def _data(plan: Plan) -> dict[str, object]:
    columns = [
        {"name": plan.target, "missing": 3, "filled": 2, "constant": False, "min": -9.8, "max": 34.125, "mean": 9.71},
        {"name": "wv (m/s)", "missing": 0, "filled": 0, "constant": False, "min": 0.0, "max": 12.5, "mean": 2.13},
        {"name": "flag", "missing": 0, "filled": 0, "constant": True, "min": 1.0, "max": 1.0, "mean": 1.0},
    ]
    return {
        "source": "weather.csv",
        "rows": 3_000,
        "columns": columns,
        "frequency": plan.frequency,
        "first": _moment(plan, 0),
        "last": _moment(plan, 2999),
        "series": len(plan.ids),
        "findings": [
            {
                "kind": "sentinel",
                "count": 2,
                "text": "2 values of -9999 look like a code for missing",
                "examples": [{"row": 17, "column": "wv (m/s)", "value": -9999.0}],
            }
        ],
        "repairs": [{"kind": "duplicates", "count": 4, "text": "4 identical duplicate rows dropped"}],
    }


def _run(plan: Plan) -> dict[str, object]:
    return {
        "schema": 1,
        "command": "forecast",
        "settings": {
            "data": "weather.csv",
            "target": plan.target,
            "time": "Date Time",
            "lookback": 720,
            "horizon": max(plan.steps),
            "model": list(plan.models),
            "split": "26000,13000",
            "missing": "-9999",
            "calendar": True,
            "bidirectional": False,
            "learning_rate": 0.001,
            "loss": "mae",
            "out": "runs/first",
        },
        "versions": {"seqloom": "0.1.0", "python": "3.11.2", "torch": "2.13.0"},
        "seed": 0,
        "threads": 1,
        "data": {"source": "weather.csv", "fingerprint": "ab" * 32, "rows": 3_000},
        "timings": {"gru": 12.5},
        "started": "2026-01-01T00:00:00",
        "finished": "2026-01-01T00:01:00",
    }


def _write_csv(path: Path, rows: list[list[object]]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


@pytest.fixture(scope="session")
def as_text() -> Callable[[Figure, Chart], bytes]:
    """A picture as its whole specification, for tests that read the page: drawing takes a quarter of a second each.

    Pictures of equal bytes would be drawn alike.
    """
    return lambda figure, chart: json.dumps(_picture(figure, chart)).encode()


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch, as_text: Callable[[Figure, Chart], bytes]) -> None:
    """Pictures are written, but not drawn, and no chart is held to the schema: the test reads the words of the page."""
    monkeypatch.setattr("seqloom.report.page.unchecked", unchecked)
    monkeypatch.setattr("seqloom.report.document._png", as_text)


@pytest.fixture(scope="session")
def make_run_in() -> Callable[..., Path]:
    """A function that writes a run folder at a place; keyword arguments are the fields of Plan."""

    def make(folder: Path, **changes: object) -> Path:
        return write_run(folder, Plan(**changes))  # pyright: ignore[reportArgumentType]

    return make


@pytest.fixture
def make_run(tmp_path: Path, make_run_in: Callable[..., Path]) -> Callable[..., Path]:
    """A function that writes a run folder into the test's own place; keyword arguments are the fields of Plan."""
    return lambda **changes: make_run_in(tmp_path / "run", **changes)
