"""Anomalies of known kinds put into a series, so that a detector can be judged where nobody has labelled any."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqloom_runtime.errors import SettingError, shown

__all__ = ["KINDS", "plant_anomalies"]

KINDS = ("spike", "shift", "season", "flat", "noise")
"""One row far off; a step of the level; a stretch that runs twice as fast; a value that stands still; a burst of
noise."""
_SPIKE, _SHIFT, _NOISE = (3.0, 5.0), (1.0, 2.0), (0.7, 1.2)  # in standard deviations of the series, drawn evenly
_SHORTEST = 3


def plant_anomalies(
    values: np.ndarray,
    *,
    length: int,
    count: int,
    seed: int,
    kinds: Sequence[str] = KINDS,
) -> tuple[np.ndarray, np.ndarray]:
    """A copy of `values` (R, F) with `count` anomalies, and the kind of each row's (R,) int64, −1 for none.

    The kinds follow one another; a spike is one row, the others last half to one and a half times `length` rows, as
    far as they fit. Each changes all columns, in units of their standard deviation; they lie apart from each other by
    at least `length` rows, and fewer are planted where the rows have no place for all. Raises SettingError for a kind
    that there isn't.

    >>> rows = np.sin(np.arange(200.0) / 4)[:, None]
    >>> changed, kind = plant_anomalies(rows, length=10, count=5, seed=0)
    >>> sorted(set(kind.tolist())), bool((changed[kind < 0] == rows[kind < 0]).all())
    ([-1, 0, 1, 2, 3, 4], True)
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise SettingError(
            f"kinds: expected some of {', '.join(KINDS)}, got {shown(unknown[0] if unknown else kinds)}."
        )
    draw = np.random.default_rng(seed)
    changed, found = np.array(values, dtype=np.float64), np.full(len(values), -1, dtype=np.int64)
    spread = np.nan_to_num(np.nanstd(changed, axis=0), nan=1.0) if len(changed) else np.ones(changed.shape[1])
    spread[spread == 0] = 1.0
    # A stretch of the series for each, so that none touches the next whatever is drawn.
    count = min(count, len(values) // (3 * max(length, _SHORTEST)))
    stretch = len(values) // max(count, 1)
    for number in range(count):
        kind = kinds[number % len(kinds)]
        rows = 1 if kind == "spike" else max(_SHORTEST, int(draw.integers(length // 2, length + length // 2 + 1)))
        room = stretch - rows - length
        first = number * stretch + length // 2 + int(draw.integers(0, max(1, room)))
        place = slice(first, min(first + rows, len(values)))
        changed[place] = _changed(changed[place], kind, spread, draw)
        found[place] = KINDS.index(kind)
    return changed, found


def _changed(rows: np.ndarray, kind: str, spread: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    sign = draw.choice((-1.0, 1.0))
    if kind == "spike":
        return rows + sign * draw.uniform(*_SPIKE) * spread
    if kind == "shift":
        return rows + sign * draw.uniform(*_SHIFT) * spread
    if kind == "season":
        return rows[2 * np.arange(len(rows)) % len(rows)]
    if kind == "flat":
        return np.broadcast_to(rows[:1], rows.shape)
    return rows + draw.uniform(*_NOISE) * spread * draw.standard_normal(rows.shape)
