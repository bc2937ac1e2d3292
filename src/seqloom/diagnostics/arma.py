"""The likelihood of Gaussian ARMA models: the runtime's banded factor by LAPACK, as a search asks for many."""

from __future__ import annotations

import numpy as np

from seqloom_runtime.statistical.arma import Factor, covariance_band

__all__ = ["exact_errors", "factor"]


def factor(a: np.ndarray, b: np.ndarray, rows: int) -> Factor:
    """L of the first rows (4096 at most), by LAPACK; raises LinAlgError where the model is not stationary."""
    from scipy.linalg import lapack

    found, info = lapack.dpbtrf(covariance_band(a, b, rows), lower=1)  # pyright: ignore[reportAttributeAccessIssue]
    if info:
        raise np.linalg.LinAlgError("the covariance is not positive definite")
    return Factor(a, b, found)


def exact_errors(model: Factor, w: np.ndarray) -> np.ndarray:
    """u (R,) or (R, K) of w (R,) or (R, K): the standardised one-step errors."""
    from scipy.linalg import lapack

    m, columns = model.width, model.band.shape[1]
    z = np.array(w)
    for lag in np.flatnonzero(model.a[1:]) + 1 if len(w) > m else ():
        z[m:] += model.a[lag] * w[m - lag : len(w) - lag]
    head = z[:columns]
    flat = np.asfortranarray(head.reshape(len(head), -1))
    found, _ = lapack.dtbtrs(model.band[:, : len(head)], flat, uplo="L")  # pyright: ignore[reportAttributeAccessIssue]
    u = np.empty_like(z)
    u[:columns] = found.reshape(head.shape)
    if len(z) > columns:
        # Behind the factored rows L is a filter, which goes on from the errors before.
        u[columns:] = _filtered(model.band[:, columns - m - 1], z[columns:], u[columns - m : columns])
    return u


def _filtered(settled: np.ndarray, z: np.ndarray, before: np.ndarray) -> np.ndarray:
    """u_t = (z_t − sum_k L_k u_{t−k}) / L_0, where `before` are the last errors."""
    from scipy.signal import lfilter, lfiltic

    denominator = settled / settled[0]
    numerator = [1.0 / settled[0]]
    columns = z.reshape(len(z), -1)
    past = before.reshape(len(before), columns.shape[1])
    found = np.empty_like(columns)
    for k in range(columns.shape[1]):
        state = lfiltic(numerator, denominator, past[::-1, k])
        found[:, k] = lfilter(numerator, denominator, columns[:, k], zi=state)[0]
    return found.reshape(z.shape)
