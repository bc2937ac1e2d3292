"""The training losses of the kinds of forecast distribution, whose quantiles are the runtime's."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from seqloom_runtime.forecast import families as forecasting
from seqloom_runtime.forecast.families import LEAST, LEAST_PHI, LEVELS, MIDDLE, POWER, SCORES_OF_LEVELS, SHARP

__all__ = ["FAMILIES", "Family"]

_TERMS = 80  # of the series of a Tweedie density


@dataclass(frozen=True)
class Family:
    """A kind of forecast distribution as it is trained: `numbers`, what it is, and its loss.

    loss: of output (M, P) and truth (M,), each mean over M; of counted values also offset and unit (M,), as
    `seqloom_runtime.forecast.families.Family` says.
    """

    numbers: forecasting.Family
    loss: Callable[..., Tensor]

    @property
    def outputs(self) -> int:
        """P."""
        return self.numbers.outputs

    @property
    def scaled(self) -> int:
        """How many of the shape parameters are in the unit of the target."""
        return self.numbers.scaled

    @property
    def counted(self) -> bool:
        """Whether it lives on values from 0 on."""
        return self.numbers.counted

    @property
    def name(self) -> str:
        """Its name among `FAMILIES`."""
        return self.numbers.name

    def knots(self, output: np.ndarray, *units: np.ndarray) -> np.ndarray:
        """Quantiles (…, J) of output (…, P), standardised."""
        return self.numbers.knots(output, *units)

    def shaped(self, raw: Tensor) -> Tensor:
        """Positive shape parameters (B, K, P − 1) from a network's raw numbers."""
        return functional.softplus(raw) + LEAST

    def centre(self, output: Tensor, offset: Tensor | float = 0.0) -> Tensor:
        """The forecast (…,) of output (…, P): the median, of counted values the mean."""
        location = output[..., 0]
        return _mean(location, offset) - offset if self.counted else location


def _quantiles_loss(output: Tensor, truth: Tensor) -> Tensor:
    """The pinball loss of all levels, twice its mean: about the CRPS (Koenker & Bassett 1978; Laio & Tamea 2007)."""
    levels = torch.tensor(LEVELS, dtype=output.dtype, device=output.device)
    error = truth[:, None] - quantiles_of(output)
    return 2 * torch.maximum(levels * error, (levels - 1) * error).mean()


def quantiles_of(output: Tensor) -> Tensor:
    """(…, J) rising quantiles: the median, and steps away from it that are positive, in units of normal gaps."""
    gaps = torch.tensor(np.diff(SCORES_OF_LEVELS), dtype=output.dtype, device=output.device)
    steps = output[..., 1:] * gaps
    down = output[..., :1] - steps[..., :MIDDLE].flip(-1).cumsum(-1).flip(-1)
    up = output[..., :1] + steps[..., MIDDLE:].cumsum(-1)
    return torch.cat([down, output[..., :1], up], dim=-1)


def _normal_loss(output: Tensor, truth: Tensor) -> Tensor:
    """−log N(y; μ, σ)."""
    mean, spread = output.unbind(-1)
    return (0.5 * ((truth - mean) / spread).square() + spread.log() + 0.5 * math.log(2 * math.pi)).mean()


def _student_loss(output: Tensor, truth: Tensor) -> Tensor:
    """−log t(y; μ, σ, ν), with ν = 2 + the last parameter."""
    mean, spread, degrees = output[..., 0], output[..., 1], 2 + output[..., 2]
    scaled = ((truth - mean) / spread).square() / degrees
    norm = torch.lgamma((degrees + 1) / 2) - torch.lgamma(degrees / 2) - 0.5 * (degrees * math.pi).log()
    return (0.5 * (degrees + 1) * torch.log1p(scaled) + spread.log() - norm).mean()


def _mean(location: Tensor, offset: Tensor | float) -> Tensor:
    """The mean of counted values over their unit: positive, and the location itself where that is far above 0."""
    return functional.softplus(SHARP * (location + offset)) / SHARP + LEAST


def _binomial_loss(output: Tensor, truth: Tensor, offset: Tensor, unit: Tensor) -> Tensor:
    """−log NB(y; μ, α), whose variance is μ + α μ²; y the nearest whole number from 0 on."""
    mean = unit * _mean(output[..., 0], offset)
    counts = ((truth + offset) * unit).round().clamp(min=0)
    size = 1 / output[..., 1]
    norm = torch.lgamma(counts + size) - torch.lgamma(size) - torch.lgamma(counts + 1)
    return -(norm + size * torch.log(size / (size + mean)) + counts * torch.log(mean / (size + mean))).mean()


def _tweedie_loss(output: Tensor, truth: Tensor, offset: Tensor, unit: Tensor) -> Tensor:
    """−log of the compound Poisson-gamma density of power 1.5 (Dunn & Smyth 2005): Σ_j Poisson(j; λ) Gamma(y; jα, θ).

    On values over their unit, so that its size doesn't matter to φ; y at least 0.
    """
    mean, phi = _mean(output[..., 0], offset), LEAST_PHI + output[..., 1]
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
    rate = mean ** (2 - POWER) / (phi * (2 - POWER))
    return rate, (2 - POWER) / (POWER - 1), phi * (POWER - 1) * mean ** (POWER - 1)


_LOSSES = {
    "quantiles": _quantiles_loss,
    "normal": _normal_loss,
    "student-t": _student_loss,
    "negative-binomial": _binomial_loss,
    "tweedie": _tweedie_loss,
}
FAMILIES: dict[str, Family] = {name: Family(forecasting.FAMILIES[name], loss) for name, loss in _LOSSES.items()}
"""Every kind of forecast distribution by name; the point forecast is none of them."""
