"""What a network forecasts of each step beside a number: joint quantiles, or the parameters of a distribution.

A network's output is then (B, K, P): first the location, in standardised units and without its anchor as a point
forecast is, then P − 1 positive shape parameters. `knots` gives its quantiles at the levels `LEVELS`; between them and
beyond, quantiles are linear in the normal score Φ⁻¹(level), which for the normal distribution is exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from .gamma import gamma_quantiles

__all__ = [
    "FAMILIES",
    "LEAST",
    "LEAST_PHI",
    "LEVELS",
    "MIDDLE",
    "POWER",
    "SCORES_OF_LEVELS",
    "SHARP",
    "Family",
    "ends_of",
    "scores_of",
    "student_table",
]

LEVELS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99)
"""The levels of the joint quantiles, J of them; the median is in the middle."""
SCORES_OF_LEVELS = np.array([NormalDist().inv_cdf(level) for level in LEVELS])
"""Their normal scores, (J,)."""

MIDDLE = len(LEVELS) // 2
LEAST = 1e-4
"""Of a spread, in standardised units, so that no likelihood grows without end."""
SHARP = 4.0
POWER = 1.5
LEAST_PHI = 0.1
"""So that the terms of a Tweedie density's series are enough."""


@dataclass(frozen=True)
class Family:
    """A kind of forecast distribution.

    outputs: P. scaled: how many of the shape parameters are in the unit of the target, and grow with a window's scale.
    counted: whether it lives on values from 0 on, so that knots are told `offset`, the anchor over the target's
    standard deviation, and `unit`, that deviation, both like the location. knots: quantiles (…, J) of output (…, P),
    float64, standardised.
    """

    name: str
    outputs: int
    scaled: int
    counted: bool
    knots: Callable[..., np.ndarray]

    def shaped(self, raw: np.ndarray) -> np.ndarray:
        """Positive shape parameters (B, K, P − 1) from a network's raw numbers, in their type."""
        return np.logaddexp(raw, raw.dtype.type(0)) + raw.dtype.type(LEAST)

    def centre(self, output: np.ndarray, offset: np.ndarray | float = 0.0) -> np.ndarray:
        """The forecast (…,) of output (…, P): the median, of counted values the mean."""
        location = output[..., 0]
        return _mean(location, offset) - offset if self.counted else location


def scores_of(knots: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The normal scores (…,) of values under quantiles (…, J): Φ⁻¹ of the distribution function, NaN for NaN.

    >>> round(float(scores_of(10 + 2 * SCORES_OF_LEVELS, np.array(13.0))), 3)
    1.5
    """
    rising = _rising(knots)
    # Of a value that several levels share, as a count has, the middle of them.
    near = 1e-5 * (rising[..., -1] - rising[..., 0])
    return (_scores_at(rising, values - near) + _scores_at(rising, values + near)) / 2


def _scores_at(rising: np.ndarray, values: np.ndarray) -> np.ndarray:
    place = np.clip((rising <= values[..., None]).sum(axis=-1), 1, len(LEVELS) - 1)
    low, high = (np.take_along_axis(rising, at[..., None], axis=-1)[..., 0] for at in (place - 1, place))
    start, gap = SCORES_OF_LEVELS[place - 1], np.diff(SCORES_OF_LEVELS)[place - 1]
    return start + gap * (values - low) / (high - low)


def ends_of(knots: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The values (…,) at normal scores (…,) of quantiles (…, J), those of further scores where there are more axes.

    >>> round(float(ends_of(10 + 2 * SCORES_OF_LEVELS, np.array(1.5))), 3)
    13.0
    """
    rising = np.broadcast_to(_rising(knots), (*np.shape(scores), len(LEVELS)))
    place = np.clip(np.searchsorted(SCORES_OF_LEVELS, scores, side="right"), 1, len(LEVELS) - 1)
    low, high = (np.take_along_axis(rising, at[..., None], axis=-1)[..., 0] for at in (place - 1, place))
    start, gap = SCORES_OF_LEVELS[place - 1], np.diff(SCORES_OF_LEVELS)[place - 1]
    return low + (high - low) * (scores - start) / gap


def _rising(knots: np.ndarray) -> np.ndarray:
    """The quantiles with a rise of at least a millionth of their range between neighbours, so that none are equal."""
    span = np.maximum(knots[..., -1:] - knots[..., :1], 1e-9 * np.maximum(np.abs(knots[..., -1:]), 1e-3))
    return knots + 1e-6 * span * (np.arange(len(LEVELS)) - MIDDLE)


def _quantiles_knots(output: np.ndarray, offset: object = None, unit: object = None) -> np.ndarray:
    """(…, J) rising quantiles: the median, and steps away from it that are positive, in units of normal gaps."""
    steps = output[..., 1:] * np.diff(SCORES_OF_LEVELS)
    down = output[..., :1] - np.cumsum(steps[..., :MIDDLE][..., ::-1], axis=-1)[..., ::-1]
    up = output[..., :1] + np.cumsum(steps[..., MIDDLE:], axis=-1)
    return np.concatenate([down, output[..., :1], up], axis=-1)


def _normal_knots(output: np.ndarray, offset: object = None, unit: object = None) -> np.ndarray:
    return output[..., :1] + output[..., 1:2] * SCORES_OF_LEVELS


def _student_knots(output: np.ndarray, offset: object = None, unit: object = None) -> np.ndarray:
    inverse, table = student_table()
    wanted = 1 / (2 + output[..., 2])
    scores = np.stack([np.interp(wanted, inverse, column) for column in table.T], axis=-1)
    return output[..., :1] + output[..., 1:2] * scores


@lru_cache(maxsize=1)
def student_table() -> tuple[np.ndarray, np.ndarray]:
    """1 / ν rising (G,), and the t distribution's quantiles (G, J) there, by integrating its density."""
    inverse = np.linspace(1e-6, 0.5, 120)
    angle = (np.arange(200_000) + 0.5) / 200_000 * (math.pi / 2)
    rows = []
    for degrees in 1 / inverse:
        # With x = √ν tan θ the density becomes cos^(ν−1) θ, which is smooth and bounded.
        half = np.cumsum(np.cos(angle) ** (degrees - 1))
        place = np.interp([2 * level - 1 for level in LEVELS[MIDDLE:]], half / half[-1], angle)
        upper = math.sqrt(degrees) * np.tan(np.where(np.arange(len(place)) == 0, 0.0, place))
        rows.append(np.concatenate([-upper[:0:-1], upper]))
    return inverse, np.array(rows)


def _mean(location: np.ndarray, offset: np.ndarray | float) -> np.ndarray:
    """The mean of counted values over their unit: positive, and the location itself where that is far above 0."""
    return np.logaddexp(SHARP * (location + offset), 0.0) / SHARP + LEAST


def _binomial_knots(output: np.ndarray, offset: np.ndarray, unit: np.ndarray) -> np.ndarray:
    mean = unit * _mean(output[..., 0], offset)
    size = 1 / output[..., 1]
    # No count beyond this one matters at the highest level.
    most = int(min(4000, np.ceil((mean + 12 * np.sqrt(mean + mean**2 / size)).max(initial=1.0)) + 2))
    cumulated = mass = (size / (size + mean)) ** size
    ratio = mean / (size + mean)
    below = np.zeros((*mean.shape, len(LEVELS)))
    for count in range(most):
        below += cumulated[..., None] < np.array(LEVELS)
        mass = mass * ratio * (count + size) / (count + 1)
        cumulated = cumulated + mass
    return below / unit[..., None] - offset[..., None]


def _tweedie_knots(output: np.ndarray, offset: np.ndarray, unit: np.ndarray) -> np.ndarray:
    mean = _mean(output[..., 0], offset)
    phi = LEAST_PHI + output[..., 1]
    # The Poisson rate, and the gamma's shape and scale.
    rate = mean ** (2 - POWER) / (phi * (2 - POWER))
    shape, scale = (2 - POWER) / (POWER - 1), phi * (POWER - 1) * mean ** (POWER - 1)
    # Where the chance of 0 ends, the positive part as the gamma of its mean and variance; the conformal step mends it.
    none = np.exp(-rate)
    first = mean / (1 - none)
    second = (rate * shape * scale**2 * (1 + shape) + mean**2) / (1 - none)
    spread = np.maximum(second - first**2, 1e-12)
    level = np.array(LEVELS)
    positive = np.clip((level - none[..., None]) / (1 - none)[..., None], 0, 1 - 1e-9)
    values = gamma_quantiles(positive, (first**2 / spread)[..., None], (spread / first)[..., None])
    return np.where(level <= none[..., None], 0.0, values) - offset[..., None]


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("quantiles", len(LEVELS), len(LEVELS) - 1, False, _quantiles_knots),
        Family("normal", 2, 1, False, _normal_knots),
        Family("student-t", 3, 1, False, _student_knots),
        Family("negative-binomial", 2, 0, True, _binomial_knots),
        Family("tweedie", 2, 0, True, _tweedie_knots),
    )
}
"""Every kind of forecast distribution by name; the point forecast is none of them."""
