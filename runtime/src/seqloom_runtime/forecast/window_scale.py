"""Window normalisation: the level, and scale, of each window is taken out of what a network reads and put back.

A level that drifts leaves the range that a network was trained in; what is relative to the window does not.
"""

from __future__ import annotations

import numpy as np

__all__ = ["LEAST_SCALE", "NORMALISATIONS", "WindowScale"]

NORMALISATIONS = ("last", "standard", "seasonal", "none")

LEAST_SCALE = 1e-2
"""Of the standardised target: a window that hardly moves tells no scale to divide by."""


class WindowScale:
    """Level m and scale s of the target in each window, by `kind`; what is read becomes (y − m) / s.

    last: m is the window's last value, s = 1. standard: m and s are its mean and standard deviation (reversible
    instance normalisation without weights, Kim et al. 2022). seasonal: m is the mean of the last `season` steps, s = 1.
    none: m = 0, s = 1. slot: where the target stands among the I inputs. flag: where the input stands that is 1 where
    the target is missing and has no value put in its place, or −1: steps flagged so count for neither m nor s.

    >>> x = np.array([[[1.0], [2.0], [6.0]]], dtype=np.float32)
    >>> [round(float(v[0, 0]), 3) for v in WindowScale("standard", 0, 3)(x)[1:]]
    [3.0, 2.16]
    >>> WindowScale("last", 0, 3)(x)[0].ravel().tolist()
    [-5.0, -4.0, 0.0]
    """

    def __init__(self, kind: str, slot: int, season: int, flag: int = -1) -> None:
        self.kind, self.slot, self.season, self.flag = kind, slot, season, flag

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x (B, L, I) float32 → the same relative to its window, m (B, 1) and s (B, 1), float32."""
        values = np.ascontiguousarray(x[:, :, self.slot])
        known = None if self.flag < 0 else x[:, :, self.flag] == 0
        level, scale = (each.astype(np.float32) for each in self._moments(values, known))
        relative = x.copy()
        own = (values - level) / scale
        relative[:, :, self.slot] = own if known is None else np.where(known, own, np.float32(0))
        return relative, level, scale  # a step without a value says as little as the level

    def _moments(self, values: np.ndarray, known: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        one = np.ones((len(values), 1))
        if self.kind == "last":
            return _last(values, known), one
        if self.kind == "seasonal":
            values, known = values[:, -self.season :], None if known is None else known[:, -self.season :]
        if self.kind == "none":
            return np.zeros_like(one), one
        level = _mean(values.astype(np.float64), known)
        if self.kind == "seasonal":
            return level, one
        return level, np.maximum(np.sqrt(_mean((values - level) ** 2, known)), LEAST_SCALE)


def _mean(values: np.ndarray, known: np.ndarray | None) -> np.ndarray:
    """The mean (B, 1) of rows (B, L), which lie in one piece, so that its bits hang on the row alone."""
    if known is None:
        return np.ascontiguousarray(values).sum(axis=1, keepdims=True) / values.shape[1]
    sums = np.ascontiguousarray(np.where(known, values, 0.0)).sum(axis=1, keepdims=True)
    return sums / np.maximum(known.sum(axis=1, keepdims=True), 1)


def _last(values: np.ndarray, known: np.ndarray | None) -> np.ndarray:
    if known is None:
        return values[:, -1:]
    last = (known * np.arange(1, values.shape[1] + 1)).max(axis=1, keepdims=True)  # 0 where no step is known
    return np.where(last > 0, np.take_along_axis(values, np.maximum(last - 1, 0), axis=1), 0.0)
