"""What stands beside a forecast past the end of a table: intervals, sample paths, and the table of all series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import TYPE_CHECKING, cast

import numpy as np

from ..data import Panel
from ..data.wide import Wide
from ..errors import SettingError, shown
from ..statistical.levels import dropped_levels
from .bounded import floors_of_series
from .families import ends_of
from .forecast_table import ForecastTable
from .rolling import Offsets, offsets_of_knots
from .rolling_ahead import intervals_ahead, paths_ahead, state_ahead

if TYPE_CHECKING:
    from .fitted import FittedForecaster

__all__ = ["Asked", "Paths", "beside", "check_asked", "sampled", "table_of"]

_MOST_SAMPLES = 10**5
_CHUNK = 4096  # series whose quantiles are turned into intervals at once


@dataclass(frozen=True)
class Asked:
    """What a forecast is asked for beside itself: intervals of these levels (None: those of the fit), and how many
    sample paths, drawn from the seed."""

    levels: float | Sequence[float] | None = None
    samples: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.levels, (int, float)):
            object.__setattr__(self, "levels", (self.levels,))


@dataclass(frozen=True, eq=False)
class Paths:
    """The forecasts of N series of a panel: their numbers (N,) and names, their origins (N,) as ticks, how many rows
    ahead the steps (K,) are, and the values (N, K), NaN of a series that could not be forecast.

    knots: of a network that forecasts a distribution its quantiles at the trained steps, (N, T, J), NaN of a series
    without.
    """

    series: np.ndarray
    names: list[str]
    origin: np.ndarray
    steps: np.ndarray
    values: np.ndarray
    knots: np.ndarray | None = None

    @classmethod
    def of(
        cls, panel: Panel, origins: np.ndarray, steps: np.ndarray, values: np.ndarray, knots: np.ndarray | None
    ) -> Paths:
        """From the rows (S,) of the origins and the forecasts of all series of a panel; a series without a row to
        forecast from (−1) is left out."""
        there = np.flatnonzero(origins >= 0)
        names = [panel.ids[series] for series in there.tolist()]
        kept = None if knots is None else knots[there]
        return cls(there, names, panel.tick[origins[there]], steps, values[there], kept)


def beside(
    forecaster: FittedForecaster, panel: Panel, paths: Paths, own: bool, asked: Asked
) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], np.ndarray | None, list[str]]:
    """Low and high of each level for the rows of all paths, or what is added for sample paths (N, count, K) in their
    place, and notes.

    `own` says that the panel holds the rows that the fit saw last.
    """
    if forecaster.intervals_ is None:
        _check_radii_alone(forecaster, asked)
        return _bounds(forecaster, paths, _radii_ahead(forecaster, paths)), None, []
    state, notes = state_ahead(forecaster, panel, own)
    if asked.samples is not None:
        drawn = paths_ahead(forecaster, panel, state, asked.samples, np.random.default_rng(asked.seed))[paths.series]
        steps = len(paths.steps)  # of a fit's steps, as many as are asked for
        for place in _with_knots(paths):
            ends = ends_of(_knots_of(paths, place)[:steps], drawn[place, :, :steps])
            drawn[place, :, :steps] = ends - paths.values[place]
        return {}, drawn, notes
    offsets, told = intervals_ahead(forecaster, panel, state, cast(Sequence[float] | None, asked.levels))
    offsets = {level: (low[paths.series], high[paths.series]) for level, (low, high) in offsets.items()}
    _put_back(offsets, paths)
    return _bounds(forecaster, paths, offsets), None, [*notes, *told]


def _with_knots(paths: Paths) -> np.ndarray:
    """The numbers of the paths that have quantiles."""
    return np.zeros(0, np.int64) if paths.knots is None else np.flatnonzero(np.isfinite(paths.knots).all(axis=(1, 2)))


def _knots_of(paths: Paths, which: int | np.ndarray) -> np.ndarray:
    assert paths.knots is not None
    return paths.knots[which]


def _put_back(offsets: Offsets, paths: Paths) -> None:
    """Turn the normal scores of the interval ends of series with quantiles, in place, into what is added to their
    forecasts."""
    every = _with_knots(paths)
    for start in range(0, len(every), _CHUNK):
        here = every[start : start + _CHUNK]
        knots = _knots_of(paths, here)
        steps = min(len(paths.steps), knots.shape[1])
        ends = {level: (low[here, :steps], high[here, :steps]) for level, (low, high) in offsets.items()}
        for level, (low, high) in offsets_of_knots(knots[:, :steps], paths.values[here, :steps], ends).items():
            offsets[level][0][here, :steps], offsets[level][1][here, :steps] = low, high


def check_asked(forecaster: FittedForecaster, asked: Asked, steps: np.ndarray) -> None:
    """Raise SettingError for levels or samples that can't be; DataError for samples past the trained horizon."""
    levels = asked.levels
    if levels is not None and not isinstance(levels, (int, float)):
        good = [isinstance(each, (int, float)) and not isinstance(each, bool) and 0 < each < 100 for each in levels]
        if not good or not all(good):
            raise SettingError(f"levels: expected percentages between 0 and 100, such as 80, got {shown(levels)}.")
        dropped_levels(1, [round(level / 100, 12) for level in levels])  # refuses one that is named twice
    count, horizon = asked.samples, forecaster.window_spec_.horizon
    if count is None:
        return
    if isinstance(count, bool) or not isinstance(count, Integral) or not 1 <= count <= _MOST_SAMPLES:
        raise SettingError(f"samples: expected a whole number from 1 to {_MOST_SAMPLES:,}, got {shown(count)}.")
    if steps[-1] > horizon:
        raise SettingError(
            f"samples: sample paths end at the trained horizon of {horizon} rows, past which no errors are known; "
            "leave horizon out, or fit with the longer one."
        )


def _radii_ahead(forecaster: FittedForecaster, paths: Paths) -> Offsets:
    """Low and high of each level of a model that was saved with a radius per step alone."""
    wide = forecaster.features_.roles.wide
    places = np.array([0 if wide is None else wide.place(name) for name in paths.names], dtype=np.int64)
    radii = {level: np.atleast_2d(found)[places] for level, found in forecaster.radii_.items()}
    return {level: (-radius, radius) for level, radius in radii.items()}


def _check_radii_alone(forecaster: FittedForecaster, asked: Asked) -> None:
    """Raise SettingError where a model without errors is asked for more than its radii."""
    if asked.samples is not None or asked.levels is not None:
        what, kept = ("samples" if asked.samples is not None else "levels"), ", ".join(forecaster.radii_)
        has = f"the widths of its {kept} % intervals alone" if kept else "no intervals, as it was fitted with none"
        raise SettingError(f"{what}: this model has {has}; fit it again, with levels such as 80, for others.")


def sampled(
    forecaster: FittedForecaster, panel: Panel, paths: Paths, drawn: np.ndarray, notes: list[str]
) -> ForecastTable:
    """Sample paths as a table: those of one series behind each other, in place of its forecast; `drawn` (N, count, K)
    is what is added to the forecasts."""
    wide = forecaster.features_.roles.wide
    floor = floors_of_series(forecaster.floors_, wide, paths.names)[:, None]
    counted = floors_of_series(forecaster.counted_, wide, paths.names)[:, None] == 0  # from 0 on, and whole
    count, steps = drawn.shape[1], len(paths.steps)
    values = np.maximum(paths.values[:, None] + drawn[:, :, :steps], floor)
    values = np.where(counted, np.maximum(np.rint(values), 0), values)
    sample = np.tile(np.repeat(np.arange(count), steps), len(paths.names))
    ticks = np.repeat(_ticks(paths)[:, None], count, axis=1)
    return replace(_table(forecaster, panel, paths, ticks, values, {}, notes), sample=sample)


def _ticks(paths: Paths) -> np.ndarray:
    """The rows ahead of each path as ticks: (N, K)."""
    return paths.origin[:, None] + paths.steps


def _bounds(forecaster: FittedForecaster, paths: Paths, offsets: Offsets) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Low and high of each level for the rows of all paths, NaN past the trained horizon.

    offsets: level → what is added to the forecasts, (N, T) each.
    """
    trained, steps = forecaster.window_spec_.steps, paths.steps
    shared = np.isin(steps, trained)
    floor = floors_of_series(forecaster.floors_, forecaster.features_.roles.wide, paths.names)
    bounds = {}
    for level, sides in offsets.items():
        each = np.full((2, *paths.values.shape), np.nan)
        each[:, :, shared] = np.stack(sides)[:, :, np.searchsorted(trained, steps[shared])]
        low, high = each
        bounds[level] = (np.maximum(paths.values + low, floor).ravel(), (paths.values + high).ravel())
    return bounds


def table_of(
    forecaster: FittedForecaster,
    panel: Panel,
    paths: Paths,
    bounds: dict[str, tuple[np.ndarray, np.ndarray]],
    notes: list[str],
) -> ForecastTable:
    """The forecasts of all paths as a table, with their bounds (N · K,) by level."""
    return _table(forecaster, panel, paths, _ticks(paths), paths.values, bounds, notes)


def _table(
    forecaster: FittedForecaster,
    panel: Panel,
    paths: Paths,
    ticks: np.ndarray,
    values: np.ndarray,
    bounds: dict[str, tuple[np.ndarray, np.ndarray]],
    notes: list[str],
) -> ForecastTable:
    """Ticks and values (N, …) of N series as a table, one row behind the other."""
    roles, wide = forecaster.features_.roles, forecaster.features_.roles.wide
    names = np.array([name or roles.target for name in paths.names], dtype=object)
    ids, ticks = np.repeat(names, int(np.prod(ticks.shape[1:]))), ticks.ravel()
    times = ticks if panel.time is None else panel.frequency.times(ticks)
    if wide is not None and _ends_apart(paths, wide):
        notes = [
            *notes,
            "Targets whose last values lie at different times have forecasts of different times: a cell holds no value "
            "where its target has no forecast.",
        ]
    return ForecastTable(ids, times, values.ravel(), bounds, tuple(notes), wide)


def _ends_apart(paths: Paths, wide: Wide) -> bool:
    """Whether targets that share the rows of a table begin their forecasts at different times."""
    first: dict[str, int] = {}
    origins = zip(paths.names, paths.origin.tolist())
    return any(first.setdefault(wide.parts(name)[0], origin) != origin for name, origin in origins)
