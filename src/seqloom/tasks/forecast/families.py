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
import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["FAMILIES", "LEVELS", "SCORES_OF_LEVELS", "Family", "ends_of", "scores_of", "student_table"]

LEVELS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99)
"""The levels of the joint quantiles, J of them; the median is in the middle."""
SCORES_OF_LEVELS = np.array([NormalDist().inv_cdf(level) for level in LEVELS])
"""Their normal scores, (J,)."""

_MIDDLE = len(LEVELS) // 2
_LEAST = 1e-4  # of a spread, in standardised units, so that no likelihood grows without end
_SHARP = 4.0
_TERMS = 80  # of the series of a Tweedie density
_POWER = 1.5
_LEAST_PHI = 0.1  # so that those terms are enough


@dataclass(frozen=True)
class Family:
    """A kind of forecast distribution.

    outputs: P. scaled: how many of the shape parameters are in the unit of the target, and grow with a window's scale.
    counted: whether it lives on values from 0 on, so that losses and knots are told `offset`, the anchor over the
    target's standard deviation, and `unit`, that deviation, both like the location. loss: of output (M, P) and truth
    (M,), each mean over M. knots: quantiles (…, J) of output (…, P), standardised.
    """

    name: str
    outputs: int
    scaled: int
    counted: bool
    loss: Callable[..., Tensor]
    knots: Callable[..., np.ndarray]

    def shaped(self, raw: Tensor) -> Tensor:
        """Positive shape parameters (B, K, P − 1) from a network's raw numbers."""
        return functional.softplus(raw) + _LEAST

    def centre(self, output: Tensor, offset: Tensor | float = 0.0) -> Tensor:
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
    return knots + 1e-6 * span * (np.arange(len(LEVELS)) - _MIDDLE)


def _quantiles_loss(output: Tensor, truth: Tensor) -> Tensor:
    """The pinball loss of all levels, twice its mean: about the CRPS (Koenker & Bassett 1978; Laio & Tamea 2007)."""
    levels = torch.tensor(LEVELS, dtype=output.dtype, device=output.device)
    error = truth[:, None] - quantiles_of(output)
    return 2 * torch.maximum(levels * error, (levels - 1) * error).mean()


def quantiles_of(output: Tensor) -> Tensor:
    """(…, J) rising quantiles: the median, and steps away from it that are positive, in units of normal gaps."""
    gaps = torch.tensor(np.diff(SCORES_OF_LEVELS), dtype=output.dtype, device=output.device)
    steps = output[..., 1:] * gaps
    down = output[..., :1] - steps[..., :_MIDDLE].flip(-1).cumsum(-1).flip(-1)
    up = output[..., :1] + steps[..., _MIDDLE:].cumsum(-1)
    return torch.cat([down, output[..., :1], up], dim=-1)


def _quantiles_knots(output: np.ndarray, offset: object = None, unit: object = None) -> np.ndarray:
    return quantiles_of(torch.from_numpy(output)).numpy()


def _normal_loss(output: Tensor, truth: Tensor) -> Tensor:
    """−log N(y; μ, σ)."""
    mean, spread = output.unbind(-1)
    return (0.5 * ((truth - mean) / spread).square() + spread.log() + 0.5 * math.log(2 * math.pi)).mean()


def _normal_knots(output: np.ndarray, offset: object = None, unit: object = None) -> np.ndarray:
    return output[..., :1] + output[..., 1:2] * SCORES_OF_LEVELS


def _student_loss(output: Tensor, truth: Tensor) -> Tensor:
    """−log t(y; μ, σ, ν), with ν = 2 + the last parameter."""
    mean, spread, degrees = output[..., 0], output[..., 1], 2 + output[..., 2]
    scaled = ((truth - mean) / spread).square() / degrees
    norm = torch.lgamma((degrees + 1) / 2) - torch.lgamma(degrees / 2) - 0.5 * (degrees * math.pi).log()
    return (0.5 * (degrees + 1) * torch.log1p(scaled) + spread.log() - norm).mean()


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
        place = np.interp([2 * level - 1 for level in LEVELS[_MIDDLE:]], half / half[-1], angle)
        upper = math.sqrt(degrees) * np.tan(np.where(np.arange(len(place)) == 0, 0.0, place))
        rows.append(np.concatenate([-upper[:0:-1], upper]))
    return inverse, np.array(rows)


def _mean(location: Tensor, offset: Tensor | float) -> Tensor:
    """The mean of counted values over their unit: positive, and the location itself where that is far above 0."""
    return functional.softplus(_SHARP * (location + offset)) / _SHARP + _LEAST


def _binomial_loss(output: Tensor, truth: Tensor, offset: Tensor, unit: Tensor) -> Tensor:
    """−log NB(y; μ, α), whose variance is μ + α μ²; y the nearest whole number from 0 on."""
    mean = unit * _mean(output[..., 0], offset)
    counts = ((truth + offset) * unit).round().clamp(min=0)
    size = 1 / output[..., 1]
    norm = torch.lgamma(counts + size) - torch.lgamma(size) - torch.lgamma(counts + 1)
    return -(norm + size * torch.log(size / (size + mean)) + counts * torch.log(mean / (size + mean))).mean()


def _binomial_knots(output: np.ndarray, offset: np.ndarray, unit: np.ndarray) -> np.ndarray:
    mean = unit * _mean(torch.from_numpy(output[..., 0]), torch.from_numpy(offset)).numpy()
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


def _tweedie_loss(output: Tensor, truth: Tensor, offset: Tensor, unit: Tensor) -> Tensor:
    """−log of the compound Poisson-gamma density of power 1.5 (Dunn & Smyth 2005): Σ_j Poisson(j; λ) Gamma(y; jα, θ).

    On values over their unit, so that its size doesn't matter to φ; y at least 0.
    """
    mean, phi = _mean(output[..., 0], offset), _LEAST_PHI + output[..., 1]
    values = (truth + offset).clamp(min=0)
    rate, shape, scale = _compound(mean, phi)
    number = torch.arange(1, _TERMS + 1, dtype=output.dtype, device=output.device)
    y = values.clamp(min=1e-9)[..., None]
    terms = number * rate.log()[..., None] - torch.lgamma(number + 1) - torch.lgamma(number * shape)
    terms = terms + (number * shape - 1) * y.log() - y / scale[..., None] - number * shape * scale.log()[..., None]
    dense = torch.logsumexp(terms, dim=-1) - rate
    return -torch.where(values > 1e-9, dense - unit.log(), -rate).mean()


def _compound(mean: Tensor, phi: Tensor) -> tuple[Tensor, float, Tensor]:
    """Of a Tweedie distribution the Poisson rate, and the gamma's shape and scale."""
    rate = mean ** (2 - _POWER) / (phi * (2 - _POWER))
    return rate, (2 - _POWER) / (_POWER - 1), phi * (_POWER - 1) * mean ** (_POWER - 1)


def _tweedie_knots(output: np.ndarray, offset: np.ndarray, unit: np.ndarray) -> np.ndarray:
    mean = _mean(torch.from_numpy(output[..., 0]), torch.from_numpy(offset))
    rate, shape, scale = _compound(mean, _LEAST_PHI + torch.from_numpy(output[..., 1]))
    # Where the chance of 0 ends, the positive part as the gamma of its mean and variance; the conformal step mends it.
    none = torch.exp(-rate)
    first = mean / (1 - none)
    second = (rate * shape * scale.square() * (1 + shape) + mean.square()) / (1 - none)
    spread = (second - first.square()).clamp(min=1e-12)
    level = torch.tensor(LEVELS, dtype=mean.dtype)
    positive = ((level - none[..., None]) / (1 - none)[..., None]).clamp(0, 1 - 1e-9)
    values = _gamma_quantiles(positive, (first.square() / spread)[..., None], (spread / first)[..., None])
    return torch.where(level <= none[..., None], 0.0, values).numpy() - offset[..., None]


def _gamma_quantiles(level: Tensor, shape: Tensor, scale: Tensor) -> Tensor:
    """Quantiles of gamma distributions, by halving an interval that holds them."""
    low, high = torch.zeros_like(level + shape), (shape + 12 * shape.sqrt() + 30).expand_as(level + shape)
    for _ in range(50):
        middle = (low + high) / 2
        above = torch.special.gammainc(shape.expand_as(middle), middle) > level
        low, high = torch.where(above, low, middle), torch.where(above, middle, high)
    return scale * (low + high) / 2


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("quantiles", len(LEVELS), len(LEVELS) - 1, False, _quantiles_loss, _quantiles_knots),
        Family("normal", 2, 1, False, _normal_loss, _normal_knots),
        Family("student-t", 3, 1, False, _student_loss, _student_knots),
        Family("negative-binomial", 2, 0, True, _binomial_loss, _binomial_knots),
        Family("tweedie", 2, 0, True, _tweedie_loss, _tweedie_knots),
    )
}
"""Every kind of forecast distribution by name; the point forecast is none of them."""
