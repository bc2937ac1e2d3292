"""BFGS for a handful of parameters: the same steps on any machine, and no threads of a linear algebra library."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["minimised"]

_STEP = 1e-6  # of the forward differences that the slope is made of
_FLAT = 1e-8
"""A step that gains less than this ends the descent; the values are per row, so it is that of an AICc of 1e-8 a row."""


def minimised(
    value: Callable[[np.ndarray], float], start: np.ndarray, iterations: int, bound: float = 8.0
) -> tuple[np.ndarray, float]:
    """The best x (K,) within ±bound of at most so many BFGS steps from `start` (Nocedal & Wright 2006), and its value.

    The slope is of forward differences: K values a step, and some for its length.
    """
    x = np.clip(start, -bound, bound)
    here = value(x)
    if not len(x):
        return x, here
    slope = _slope(value, x, here)
    inverse = np.eye(len(x)) / max(1.0, float(np.abs(slope).max()))
    for _ in range(iterations):
        direction = -inverse @ slope
        if direction @ slope >= 0:
            inverse = np.eye(len(x))
            direction = -slope
        # Steps beyond 2 leave the region that the slope knows of.
        direction *= min(1.0, 2.0 / max(float(np.abs(direction).max()), 1e-300))
        there, found = _along(value, x, here, direction, slope, bound)
        if found >= here - _FLAT:
            return (there, found) if found < here else (x, here)
        new = _slope(value, there, found)
        moved, turned = there - x, new - slope
        inner = float(moved @ turned)
        if inner > 1e-12:
            left = np.eye(len(x)) - np.outer(moved, turned) / inner
            inverse = left @ inverse @ left.T + np.outer(moved, moved) / inner
        x, here, slope = there, found, new
    return x, here


def _along(
    value: Callable[[np.ndarray], float],
    x: np.ndarray,
    here: float,
    direction: np.ndarray,
    slope: np.ndarray,
    bound: float,
) -> tuple[np.ndarray, float]:
    """The first of the lengths 1, 1/2, 1/4, … that gains what the slope lets expect (Armijo), or the last tried."""
    there, found, length = x, here, 1.0
    for _ in range(12):
        there = np.clip(x + length * direction, -bound, bound)
        found = value(there)
        if found <= here + 1e-4 * float((there - x) @ slope):
            break
        length /= 2
    return there, found


def _slope(value: Callable[[np.ndarray], float], x: np.ndarray, here: float) -> np.ndarray:
    return np.array([value(x + _STEP * unit) - here for unit in np.eye(len(x))]) / _STEP
