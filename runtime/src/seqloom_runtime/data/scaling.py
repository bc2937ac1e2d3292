"""Standardising: columns brought to mean 0 and standard deviation 1 by statistics of the training rows alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Self

import numpy as np

from ..errors import DataError, FormatError, NotFittedError, SettingError
from .equal_lengths import equal_lengths
from .exact_sums import Moments

if TYPE_CHECKING:
    from .panel import Panel

__all__ = ["MOST_AT_ONCE", "Standardizer", "exact_moments", "moments_of"]

MOST_AT_ONCE = 1 << 22
"""Values of a column whose statistics are taken of one array."""


class Standardizer:
    """z = (x − mean) / std per column, or per series and column with `per_series`.

    Fitted attributes, float64: `mean` and `std`, (F,) or (S, F) with `per_series`, and `ids`, the names of the series.
    std is the population's (divided by n) and 1 where a column is constant. With `per_series`, a series (or one of its
    columns) without a training value has NaN statistics, and transforming a value of it is an error.

    >>> from seqloom.data import Panel
    >>> panel = Panel.from_numpy(np.array([1.0, 3.0, 50.0]))
    >>> scaler = Standardizer().fit(panel, np.array([True, True, False]))
    >>> scaler.mean, scaler.std, scaler.transform(panel.values).ravel()
    (array([2.]), array([1.]), array([-1.,  1., 48.]))
    """

    def __init__(self, *, per_series: bool = False) -> None:
        self.per_series = per_series
        self.ids: tuple[str, ...] = ()
        self.columns: tuple[str, ...] = ()
        self.mean: np.ndarray | None = None
        self.std: np.ndarray | None = None

    def fit(self, panel: Panel, rows: np.ndarray) -> Self:
        """Take the statistics of the rows where `rows` (R,) bool is true; missing and repaired values don't count.

        Raises DataError where a column has no value there or values too large to square, SettingError for a wrong mask.
        """
        rows = np.asarray(rows)
        if rows.dtype != bool or rows.shape != panel.tick.shape:
            raise SettingError(
                f"rows: expected a mask of shape {panel.tick.shape} and type bool, got {rows.shape} and {rows.dtype}."
            )
        ends = panel.offsets if self.per_series else np.array([0, len(panel.tick)])
        mean, std = np.full((2, len(ends) - 1, len(panel.columns)), np.nan)
        for column, name in enumerate(panel.columns):
            counted = np.flatnonzero(rows & np.isfinite(panel.values[:, column]) & ~panel.filled[:, column])
            chosen, number = panel.values[counted, column], np.diff(np.searchsorted(counted, ends))
            if not self.per_series and len(chosen):
                mean[0, column], std[0, column] = moments_of(chosen, name)
            for which, at in equal_lengths(number) if self.per_series else ():
                mean[which, column], std[which, column] = _moments_of_rows(chosen[at], name)
        for column, name in enumerate(panel.columns):
            if np.isnan(mean[:, column]).all():
                raise DataError(
                    f"Column {name!r} has no measured value in the training rows; leave it out or move the split."
                )
        self.ids, self.columns = panel.ids, panel.columns
        self.mean, self.std = (mean, std) if self.per_series else (mean[0], std[0])
        return self

    def transform(self, values: np.ndarray, series: np.ndarray | None = None) -> np.ndarray:
        """Standardise `values` (R, F): float64 of the same shape; NaN stays NaN.

        `series` (R,) int64 is the position of each row's series in `ids`, needed with `per_series`. Raises DataError
        for a series without statistics, NotFittedError before `fit`.
        """
        mean, std = self._statistics(values, series)
        return (values - mean) / std

    def inverse(self, values: np.ndarray, series: np.ndarray | None = None) -> np.ndarray:
        """Bring standardised `values` (R, F) back to the data's units: float64 of the same shape."""
        mean, std = self._statistics(values, series)
        return values * std + mean

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The statistics as arrays, for a safetensors file."""
        mean, std = self._fitted()
        return {"mean": mean.copy(), "std": std.copy()}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, np.ndarray], ids: Sequence[str] = (), columns: Sequence[str] = ()
    ) -> Self:
        """The scaler of `to_arrays`; two-axis statistics are per series, named by `ids`. Raises FormatError."""
        if set(arrays) != {"mean", "std"}:
            raise FormatError(f"scaler: expected the arrays 'mean' and 'std', got {sorted(arrays)}.")
        mean, std = (np.asarray(arrays[name]) for name in ("mean", "std"))
        if mean.dtype != np.float64 or std.dtype != np.float64 or mean.shape != std.shape or mean.ndim not in (1, 2):
            raise FormatError(
                f"scaler: expected mean and std as float64 of one shape (F,) or (S, F), got {mean.dtype} {mean.shape} "
                f"and {std.dtype} {std.shape}."
            )
        bad = ~(np.isfinite(mean) & (std > 0) & np.isfinite(std))
        if mean.ndim == 2:
            bad &= ~(np.isnan(mean) & np.isnan(std))
        if bad.any():
            raise FormatError("scaler: expected finite means and positive standard deviations.")
        if (mean.ndim == 2 and len(ids) != len(mean)) or (columns and len(columns) != mean.shape[-1]):
            raise FormatError(
                f"scaler: statistics of shape {mean.shape} don't fit {len(ids)} series and {len(columns)} columns."
            )
        scaler = cls(per_series=mean.ndim == 2)
        scaler.mean, scaler.std = mean.copy(), std.copy()
        scaler.ids, scaler.columns = tuple(ids), tuple(columns)
        return scaler

    def _fitted(self) -> tuple[np.ndarray, np.ndarray]:
        if self.mean is None or self.std is None:
            raise NotFittedError("This Standardizer has no statistics yet; call fit(panel, rows) first.")
        return self.mean, self.std

    def _statistics(self, values: np.ndarray, series: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        mean, std = self._fitted()
        if values.ndim != 2 or values.shape[1] != mean.shape[-1]:
            raise DataError(f"Expected values of shape (rows, {mean.shape[-1]}), as fitted, got {values.shape}.")
        if not self.per_series:
            return mean, std
        if series is None or series.shape != values.shape[:1]:
            raise SettingError(
                f"series: a scaler with per_series needs the series of each row, shape {values.shape[:1]}, got "
                f"{None if series is None else series.shape}."
            )
        unknown = (series < 0) | (series >= len(mean))
        if unknown.any():
            row = int(np.flatnonzero(unknown)[0])
            raise DataError(
                f"Row {row} belongs to series number {series[row]}, but the scaler was fitted on {len(mean)} series."
            )
        mean, std = mean[series], std[series]
        unseen = np.isnan(mean) & ~np.isnan(values)
        if unseen.any():
            row, column = (int(i) for i in np.argwhere(unseen)[0])
            name = repr(self.columns[column]) if self.columns else f"number {column}"
            raise DataError(
                f"Series {self.ids[series[row]]!r} has no measured value of column {name} in the training rows, so its "
                "scale is unknown; leave the series out, move the split, or scale all series together."
            )
        return mean, std


def moments_of(values: np.ndarray, name: str) -> tuple[float, float]:
    """Mean and population standard deviation in two passes around the first value, so a constant gives exactly 0.

    From `MOST_AT_ONCE` values on by exact sums, which are the same in whatever pieces the values come.
    """
    if len(values) > MOST_AT_ONCE:
        found = Moments()
        found.add(values)
        return exact_moments(found, name)
    with np.errstate(over="ignore"):
        shifted = values - values[0]
    scale = float(np.abs(shifted).max())
    if not np.isfinite(scale):
        raise DataError(
            f"Column {name!r} holds values too far apart to standardise, from {values.min()} to {values.max()}."
        )
    if scale == 0:
        return float(values[0]), 1.0
    shifted /= scale
    centre = shifted.mean()
    return float(values[0] + scale * centre), max(
        float(scale * np.sqrt(np.square(shifted - centre).mean())), np.finfo(float).tiny
    )


def exact_moments(found: Moments, name: str) -> tuple[float, float]:
    """Mean and standard deviation of values whose sums are known; raises DataError where they lie too far apart."""
    mean, std = found.mean, found.std
    if not np.isfinite(std):
        raise DataError(f"Column {name!r} holds values too far apart to standardise.")
    return mean, max(std, np.finfo(float).tiny) if std else 1.0


def _moments_of_rows(values: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """`moments_of` each row of `values` (M, n), with the same bits: (M,) each."""
    first = values[:, 0]
    with np.errstate(over="ignore"):
        shifted = values - first[:, None]
    scale = np.abs(shifted).max(axis=1)
    if not np.isfinite(scale).all() or values.shape[1] > MOST_AT_ONCE:
        found = np.array([moments_of(row, name) for row in values])
        return found[:, 0], found[:, 1]
    same = scale == 0
    shifted /= np.where(same, 1.0, scale)[:, None]
    centre = shifted.mean(axis=1)
    shifted -= centre[:, None]
    std = np.maximum(scale * np.sqrt(np.square(shifted).mean(axis=1)), np.finfo(float).tiny)
    return np.where(same, first, first + scale * centre), np.where(same, 1.0, std)
