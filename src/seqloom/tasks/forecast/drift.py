"""Where the last rows lie outside the range of the training rows: a model has seen nothing like them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqloom_runtime.errors import shown

from .windowed import ForecastData

__all__ = ["drift_notes"]

_LEAST = 0.05
"""Of the training range: how far the last rows lead out of it before it is said; the newest of many rows often are the
highest by a little."""
_SHARE = 0.1
_MOST_NAMED = 5


def drift_notes(data: ForecastData, columns: Sequence[str]) -> list[str]:
    """A sentence for each of `columns` of numbers whose last rows, as many as a window reads, lie outside the range of
    the training rows: how many, and by how much. Of several series each is held against its own training rows."""
    found = [(name, *_outside(data, name)) for name in columns]
    told = [_sentence(data, name, worst, count) for name, worst, count in found if worst is not None]
    if len(told) > _MOST_NAMED:
        rest = len(told) - _MOST_NAMED
        told = [*told[:_MOST_NAMED], f"So do the last rows of {rest} more column{'s' if rest > 1 else ''}."]
    return told


_Worst = tuple[str, int, int, float, float, float, float]
"""Series, rows outside, rows looked at, the value farthest out, lowest and highest of training, excess."""


def _outside(data: ForecastData, column: str) -> tuple[_Worst | None, int]:
    """The series whose last rows lead farthest out, in units of its range, and how many series lead out."""
    panel = data.panel
    at = panel.columns.index(column)
    values = np.where(panel.filled[:, at] | ~np.isfinite(panel.values[:, at]), np.nan, panel.values[:, at])
    reads = 1 - int(data.spec.input_offsets[0])
    worst, most, count = None, _LEAST, 0
    for series, (first, end) in enumerate(zip(panel.offsets[:-1], panel.offsets[1:])):
        rows, train = values[first:end], data.train_rows[first:end]
        known = rows[train & np.isfinite(rows)]
        last = rows[~train & np.isfinite(rows)][-reads:]
        if not len(known) or not len(last):
            continue
        low, high = float(known.min()), float(known.max())
        excess = np.maximum(last - high, low - last)
        farthest = int(np.argmax(excess))
        share = float(excess[farthest]) / (high - low) if high > low else (np.inf if excess[farthest] > 0 else 0.0)
        if share <= _LEAST or not _more_than_outliers(excess > 0):
            continue
        count += 1
        if share > most:
            outside = int(np.count_nonzero(excess > 0))
            most = share
            worst = (panel.ids[series], outside, len(last), float(last[farthest]), low, high, float(excess[farthest]))
    return worst, count


def _more_than_outliers(outside: np.ndarray) -> bool:
    """Whether a tenth of the rows, or the newest two, are outside: single ones are outliers, and no drift."""
    return bool(outside.mean() >= _SHARE or outside[-2:].all())


def _sentence(data: ForecastData, column: str, worst: _Worst, count: int) -> str:
    name, outside, rows, value, low, high, excess = worst
    what, wide = shown(column), data.features.roles.wide
    if wide is not None and column == data.features.roles.target:
        name = wide.parts(name)[0] if wide.joined else ""
        what = shown(wide.parts(worst[0])[1]) + (
            f" (and {count - 1:,} more target{'s' if count > 2 else ''})" if count > 1 else ""
        )
    where = f", farthest in series {shown(name)}" if name else ""
    where = f" in {count:,} series{where}" if name and count > 1 and wide is None else where
    side, way, end = ("above", "up", "highest") if value > high else ("below", "down", "lowest")
    share = f" ({100 * excess / (high - low):.0f} % of the range's width)" if high > low else ""
    return (
        f"Drift: the last rows of {what} lie {side} the range of the training rows{where}: {outside:,} of the last "
        f"{rows:,}, {way} to {value:.6g}, where training rows run from {low:.6g} to {high:.6g}: {excess:.4g} {side} "
        f"their {end} value{share}."
    )
