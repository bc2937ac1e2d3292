"""Thins long series to the rows a chart can show: the minimum and maximum of every pixel column, and the gaps.

A line through the thinned rows covers the same pixels as one through all rows. The full rows stay in the CSV files.
"""

from __future__ import annotations

import numpy as np

__all__ = ["ROWS_PER_CHART", "break_gaps", "thin"]

# altair refuses more; and a browser draws them at once.
ROWS_PER_CHART = 5_000


def thin(x: np.ndarray, columns: np.ndarray, limit: int = ROWS_PER_CHART) -> np.ndarray:
    """Choose at most `limit` rows that keep every column's minimum and maximum per bucket of x, in row order.

    x (R,) ascending; columns (R, F) with NaN for gaps. Returns ascending row indices (K,), K <= limit. The x range is
    cut into equal buckets ("pixels"), as many as the limit allows; of each bucket the rows with a column's minimum and
    maximum stay, and the first NaN row of a bucket that has values and gaps (or only gaps), so that lines stay broken.
    The first and the last row always stay. Up to `limit` rows pass untouched. Raises ValueError for limit < 2 + 3 F.

    >>> thin(np.arange(6.0), np.array([[0.0], [9.0], [1.0], [1.0], [-5.0], [2.0]]), limit=5).tolist()
    [0, 1, 4, 5]
    """
    rows, width = columns.shape
    # Both ends, and of one bucket a minimum, a maximum and a gap for each column.
    if limit < 2 + 3 * width:
        raise ValueError(f"expected limit >= {2 + 3 * width} for {width} columns, got {limit}.")
    if rows <= limit:
        return np.arange(rows)
    # Two rows a bucket is what a single column without gaps needs; more columns keep more, and are counted.
    buckets = limit // 2
    while True:
        kept = _extremes(_bucket_of(x, buckets), columns)
        if len(kept) <= limit:
            return kept
        # Smaller in proportion to the excess, and by one at least, so that it ends.
        buckets = max(1, min(buckets - 1, int(buckets * limit / len(kept))))


def break_gaps(x: np.ndarray, columns: np.ndarray, factor: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """Insert one all-NaN row wherever x jumps by more than `factor` times its median step, so that a line breaks there.

    x (R,) ascending; columns (R, F). Returns x and columns with G more rows each; the new x lies just after the last
    value before the gap.

    >>> break_gaps(np.array([0.0, 1, 2, 5]), np.array([[1.0], [2], [3], [4]]))[0].tolist()
    [0.0, 1.0, 2.0, 3.0, 5.0]
    """
    steps = np.diff(x)
    positive = steps[steps > 0]
    if not len(positive):
        return x, columns
    # The median: a few gaps don't move it, as they would a mean.
    usual = float(np.median(positive))
    before = np.flatnonzero(steps > factor * usual)
    return np.insert(x, before + 1, x[before] + usual), np.insert(columns, before + 1, np.nan, axis=0)


def _bucket_of(x: np.ndarray, buckets: int) -> np.ndarray:
    span = float(x[-1] - x[0])
    if not span > 0:
        return np.arange(len(x)) * buckets // len(x)
    return np.minimum(((x - x[0]) * (buckets / span)).astype(np.int64), buckets - 1)


def _extremes(bucket: np.ndarray, columns: np.ndarray) -> np.ndarray:
    keep = np.zeros(len(bucket), dtype=bool)
    keep[[0, -1]] = True
    for column in columns.T:
        missing = np.isnan(column)
        # lexsort has no order for NaN; `missing` ranks before it.
        ranked = np.where(missing, 0.0, column)
        order = np.lexsort((np.arange(len(bucket)), ranked, missing, bucket))
        keep[order[_firsts(bucket[order])]] = True  # lowest value, or the first gap where there is no value
        order = np.lexsort((np.arange(len(bucket)), -ranked, missing, bucket))
        keep[order[_firsts(bucket[order])]] = True
        gaps = np.flatnonzero(missing)
        keep[gaps[_firsts(bucket[gaps])]] = True
    return np.flatnonzero(keep)


def _firsts(groups: np.ndarray) -> np.ndarray:
    return np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]]) if len(groups) else np.array([], dtype=np.int64)
