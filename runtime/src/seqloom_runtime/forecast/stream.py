"""A recurrent forecaster row by row: each row goes in once, its state is kept, and the rows ahead come out.

What it forecasts is what `predict` would with a window that begins at the stream's first row: the state knows all rows
since, where a window knows the last `lookback` of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DataError, SettingError
from .bounded import floors_of_series
from .fitted import FittedForecaster

__all__ = ["ForecastStream", "forecast_stream"]


class ForecastStream:
    """Rows in, forecasts out, for `batch_size` series at once. It belongs to one thread at a time.

    `columns` are what each row holds, in this order; `steps` the rows ahead that come out.
    """

    def __init__(self, forecaster: FittedForecaster, batch_size: int) -> None:
        self._forecaster, self._network = forecaster, forecaster.network_
        self._stream = self._network.body.stream(batch_size)
        self.batch_size, self.steps = batch_size, forecaster.window_spec_.steps
        self.columns = forecaster.features_.roles.numeric_inputs
        roles, scaler = forecaster.features_.roles, forecaster.features_.scaler
        assert scaler is not None
        self._target, at = self.columns.index(roles.target), [roles.numeric.index(name) for name in self.columns]
        self._mean, self._std = np.asarray(scaler.mean)[at], np.asarray(scaler.std)[at]

    def step(self, rows: np.ndarray) -> np.ndarray:
        """The next row of each series, (B, columns) or (columns,) of one, in the units of the table → the forecasts
        (B, K) or (K,) from it on, float64.

        Raises SettingError for another shape, DataError for a number that is not finite.
        """
        given = np.asarray(rows, dtype=np.float64)
        one = given.ndim == 1 and self.batch_size == 1
        values = given[None] if one else given
        if values.shape != (self.batch_size, len(self.columns)):
            raise SettingError(f"rows: expected the shape ({self.batch_size}, {len(self.columns)}), got {given.shape}.")
        if not np.isfinite(values).all():
            raise DataError("rows: expected finite numbers; a stream can't wait for what is missing.")
        forecaster = self._forecaster
        mean, std = self._mean[self._target], self._std[self._target]
        read = values.copy()
        read[:, self._target] = last = forecaster.features_.forward(values[:, self._target])
        x = ((read - self._mean) / self._std).astype(np.float32)
        features = np.array(self._stream.step(x)).reshape(self.batch_size, -1)
        raw = self._network.output(features).astype(np.float64)
        family = self._network.family
        anchor = (last if forecaster.anchor_ == "last" else np.full(len(values), mean))[:, None]
        if family is not None:
            raw = raw.reshape(self.batch_size, len(self.steps), family.outputs)
            raw[..., 1:] = family.shaped(raw[..., 1:])
            raw = family.centre(raw, anchor / std)
        floor = floors_of_series(forecaster.floors_, None, [""])[0]
        found = np.maximum(forecaster.features_.inverse(raw * std + anchor), floor)
        return found[0] if one else found

    def reset(self) -> None:
        """Begin anew."""
        self._stream.reset()

    def state(self) -> Any:
        """A copy of the state, for `restore`."""
        return self._stream.state()

    def restore(self, state: Any) -> None:
        """Go on from what `state` gave."""
        self._stream.restore(state)


def forecast_stream(forecaster: FittedForecaster, batch_size: int) -> ForecastStream:
    """A stream of a fitted forecaster; raises SettingError, in one sentence, for one that reads whole windows."""
    if not hasattr(forecaster, "learned_"):
        raise SettingError(f"stream: {forecaster.model!r} reads whole tables; give the rows to predict.")
    features, network = forecaster.features_, forecaster.network_
    spec = getattr(network, "spec", None)
    if spec is None:
        raise SettingError(f"stream: {forecaster.model!r} has no form without torch; give the last rows to predict.")
    reasons = {
        "takes the level out of whole windows (normalise='none' does not)": spec.normalise != "none",
        "reads a window by a linear path too (linear_skip=False leaves it out)": spec.skip,
        "reads several rows as one (patch=1 does not)": spec.patch != 1,
        "reads the window as a whole": spec.flat or spec.decodes or not getattr(network.body, "causal", False),
        "reads columns known in advance": spec.future > 0,
        "reads every few rows (every)": forecaster.window_spec_.every > 1,
        "adds to the value one season before": forecaster.anchor_ == "seasonal",
        "reads more than the columns of numbers": features.width != len(features.roles.numeric_inputs),
        "was fitted on several series": features.per_series or features.roles.wide is not None,
    }
    for reason, there in reasons.items():
        if there:
            raise SettingError(f"stream: this {forecaster.model!r} {reason}; give the last rows to predict.")
    return ForecastStream(forecaster, batch_size)
