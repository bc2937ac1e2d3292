"""Split-conformal prediction intervals: forecast ± a radius per step, read off the errors on calibration windows.

For calibration errors and a new error that are exchangeable, the interval at level p holds the new value with a
probability of at least p, and of at most p + 1/(n + 1) where no two errors are equal (Vovk et al. 2005; Lei et al.
2018). The promise is marginal: on average over windows, per step, not for every window or time of day.

Forecast windows overlap, so their errors depend on each other and drift with the seasons: exchangeability holds at
best roughly, n windows carry less than n windows' worth of evidence, and measured coverage on test may miss the
level on either side. That is why `measure` exists and its result belongs beside every interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqloom_runtime.errors import DataError
from seqloom_runtime.statistical.levels import dropped_levels, exact_level, exact_levels, level_name

from .metrics import coverage, mean_width

__all__ = [
    "apply",
    "calibrate",
    "calibrate_available",
    "measure",
]


def calibrate(residuals: Any, levels: Sequence[float]) -> np.ndarray:
    """Radii (L, K) from errors (N, K) of N calibration windows, signed or absolute, for `levels` (L) as fractions.

    radii[l, k] is the ceil((N + 1) level)-th smallest |residual| at step k. All levels share one sorted list, so a
    higher level never has a smaller radius: intervals are nested. Residuals of one step (N,) give radii (L,). Windows
    that overlap make residuals dependent; see the module's text for what that costs.

    Raises DataError where a level needs more windows than there are (`calibrate_available` leaves such levels open) and
    for NaN or other shapes; SettingError for levels outside 0..1 or named twice.

    >>> calibrate([[1.0], [-3.0], [2.0], [4.0]], [0.5, 0.8]).tolist()
    [[3.0], [4.0]]
    """
    errors = _residuals(residuals)
    reasons = dropped_levels(len(errors), levels)
    if reasons:
        raise DataError(f"{next(iter(reasons.values()))}; use more validation rows or a lower level.")
    return _radii(errors, levels)


def calibrate_available(residuals: Any, levels: Sequence[float]) -> np.ndarray:
    """As `calibrate`, but the radii of a level that needs more windows than there are, are NaN.

    `dropped_levels` names these levels and the reason.

    >>> calibrate_available([1.0, -3.0, 2.0, 4.0], [0.8, 0.95]).tolist()
    [4.0, nan]
    """
    errors = _residuals(residuals)
    return _radii(errors, levels)


def apply(forecast: Any, radii: Any) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper ends, each (L, N, K), of the intervals around `forecast` (N, K) with `radii` (L, K).

    >>> low, high = apply([[10.0, 20.0]], [[1.0, 2.0]])
    >>> low.tolist(), high.tolist()
    ([[[9.0, 18.0]]], [[[11.0, 22.0]]])
    """
    centre, radius = np.asarray(forecast, np.float64), np.asarray(radii, np.float64)
    if centre.ndim != 2 or radius.ndim != 2 or centre.shape[1] != radius.shape[1]:
        raise DataError(f"forecast, radii: expected (N, K) and (L, K), got {centre.shape} and {radius.shape}.")
    return centre[None] - radius[:, None], centre[None] + radius[:, None]


def measure(actual: Any, forecast: Any, radii: Any, levels: Sequence[float]) -> dict[str, dict[str, Any]]:
    """How the intervals did: {"coverage": {"80": f}, "width": {"80": f}, "by_step": {"80": [K]}}.

    actual, forecast (N, K) from windows that calibrated nothing, radii (L, K) for `levels` (L). `coverage` is the
    fraction of values inside, `width` the mean width in the target's unit, `by_step` the coverage at each step.

    >>> measure([[1.0], [5.0]], [[2.0], [2.0]], [[1.5]], [0.8])["coverage"]
    {'80': 0.5}
    """
    names = [level_name(level) for level in exact_levels(levels)]
    low, high = apply(forecast, radii)
    truth = np.asarray(actual, np.float64)
    if len(names) != len(low):
        raise DataError(f"levels: expected one per row of radii ({len(low)}), got {len(names)}.")
    if truth.shape != low.shape[1:]:
        raise DataError(f"actual: expected the shape of forecast, {low.shape[1:]}, got {truth.shape}.")
    return {
        "coverage": {name: coverage(truth, lo, hi) for name, lo, hi in zip(names, low, high)},
        "width": {name: mean_width(lo, hi) for name, lo, hi in zip(names, low, high)},
        "by_step": {
            name: np.mean((lo <= truth) & (truth <= hi), axis=0).tolist() for name, lo, hi in zip(names, low, high)
        },
    }


def _residuals(residuals: Any) -> np.ndarray:
    errors = np.asarray(residuals, np.float64)
    if errors.ndim not in (1, 2):
        raise DataError(f"residuals: expected shape (N windows, K steps) or (N,), got {errors.shape}.")
    bad = np.argwhere(~np.isfinite(errors))
    if bad.size:
        place = tuple(int(i) for i in bad[0])
        raise DataError(f"residuals: {len(bad)} values are NaN or infinite, the first at index {place}.")
    return np.abs(errors)


def _radii(errors: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    # One sort for all levels, and per step: errors grow with the horizon.
    ordered = np.sort(errors, axis=0)
    radii = np.full((len(levels), *errors.shape[1:]), np.nan)
    for place, level in enumerate(exact_levels(levels)):
        # n + 1, because the new error takes a place among them: this is what gives the guarantee for finite n.
        rank = math.ceil((len(errors) + 1) * exact_level(level))
        if rank <= len(errors):
            radii[place] = ordered[rank - 1]
    return radii
