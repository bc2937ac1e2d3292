"""The test errors of a panel's forecasts series by series: sums, in-sample scales, and what is told of their spread."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .windowed import ForecastData

__all__ = ["Scales", "SeriesErrors", "errors_by_series", "scales_by_series", "series_of", "spread"]

_CHUNK = 1 << 16  # windows whose errors are held at once
_BLOCK = 1 << 20  # rows whose in-sample errors are held at once
_LEVELS = (0, 5, 25, 50, 75, 95, 100)
Scales = tuple[np.ndarray, np.ndarray]
"""What errors of each series are divided by: of absolute errors (S,), and of squared ones."""
_EDGES = np.geomspace(1 / 16, 16, 33)
"""Of the histogram of scaled errors: the same for every model and run, four bins for a factor of two."""


def series_of(data: ForecastData, rows: np.ndarray) -> np.ndarray:
    """The position (N,) of the series of each row (N,)."""
    return np.searchsorted(data.panel.offsets, rows, side="right") - 1


def errors_by_series(
    data: ForecastData, part: str, forecasts: np.ndarray, naive: np.ndarray, scored: np.ndarray
) -> dict[str, np.ndarray]:
    """Sums (S,) over the steps that are scored, by series: `steps`, of the forecasts' `error`, `absolute` and `squared`
    error, and `naive_absolute` and `naive_squared` of the naive forecast at the same steps; none of a single series.

    forecasts and naive (N, K); scored (N,) bool: the windows that count.
    """
    count = len(data.panel.ids)
    if count < 2:
        return {}
    sums = {
        name: np.zeros(count) for name in ("steps", "error", "absolute", "squared", "naive_absolute", "naive_squared")
    }
    origins, windows = data.part(part), np.flatnonzero(scored)
    for at in range(0, len(windows), _CHUNK):
        here = windows[at : at + _CHUNK]
        truth = data.truth(origins[here])
        known = np.isfinite(truth) & np.isfinite(naive[here])
        error, reference = (np.where(known, each[here] - truth, 0.0) for each in (forecasts, naive))
        each = {
            "steps": known,
            "error": error,
            "absolute": np.abs(error),
            "squared": error**2,
            "naive_absolute": np.abs(reference),
            "naive_squared": reference**2,
        }
        place = series_of(data, origins[here])
        for name, values in each.items():
            sums[name] += np.bincount(place, values.sum(axis=1), count)
    return sums


@dataclass(frozen=True, eq=False)
class SeriesErrors:
    """Errors of a model on the test windows by series, (S,) each, NaN where a series has none.

    steps: values that were scored. mae, rmse, bias (the mean of forecast − actual): in the target's unit. mase, rmsse:
    mae and rmse over the in-sample error of the naive forecast of that series' own training rows, seasonal where they
    hold a season (Hyndman & Koehler 2006), NaN where that is 0. naive_…: those of the naive forecast at the same steps.
    """

    steps: np.ndarray
    mae: np.ndarray
    rmse: np.ndarray
    bias: np.ndarray
    mase: np.ndarray
    rmsse: np.ndarray
    naive_mae: np.ndarray
    naive_rmse: np.ndarray
    naive_mase: np.ndarray
    naive_rmsse: np.ndarray

    @classmethod
    def of(cls, scales: Scales, sums: Mapping[str, np.ndarray]) -> SeriesErrors:
        """From the sums of `errors_by_series` and the scales of `scales_by_series`."""
        absolute, squared = scales
        steps = sums["steps"]
        mae, bias, naive_mae = (_over(sums[name], steps) for name in ("absolute", "error", "naive_absolute"))
        rmse, naive_rmse = (np.sqrt(_over(sums[name], steps)) for name in ("squared", "naive_squared"))
        return cls(
            steps=steps.astype(np.int64),
            mae=mae,
            rmse=rmse,
            bias=bias,
            mase=_over(mae, absolute),
            rmsse=_over(rmse, squared),
            naive_mae=naive_mae,
            naive_rmse=naive_rmse,
            naive_mase=_over(naive_mae, absolute),
            naive_rmsse=_over(naive_rmse, squared),
        )

    def ranking(self, intermittent: bool) -> str:
        """The score that series are ranked by: RMSSE of intermittent demand, else MASE; MAE where none has a scale."""
        name = "rmsse" if intermittent else "mase"
        return name if np.isfinite(getattr(self, name)).any() else "mae"


def scales_by_series(data: ForecastData) -> Scales:
    """The in-sample mean absolute error and root mean squared error (S,) of the seasonal naive forecast by series, of
    the naive one where its training rows hold no season; NaN where no two training rows follow one another."""
    absolute, squared = _in_sample(data, data.season or 1.0)
    if (data.season or 1.0) != 1.0:
        lacking = np.isnan(absolute)
        if lacking.any():
            plain = _in_sample(data, 1.0)
            absolute, squared = (np.where(lacking, p, s) for p, s in zip(plain, (absolute, squared)))
    return absolute, squared


def _in_sample(data: ForecastData, season: float) -> Scales:
    """`diagnostics.mase_scale` and `rmsse_scale` of each series by itself: (S,) each, NaN without a pair of rows."""
    count, history = len(data.panel.ids), data.history
    pairs, absolute, squared = (np.zeros(count) for _ in range(3))
    whole = math.ceil(season)
    part = whole - season
    for first, end in _blocks(data.panel.offsets):
        if end - first <= whole:
            continue
        y = history.values[first:end]
        keep = history.train[first:end] & np.isfinite(y)
        now = np.arange(whole, end - first)
        far, near = now - whole, now - whole + (part > 0)
        good = keep[now] & keep[far] & keep[near] & (history.start[first:end][now] - first <= far)
        now, far, near = now[good], far[good], near[good]
        error = y[now] - (y[far] + part * (y[near] - y[far]))
        place = series_of(data, now + first)
        pairs += np.bincount(place, minlength=count)
        absolute += np.bincount(place, np.abs(error), count)
        squared += np.bincount(place, error**2, count)
    return _over(absolute, pairs), np.sqrt(_over(squared, pairs))


def _blocks(offsets: np.ndarray) -> Iterator[tuple[int, int]]:
    """First and last row (excluded) of stretches of whole series, of about `_BLOCK` rows each."""
    first = 0
    while first < len(offsets) - 1:
        last = int(np.searchsorted(offsets, offsets[first] + _BLOCK, side="right")) - 1
        last = max(last, first + 1)
        yield int(offsets[first]), int(offsets[last])
        first = last


def spread(errors: SeriesErrors, score: str) -> dict[str, Any]:
    """How the errors lie over the series, as JSON values: how many are `scored` and by which `score`, its `quantiles`
    at `levels` percent, a histogram (`edges`, `counts`; what lies outside counts in the outer bins; none of MAE), and
    for how many the model is `better` or `worse` than the naive forecast."""
    values = getattr(errors, score)
    values = values[np.isfinite(values)]
    found: dict[str, Any] = {
        "score": score,
        "scored": int((errors.steps > 0).sum()),
        "levels": list(_LEVELS),
        "quantiles": np.percentile(values, _LEVELS).tolist() if len(values) else [None] * len(_LEVELS),
        "better": int((errors.mae < errors.naive_mae).sum()),
        "worse": int((errors.mae > errors.naive_mae).sum()),
    }
    if score != "mae":
        counts = np.histogram(np.clip(values, _EDGES[0], _EDGES[-1]), _EDGES)[0]
        found |= {"edges": [round(edge, 6) for edge in _EDGES.tolist()], "counts": counts.tolist()}
    return found


def _over(numbers: np.ndarray, by: np.ndarray) -> np.ndarray:
    """The quotients, NaN where the divisor is 0 or not known."""
    return np.divide(numbers, by, out=np.full(len(numbers), np.nan), where=by > 0)
