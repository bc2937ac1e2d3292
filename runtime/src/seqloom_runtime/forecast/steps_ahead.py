"""The steps of a forecast past the end of the data: those trained, or as many as are asked for where that is sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import SettingError, shown

if TYPE_CHECKING:
    from .fitted import FittedForecaster

__all__ = ["steps_ahead"]

_FARTHEST = 10**7  # rows ahead


def steps_ahead(forecaster: FittedForecaster, horizon: int | None) -> np.ndarray:
    spec = forecaster.window_spec_
    if horizon is None or horizon == spec.horizon:
        return spec.steps
    if spec.at == "last":
        raise SettingError(
            f"horizon: this model forecasts the single row {spec.horizon} ahead (at='last'), so other horizons need a "
            f"new fit; got {horizon}."
        )
    if horizon < 1 or horizon % spec.every:
        raise SettingError(f"horizon: expected a positive multiple of {spec.every} rows (every), got {shown(horizon)}.")
    if horizon > _FARTHEST:
        raise SettingError(f"horizon: expected at most {_FARTHEST:,} rows, got {shown(horizon)}.")
    steps = np.arange(spec.every, horizon + 1, spec.every)
    if horizon > spec.horizon and hasattr(forecaster, "learned_"):
        _check_feedback(forecaster, horizon)
    for member in forecaster.members_.members if hasattr(forecaster, "members_") else ():
        steps_ahead(member.forecaster, horizon)  # refuses what one of them can't do
    return steps


def _check_feedback(forecaster: FittedForecaster, horizon: int) -> None:
    """Raise SettingError where forecasts can't stand in for everything that the network reads."""
    spec, features = forecaster.window_spec_, forecaster.features_
    roles = features.roles
    unknown = [name for name in roles.inputs if name not in (roles.target, *roles.future, *roles.static)]
    if unknown:
        what = ", ".join(map(repr, unknown[:3]))
        raise SettingError(
            f"horizon: {horizon} rows lie past the trained {spec.horizon}, and the model also reads {what}, whose "
            "later values are not known; fit with the longer horizon, or with the target, the calendar and "
            "known-future columns alone."
        )
    season = forecaster.season_
    if forecaster.anchor_ == "seasonal" and season is not None and season % spec.every:
        raise SettingError(
            f"horizon: {horizon} rows lie past the trained {spec.horizon}, and the seasonal anchor looks {season:g} "
            f"rows back, where only one row in {spec.every} would have a forecast; fit with the longer horizon."
        )
