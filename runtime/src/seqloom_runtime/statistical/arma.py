"""Gaussian ARMA models exactly, in NumPy: forecasts from many origins, by a banded Cholesky factor.

A model is a(B) w_t = b(B) e_t with a_0 = b_0 = 1 and e_t of unit variance. With m = max(p, q) the rows z_t = w_t for
t < m and z_t = a(B) w_t from there on have a covariance that is zero more than m rows apart (Ansley 1979), so its
Cholesky factor L costs rows · m², and u = L⁻¹ z are the standardised one-step errors of the best linear forecast: the
forecasts are those of the Kalman filter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = [
    "FACTORED",
    "Factor",
    "autocovariances",
    "covariance_band",
    "errors_of",
    "factored",
    "forecast_paths",
    "impulses",
]

FACTORED = 4096
"""Rows of L that are worked out; it has settled by then, and its last row stands for all later ones."""
_CHUNK = 8192  # origins forecast at once


@dataclass(frozen=True, eq=False)
class Factor:
    """The first columns of L, lower band (m + 1, C), of the model with the polynomials a (p + 1,) and b (q + 1,)."""

    a: np.ndarray
    b: np.ndarray
    band: np.ndarray

    @property
    def width(self) -> int:
        """m = max(p, q)."""
        return len(self.band) - 1


def impulses(a: np.ndarray, b: np.ndarray, count: int) -> np.ndarray:
    """psi_0 … psi_{count−1} of b(B) / a(B)."""
    psi = np.zeros(count)
    psi[: min(len(b), count)] = b[:count]
    for at in range(1, count):
        lags = min(at, len(a) - 1)
        psi[at] -= a[1 : lags + 1] @ psi[at - lags : at][::-1]
    return psi


def autocovariances(a: np.ndarray, b: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(gamma, r), (count,) each: cov(w_t, w_{t−k}), and cov(b(B) e_t, w_{t−k}); for a stationary model."""
    p, q = len(a) - 1, len(b) - 1
    size = max(count, p + 1, q + 1)
    psi = impulses(a, b, q + 1)
    r = np.zeros(size)
    # r_k = sum over j ≥ k of b_j psi_{j−k}: w_{t−k} has met only the errors up to t − k.
    r[: q + 1] = np.correlate(b, psi, "full")[q:]
    # Yule-Walker with its right side: sum_i a_i gamma(|k − i|) = r_k for k = 0 … p.
    padded = np.concatenate([a, np.zeros(p + 1)])
    rows = np.arange(p + 1)
    apart = rows[:, None] - rows
    system = np.where(apart >= 0, padded[np.maximum(apart, 0)], 0.0)
    system[:, 1:] += padded[rows[:, None] + rows[1:]]
    gamma = np.zeros(size)
    gamma[: p + 1] = np.linalg.solve(system, r[: p + 1])
    for k in range(p + 1, size):
        gamma[k] = r[k] - a[1:] @ gamma[k - 1 : k - p - 1 : -1] if p else r[k]
    return gamma[:count], r[:count]


def covariance_band(a: np.ndarray, b: np.ndarray, rows: int) -> np.ndarray:
    """The lower band (m + 1, C) of the covariance of z over the first rows, `FACTORED` at most."""
    m, q = max(len(a), len(b)) - 1, len(b) - 1
    columns = min(rows, max(FACTORED, 2 * m + 2))
    band = np.zeros((m + 1, columns))
    band[: q + 1] = np.correlate(b, b, "full")[q:, None]
    if m:
        gamma, r = autocovariances(a, b, m + 1)
        start = min(m, columns)
        lag, column = np.arange(m + 1)[:, None], np.arange(start)
        band[:, :start] = np.where(lag + column < m, gamma[:, None], r[:, None])
    return band


def factored(a: np.ndarray, b: np.ndarray, rows: int) -> Factor:
    """L of the first rows; raises LinAlgError where the model is not stationary."""
    band = covariance_band(a, b, rows)
    m = len(band) - 1
    # Row k − 1 of `shifted` is column j − k of L from its entry k on, which is all that column j needs of it.
    place = np.minimum(np.arange(1, m + 1)[:, None] + np.arange(m + 1), m + 1)
    padded = np.zeros((m, m + 2))  # columns j − 1 … j − m, with a 0 behind each
    for j in range(band.shape[1]):
        column = band[:, j]
        if m:
            shifted = np.take_along_axis(padded, place, axis=1)
            column -= (shifted * shifted[:, :1]).sum(axis=0)
        if not column[0] > 0:
            raise np.linalg.LinAlgError("the covariance is not positive definite")
        column /= np.sqrt(column[0])
        if m:
            padded[1:] = padded[:-1].copy()
            padded[0, : m + 1] = column
    return Factor(a, b, band)


def errors_of(model: Factor, w: np.ndarray) -> np.ndarray:
    """u (R,) of w (R,): the standardised one-step errors."""
    m, columns = model.width, model.band.shape[1]
    z = np.array(w)
    for lag in np.flatnonzero(model.a[1:]) + 1 if len(w) > m else ():
        z[m:] += model.a[lag] * w[m - lag : len(w) - lag]
    u = np.zeros(m + len(z))  # with m zeros before
    lags = np.arange(1, m + 1)
    settled = model.band[1:, columns - m - 1] if columns > m else model.band[1:, 0]
    scale = float(model.band[0, columns - m - 1]) if columns > m else 1.0
    for t in range(len(z)):
        if t < columns:
            before = lags[: min(t, m)]
            own, scale_t = model.band[before, t - before], float(model.band[0, t])
            u[m + t] = (z[t] - own @ u[m + t - before]) / scale_t
        else:  # L is a filter there, which goes on from the errors before
            u[m + t] = (z[t] - settled @ u[t : m + t][::-1]) / scale
    return u[m:]


def forecast_paths(
    model: Factor, differences: np.ndarray, mean: float, y: np.ndarray, at: np.ndarray, horizon: int
) -> np.ndarray:
    """Forecasts (N, horizon) of y (R,) from the rows `at` (N,), where differences(B) y − mean follows the model.

    Each row of `at` must have len(differences) − 1 + m rows before it. Rows after an origin are not read for it.
    """
    lost, m = len(differences) - 1, max(len(model.a), len(model.b)) - 1
    w = np.convolve(y, differences)[lost : len(y)] - mean
    whole = factored(model.a, model.b, len(w) + horizon)
    u = errors_of(whole, w)
    polynomial = np.convolve(model.a, differences)
    taps = np.flatnonzero(polynomial[1:]) + 1
    reach, columns = len(polynomial) - 1, whole.band.shape[1]
    constant = float(model.a.sum()) * mean
    result = np.empty((len(at), horizon))
    for first in range(0, len(at), _CHUNK):
        rows = at[first : first + _CHUNK]
        path = np.empty((len(rows), reach + horizon))
        path[:, :reach] = y[rows[:, None] - np.arange(reach - 1, -1, -1)]
        for h in range(1, horizon + 1):
            value = np.full(len(rows), constant)
            # What the errors up to the origin say of z at the step: none of them reaches further than m rows.
            for k in range(h, m + 1):
                place = rows - lost + h - k
                value += whole.band[k, np.where(place + k < columns, place, columns - m - 1)] * u[place]
            for i in taps:
                value -= polynomial[i] * path[:, reach + h - 1 - i]
            path[:, reach + h - 1] = value
        result[first : first + _CHUNK] = path[:, reach:]
    return result
