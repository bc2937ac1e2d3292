"""The series with the highest and the lowest test error, with their last forecasts, for the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from seqloom_runtime.forecast.targets import owner_of

from .by_series import SeriesErrors
from .windowed import ForecastData

__all__ = ["extreme_series"]

_EACH = 3  # series at either end
_ROWS, _LEAST = 300, 3  # rows that are drawn of a series at most; lengths of a window before its first forecast
_WINDOWS = 60

Forecast = Callable[[np.ndarray], np.ndarray]


def extreme_series(
    data: ForecastData, errors: SeriesErrors, score: str, forecast: Forecast, naive: Forecast
) -> list[dict[str, Any]]:
    """The three series with the highest `score` and the three with the lowest, of fewer than six half of them each.

    Each has `id` (and `target` of several), `highest` (else lowest), `score`, `naive` (the naive forecast's), and
    of its last rows `at` (milliseconds since 1970 or row numbers), `values` (null where not measured), `forecast` and
    `naive_forecast` (null outside the windows): those of the last test windows that don't overlap. `forecast` and
    `naive` map origins (N,) to forecasts (N, K).
    """
    values = getattr(errors, score)
    ranked = np.flatnonzero(np.isfinite(values))
    ranked = ranked[np.argsort(-values[ranked], kind="stable")]
    each = min(_EACH, len(ranked) // 2)
    if not each:
        return []
    chosen = [(True, int(series)) for series in ranked[:each]]
    chosen += [(False, int(series)) for series in ranked[::-1][:each]]
    found = []
    for highest, series in chosen:
        origins = _apart(data, series)
        drawn = _drawn(data, series, origins, forecast(origins), naive(origins))
        about = {"score": float(values[series]), "naive": _number(getattr(errors, f"naive_{score}")[series])}
        found.append({**_named(data, series), "highest": highest, **about, **drawn})
    return found


def _named(data: ForecastData, series: int) -> dict[str, str]:
    roles, name = data.features.roles, data.panel.ids[series]
    if roles.wide is None:
        return {"id": owner_of(roles, name)}
    return {"id": owner_of(roles, name), "target": roles.wide.parts(name)[1]}


def _apart(data: ForecastData, series: int) -> np.ndarray:
    """The origins of the last test windows of a series that don't overlap, in order."""
    test, panel = data.test, data.panel
    own = test[(test >= panel.offsets[series]) & (test < panel.offsets[series + 1])]
    span = int(data.spec.steps[-1])
    most = max(1, min(_WINDOWS, (_ROWS - _LEAST * span) // span))
    kept: list[int] = []
    for origin in own[::-1][: most * span].tolist():
        if len(kept) < most and (not kept or kept[-1] - origin >= span):
            kept.append(origin)
    return np.array(kept[::-1], dtype=np.int64)


def _drawn(
    data: ForecastData, series: int, origins: np.ndarray, forecast: np.ndarray, naive: np.ndarray
) -> dict[str, Any]:
    """The columns of the rows that are drawn: from some before the first window to the end of the last."""
    panel, steps = data.panel, data.spec.steps
    before = max(_LEAST * int(steps[-1]), 12)
    first = max(int(panel.offsets[series]), int(origins[0]) - min(before, _ROWS // 2) + 1)
    rows = np.arange(first, int(origins[-1]) + int(steps[-1]) + 1)
    values = np.where(data.measured[rows], data.target[rows], np.nan)
    paths = {"forecast": np.full(len(rows), np.nan), "naive_forecast": np.full(len(rows), np.nan)}
    at = (origins[:, None] + steps - first).ravel()
    for name, made in (("forecast", forecast), ("naive_forecast", naive)):
        paths[name][at] = made.ravel()
    times = panel.tick[rows] if panel.time is None else panel.time[rows].astype("M8[ms]").astype(np.int64)
    return {
        "timed": panel.time is not None,
        "at": times.tolist(),
        "values": _numbers(values),
        **{name: _numbers(path) for name, path in paths.items()},
    }


def _numbers(values: np.ndarray) -> Sequence[float | None]:
    return [_number(value) for value in values.tolist()]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
