"""Statistical models forecast from the numbers of their fit: the same bytes as seqloom, without statsmodels."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqloom
import seqloom_runtime
from seqloom import Forecaster
from seqloom.diagnostics import BASELINES
from seqloom_runtime.errors import DataError, FormatError
from seqloom_runtime.model_folder import read_model, write_model
from seqloom_runtime.statistical import exponential as exponential_module
from seqloom_runtime.statistical.restoring import APPLIED

ROWS = np.arange(96)
SALES = 20 + 0.1 * ROWS + 3 * np.sin(ROWS * np.pi / 4) + np.random.default_rng(3).normal(size=len(ROWS))
TIMES = np.datetime64("2024-01-01", "s") + ROWS * np.timedelta64(86400, "s")
STATISTICAL = [name for name, kind in BASELINES.items() if kind.statsmodels]


def saved(folder: Path, model: str, **parameters: Any) -> Forecaster:
    forecaster = Forecaster(model=model, lookback=8, horizon=4, season=8, **parameters)
    forecaster.fit({"time": TIMES, "y": SALES}, target="y", time="time").save(folder)
    return forecaster


def same(*tables: dict[str, np.ndarray]) -> None:
    for other in tables[1:]:
        assert list(tables[0]) == list(other)
        assert all(tables[0][name].tobytes() == other[name].tobytes() for name in other)


@pytest.mark.parametrize("model", STATISTICAL)
def test_every_statistical_model_goes_on(tmp_path: Path, model: str) -> None:
    assert model.removeprefix("log-") in APPLIED
    forecaster = saved(tmp_path, model)
    running, again = seqloom_runtime.load(tmp_path), seqloom.load(tmp_path)
    same(forecaster.predict(), again.predict(), running.predict())
    same(
        forecaster.predict(horizon=10, levels=80),
        again.predict(horizon=10, levels=80),
        running.predict(horizon=10, levels=80),
    )
    later = {"time": TIMES[-10:] + np.timedelta64(4 * 86400, "s"), "y": SALES[-10:] + 1}
    if model == "stl-ets":
        with pytest.raises(DataError, match="use seqloom predict"):
            running.predict(later)
    else:
        same(forecaster.predict(later), again.predict(later), running.predict(later))


def test_neither_statsmodels_nor_scipy_is_imported(tmp_path: Path) -> None:
    saved(tmp_path, "ensemble", members=["arima", "log-auto-ets", "mstl", "theta", "naive"])
    script = """
import sys, seqloom_runtime
found = seqloom_runtime.load(sys.argv[1]).predict()["y"]
print(len(found), [name for name in ("torch", "seqloom", "scipy", "statsmodels", "polars") if name in sys.modules])
"""
    told = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    ).stdout
    assert told.strip() == "4 []"


def test_damaged_numbers_are_refused(tmp_path: Path) -> None:
    saved(tmp_path / "model", "arima")
    header, arrays = read_model(tmp_path / "model")
    body = {key: value for key, value in header.items() if key not in ("format", "schema", "task", "files", "checksum")}
    run = body["fitted"]["runs"][0]

    def spoiled(**changes: Any) -> dict[str, Any]:
        return {**body, "fitted": {**body["fitted"], "runs": [{**run, **changes}]}}

    older = {key: value for key, value in body.items() if key != "fitted"}
    wrong = [
        (older, arrays),
        (spoiled(rows=10**6), arrays),
        (spoiled(first=-1), arrays),
        (spoiled(series="0"), arrays),
        (spoiled(fit={**run["fit"], "a": [0, 10**6]}), arrays),
        (spoiled(fit={**run["fit"], "d": 9}), arrays),
        (spoiled(fit={**run["fit"], "mean": "x"}), arrays),
        (spoiled(fit={"a": [0, 1]}), arrays),
        ({**body, "fitted": {**body["fitted"], "runs": [run, run]}}, arrays),
        ({**body, "fitted": {**body["fitted"], "season": -3}}, arrays),
        (body, {**arrays, "fitted.numbers": arrays["fitted.numbers"] * np.nan}),
    ]
    for number, (found, held) in enumerate(wrong):
        write_model(tmp_path / str(number), "forecast", found, held)
        with pytest.raises(FormatError, match="use seqloom predict" if found is older else None):
            seqloom_runtime.load(tmp_path / str(number))


def test_a_planted_mistake_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(tmp_path, "ets")
    running = seqloom_runtime.load(tmp_path)
    before = running.predict()["y"]
    states = exponential_module.ets_states
    monkeypatch.setattr(exponential_module, "ets_states", lambda fitted, values: states(fitted, values[::-1]))
    assert not np.array_equal(before, running.predict()["y"])


@pytest.mark.parametrize("error", ["add", "mul"])
@pytest.mark.parametrize("seasonal", [None, "add", "mul"])
@pytest.mark.parametrize(("trend", "damped"), [(False, False), (True, False), (True, True)])
def test_the_states_are_those_of_statsmodels(error: str, seasonal: str | None, trend: bool, damped: bool) -> None:
    statsmodels = pytest.importorskip("statsmodels.tsa.exponential_smoothing.ets")
    model = statsmodels.ETSModel(
        SALES,
        error=error,
        trend="add" if trend else None,
        damped_trend=damped,
        seasonal=seasonal,
        seasonal_periods=8 if seasonal else None,
        initialization_method="heuristic",
    )
    params = np.array([0.3, *([0.1] if trend else []), *([0.2] if seasonal else []), *([0.9] if damped else [])])
    expected = np.asarray(model.smooth(params, return_raw=True)[1]).reshape(len(SALES), -1)
    fit = exponential_module.ETSFit(
        trend,
        seasonal,
        params,
        0.9 if damped else 1.0,
        float(model.initial_level),
        float(model.initial_trend) if trend else None,
        np.asarray(model.initial_seasonal, float) if seasonal else None,
        error,
        damped,
    )
    found = [part for part in exponential_module.ets_states(fit, SALES) if part is not None]
    np.testing.assert_allclose(np.stack(found, axis=1), expected, rtol=1e-12)
