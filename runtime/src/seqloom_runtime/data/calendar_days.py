"""Arithmetic of whole days, (N,) int64 counted from 1970-01-01: their months, and the business days among them."""

from __future__ import annotations

import numpy as np

__all__ = ["from_business", "is_weekday", "month_of", "month_start", "to_business"]


def month_of(days: np.ndarray) -> np.ndarray:
    """The month of each day."""
    return days.astype("M8[D]").astype("M8[M]").astype(np.int64)


def month_start(months: np.ndarray) -> np.ndarray:
    """The first day of each month."""
    return months.astype("M8[M]").astype("M8[D]").astype(np.int64)


def is_weekday(days: np.ndarray) -> np.ndarray:
    """(N,) bool: whether each day is one of Monday to Friday."""
    return (days + 3) % 7 < 5  # 1970-01-01 was a Thursday; Monday counts 0


def to_business(days: np.ndarray) -> np.ndarray:
    """Business days before each day; a weekend counts as its Friday (and is then found to be off the grid)."""
    weeks, weekday = np.divmod(days + 3, 7)
    return weeks * 5 + np.minimum(weekday, 4)


def from_business(index: np.ndarray) -> np.ndarray:
    """The day of each number of business days, the way back of `to_business`."""
    weeks, weekday = np.divmod(index, 5)
    return weeks * 7 + weekday - 3
