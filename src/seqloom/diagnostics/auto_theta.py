"""The Theta method with its line and its season chosen on the training rows, as a baseline."""

from __future__ import annotations

import numpy as np

from seqloom_runtime.statistical.theta import AppliedAutoTheta, ThetaFit

from .fitting import Fitting

__all__ = ["AutoTheta", "fit_auto_theta", "is_seasonal", "seasonal_factors"]

_ALPHAS = np.linspace(0.05, 0.99, 48)
_HALVINGS = 30
_MOST_ROWS = 5000
"""The last rows that alpha and the season are fitted on."""


class AutoTheta(Fitting, AppliedAutoTheta):
    """Theta with alpha, the first level and, where the AIC asks for it, theta by least squares of one-step errors.

    f = l_n + k {(1 − alpha)^n A + [h − 1 + (1 − (1 − alpha)^(n+1)) / alpha] B} on n deseasonalised rows, A + B t their
    trend line, k = 1 − 1/theta; standard is theta = 2 (Assimakopoulos & Nikolopoulos 2000; optimised: Fiorucci et al.
    2016). Where the autocorrelation at the season is significant at 90 %, classical decomposition takes the season out:
    additive, or multiplicative where all training rows are above 0, by the AIC too.
    season: rows in a season, rounded to a whole number.
    """

    @staticmethod
    def work(rows: int, season: float | None) -> float:
        """As counted: 78 passes over the rows for each of four kinds."""
        return 4 * 78 * (7e-5 + 5e-8 * min(rows, _MOST_ROWS))

    def _fit_run(self, values: np.ndarray) -> ThetaFit:
        return fit_auto_theta(values, self.season)

    def _count(self, fitted: ThetaFit) -> int:
        return 4 + int(fitted.optimised) + (len(fitted.factors) if len(fitted.factors) > 1 else 0)


def fit_auto_theta(values: np.ndarray, season: int | None) -> ThetaFit:
    """The Theta model of `values` with the smallest AIC of its one-step errors, in the unit of the values."""
    kinds: list[bool | None] = [None]
    if season is not None and is_seasonal(values[-_MOST_ROWS:], season):
        kinds = [False, True] if values.min() > 0 else [False]
    best, lowest = None, np.inf
    for multiplicative in kinds:
        factors = np.zeros(1)
        if multiplicative is not None and season is not None:
            factors = _placed(values, season, multiplicative)
        factor = factors[np.arange(len(values)) % len(factors)]
        flat = values / factor if multiplicative else values - factor
        weight = factor if multiplicative else np.ones(len(values))
        for optimised in (False, True):
            line, error = _fit(flat, weight, optimised)
            aic = len(values) * np.log(max(error, 1e-300)) + 2 * (3 + int(optimised))
            if np.isfinite(aic) and aic < lowest:
                best, lowest = ThetaFit(*line, factors, bool(multiplicative), optimised), aic
    if best is None:
        raise ValueError("no Theta model has finite errors")
    return best


def _fit(
    flat: np.ndarray, weight: np.ndarray, optimised: bool
) -> tuple[tuple[float, float, float, float, float], float]:
    """alpha, level, share, start and slope, and the mean squared error times `weight` squared."""
    n = len(flat)
    recent = slice(max(0, n - _MOST_ROWS), None)
    t = np.arange(1.0, n + 1)
    slope, start = (float(value) for value in np.polyfit(t, flat, 1))

    def errors(alpha: float) -> tuple[float, float, float]:
        """Mean squared error, first level and share: both enter the errors linearly."""
        left = (1.0 - alpha) ** (t - 1)
        line = left * start + (1.0 - left * (1.0 - alpha)) / alpha * slope
        rest = flat - np.append(0.0, _levels(flat, alpha, 0.0)[:-1])
        share = 0.5
        if optimised:
            sides = np.stack([left, line], axis=1)
            share = float(np.clip(np.linalg.lstsq(sides, rest, rcond=None)[0][1], 0.0, 1.0))
        level = float(left @ (rest - share * line) / (left @ left))
        error = (rest - share * line - level * left)[recent] * weight[recent]
        return float(error @ error) / len(error), level, share

    best = int(np.argmin([errors(alpha)[0] for alpha in _ALPHAS]))
    low, high = float(_ALPHAS[max(best - 1, 0)]), float(_ALPHAS[min(best + 1, len(_ALPHAS) - 1)])
    for _ in range(_HALVINGS // 2):
        third = (high - low) / 3
        if errors(low + third)[0] < errors(high - third)[0]:
            high -= third
        else:
            low += third
    alpha = (low + high) / 2
    error, level, share = errors(alpha)
    return (alpha, level, share, start, slope), error


def _levels(flat: np.ndarray, alpha: float, before: float) -> np.ndarray:
    """l_t = alpha y_t + (1 − alpha) l_{t−1} after every row, as one filter call."""
    from scipy.signal import lfilter

    return np.asarray(lfilter([alpha], [1.0, alpha - 1.0], flat, zi=[(1.0 - alpha) * before])[0])


def is_seasonal(values: np.ndarray, season: int) -> bool:
    """Whether the autocorrelation at `season` is significant at 90 % (as in the M4 competition), of three seasons."""
    n = len(values)
    error = values - values.mean()
    size = float(error @ error)
    if n < 3 * season or season < 2 or size <= 0:
        return False
    each = np.array([error[lag:] @ error[: n - lag] for lag in range(1, season + 1)]) / size
    return bool(abs(each[-1]) > 1.645 * np.sqrt((1 + 2 * float(each[:-1] @ each[:-1])) / n))


def seasonal_factors(values: np.ndarray, season: int, multiplicative: bool) -> np.ndarray:
    """(m,) by classical decomposition: the mean deviation from a centred moving average; entry 0 is the first row's."""
    kernel = np.ones(season) / season if season % 2 else np.array([0.5, *np.ones(season - 1), 0.5]) / season
    trend = np.convolve(values, kernel, "valid")
    first = len(kernel) // 2
    part = values[first : first + len(trend)]
    deviation = part / trend if multiplicative else part - trend
    place = (np.arange(len(trend)) + first) % season
    found = np.bincount(place, weights=deviation, minlength=season) / np.bincount(place, minlength=season)
    return found / found.mean() if multiplicative else found - found.mean()


def _placed(values: np.ndarray, season: int, multiplicative: bool) -> np.ndarray:
    """The factors of the last rows, turned so that entry 0 belongs to the first of all."""
    recent = values[-_MOST_ROWS:]
    return np.roll(seasonal_factors(recent, season, multiplicative), (len(values) - len(recent)) % season)
