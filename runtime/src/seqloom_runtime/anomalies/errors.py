"""The errors of rows, and their scores: what stands for each value, and how it is weighed."""

from __future__ import annotations

from typing import Any

import numpy as np

from .rows import Rows, in_chunks, starts_of

__all__ = ["errors_of", "scores_of"]

_AT_ONCE = 64  # windows


def errors_of(model: Any, rows: Rows, window: int, *, online: bool = False, most: int | None = None) -> np.ndarray:
    """The squared error (R, F) that stands for each value, NaN where it is unknown or no window covers it.

    Of an autoencoder the mean over the windows that cover the row, or with `online` that of the window that ends in
    it, which reads nothing after it. most: of so many windows, evenly spread.
    """
    if hasattr(model, "errors"):  # a baseline
        return model.errors(rows)
    total, count = np.zeros(rows.values.shape), np.zeros((len(rows), 1))
    for starts in in_chunks(starts_of(rows, window, most), _AT_ONCE):
        x = rows.windows(starts, window)
        errors = np.square(model(x) - x).astype(np.float64)
        for step in (window - 1,) if online else range(window):
            total[starts + step] += errors[:, step]  # the starts differ, so no row is met twice
            count[starts + step] += 1
    seen = rows.known & (count > 0)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=seen)


def scores_of(errors: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """The score (R,) of each row: the mean over its known columns of the errors (R, F), each divided by what is usual
    for it; 1 is usual. NaN where nothing is known."""
    shares = errors / spread
    known = np.isfinite(shares)
    count = known.sum(axis=1)
    total = np.where(known, shares, 0.0).sum(axis=1)
    return np.divide(total, count, out=np.full(len(shares), np.nan), where=count > 0)
