"""How often a series is to be differenced: the KPSS test, and the strength of its season by STL."""

from __future__ import annotations

import numpy as np

__all__ = ["differences_needed", "kpss", "seasonal_strength", "strong_season"]

_KPSS_CRITICAL = 0.463
"""5 % point of the test for a stationary level (Kwiatkowski et al. 1992, table 1)."""
_STRONG = 0.64
"""From this strength on a seasonal difference pays (Wang, Smith & Hyndman 2006; as in R's forecast::nsdiffs)."""
_MOST = 2


def kpss(values: np.ndarray) -> float:
    """The KPSS statistic for a stationary level, with floor(3 √n / 13) lags in the long-run variance."""
    n = len(values)
    error = values - values.mean()
    lags = int(3 * np.sqrt(n) / 13)
    variance = error @ error / n
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * (error[lag:] @ error[:-lag]) / n
    return float((np.cumsum(error) ** 2).sum() / (n * n * variance)) if variance > 0 else 0.0


def differences_needed(values: np.ndarray) -> int:
    """0, 1 or 2: differences until the test no longer finds a wandering level."""
    for count in range(_MOST):
        if _flat(values) or kpss(values) <= _KPSS_CRITICAL:
            return count
        values = np.diff(values)
    return _MOST


def seasonal_strength(values: np.ndarray, season: int) -> float:
    """1 − var(rest) / var(season + rest) of an STL decomposition, 0 at least."""
    from statsmodels.tsa.seasonal import STL

    parts = STL(values, period=season, seasonal=13).fit()
    rest, whole = np.asarray(parts.resid), np.asarray(parts.resid) + np.asarray(parts.seasonal)
    spread = float(whole.var())
    return max(0.0, 1.0 - float(rest.var()) / spread) if spread > 0 else 0.0


def strong_season(values: np.ndarray, season: int | None) -> bool:
    """Whether the season is strong enough for a seasonal difference."""
    return season is not None and not _flat(values) and seasonal_strength(values, season) > _STRONG


def _flat(values: np.ndarray) -> bool:
    return float(np.ptp(values)) <= 1e-12 * float(np.abs(values).max(initial=0.0))
