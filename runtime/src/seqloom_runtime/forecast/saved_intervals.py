"""A forecaster's rolling intervals in its model folder: arrays of errors, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import FormatError, shown
from ..saved_fields import array_of, field_of
from ..statistical.rolling_intervals import RollingIntervals
from .rolling import Intervals, groups_of

if TYPE_CHECKING:
    from ..data import WindowSpec
    from ..data.wide import Wide

__all__ = ["interval_arrays", "read_intervals", "write_intervals"]

_TICKS = ("since", "begin", "at")


def write_intervals(intervals: Intervals | None) -> dict[str, Any]:
    """What model.json says of the intervals; nothing where there are none."""
    if intervals is None:
        return {}
    return {"intervals": {"ids": list(intervals.ids), **{name: getattr(intervals.state, name) for name in _TICKS}}}


def interval_arrays(intervals: Intervals | None) -> dict[str, np.ndarray]:
    """The arrays of model.safetensors that belong to them."""
    if intervals is None:
        return {}
    state = intervals.state
    return {f"intervals.{name}": getattr(state, name) for name in ("scale", "series", "tick", "errors", "factors")}


def read_intervals(
    header: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    names: tuple[str, ...],
    spec: WindowSpec,
    wide: Wide | None,
) -> Intervals | None:
    """The intervals for the levels `names`; None of a model saved before there were any.

    Raises FormatError for what can't be theirs.
    """
    stray = [name for name in arrays if name.startswith("intervals.")]
    if "intervals" not in header:
        if stray:
            raise FormatError(f"model.safetensors: {shown(stray[0])} belongs to nothing in model.json.")
        return None
    about = field_of(header, "intervals", dict)
    ids = about.get("ids")
    ticks = [about.get(name) for name in _TICKS]
    if set(about) != {"ids", *_TICKS} or not isinstance(ids, list) or not all(isinstance(name, str) for name in ids):
        raise FormatError(f"model.json: expected ids, since, begin and at under 'intervals', found {shown(about)}.")
    if not all(isinstance(tick, int) and not isinstance(tick, bool) for tick in ticks) or ticks != [
        ticks[0],
        max(ticks[:2]),
        max(ticks),
    ]:
        raise FormatError(f"model.json: expected rising row numbers since, begin and at, found {shown(ticks)}.")
    if not names or len(set(ids)) != len(ids) or not ids:
        raise FormatError(f"model.json: expected intervals of named series for levels with radii, found {shown(ids)}.")
    levels = tuple(sorted(float(name) / 100 for name in names))
    series, tick = array_of(arrays, "intervals.series", np.int64, 1), array_of(arrays, "intervals.tick", np.int64, 1)
    scale, factors = (
        array_of(arrays, f"intervals.{n}", np.float64, axes) for n, axes in (("scale", 1), ("factors", 2))
    )
    errors = array_of(arrays, "intervals.errors", np.float64, 2)
    fit = len(tick) == len(series) == len(errors) and errors.shape[1] == len(spec.steps) and len(scale) == len(ids)
    fit = fit and factors.shape == (len(ids), len(levels)) and bool((np.diff(tick) >= 0).all())
    fit = fit and bool(((series >= 0) & (series < len(ids))).all()) and bool((tick <= ticks[2]).all())
    fit = fit and bool(np.isfinite(factors).all()) and bool((np.isfinite(scale) & (scale > 0)).all())
    if not fit or np.isinf(errors).any() or np.abs(factors).max(initial=0) > 700:
        raise FormatError("model.safetensors: the arrays of the intervals don't fit together or hold infinite values.")
    group = groups_of(tuple(ids), wide)
    since, begin, at = ticks
    state = RollingIntervals(levels, spec.steps, scale, group, series, tick, errors, since, begin, at, factors)
    return Intervals(names, tuple(ids), state)
