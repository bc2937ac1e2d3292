"""Errors of forecasts as plain numbers: float64 arrays in, floats and small dicts out.

`actual` and `forecast` have the same shape, usually (N windows, K steps ahead), and the target's unit. A NaN or an
infinite value is refused by name: an error over a part of the values would compare unlike things.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from seqloom_runtime.errors import DataError, SettingError
from seqloom_runtime.statistical.target_history import TargetHistory, check_season

__all__ = [
    "by_step",
    "by_time_of_day",
    "coverage",
    "mae",
    "mase",
    "mase_scale",
    "mean_width",
    "quantile_loss",
    "rmse",
    "rmsse",
    "rmsse_scale",
    "skill",
    "smape",
]

# Of ten minutes each; a finer line is noise and hides the day.
_MOST_BINS = 144


def mae(actual: Any, forecast: Any, *, scale: Any = None) -> float:
    """Mean absolute error mean|a - f|, divided by `scale` where given (a number, or one per window).

    Raises DataError for unlike shapes, no values, NaN or infinity, or a scale that is not above 0.

    >>> mae([1.0, 2.0], [2.0, 4.0])
    1.5
    >>> mae([1.0, 2.0], [2.0, 4.0], scale=3.0)
    0.5
    """
    a, f = _pair(actual, forecast)
    return float(np.mean(np.abs(a - f) / _scale(scale, a.shape)))


def rmse(actual: Any, forecast: Any, *, scale: Any = None) -> float:
    """Root of the mean squared error, sqrt(mean((a - f)²)), of errors divided by `scale` where given.

    >>> rmse([0.0, 0.0], [3.0, 4.0])
    3.5355339059327378
    """
    a, f = _pair(actual, forecast)
    return float(_root_mean_square((a - f) / _scale(scale, a.shape)))


def _root_mean_square(errors: np.ndarray, axis: int | None = None) -> np.ndarray:
    """sqrt(mean(e²)); of errors whose squares no float holds by way of the largest one."""
    # Errors above 10¹⁵⁴, of a forecast that ran away, have no square in float64; their root mean square has a value.
    with np.errstate(over="ignore"):
        plain = np.sqrt(np.mean(np.square(errors), axis=axis))
    if np.isfinite(plain).all() or not np.isfinite(errors).all():
        return plain
    largest = np.abs(errors).max()
    return largest * np.sqrt(np.mean(np.square(errors / largest), axis=axis))


def smape(actual: Any, forecast: Any) -> float:
    """Symmetric percentage error, 0 to 200: mean of 200 |a - f| / (|a| + |f|) (Makridakis 1993, as in M4).

    Where actual and forecast are both 0 the term is 0: the forecast is exact.

    >>> smape([100.0, 0.0], [50.0, 0.0])
    33.333333333333336
    """
    a, f = _pair(actual, forecast)
    size = np.abs(a) + np.abs(f)
    # The 1 is never divided by in earnest: where the size is 0, so is the error.
    return float(np.mean(200.0 * np.abs(a - f) / np.where(size == 0, 1.0, size)))


def mase(actual: Any, forecast: Any, scale: Any) -> float:
    """Mean absolute scaled error (Hyndman & Koehler 2006): mean|a - f| over the in-sample error `mase_scale`.

    Below 1: better than the naive forecast one season ahead was on the training rows. `scale` is a number or one per
    window (several series). Raises DataError where the scale is 0 (a constant series).

    >>> mase([1.0, 2.0], [2.0, 4.0], scale=0.5)
    3.0
    """
    if scale is None:
        raise DataError("scale: expected the in-sample error of the naive forecast, got None; mase_scale computes it.")
    return mae(actual, forecast, scale=scale)


def mase_scale(history: TargetHistory, season: float = 1.0) -> float:
    """Mean |y_t - y_{t-m}| over training rows, what MASE divides by; m = `season` in rows, 1 for the naive forecast.

    A pair of rows counts where both are training rows with a value in one gap-free stretch. Where m is not whole,
    y_{t-m} is interpolated between the two rows around, both of which must be training rows. A constant series gives
    0.0, which `mase` refuses. Several series are taken together.

    Raises DataError where no pair of rows is left, SettingError for a season below 1.

    >>> mase_scale(TargetHistory.single([1.0, 2.0, 4.0, 100.0], train_rows=3))
    1.5
    """
    return float(np.mean(np.abs(_naive_errors(history, season))))


def rmsse(actual: Any, forecast: Any, scale: Any) -> float:
    """Root mean squared scaled error (Hyndman & Koehler 2006): the RMSE of errors over the in-sample `rmsse_scale`.

    As in the M5 competition, where most rows are 0 and the mean absolute error favours forecasts of 0. `scale` is a
    number or one per window. Raises DataError where the scale is 0 (a constant series).

    >>> rmsse([3.0, 4.0], [0.0, 0.0], scale=2.5)
    1.4142135623730951
    """
    if scale is None:
        raise DataError("scale: expected the in-sample error of the naive forecast, got None; rmsse_scale computes it.")
    return rmse(actual, forecast, scale=scale)


def rmsse_scale(history: TargetHistory, season: float = 1.0) -> float:
    """Root mean square of y_t - y_{t-m} over training rows, what RMSSE divides by; rows and errors as in `mase_scale`.

    >>> rmsse_scale(TargetHistory.single([1.0, 2.0, 4.0, 100.0], train_rows=3))
    1.5811388300841898
    """
    return float(_root_mean_square(_naive_errors(history, season)))


def _naive_errors(history: TargetHistory, season: float) -> np.ndarray:
    """y_t - y_{t-m} (N,) of the pairs of training rows that `mase_scale` counts."""
    season = check_season(season)
    y, keep = history.values, history.known
    whole = math.ceil(season)
    part = whole - season
    # `far` is the row a season ago, `near` the one after it where the season is no whole number of rows.
    far = np.arange(max(history.rows - whole, 0))
    now, near = far + whole, far + (part > 0)
    good = keep[now] & keep[far] & keep[near] & (history.start[now] <= far)
    if not good.any():
        raise DataError(
            f"season: no two training rows of one gap-free stretch lie {season:g} rows apart "
            f"({int(keep.sum())} training rows); use a shorter season or more training rows."
        )
    past = y[far[good]] + part * (y[near[good]] - y[far[good]])
    return y[now[good]] - past


def quantile_loss(actual: Any, forecast: Any, quantile: float) -> float:
    """Pinball loss of a quantile forecast: mean of max(q (a - f), (q - 1)(a - f)); at q = 0.5 half the MAE.

    Raises SettingError unless 0 < quantile < 1.

    >>> quantile_loss([10.0, 10.0], [8.0, 11.0], 0.75)
    0.875
    """
    if not 0 < quantile < 1:
        raise SettingError(f"quantile: expected a number between 0 and 1, got {quantile}.")
    a, f = _pair(actual, forecast)
    return float(np.mean(np.maximum(quantile * (a - f), (quantile - 1) * (a - f))))


def coverage(actual: Any, low: Any, high: Any) -> float:
    """Fraction of values inside [low, high], ends included.

    >>> coverage([1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 5.0], [1.0, 3.0, 2.0, 6.0])
    0.5
    """
    a, lo, hi = _interval(actual, low, high)
    return float(np.mean((lo <= a) & (a <= hi)))


def mean_width(low: Any, high: Any) -> float:
    """Mean of high - low.

    >>> mean_width([0.0, 1.0], [1.0, 4.0])
    2.0
    """
    lo, _, hi = _interval(low, low, high)
    return float(np.mean(hi - lo))


def skill(error: float, baseline_error: float) -> float:
    """1 - error / baseline error: 1 perfect, 0 as good as the baseline, below 0 worse.

    Raises DataError where the baseline makes no error at all or an error is negative or not finite.

    >>> skill(1.5, 2.0)
    0.25
    """
    if not (np.isfinite(error) and error >= 0):
        raise DataError(f"skill: expected a finite error of at least 0, got {error}.")
    if not (np.isfinite(baseline_error) and baseline_error > 0):
        raise DataError(f"skill is undefined: expected a finite baseline_error above 0, got {baseline_error}.")
    return float(1.0 - error / baseline_error)


def by_step(actual: Any, forecast: Any, steps: Any) -> dict[str, list[Any]]:
    """Errors by step ahead: {"steps": [rows], "mae": [], "rmse": []} of actual and forecast (N, K), steps (K,).

    >>> by_step([[1.0, 2.0], [3.0, 4.0]], [[1.0, 4.0], [2.0, 4.0]], [6, 12])["mae"]
    [0.5, 1.0]
    """
    a, f = _pair(actual, forecast)
    ahead = np.asarray(steps)
    if a.ndim != 2 or ahead.shape != (a.shape[1],):
        raise DataError(f"steps: expected (K,) with actual (N, K), got {ahead.shape} with {a.shape}.")
    return {
        "steps": ahead.tolist(),
        "mae": np.mean(np.abs(a - f), axis=0).tolist(),
        "rmse": _root_mean_square(a - f, axis=0).tolist(),
    }


def by_time_of_day(
    actual: Any, forecast: Any, slots: Any, slots_per_day: int, *, bins: int | None = None
) -> dict[str, list[Any]]:
    """Mean absolute error by the time of day of the target: {"minutes": [], "mae": [], "count": []}.

    slots: same shape as actual, the target's row of the day in 0..slots_per_day-1. The day is cut into `bins` equal
    parts (all slots by default, at most 144), named by their first minute; a part without any target has mae None.

    >>> by_time_of_day([1.0, 5.0, 2.0], [2.0, 5.0, 5.0], [0, 1, 0], 4)["mae"]
    [2.0, 0.0, None, None]
    """
    a, f = _pair(actual, forecast)
    slot = np.asarray(slots)
    if slot.shape != a.shape or not np.issubdtype(slot.dtype, np.integer):
        raise DataError(f"slots: expected whole numbers of shape {a.shape}, got {slot.dtype} of shape {slot.shape}.")
    if slot.min() < 0 or slot.max() >= slots_per_day:
        raise DataError(f"slots: expected 0 to {slots_per_day - 1}, got {slot.min()} to {slot.max()}.")
    parts = min(slots_per_day, _MOST_BINS) if bins is None else bins
    if not 1 <= parts <= slots_per_day:
        raise SettingError(f"bins: expected 1 to {slots_per_day} parts of the day, got {bins}.")
    # In whole numbers, so that a slot at the edge of a part always falls on the same side.
    part = (slot * parts // slots_per_day).ravel()
    count = np.bincount(part, minlength=parts)
    total = np.bincount(part, weights=np.abs(a - f).ravel(), minlength=parts)
    return {
        "minutes": [_plain(1440 * -(-i * slots_per_day // parts) / slots_per_day) for i in range(parts)],
        "mae": [float(t / n) if n else None for t, n in zip(total, count)],
        "count": count.tolist(),
    }


def _plain(minute: float) -> float | int:
    return int(minute) if minute == int(minute) else minute


def _finite(values: Any, name: str) -> np.ndarray:
    array = np.asarray(values)
    if not (np.issubdtype(array.dtype, np.number) or array.dtype == bool) or np.iscomplexobj(array):
        raise DataError(f"{name}: expected real numbers, got {array.dtype}.")
    array = array.astype(np.float64, copy=False)
    if not array.size:
        raise DataError(f"{name}: expected at least one value, got shape {array.shape}.")
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size:
        place = tuple(int(i) for i in np.unravel_index(bad[0], array.shape))
        raise DataError(
            f"{name}: {len(bad)} of {array.size} values are NaN or infinite, the first ({array[place]}) at index "
            f"{place}; leave these windows out or repair them first."
        )
    return array


def _pair(actual: Any, forecast: Any) -> tuple[np.ndarray, np.ndarray]:
    a, f = _finite(actual, "actual"), _finite(forecast, "forecast")
    if a.shape != f.shape:
        raise DataError(f"forecast: expected the shape of actual, {a.shape}, got {f.shape}.")
    return a, f


def _interval(actual: Any, low: Any, high: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    a, lo, hi = _finite(actual, "actual"), _finite(low, "low"), _finite(high, "high")
    if not a.shape == lo.shape == hi.shape:
        raise DataError(f"low, high: expected the shape of actual, {a.shape}, got {lo.shape} and {hi.shape}.")
    crossed = np.argwhere(lo > hi)
    if crossed.size:
        place = tuple(int(i) for i in crossed[0])
        raise DataError(f"low: expected at most high, got {lo[place]} above {hi[place]} at index {place}.")
    return a, lo, hi


def _scale(scale: Any, shape: tuple[int, ...]) -> np.ndarray:
    if scale is None:
        return np.ones(())
    size = _finite(scale, "scale")
    if (size <= 0).any():
        raise DataError(f"scale: expected numbers above 0, got {float(size.min())}.")
    # One number per window: broadcast over its steps, not over the windows.
    if size.ndim == 1 and len(shape) == 2 and len(size) == shape[0]:
        size = size[:, None]
    if size.shape not in ((), shape, (*shape[:1], 1)):
        raise DataError(f"scale: expected a number or one per window ({shape[0] if shape else 1},), got {size.shape}.")
    return size
