"""What `Forecaster.fit` does once the data is prepared: fit the baseline or train the network, set the intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...data import Panel
from ...diagnostics import BASELINES, make_baseline
from ...errors import SettingError
from ..place import Place
from .convolutional import sight_notes
from .fitting import TrainingPlan, train_anchors
from .intervals import calibrate_forecast
from .predicting import columns_read, rows_needed
from .settings import fit_settings, loss_spec, network_spec, season_rows, window_spec
from .windowed import ForecastData, observed

if TYPE_CHECKING:
    from .forecaster import Forecaster

__all__ = ["check_prepared", "context_of", "learn"]


def check_prepared(forecaster: Forecaster, data: ForecastData) -> None:
    """Raise SettingError where a parameter is out of range or the data was prepared for other settings."""
    frequency, features = data.panel.frequency, data.features
    forecaster.check(data.panel)
    prepared = {
        "lookback, horizon, every, at": (data.spec, window_spec(forecaster, frequency)),
        "season": (data.season, season_rows(forecaster, frequency)),
        "calendar": (features.calendar, forecaster.calendar),
        "missing_flags": (features.flags, forecaster.missing_flags),
        "scaling": (features.per_series, forecaster.scaling == "series"),
    }
    for name, (theirs, mine) in prepared.items():
        if theirs != mine:
            raise SettingError(f"{name}: the data was prepared with {theirs}, this forecaster has {mine}.")


def learn(forecaster: Forecaster, data: ForecastData, place: Place) -> None:
    """Set all learned attributes but the source and the context."""
    forecaster.features_, forecaster.window_spec_ = data.features, data.spec
    forecaster.frequency_, forecaster.zone_ = data.panel.frequency, data.panel.zone
    forecaster.season_, forecaster.train_rows_ = data.season, data.train_rows
    forecaster.notes_ = data.features.notes()
    if forecaster.model in BASELINES:
        _fit_baseline(forecaster, data)
    else:
        settings = fit_settings(forecaster, len(data.train))
        spec = network_spec(forecaster, data.features, data.spec)
        plan = TrainingPlan(spec, loss_spec(forecaster), settings, int(forecaster.batch_size))
        learned, notes = train_anchors(data, plan, forecaster.anchor, place)
        forecaster.learned_, forecaster.anchor_ = learned, learned.anchor
        forecaster.choosing_mae_ = learned.choosing_mae
        forecaster.n_parameters_ = sum(p.numel() for p in learned.network.parameters())
        forecaster.notes_ += [*sight_notes(spec), *notes]
    forecaster.radii_, notes = calibrate_forecast(
        data, lambda origins: forecaster.forecast_windows(data, origins), forecaster.levels
    )
    forecaster.notes_ += notes


def context_of(forecaster: Forecaster, data: ForecastData) -> Panel:
    """The rows that `predict` needs: all of the target for a baseline, else the last ones that the network reads."""
    if hasattr(forecaster, "baseline_"):
        return data.panel.select(columns_read(forecaster))
    whole, rows = data.whole, []
    measured = observed(whole, data.features.roles.target)
    for first, end in zip(whole.offsets[:-1], whole.offsets[1:]):
        known = np.flatnonzero(measured[first:end])
        origin = first + known[-1] if len(known) else end - 1
        rows.append(np.arange(max(first, origin + 1 - rows_needed(forecaster)), end))
    return whole.take(np.concatenate(rows))


def _fit_baseline(forecaster: Forecaster, data: ForecastData) -> None:
    baseline = make_baseline(forecaster.model, season=data.season, time_limit=forecaster.time_limit)
    forecaster.baseline_, forecaster.anchor_ = baseline.fit(data.history), "none"
    error = np.abs(forecaster.forecast_windows(data, data.choose) - data.truth(data.choose))
    scored = np.isfinite(error).all(axis=1)
    forecaster.choosing_mae_ = float(error[scored].mean()) if scored.any() else float("inf")
    forecaster.notes_ += [f"{forecaster.model}: {baseline.note}"] if baseline.note else []
    # Asked for after the forecast: some baselines fit a step when it is first forecast.
    forecaster.n_parameters_ = int(baseline.parameters)
