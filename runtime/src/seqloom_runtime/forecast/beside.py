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

__all__ = ["Asked", "Piece", "beside", "check_asked", "sampled", "table_of"]

_MOST_SAMPLES = 10**5


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
class Piece:
    """The forecast of one series: its name, its origin and the rows after it as ticks, and the values (K,).

    knots: of a network that forecasts a distribution its quantiles at the trained steps, (K, J).
    """

    name: str
    origin: int
    ticks: np.ndarray
    values: np.ndarray
    knots: np.ndarray | None = None


def beside(
    forecaster: FittedForecaster, panel: Panel, pieces: list[Piece], own: bool, asked: Asked
) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], np.ndarray | None, list[str]]:
    """Low and high of each level for the rows of all pieces, or sample paths (S, count, K) in their place, and notes.

    `own` says that the panel holds the rows that the fit saw last.
    """
    if forecaster.intervals_ is None:
        _check_radii_alone(forecaster, asked)
        return _bounds(forecaster, pieces, _radii_ahead(forecaster, pieces)), None, []
    state, notes = state_ahead(forecaster, panel, own)
    if asked.samples is not None:
        paths = paths_ahead(forecaster, panel, state, asked.samples, np.random.default_rng(asked.seed))
        for piece in pieces:
            if piece.knots is not None:  # of a fit's steps, as many as are asked for
                at, steps = panel.ids.index(piece.name), len(piece.values)
                paths[at, :, :steps] = ends_of(piece.knots[:steps], paths[at, :, :steps]) - piece.values
        return {}, paths, notes
    offsets, told = intervals_ahead(forecaster, panel, state, cast(Sequence[float] | None, asked.levels))
    at = [panel.ids.index(piece.name) for piece in pieces]
    offsets = {level: (low[at], high[at]) for level, (low, high) in offsets.items()}
    for number, piece in enumerate(pieces):
        if piece.knots is not None:
            _put_back(offsets, number, piece)
    return _bounds(forecaster, pieces, offsets), None, [*notes, *told]


def _put_back(offsets: Offsets, number: int, piece: Piece) -> None:
    """Turn the normal scores of one series' interval ends, in place, into what is added to its forecast."""
    assert piece.knots is not None
    steps = min(len(piece.values), len(piece.knots))
    here = {level: (low[number, :steps], high[number, :steps]) for level, (low, high) in offsets.items()}
    for level, (low, high) in offsets_of_knots(piece.knots[:steps], piece.values[:steps], here).items():
        offsets[level][0][number, :steps], offsets[level][1][number, :steps] = low, high


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


def _radii_ahead(forecaster: FittedForecaster, pieces: list[Piece]) -> Offsets:
    """Low and high of each level of a model that was saved with a radius per step alone."""
    wide = forecaster.features_.roles.wide
    places = np.array([0 if wide is None else wide.place(piece.name) for piece in pieces])
    radii = {level: np.atleast_2d(found)[places] for level, found in forecaster.radii_.items()}
    return {level: (-radius, radius) for level, radius in radii.items()}


def _check_radii_alone(forecaster: FittedForecaster, asked: Asked) -> None:
    """Raise SettingError where a model without errors is asked for more than its radii."""
    if asked.samples is not None or asked.levels is not None:
        what, kept = ("samples" if asked.samples is not None else "levels"), ", ".join(forecaster.radii_)
        has = f"the widths of its {kept} % intervals alone" if kept else "no intervals, as it was fitted with none"
        raise SettingError(f"{what}: this model has {has}; fit it again, with levels such as 80, for others.")


def sampled(
    forecaster: FittedForecaster, panel: Panel, pieces: list[Piece], paths: np.ndarray, notes: list[str]
) -> ForecastTable:
    """Sample paths as a table: those of one series behind each other, in place of its forecast."""
    wide, names = forecaster.features_.roles.wide, [piece.name for piece in pieces]
    floor = floors_of_series(forecaster.floors_, wide, names)
    counts = floors_of_series(forecaster.counted_, wide, names)  # from 0 on, and whole
    found, count = [], paths.shape[1]
    for piece, low, counted in zip(pieces, floor, counts == 0):
        values = np.maximum(piece.values + paths[panel.ids.index(piece.name), :, : len(piece.values)], low)
        values = np.maximum(np.rint(values), 0) if counted else values
        found.append(replace(piece, ticks=np.tile(piece.ticks, count), values=values.ravel()))
    steps = len(pieces[0].values)
    sample = np.tile(np.repeat(np.arange(count), steps), len(pieces))
    return replace(table_of(forecaster, panel, found, {}, notes), sample=sample)


def _bounds(
    forecaster: FittedForecaster, pieces: list[Piece], offsets: Offsets
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Low and high of each level for the rows of all pieces, NaN past the trained horizon.

    offsets: level → what is added to the forecasts, (N, K) each for N pieces.
    """
    trained, wide = forecaster.window_spec_.steps, forecaster.features_.roles.wide
    values, steps = np.concatenate([piece.values for piece in pieces]), pieces[0].ticks - pieces[0].origin
    shared = np.isin(steps, trained)
    floor = np.repeat(floors_of_series(forecaster.floors_, wide, [piece.name for piece in pieces]), len(steps))
    bounds = {}
    for level, sides in offsets.items():
        each = np.full((2, len(pieces), len(steps)), np.nan)
        each[:, :, shared] = np.stack(sides)[:, :, np.searchsorted(trained, steps[shared])]
        low, high = each.reshape(2, -1)
        bounds[level] = (np.maximum(values + low, floor), values + high)
    return bounds


def table_of(
    forecaster: FittedForecaster,
    panel: Panel,
    pieces: list[Piece],
    bounds: dict[str, tuple[np.ndarray, np.ndarray]],
    notes: list[str],
) -> ForecastTable:
    roles = forecaster.features_.roles
    ids = np.concatenate([np.full(len(piece.values), piece.name or roles.target, dtype=object) for piece in pieces])
    ticks = np.concatenate([piece.ticks for piece in pieces])
    values = np.concatenate([piece.values for piece in pieces])
    times = ticks if panel.time is None else panel.frequency.times(ticks)
    wide = roles.wide
    if wide is not None and _ends_apart(pieces, wide):
        notes = [
            *notes,
            "Targets whose last values lie at different times have forecasts of different times: a cell holds no value "
            "where its target has no forecast.",
        ]
    return ForecastTable(ids, times, values, bounds, tuple(notes), wide)


def _ends_apart(pieces: list[Piece], wide: Wide) -> bool:
    """Whether targets that share the rows of a table begin their forecasts at different times."""
    first: dict[str, int] = {}
    return any(first.setdefault(wide.parts(piece.name)[0], piece.origin) != piece.origin for piece in pieces)
