"""Target steps that were not measured are counted by no loss and no score, and cost no window."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forecast_cases import SMALL, hourly, load_and_wind, small, weights
from hypothesis import given, settings
from hypothesis import strategies as st

from seqloom import Panel
from seqloom.diagnostics import mae
from seqloom.tasks.forecast import compare_forecasters
from seqloom.tasks.forecast.masking import known_only
from seqloom.tasks.forecast.objective import LossSpec
from seqloom.tasks.forecast.windowed import ForecastData
from seqloom_runtime.forecast.known_rows import last_measured

HOLES = (30, 31, 77, 120, 175, 190, 200, 215, 216, 230)


def with_holes(rows: tuple[int, ...] = HOLES) -> Panel:
    values = load_and_wind()
    values[list(rows), 0] = np.nan
    panel = hourly()
    assert panel.time is not None
    return Panel.from_numpy(values, ["load", "wind"], time=panel.time)


def fit_with(rows: dict[int, float], model: str = "linear", **parameters: Any) -> dict[str, Any]:
    """A fit whose masked target steps hold other values; what it learned, chose and scored."""
    forecaster = small(model=model, **parameters)
    data = forecaster.prepare(with_holes(), target="load", inputs="*")
    for row, value in rows.items():
        data.target[row] = value
    forecaster.fit_prepared(data)
    scores = forecaster.evaluate(data).details["scores"]
    return {
        **({k: bytes(v) for k, v in weights(forecaster).items()} if model == "linear" else {}),
        "choosing": forecaster.choosing_mae_,
        "radii": {level: radii.tolist() for level, radii in forecaster.radii_.items()},
        "scores": scores,
    }


@settings(max_examples=5, deadline=None)
@given(
    st.dictionaries(st.sampled_from(HOLES), st.floats(-1e6, 1e6), min_size=1),
    st.sampled_from(["mae", "mse", "huber", "quantile"]),
)
def test_a_masked_step_may_hold_anything(rows: dict[int, float], loss: str) -> None:
    assert fit_with(rows, loss=loss) == fit_with({}, loss=loss)
    assert fit_with(rows, "damped-persistence") == fit_with({}, "damped-persistence")


@pytest.mark.parametrize("model", ["linear", "damped-persistence"])
def test_a_dropped_mask_is_found(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        ForecastData, "truth", lambda self, origins: self.target[origins[:, None] + self.spec.steps].copy()
    )
    assert fit_with(dict.fromkeys(HOLES, 1000.0), model) != fit_with({}, model)


@given(st.integers(0, 2**32), st.sampled_from(["mae", "mse", "huber", "quantile"]))
def test_the_loss_is_the_mean_over_known_steps(seed: int, name: str) -> None:
    rng = np.random.default_rng(seed)
    truth, known = torch.from_numpy(rng.normal(size=(5, 3))), rng.random((5, 3)) < 0.6
    known[0, 0] = True
    forecast = torch.from_numpy(rng.normal(size=(5, 3))).requires_grad_()
    masked = torch.where(torch.from_numpy(known), truth, torch.nan)
    loss = LossSpec(name, 0.3)
    found = loss.error(forecast, masked)
    (slope,) = torch.autograd.grad(found, forecast)
    each = [loss.error(forecast[i : i + 1, j], truth[i : i + 1, j]).item() for i, j in np.argwhere(known)]
    assert found.item() == pytest.approx(np.mean(each))
    assert (slope.numpy()[~known] == 0).all()


def test_every_model_is_scored_on_the_same_known_steps(tmp_path: Path) -> None:
    models = ["naive", "seasonal", "damped-persistence", "linear"]
    run = compare_forecasters(
        with_holes(), models, {**SMALL, "levels": (50,)}, target="load", inputs="*", directory=tmp_path
    )
    whole = compare_forecasters(hourly(), models, {**SMALL, "levels": (50,)}, target="load", inputs="*")
    for part in ("train", "valid", "test"):
        assert run.metrics["windows"][part] == whole.metrics["windows"][part]
    truth = run.data.truth(run.data.test)
    assert np.isnan(truth).any()
    for name, forecaster in run.forecasters.items():
        forecast = forecaster.forecast_windows(run.data, run.data.test)
        known = np.isfinite(truth)
        scores = run.metrics["models"][name]["test"]
        assert scores["mae"] == pytest.approx(np.abs(forecast - truth)[known].mean())
        assert scores["windows"] == len(truth)
        ends = forecaster.evaluate(run.data).predictions
        low, high = (ends[f"{side}_50"].reshape(len(run.data.spec.steps), -1).T for side in ("low", "high"))
        inside = ((low <= truth) & (truth <= high))[known]
        assert scores["coverage"]["50"] == pytest.approx(inside.mean())
    with open(tmp_path / "predictions.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    assert sum(row["actual"] == "" for row in rows) == int(np.isnan(truth).sum())
    assert all(row["naive"] for row in rows)
    told = [note for note in run.metrics["notes"] if "masked" in note]
    assert len(told) == 1
    assert told[0].startswith(f"{len(HOLES)} rows have no measured 'load': ")


def test_the_last_anchor_is_the_last_measured_value() -> None:
    data = small(model="linear").prepare(with_holes(), target="load", inputs="*")
    origin = np.array([31])
    assert data.anchors("last", origin)[0, 0] == load_and_wind()[29, 0]
    measured = np.array([False, True, False, False, True])
    target, start = np.arange(5.0), np.array([0, 0, 0, 3, 3])
    assert np.array_equal(last_measured(target, measured, start), [np.nan, 1, 1, np.nan, 4], equal_nan=True)


def test_a_table_without_holes_is_scored_as_it_was() -> None:
    truth, forecast = np.arange(6.0).reshape(3, 2), np.ones((3, 2))
    assert known_only(truth, forecast)[1] is forecast
    data = small(model="naive").prepare(hourly(), target="load", inputs="*")
    assert data.notes() == []
    assert mae(*known_only(truth, forecast)) == mae(truth, forecast)


def test_the_note_on_missing_values_names_no_column_that_the_table_lacks():
    from seqloom_runtime.data.wide import Wide
    from seqloom_runtime.forecast.missing_inputs import missing_notes

    (note,) = missing_notes(["target", "wind"], Wide(("north", "south"), "target", False))
    assert note.startswith("Missing values of the targets, 'wind': ")
