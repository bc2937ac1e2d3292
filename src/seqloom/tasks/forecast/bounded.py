"""Targets that are never negative, such as counts: found in the training rows, and kept in forecasts and intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from seqloom_runtime.data import Panel
from seqloom_runtime.errors import SettingError
from seqloom_runtime.forecast.bounded import below_zero, dropped, lost_floors
from seqloom_runtime.forecast.targets import listed, of_target

if TYPE_CHECKING:
    from seqloom_runtime.forecast.rolling import Offsets

    from .fitting import Fitted
    from .forecaster import Forecaster
    from .windowed import ForecastData

__all__ = [
    "check_counted",
    "counted_targets",
    "floored_offsets",
    "floors_of_rows",
    "floors_of_targets",
    "is_intermittent",
    "without_floors",
]


_ZEROS = 0.25
"""The share of the training rows that are 0 from which on a demand is intermittent."""


def is_intermittent(values: np.ndarray) -> bool:
    """Whether a quarter or more of the known values are 0, and none is below: a demand that comes now and then.

    Absolute errors ask for its median, which is mostly 0, squared ones for its mean, which is what stock is planned by:
    models are chosen by the latter then.

    >>> is_intermittent(np.array([0.0, 0, 3, 1])), is_intermittent(np.array([0.0, -1, 3, 1]))
    (True, False)
    """
    known = values[np.isfinite(values)]
    return bool(len(known) and (known == 0).mean() >= _ZEROS and known.min() >= 0)


def floors_of_targets(data: ForecastData, non_negative: bool | None) -> tuple[tuple[bool, ...], list[str]]:
    """Whether forecasts of each target are held at 0 or above, and a sentence where that was found rather than asked.

    None finds counts: targets whose training rows hold whole numbers from 0 on alone, 0 and others among them. Raises
    SettingError where True is asked for a target with training rows below 0.
    """
    wide, roles = data.features.roles.wide, data.features.roles
    names = (roles.target,) if wide is None else wide.targets
    rows = np.flatnonzero(data.train_rows & data.measured)
    at = of_target(data, rows)
    each = [data.target[rows[at == place]] for place in range(len(names))]
    if non_negative is False:
        return (False,) * len(names), []
    if non_negative:
        for name, values in zip(names, each):
            below = values[values < 0]
            if len(below):
                raise SettingError(
                    f"non_negative: {len(below):,} training rows of {name!r} lie below 0, the lowest at "
                    f"{below.min():g}; leave it out."
                )
        return (True,) * len(names), []
    found = tuple(_are_counts(values) for values in each)
    counts = [name for name, counted in zip(names, found) if counted]
    if not counts:
        return found, []
    return found, [
        f"{listed(counts)} {'holds' if len(counts) == 1 else 'hold'} counts (whole numbers from 0 in the training "
        "rows), so forecasts and intervals do not go below 0 (non_negative=False lets them)."
    ]


def counted_targets(data: ForecastData, floors: Sequence[bool]) -> tuple[bool, ...]:
    """Which of the targets that are held at 0 or above hold whole numbers alone in the training rows: counts."""
    rows = np.flatnonzero(data.train_rows & data.measured)
    at = of_target(data, rows)
    each = [data.target[rows[at == place]] for place in range(len(floors))]
    return tuple(bool(held and len(v) and (v == np.floor(v)).all() and v.max() > 0) for held, v in zip(floors, each))


def check_counted(data: ForecastData, family: str) -> None:
    """Raise SettingError where the training rows hold what a distribution on values from 0 on can't have made."""
    values = data.target[data.train_rows & data.measured]
    whole = family == "negative-binomial"
    bad = (values < 0) | ((values != np.floor(values)) & whole)
    if bad.any():
        raise SettingError(
            f"distribution: {family!r} is one of {'counts, whole numbers' if whole else 'values'} from 0 on, and "
            f"{int(bad.sum()):,} training rows hold others, such as {values[bad][0]:g}; use normal, student-t or "
            "loss='quantiles'."
        )


def floored_offsets(
    floors: Sequence[bool], data: ForecastData, origins: np.ndarray, forecasts: np.ndarray, offsets: Offsets
) -> Offsets:
    """Offsets of intervals around forecasts (N, K), their low ends not below the least value of a bounded target."""
    if not any(floors):
        return offsets
    least = floors_of_rows(floors, data, origins) - forecasts
    return {level: (np.maximum(low, least), high) for level, (low, high) in offsets.items()}


def floors_of_rows(floors: Sequence[bool], data: ForecastData, origins: np.ndarray) -> np.ndarray:
    """The lowest forecast from each origin, (N, 1): 0 or without bound."""
    return np.where(np.array(floors)[of_target(data, origins)], 0.0, -np.inf)[:, None]


def without_floors(forecaster: Forecaster, found: Fitted, panel: Panel) -> Fitted:
    """The fit without the floors at 0 that the rows of `panel` contradict, with a sentence; those asked for stay."""
    roles = found.features.roles
    lost = lost_floors(forecaster, found.floors, found.counted, below_zero(panel, roles))
    if not any(lost):
        return found
    floors, counted = ([h and not gone for h, gone in zip(held, lost)] for held in (found.floors, found.counted))
    return replace(found, floors=tuple(floors), counted=tuple(counted), notes=[*found.notes, dropped(roles, lost)])


def _are_counts(values: np.ndarray) -> bool:
    return bool(len(values) and values.min() == 0 and values.max() > 0 and (values == np.floor(values)).all())
