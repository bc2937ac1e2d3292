"""The chosen model fitted once more on all rows: what it learns, what stays, and that no score sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forecast_cases import SMALL, hourly, load_and_wind, small, weights, with_values
from forecast_runs import run_in

from oracles.run_folders import contents
from seqloom import Forecaster, load
from seqloom.diagnostics import check_fit
from seqloom.errors import SettingError
from seqloom.tasks.checkpointing import Checkpointing
from seqloom.tasks.forecast import compare_forecasters
from seqloom.tasks.forecast import comparison as comparison_module
from seqloom.tasks.forecast.refitting import refitted, whole_data


def fitted(model: str, **changes: Any) -> tuple[Forecaster, Any]:
    forecaster = small(model=model, **changes)
    data = forecaster.prepare(hourly(), target="load")
    return forecaster.fit_prepared(data), data


def test_a_network_trains_as_many_steps_as_its_best_epoch_had_on_all_windows() -> None:
    forecaster, data = fitted("linear", epochs=6, learning_rate=0.1)
    again = refitted(forecaster, data, Checkpointing())
    first, second = forecaster.history_, again.history_
    assert first is not None
    assert second is not None
    assert second.steps == (first.best_epoch or 0) * -(-len(data.train) // 32)
    assert not second.epochs[0].valid  # no window validates
    whole = whole_data(data)
    assert len(whole.train) == len(data.windows.origins) > len(data.train) + len(data.valid) + len(data.test)
    scaler = again.features_.scaler
    assert scaler is not None
    assert np.asarray(scaler.mean)[0] == pytest.approx(data.panel.values[:, 0].mean())
    for level, radii in forecaster.radii_.items():
        np.testing.assert_array_equal(radii, again.radii_[level])
    assert again.choosing_mae_ == forecaster.choosing_mae_
    assert weights(again) != weights(forecaster)
    assert any("fitted once more on all 240 rows" in note for note in again.notes_)


@pytest.mark.parametrize("model", ["mean", "damped-persistence", "ets", "theta"])
def test_a_baseline_is_the_one_that_a_fit_on_all_rows_gives(model: str) -> None:
    forecaster, data = fitted(model)
    again = refitted(forecaster, data, Checkpointing())
    baseline: Any = type(forecaster.baseline_)
    expected = {
        "mean": lambda: baseline(),
        "damped-persistence": lambda: baseline(),
        "ets": lambda: baseline(24, 30.0),
        "theta": lambda: baseline(24, 30.0),
    }[model]()
    expected.fit(whole_data(data).history)
    found = expected.forecast(whole_data(data).history, np.array([239]), data.spec.steps)[0]
    np.testing.assert_allclose(again.forecast().values, found, rtol=1e-12)
    assert not np.array_equal(again.forecast().values, forecaster.forecast().values)


def test_an_ensemble_weighs_by_all_rows_that_were_held_back() -> None:
    forecaster, data = fitted("ensemble", members=("naive", "linear", "dense", "damped-persistence"))
    again = refitted(forecaster, data, Checkpointing())
    assert sum(member.weight for member in again.members_.members) == pytest.approx(1)
    changed = load_and_wind()
    changed[204:, 0] = changed[203, 0]  # nothing happens in the test part: naive is perfect there
    other = small(model="ensemble", members=("naive", "linear", "dense", "damped-persistence"))
    other_data = other.prepare(with_values(hourly(), changed), target="load")
    other.fit_prepared(other_data)
    assert [member.weight for member in other.members_.members] == [m.weight for m in forecaster.members_.members]
    leaning = refitted(other, other_data, Checkpointing())
    assert leaning.members_.members[0].name == "naive"


def test_a_run_saves_and_forecasts_with_the_refit_and_scores_without(tmp_path: Path) -> None:
    models = ("damped-persistence", "linear", "ensemble")
    kept = run_in(tmp_path / "kept", models=models, refit=False)
    run = run_in(tmp_path / "run", models=models)
    assert run.metrics["models"] == kept.metrics["models"]
    assert run.metrics["best"] == kept.metrics["best"]
    assert not np.array_equal(run.table.values, kept.table.values)
    np.testing.assert_array_equal(load(tmp_path / "run").forecast().values, run.table.values)
    assert run.final is not run.best
    assert kept.final is kept.best
    assert any("fitted once more" in note for note in run.metrics["notes"])
    assert not any("fitted once more" in note for note in kept.metrics["notes"])


def test_an_interrupted_refit_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    seen = {"epochs": 0}

    def stop(event: Any) -> None:
        seen["epochs"] += type(event).__name__ == "EpochDone"
        if seen["epochs"] == 10:
            raise Stop

    changes: dict[str, Any] = {"models": ("linear",), "parameters": {**SMALL, "epochs": 8, "learning_rate": 0.03}}
    whole = run_in(tmp_path / "whole", **changes)
    assert whole.metrics["best"] == "linear"
    history = whole.forecasters["linear"].history_
    assert history is not None
    assert (history.best_epoch or 0) > 2
    with pytest.raises(Stop):
        run_in(tmp_path / "run", on_event=stop, **changes)
    run = run_in(tmp_path / "run", resume=True, **changes)
    assert run.metrics == whole.metrics
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


def test_a_refit_before_the_scores_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Test rows move nothing but test scores, the refit and its forecast; a refit that comes too early is seen."""

    def scores(values: np.ndarray) -> dict[str, np.ndarray]:
        run = compare_forecasters(
            with_values(hourly(), values), ["damped-persistence", "ensemble"], {**SMALL, "levels": (50,)}, target="load"
        )
        rows = run.metrics["models"].values()
        radii = [f.radii_["50"] for f in run.forecasters.values()]
        weight = [member.weight for member in run.forecasters["ensemble"].members_.members]
        return {
            "valid": np.array([[row["valid"]["mae"], row["choosing"]["ratio"]] for row in rows]),
            "radii": np.concatenate(radii),
            "weights": np.array(weight),
        }

    changes = ("noise", "huge", "zero")
    check_fit(scores, load_and_wind(), 204, perturbations=changes).raise_for_leak()
    fit = comparison_module._Forecasting.fit

    def early(self: Any, estimator: Forecaster, parts: Any, checkpoints: Checkpointing) -> None:
        fit(self, estimator, parts, checkpoints)
        vars(estimator).update(vars(refitted(estimator, self._data, checkpoints)))

    monkeypatch.setattr(comparison_module._Forecasting, "fit", early)
    assert not check_fit(scores, load_and_wind(), 204, perturbations=changes).passed


def test_a_forecaster_refits_itself_where_it_is_asked_to() -> None:
    for model in ("damped-persistence", "linear", "ensemble"):
        members = ("naive", "linear", "dense") if model == "ensemble" else ()
        plain, data = fitted(model, members=members)
        asked = small(model=model, members=members, refit=True).fit_prepared(data)
        np.testing.assert_array_equal(asked.forecast().values, refitted(plain, data, Checkpointing()).forecast().values)
        with pytest.raises(SettingError, match="refit: this forecaster has learned the rows"):
            asked.evaluate(data)


def test_a_refit_in_a_backtest_sees_no_row_after_the_cutoff() -> None:
    asked = small(model="damped-persistence", refit=True)
    found = asked.cross_validate(hourly(), target="load", n_windows=2)
    changed = load_and_wind()
    changed[232:] += 100  # after the first cutoff
    other = asked.cross_validate(with_values(hourly(), changed), target="load", n_windows=2)
    np.testing.assert_array_equal(found.columns["forecast"][:4], other.columns["forecast"][:4])
    plain = small(model="damped-persistence").cross_validate(hourly(), target="load", n_windows=2)
    assert not np.array_equal(found.columns["forecast"], plain.columns["forecast"])


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        ("log-auto-theta", {}),
        ("ensemble", {"members": ("naive", "log-linear")}),
    ],
)
def test_what_later_rows_forbid_leaves_a_model_as_it_was_fitted(model: str, changes: dict[str, Any]) -> None:
    """The training rows are all above 0; one row of the test part is 0, which has no logarithm."""
    values = load_and_wind()
    values[220, 0] = 0.0
    forecaster = small(model=model, **{**changes, "lookback": 24, "solver": "ridge"})
    data = forecaster.prepare(with_values(hourly(), values), target="load")
    again = refitted(forecaster.fit_prepared(data), data, Checkpointing())
    assert np.isfinite(again.forecast().values).all()
    name = "log-linear" if model == "ensemble" else model
    (note,) = [note for note in again.notes_ if "was not fitted once more on all rows: " in note]
    assert note.startswith(f"{name} ")
    assert any("fitted once more on all 240 rows" in note for note in again.notes_) == (model == "ensemble")


def test_a_default_run_forecasts_where_a_later_row_is_zero() -> None:
    values = load_and_wind()
    values[220, 0] = 0.0
    parameters = {**SMALL, "lookback": 24, "solver": "ridge"}
    run = compare_forecasters(with_values(hourly(), values), ["log-linear"], parameters, target="load")
    assert run.metrics["best"] == "log-linear"
    assert np.isfinite(run.table.values).all()
