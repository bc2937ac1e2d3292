"""Which ARIMA model: the stepwise search of Hyndman & Khandakar (2008) by AICc, on exact likelihoods.

Every candidate starts from the one that it is a step away from and is fitted in few iterations; the best few are then
fitted to the end. What a search costs is counted in evaluated rows (likelihoods × rows), and its limit too: the same
series gives the same model on any machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from seqloom_runtime.statistical.arima import ArimaFit, Order, differences_of
from seqloom_runtime.statistical.arma import Factor

from .arma import exact_errors, factor
from .descent import minimised
from .differencing import differences_needed, strong_season

__all__ = ["MOST_ROWS", "MOST_WORK", "ArimaFit", "Order", "fit_arima"]

MOST_ROWS = 2000
"""The last rows that are fitted on: orders and coefficients of older ones hardly add, and cost as much."""
MOST_WORK = 6_000_000
"""Evaluated rows at which a search ends with the best model so far."""
_SCREEN, _FINISH, _FINISHED = 10, 60, 4  # iterations while searching, at the end, and models taken to the end
_WALKED = 3  # best models whose neighbours are all known in the end
_NEAR_UNIT = 1.01
"""A root nearer than this to the unit circle cancels a difference or asks for one: the model is not taken."""
_LIMITS = {"p": 5, "q": 5, "P": 2, "Q": 2}


@dataclass(eq=False)
class _Fit:
    order: Order
    x: np.ndarray
    aicc: float


@dataclass
class _Search:
    """The models tried so far on the differenced rows w (n,)."""

    w: np.ndarray
    season: int | None
    most_work: int
    work: int = 0
    tried: dict[Order, _Fit] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        return self.work >= self.most_work

    def fit(self, order: Order, near: _Fit | None, iterations: int) -> _Fit:
        """Fit `order`, from the coefficients of `near` where there is one."""
        start = _start(order, near)
        n = len(self.w)

        def value(x: np.ndarray) -> float:
            self.work += n
            return self._deviance(order, x)[0] / n

        x, lowest = minimised(value, start, iterations)
        deviance = lowest * n
        k = order.size
        room = n - k - 1
        aicc = deviance + 2 * k + (2 * k * (k + 1) / room if room > 0 else np.inf)
        if not np.isfinite(aicc) or _nearest_root(order, x) < _NEAR_UNIT:
            aicc = np.inf
        return _Fit(order, x, aicc)

    def _deviance(self, order: Order, x: np.ndarray) -> tuple[float, float, float]:
        """−2 log likelihood with mean and variance at their best, the mean, and the variance."""
        a, b = polynomials(order, x, self.season)
        try:
            model = factor(a, b, len(self.w))
        except np.linalg.LinAlgError:
            return 1e10, 0.0, 1.0
        u, mean = _errors(model, self.w, order.constant)
        variance = float(u @ u) / len(u)
        if not (np.isfinite(variance) and variance > 0):
            return 1e10, 0.0, 1.0
        settled = model.band[0]
        logdet = 2 * float(np.log(settled).sum()) + 2 * (len(u) - len(settled)) * float(np.log(settled[-1]))
        return len(u) * (np.log(2 * np.pi * variance) + 1) + logdet, mean, variance

    def step(self, order: Order, near: _Fit | None) -> _Fit | None:
        lag = self.season or 1
        width = max(order.p + lag * order.P, order.q + lag * order.Q)
        if order in self.tried or self.over or max(order.size + 1, width) >= len(self.w):
            return None
        self.tried[order] = self.fit(order, near, _SCREEN)
        return self.tried[order]


def _errors(model: Factor, w: np.ndarray, constant: bool) -> tuple[np.ndarray, float]:
    """The standardised errors of w around its best mean (or 0), and that mean."""
    if not constant:
        return exact_errors(model, w), 0.0
    both = exact_errors(model, np.stack([w, np.ones(len(w))], axis=1))
    size = float(both[:, 1] @ both[:, 1])
    mean = float(both[:, 0] @ both[:, 1]) / size if size > 0 else 0.0
    return both[:, 0] - mean * both[:, 1], mean


def fit_arima(values: np.ndarray, season: int | None, most_work: int = MOST_WORK) -> list[ArimaFit]:
    """The best models of `values` (n,), best first; `season` in rows, or None. Raises ValueError where none is."""
    y = values[-MOST_ROWS:]
    D = int(strong_season(y, season))
    d = differences_needed(_apply_differences(y, 0, D, season))
    # A twice differenced season leaves nothing but noise to fit: one difference in all is enough beside it.
    d = min(d, 1) if D else d
    w = _apply_differences(y, d, D, season)
    if float(np.ptp(w)) <= 1e-9 * max(float(np.abs(y).max()), 1e-300):
        order = Order(0, 0, 0, 0, d + D <= 1)
        mean = float(w.mean()) if order.constant else 0.0
        one = np.ones(1)
        return [ArimaFit(order, d, D, season, one, one, mean, 0.0, -np.inf, len(y), 0, False)]
    scale = float(w.std())
    search = _Search(w / scale, season, most_work)
    best = _stepwise(search, d + D)
    ranked = sorted(search.tried.values(), key=lambda fit: fit.aicc)[:_FINISHED]
    finished = sorted((search.fit(fit.order, fit, _FINISH) for fit in ranked), key=lambda fit: fit.aicc)
    finished = [fit for fit in finished if np.isfinite(fit.aicc)] or [best]
    return [_result(search, fit, (d, D), scale, len(y)) for fit in finished]


def _result(search: _Search, fit: _Fit, differences: tuple[int, int], scale: float, rows: int) -> ArimaFit:
    a, b = polynomials(fit.order, fit.x, search.season)
    _, mean, variance = search._deviance(fit.order, fit.x)
    return ArimaFit(
        fit.order, *differences, search.season, a, b, mean * scale, variance * scale**2, fit.aicc, rows, search.work,
        search.over,
    )  # fmt: skip


def _stepwise(search: _Search, differences: int) -> _Fit:
    """Hyndman & Khandakar's walk: to whichever neighbour is better than the best.

    It begins with two models more than theirs, and ends where the neighbours of the three best are known: one best
    alone is often a model whose simpler relative two steps away is better.
    """
    m = int(search.season is not None)
    constant = differences <= 1
    begin = [Order(0, 0, 0, 0, constant), Order(1, 0, m, 0, constant), Order(0, 1, 0, m, constant)]
    begin += [Order(1, 0, 0, m, constant), Order(1, 1, 0, m, constant)]
    begin += [Order(2, 2, m, m, constant)] if len(search.w) >= 4 * Order(2, 2, m, m, constant).size else []
    begin += [Order(0, 0, 0, 0, False)] if constant else []
    found = [fit for order in begin if (fit := search.step(order, None)) is not None]
    if not found:
        raise ValueError("too few rows for any ARIMA model")
    walked: set[Order] = set()
    while not search.over:
        ranked = sorted(search.tried.values(), key=lambda fit: fit.aicc)[:_WALKED]
        ahead = next((fit for fit in ranked if fit.order not in walked), None)
        if ahead is None:
            break
        walked.add(ahead.order)
        for order in _neighbours(ahead.order, m, constant):
            fit = search.step(order, ahead)
            if fit is not None and fit.aicc < ranked[0].aicc - 1e-6:
                # It is walked on from; what is left of this one's neighbours is tried if it still leads then.
                walked.discard(ahead.order)
                break
    best = min(search.tried.values(), key=lambda fit: fit.aicc)
    if not np.isfinite(best.aicc):
        raise ValueError("no ARIMA model has a finite likelihood and roots away from the unit circle")
    return best


def _neighbours(order: Order, seasonal: int, constant: bool) -> Iterator[Order]:
    steps = [(0, 0, -1, 0), (0, 0, 0, -1), (0, 0, 1, 0), (0, 0, 0, 1), (0, 0, -1, -1), (0, 0, -1, 1), (0, 0, 1, -1)]
    steps = ([*steps, (0, 0, 1, 1)] if seasonal else []) + [
        (-1, 0, 0, 0), (0, -1, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (-1, -1, 0, 0), (-1, 1, 0, 0), (1, -1, 0, 0),
        (1, 1, 0, 0),
    ]  # fmt: skip
    for p, q, P, Q in steps:
        near = (order.p + p, order.q + q, order.P + P, order.Q + Q)
        if all(0 <= value <= most for value, most in zip(near, _LIMITS.values())):
            yield Order(*near, order.constant)
    if constant:
        yield Order(order.p, order.q, order.P, order.Q, not order.constant)


def _blocks(order: Order) -> list[tuple[str, int]]:
    return [("p", order.p), ("q", order.q), ("P", order.P), ("Q", order.Q)]


def _start(order: Order, near: _Fit | None) -> np.ndarray:
    """The coefficients of `near`, and 0.1 where it has none: at 0 a common factor of both sides has no slope."""
    parts, place = [], 0
    others: dict[str, np.ndarray] = {}
    if near is not None:
        for name, size in _blocks(near.order):
            others[name] = near.x[place : place + size]
            place += size
    for name, size in _blocks(order):
        part = np.full(size, 0.1)
        known = others.get(name, np.empty(0))[:size]
        part[: len(known)] = known
        parts.append(part)
    return np.clip(np.concatenate(parts), -4.0, 4.0)


def polynomials(order: Order, x: np.ndarray, season: int | None) -> tuple[np.ndarray, np.ndarray]:
    """a and b of the unbounded parameters x: stationary and invertible for every x."""
    sides = [np.ones(1), np.ones(1)]
    place = 0
    for number, (name, size) in enumerate(_blocks(order)):
        lag = (season or 1) if name in "PQ" else 1
        spread = np.zeros(size * lag + 1)
        spread[::lag] = _stable(x[place : place + size])
        sides[number % 2] = np.convolve(sides[number % 2], spread)
        place += size
    return sides[0], sides[1]


def _stable(x: np.ndarray) -> np.ndarray:
    """A polynomial with all roots outside the unit circle from partial correlations x / √(1 + x²) (Monahan 1984)."""
    partial = x / np.sqrt(1 + x * x)
    found = np.ones(1)
    for value in partial:
        grown = np.append(found, 0.0)
        found = grown - value * grown[::-1]
    return found


def _nearest_root(order: Order, x: np.ndarray) -> float:
    """The smallest absolute root of the four polynomials, each in its own lag; inf where there is none."""
    nearest, place = np.inf, 0
    for _, size in _blocks(order):
        if size:
            roots = np.roots(_stable(x[place : place + size])[::-1])
            nearest = min(nearest, float(np.abs(roots).min(initial=np.inf)))
        place += size
    return nearest


def _apply_differences(values: np.ndarray, d: int, D: int, season: int | None) -> np.ndarray:
    polynomial = differences_of(d, D, season)
    return np.convolve(values, polynomial, "valid")
