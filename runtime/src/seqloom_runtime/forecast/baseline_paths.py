"""A fitted baseline's forecasts from rows of a table that need not be that of the fit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..data import Panel
from ..errors import DataError
from ..statistical.target_history import Baseline, TargetHistory
from .joining import continued
from .known_rows import history_of
from .last_rows import who
from .stand_in import UnfitSeries, why_unfit

if TYPE_CHECKING:
    from .fitted import FittedForecaster

__all__ = ["baseline_paths"]


def baseline_paths(
    forecaster: FittedForecaster, series: Panel, origins: np.ndarray, steps: np.ndarray, name: str
) -> np.ndarray:
    """The fitted baseline applied to the rows `origins` (N,) of one series, under the number that it had in the fit.

    Rows that follow those of the fit go on from them. (N, K), NaN where an origin has too little history for this
    baseline; raises DataError where every origin has.
    """
    statistical = forecaster.baseline_.statistical
    series, kept = continued(forecaster, series, name, strict=statistical)
    origins = origins + kept
    fitted, rows = forecaster.context_, int(origins.max()) + 1
    number = fitted.ids.index(name) if name in fitted.ids else len(fitted.ids)
    past = series.take(np.arange(rows))
    history = history_of(past, forecaster.features_.roles.target, np.zeros(rows, bool), np.full(rows, number))
    before = 0
    if statistical and number < len(fitted.ids):
        # These go on from the states of their fitted rows, which they look for at the row numbers of the fit.
        before = int(fitted.offsets[number])
        history = replace(
            history,
            values=np.concatenate([np.full(before, np.nan), history.values]),
            start=np.concatenate([np.arange(before), history.start + before]),
            train=np.zeros(before + rows, bool),
            slot=None if history.slot is None else np.concatenate([np.zeros(before, np.int64), history.slot]),
            series=np.concatenate([np.zeros(before, np.int64), np.full(rows, number)]),
        )
    baseline, at = forecaster.baseline_, before + origins
    usable = baseline.usable(history, at, steps)
    result = np.full((len(origins), len(steps)), np.nan)
    if not statistical and not usable.any():
        raise _too_few(baseline, history, int(at.max()), steps, name)
    try:
        use = usable if usable.any() else np.ones(len(at), bool)
        result[use] = baseline.forecast(history, at[use], steps)
    except DataError as error:
        why = why_unfit(forecaster, name)
        if why:
            raise UnfitSeries(
                f"Series {name!r} {why}, so that {forecaster.model!r} can't forecast it; 'naive' can.", why
            ) from None
        raise DataError(f"{who(name)}{error}") from None
    return result


def _too_few(baseline: Baseline, history: TargetHistory, last: int, steps: np.ndarray, name: str) -> DataError:
    """What the rows of a series up to `last` lack for a forecast that needs no fit, and what to give."""
    need, have = baseline.reads(steps), last - int(history.start[last]) + 1
    if have >= need:
        return DataError(
            f"{who(name)}{baseline.title} can't forecast, as a value that it reads is missing in the last "
            f"{'row' if need == 1 else f'{need:,} rows'}; fill it or give data that ends elsewhere."
        )
    series = history.series_of_row[: last + 1]
    gap = int(history.start[last]) > int(np.flatnonzero(series == series[last])[0])
    there = f"there {'is' if have == 1 else 'are'} {have:,}"
    rest = f"{there} after the last gap; fill it or give" if gap else f"{there}; give"
    text = f"{who(name)}{baseline.title} needs {need:,} rows without a gap, and {rest} {need - have:,} more."
    why = f"has {have:,} row{'' if have == 1 else 's'}{' after its last gap' if gap else ''}"
    return UnfitSeries(text, why) if name else DataError(text)
