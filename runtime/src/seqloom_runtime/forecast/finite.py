"""Numbers beyond what a forecast can hold or a network can read, each refused in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..data import Panel
from ..data.calendar import time_labels
from ..errors import DataError, shown
from .known_rows import observed
from .roles import Roles
from .targets import named_target

if TYPE_CHECKING:
    from .fitted import FittedForecaster

__all__ = ["check_finite", "check_readable", "check_standardised", "too_large"]


def check_finite(forecaster: FittedForecaster, series: Panel, values: np.ndarray, name: str) -> None:
    """Raise DataError where a forecast (K,) holds what is no finite number, as squares of 1e200 are none."""
    if np.isfinite(values).all():
        return
    target = forecaster.features_.roles.target
    known = np.abs(series.column(target)[observed(series, target)])
    raise DataError(
        f"{f'Series {shown(name)}: ' if name else ''}the forecast of {forecaster.model!r} is no finite number, from "
        f"values of {shown(named_target(forecaster.features_.roles, name))} up to {known.max(initial=0.0):g}; give the "
        "target in a larger unit, so that its squares are numbers too."
    )


def check_readable(roles: Roles, panel: Panel, rows: np.ndarray, name: str) -> None:
    """Raise DataError where a column known in advance holds a number at one of `rows` that is too large to be read."""
    for column, at in zip(roles.future, panel.positions(roles.future)):
        there = rows[np.isfinite(panel.values[rows, at])]
        large = there[too_large(panel.values[there, at])]
        if len(large):
            raise DataError(
                f"{f'Series {shown(name)}: ' if name else ''}the column {shown(column)}, known in advance, holds "
                f"{panel.values[large[0], at]:g} in a row to be forecast, which is too large to be read; correct it."
            )


def check_standardised(columns: Sequence[str], panel: Panel, scaled: np.ndarray) -> None:
    """Raise DataError, naming the first cell, where a standardised value (R, n) of `columns` is too large to read."""
    low, high = (end.reduce(scaled, axis=None, initial=0.0) for end in (np.fmin, np.fmax))
    if low >= -_LARGEST and high <= _LARGEST:
        return
    row, column = (int(i) for i in np.argwhere(too_large(scaled))[0])
    series = panel.ids[int(np.searchsorted(panel.offsets, row, side="right")) - 1]
    where = f"row {row + 1:,}" if panel.time is None else time_labels(panel.time[[row]], panel.zone)[0]
    raise DataError(
        f"{f'Series {shown(series)}: ' if series else ''}the column {shown(columns[column])} holds "
        f"{panel.column(columns[column])[row]:g} at {where}, {abs(scaled[row, column]):.1g} standard deviations from "
        "the mean that the model was fitted with, which is too large to be read; correct it, or leave the cell empty."
    )


def too_large(values: np.ndarray) -> np.ndarray:
    """Which values no network can read."""
    return np.abs(values) > _LARGEST


_LARGEST = float(np.finfo(np.float32).max) / 1e3
"""Networks read float32, standardised by what may be small."""
