"""Quantiles of gamma distributions in NumPy, for forecasts of the Tweedie distribution."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["gamma_below", "gamma_quantiles"]

_HALVINGS = 50
_MOST_TERMS = 100_000
_SMALL = float(np.finfo(np.float64).eps)
_TINY = 1e-300


def gamma_quantiles(level: np.ndarray, shape: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The quantiles at `level` of gamma distributions, by halving an interval that holds them; all broadcast.

    >>> gamma_quantiles(np.array([0.5, 0.9]), np.array(1.0), np.array(2.0)).round(6).tolist()
    [1.386294, 4.60517]
    """
    level, shape = np.broadcast_arrays(level, shape)
    logs = np.reshape([math.lgamma(value) for value in shape.ravel().tolist()], shape.shape)
    low, high = np.zeros(shape.shape), shape + 12 * np.sqrt(shape) + 30
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        above = gamma_below(shape, middle, logs) > level
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return scale * (low + high) / 2


def gamma_below(shape: np.ndarray, x: np.ndarray, logs: np.ndarray) -> np.ndarray:
    """The chance P(a, x) that a gamma variable of shape a and scale 1 is at most x > 0; logs: ln Γ(a).

    The series below a + 1, the continued fraction above (Abramowitz & Stegun 6.5.29 and 6.5.31).

    >>> gamma_below(np.array([2.0, 2.0]), np.array([1.0, 9.0]), np.zeros(2)).round(6).tolist()
    [0.264241, 0.998766]
    """
    shape, x, logs = (np.asarray(each, dtype=np.float64) for each in (shape, x, logs))
    front = np.exp(shape * np.log(np.maximum(x, _TINY)) - x - logs)
    below = x < shape + 1
    result = np.empty(x.shape)
    result[below] = front[below] * _series(shape[below], x[below])
    result[~below] = 1 - front[~below] * _fraction(shape[~below], x[~below])
    return result


def _series(shape: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Σ x^n / (a (a + 1) … (a + n)); each element ends by itself, so that its bits hang on no other."""
    term = 1 / shape
    total, here, at = term.copy(), np.arange(len(x)), shape.copy()
    for _ in range(_MOST_TERMS):
        if not len(here):
            break
        at = at + 1
        term = term * (x[here] / at)
        total[here] += term
        going = term > total[here] * _SMALL
        here, at, term = here[going], at[going], term[going]
    return total


def _fraction(shape: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Lentz' evaluation of 1 / (x + 1 − a − 1 (1 − a) / (x + 3 − a − …)), each element until it stands."""
    b = x + 1 - shape
    c, d = np.full(len(x), 1 / _TINY), 1 / b
    value, here, a = d.copy(), np.arange(len(x)), shape
    for number in range(1, _MOST_TERMS):
        if not len(here):
            break
        factor = -number * (number - a)
        b = b + 2
        d = 1 / _apart(factor * d + b)
        c = _apart(b + factor / c)
        step = d * c
        value[here] *= step
        going = np.abs(step - 1) > _SMALL
        here, a, b, c, d = here[going], a[going], b[going], c[going], d[going]
    return value


def _apart(values: np.ndarray) -> np.ndarray:
    """The values, away from 0."""
    return np.where(np.abs(values) < _TINY, _TINY, values)
