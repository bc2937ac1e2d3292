"""The forecaster's convolutional networks: `conv`, `conv-gru` and `tcn`, how large they are and what they can see.

Shapes as in `network.py`: x (B, L, I) and future (B, K, F) in, (B, K) out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ... import nn as seqnn
from ...errors import SettingError

if TYPE_CHECKING:
    from .network import NetworkSpec

__all__ = [
    "CONVOLUTIONAL",
    "ConvForecast",
    "ConvGruForecast",
    "TcnForecast",
    "check_convolutions",
    "convolution_weights",
    "sight_notes",
    "steps_needed",
    "usual_channels",
    "usual_kernel",
]

CONVOLUTIONAL = ("conv", "conv-gru", "tcn")
_MOST_LEVELS = 30  # a dilation must stay below 2³¹


def usual_kernel(name: str) -> int:
    """The kernel where none is given: 5 taps, 3 for the tcn."""
    return 3 if name == "tcn" else 5


def usual_channels(name: str, units: int, steps: int, kernel_size: int) -> tuple[int, ...]:
    """The channels of each layer where none are given: `units` in three layers of the conv, two of the conv-gru.

    The tcn gets as many levels as its receptive field, 1 + 2(k − 1)(2^n − 1), needs to reach over all input steps.

    >>> usual_channels("tcn", 32, 120, 3)
    (32, 32, 32, 32, 32)
    """
    levels = {"conv": 3, "conv-gru": 2}.get(name, 1)
    while name == "tcn" and kernel_size > 1 and _field(kernel_size, levels) < steps:
        levels += 1
    return (units,) * levels


class _Pooled(nn.Module):
    """Valid convolutions over the window with a max-pooling between two of them.

    Where the pools don't come out even, the oldest steps are left out, so that the newest step is always read.
    """

    def __init__(self, spec: NetworkSpec, generator: torch.Generator) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            seqnn.Conv1d(inputs, outputs, spec.kernel_size, activation=spec.activation or "relu", seed=generator)
            for inputs, outputs in zip((spec.inputs, *spec.channels), spec.channels)
        )
        self.pool = seqnn.MaxPool(spec.pool_size)
        self.dropout, self.generator = spec.between_dropout, generator
        self.unread = spec.input_steps - _steps_read(spec)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, I) → (B, L', C)."""
        x = x[:, self.unread :]
        for number, convolution in enumerate(self.convolutions):
            if number:
                x = self._dropped(self.pool(x))
            x = convolution(x)
        return x

    def _dropped(self, x: Tensor) -> Tensor:
        if not (self.training and self.dropout):
            return x
        keep = 1.0 - self.dropout
        drawn = torch.empty(x.shape).bernoulli_(keep, generator=self.generator)
        return x * drawn.div_(keep).to(x)


class ConvForecast(nn.Module):
    """Convolution, max-pooling, … convolution, the largest value of each channel, then a linear layer.

    With 32 channels, 5 taps and pools of 3 it is the convnet of Chollet, Deep Learning with Python, 1st edition, 6.4.3.
    """

    def __init__(self, spec: NetworkSpec, seed: int) -> None:
        super().__init__()
        self.pooled = _Pooled(spec, torch.Generator().manual_seed(seed))
        self.last = seqnn.GlobalMax()
        self.output = nn.Linear(spec.channels[-1] + spec.forecast_steps * spec.future, spec.forecast_steps)

    def forward(self, x: Tensor, future: Tensor | None = None) -> Tensor:
        """(B, L, I) [and (B, K, F)] → (B, K)."""
        return self.output(_joined(self.last(self.pooled(x)), future))


class ConvGruForecast(nn.Module):
    """Convolution, max-pooling, convolution, then a GRU over what is left, its last output, and a linear layer.

    With 32 channels, 5 taps and pools of 3 it is the network of Chollet, Deep Learning with Python, 1st edition, 6.4.4.
    """

    def __init__(self, spec: NetworkSpec, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.pooled = _Pooled(spec, generator)
        self.recurrent = seqnn.GRU(
            spec.channels[-1],
            spec.units,
            spec.layers,
            bidirectional=spec.bidirectional,
            input_dropout=spec.input_dropout,
            recurrent_dropout=spec.recurrent_dropout,
            between_dropout=spec.between_dropout,
            seed=generator,
        )
        width = self.recurrent.output_size + spec.forecast_steps * spec.future
        self.output = nn.Linear(width, spec.forecast_steps)

    def forward(self, x: Tensor, future: Tensor | None = None) -> Tensor:
        """(B, L, I) [and (B, K, F)] → (B, K)."""
        last, _ = self.recurrent(self.pooled(x), last_only=True)
        return self.output(_joined(last, future))


class TcnForecast(nn.Module):
    """A temporal convolutional network over the window, its output at the last step, then a linear layer."""

    def __init__(self, spec: NetworkSpec, seed: int) -> None:
        super().__init__()
        self.tcn = seqnn.TCN(
            spec.inputs,
            spec.channels,
            spec.kernel_size,
            spec.between_dropout,
            activation=spec.activation or "relu",
            seed=seed,
        )
        self.output = nn.Linear(spec.channels[-1] + spec.forecast_steps * spec.future, spec.forecast_steps)

    def forward(self, x: Tensor, future: Tensor | None = None) -> Tensor:
        """(B, L, I) [and (B, K, F)] → (B, K)."""
        return self.output(_joined(self.tcn(x, last_only=True), future))


def check_convolutions(spec: NetworkSpec) -> None:
    """Raise SettingError for sizes below 1, and for a window that is too short for the pooled networks."""
    for name, values in (("channels", spec.channels), ("kernel_size", [spec.kernel_size])):
        if not values or min(values) < 1:
            raise SettingError(f"{name}: expected whole numbers of at least 1, got {getattr(spec, name)}.")
    if spec.name == "tcn":
        if len(spec.channels) > _MOST_LEVELS:
            raise SettingError(
                f"channels: expected at most {_MOST_LEVELS} levels, whose dilations double, got {len(spec.channels)}."
            )
        return
    if spec.pool_size < 1:
        raise SettingError(f"pool_size: expected a whole number of at least 1, got {spec.pool_size}.")
    needed = steps_needed(spec, 1)
    if spec.input_steps < needed:
        raise SettingError(
            f"lookback: the model {spec.name!r} with {len(spec.channels)} convolutions of {spec.kernel_size} taps and "
            f"pools of {spec.pool_size} between them needs at least {needed} input steps, got {spec.input_steps}; give "
            "a longer lookback, a smaller kernel_size or pool_size, or fewer channels."
        )


def convolution_weights(spec: NetworkSpec) -> int:
    """How many weights the convolutions have.

    conv, conv-gru: Σ (kC + 1)C' over the layers from C to C' channels. tcn: for a level (kC + 2)C' + (kC' + 2)C', with
    weight norm's length and the bias for each channel, and (C + 1)C' for the 1×1 convolution where C' is not C.
    """
    taps, total = spec.kernel_size, 0
    for inputs, outputs in zip((spec.inputs, *spec.channels), spec.channels):
        if spec.name == "tcn":
            total += (taps * inputs + 2 + taps * outputs + 2) * outputs
            total += (inputs + 1) * outputs if inputs != outputs else 0
        else:
            total += (taps * inputs + 1) * outputs
    return total


def sight_notes(spec: NetworkSpec) -> list[str]:
    """What to say where a network can't see the whole window, or could see far more than it."""
    steps, levels = spec.input_steps, len(spec.channels)
    if spec.name in ("conv", "conv-gru"):
        unread = steps - _steps_read(spec)
        return [f"{spec.name}: {unread} of the {steps} input steps, the oldest, fill no whole pool."] if unread else []
    if spec.name != "tcn":
        return []
    field = _field(spec.kernel_size, levels)
    if field < steps:
        return [
            f"tcn: its receptive field is {field}, so of the {steps} input steps it sees only the last {field}; more "
            "channels (levels) or a larger kernel_size would use them all."
        ]
    enough = len(usual_channels("tcn", 1, steps, spec.kernel_size))
    if enough < levels:
        return [
            f"tcn: its receptive field is {field}, more than the {steps} input steps that there are; {enough} of its "
            f"{levels} levels would see them all."
        ]
    return []


def steps_needed(spec: NetworkSpec, outputs: int) -> int:
    """How many input steps a pooled network reads to have `outputs` steps behind its last convolution."""
    steps = outputs + spec.kernel_size - 1
    for _ in spec.channels[1:]:
        steps = steps * spec.pool_size + spec.kernel_size - 1
    return steps


def _steps_read(spec: NetworkSpec) -> int:
    """The newest input steps that come out even with the pools."""
    left = spec.input_steps - spec.kernel_size + 1
    for _ in spec.channels[1:]:
        left = left // spec.pool_size - spec.kernel_size + 1
    return steps_needed(spec, left)


def _field(kernel_size: int, levels: int) -> int:
    return 1 + 2 * (kernel_size - 1) * (2**levels - 1)


def _joined(last: Tensor, future: Tensor | None) -> Tensor:
    return last if future is None else torch.cat([last, future.flatten(1)], dim=1)
