"""What an autoencoder must be better than: how far a row lies from those before it, or from its place in the season.

Both say of each row, in standardised values, the squared error (R, F) that stands for the row, as a network does.
"""

from __future__ import annotations

import numpy as np

from ..errors import FormatError
from .rows import Rows

__all__ = ["BASELINES", "RollingZScore", "SeasonalResidual"]

_LEAST = 0.1  # standard deviations of the training rows: still stretches would make any row an anomaly


class RollingZScore:
    """((x_t − m) / s)², m and s the mean and standard deviation of the `window` rows before t, those of training in
    place of the ones that are missing."""

    n_parameters = 0

    def __init__(self, window: int) -> None:
        self.window = window

    def errors(self, rows: Rows) -> np.ndarray:
        """(R, F), NaN where a value is unknown."""
        found = np.full(rows.values.shape, np.nan)
        for first, end in rows.stretches:
            x, known = rows.values[first:end], rows.known[first:end]
            count, total, squares = (_before(each, self.window) for each in (known * 1.0, x * known, x * x * known))
            # Standardised training rows have mean 0 and variance 1.
            mean = total / self.window
            variance = (squares + self.window - count) / self.window - mean * mean
            spread = np.maximum(np.sqrt(np.maximum(variance, 0.0)), _LEAST)
            found[first:end] = np.where(known, ((x - mean) / spread) ** 2, np.nan)
        return found


class SeasonalResidual:
    """(x_t − p)², p the mean of the training rows at the same place of the season; without a season their mean, 0.

    profile: (S, F); the place of a row is its position on the grid, modulo the season, rounded down.
    """

    def __init__(self, season: float | None, profile: np.ndarray) -> None:
        if season is not None and len(profile) != int(np.ceil(season)):
            raise FormatError(f"profile: expected {int(np.ceil(season))} rows, found {len(profile)}.")
        self.season, self.profile = season, profile
        self.n_parameters = 0 if season is None else profile.size

    @classmethod
    def fit(cls, rows: Rows, season: float | None) -> SeasonalResidual:
        """The means of the training rows."""
        places = 1 if season is None else int(np.ceil(season))
        profile, place = np.zeros((places, rows.values.shape[1])), _place(rows.tick, season)
        if season is not None:
            for column in range(profile.shape[1]):
                known = rows.known[:, column]
                count = np.bincount(place[known], minlength=places)
                total = np.bincount(place[known], rows.values[known, column], minlength=places)
                profile[:, column] = total / np.maximum(count, 1)
        return cls(season, profile)

    def errors(self, rows: Rows) -> np.ndarray:
        """(R, F), NaN where a value is unknown."""
        residual = rows.values - self.profile[_place(rows.tick, self.season)]
        return np.where(rows.known, residual**2, np.nan)


BASELINES = ("z-score", "seasonal-residual")


def _place(tick: np.ndarray, season: float | None) -> np.ndarray:
    return np.zeros(len(tick), dtype=np.int64) if season is None else np.floor(np.mod(tick, season)).astype(np.int64)


def _before(values: np.ndarray, window: int) -> np.ndarray:
    """The sum of the `window` rows before each, fewer at the start."""
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    at = np.arange(len(values))
    return sums[at] - sums[np.maximum(at - window, 0)]
