"""A saved forecaster as something that forecasts: `read` makes it of a model folder's header and arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..data import Panel
from ..untrained import Predictor
from .beside import Asked
from .fitted import FittedForecaster
from .forecast_table import ForecastTable
from .frames import as_panel, check_grid, frame_kind, reading_of, to_frame
from .predicting import Spread, forecast_ahead
from .saved import parameters_of, read_fitted
from .stream import ForecastStream, forecast_stream
from .targets import columns_of_table, long_again

__all__ = ["ForecastPredictor", "read"]


class ForecastPredictor(FittedForecaster, Predictor):
    """A fitted forecaster that forecasts and can't be trained: with the parameters of the estimator that was saved as
    attributes, and what its fit found under the same names, such as `features_`."""

    def __init__(self, parameters: Mapping[str, Any], fitted: Mapping[str, Any]) -> None:
        for name, value in parameters.items():
            setattr(self, name, value)
        for name, value in fitted.items():
            setattr(self, f"{name}_", value)

    @property
    def network_(self) -> Any:
        """The fitted network, in NumPy."""
        return self.learned_.network

    def predict(
        self,
        data: Any = None,
        *,
        horizon: int | str | None = None,
        levels: float | Sequence[float] | None = None,
        samples: int | None = None,
        seed: int | None = None,
    ) -> Any:
        """Forecast from the end of `data` (by default from the end of the rows that the fit saw).

        data: a mapping of columns by name, each an array or a list; a NumPy array (rows, features) of a model fitted on
        one; a pandas, polars or arrow frame, which needs that package and narwhals; or a `Panel`. Returns a frame of
        the kind that came in, else a dictionary of arrays. The other arguments, and what is raised, are those of
        `seqloom.Forecaster.predict`.
        """
        table = self.forecast(data, horizon=horizon, levels=levels, samples=samples, seed=seed)
        return to_frame(table, self, "numpy" if data is None else frame_kind(data))

    def forecast(
        self,
        data: Any = None,
        *,
        horizon: int | str | None = None,
        levels: float | Sequence[float] | None = None,
        samples: int | None = None,
        seed: int | None = None,
    ) -> ForecastTable:
        """As `predict`, as a `ForecastTable` of NumPy columns with notes."""
        return forecast_of(self, data, horizon, levels, samples, seed)

    def read(self, data: Any) -> Panel:
        """New data as a panel on the frequency that the fit saw; raises DataError where it doesn't fit."""
        return read_rows(self, data)

    def stream(self, batch_size: int = 1) -> ForecastStream:
        """Row by row, of a recurrent network that reads rows as they are: see `stream.ForecastStream`.

        Raises SettingError, with the reason, for a model that reads whole windows.
        """
        return forecast_stream(self, batch_size)


def forecast_of(
    forecaster: FittedForecaster,
    data: Any,
    horizon: int | str | None,
    levels: float | Sequence[float] | None,
    samples: int | None,
    seed: int | None,
    spread: Spread | None = None,
) -> ForecastTable:
    """What `predict` is asked for, as a table; `spread`: who forecasts the series, by default this process."""
    panel = forecaster.context_ if data is None else read_rows(forecaster, data)
    rows = None if horizon is None else forecaster.frequency_.rows(horizon, "horizon")
    asked = (levels,) if isinstance(levels, (int, float)) else levels
    how = Asked(asked, samples, forecaster.seed if seed is None else seed)
    return forecast_ahead(forecaster, panel, rows, how, spread)


def read_rows(forecaster: FittedForecaster, data: Any) -> Panel:
    """New data as a panel on the frequency that the fit saw."""
    time, id, wide = forecaster.source_["time"], forecaster.source_["id"], forecaster.features_.roles.wide
    columns = columns_of_table(forecaster.columns_read_, wide)
    panel = as_panel(data, time=time, id=id, columns=columns, **reading_of(forecaster, columns))
    check_grid(panel, forecaster.frequency_)
    return long_again(panel, wide).select(forecaster.columns_read_)


def read(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> ForecastPredictor:
    """The predictor that a model folder's header and arrays describe; raises FormatError where they don't fit."""
    parameters = parameters_of(header)
    return ForecastPredictor(parameters, read_fitted(parameters, header, arrays, read))
