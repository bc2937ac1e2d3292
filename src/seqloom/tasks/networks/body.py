"""The bodies of sequence and text networks, with a mask, and what pools their steps.

A body maps x (B, T, inputs) and a mask (B, T) bool, None where all steps count, to features of every step (B, T, F)
with `steps`, or of the whole sequence (B, F) with `summary`. Masked steps before and behind a row's own are as if they
were not there, and nothing that stands there, NaN included, reaches the others. A masked step between two others is
left out of a recurrent body, and is a zero to a convolution.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from ... import nn as seqnn
from ...training import derive_seed
from .pooling import make_pooling, max_of_steps
from .spec import RECURRENT, BodySpec

__all__ = [
    "Body",
    "ConvBody",
    "ConvRecurrentBody",
    "RecurrentBody",
    "TcnBody",
    "build_body",
    "count_parameters",
    "receptive_field",
]

_CELLS = {"rnn": seqnn.RNN, "gru": seqnn.GRU, "lstm": seqnn.LSTM}
_GATES = {"rnn": 1, "gru": 3, "lstm": 4, "conv-gru": 3}


class Body(nn.Module, ABC):
    """Base of the bodies. `causal` says whether the features of a step depend on no later step."""

    causal: bool = True

    def __init__(self, spec: BodySpec, seed: int) -> None:
        super().__init__()
        self.spec = spec
        self.output_size = spec.output_size
        self.pooling = make_pooling(spec.pooling, spec.output_size, derive_seed(seed, "pooling"))

    @abstractmethod
    def steps(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, T, inputs) → (B, T, F); what a masked step holds means nothing."""

    def summary(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, T, inputs) → (B, F)."""
        return self.pooling(self.steps(x, mask), mask)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Both: the features of the steps (B, T, F), and of the sequence (B, F)."""
        features = self.steps(x, mask)
        return features, self.pooling(features, mask)


class RecurrentBody(Body):
    """Stacked RNN, GRU or LSTM, in one or two directions.

    The summary with pooling "last" is the state after the whole sequence: of the backward direction that is the one
    after its first step.
    """

    def __init__(self, spec: BodySpec, seed: int) -> None:
        super().__init__(spec, seed)
        options: dict[str, Any] = {} if spec.activation is None else {"activation": spec.activation}
        self.recurrent = _recurrent(spec.kind, spec.inputs, spec, seed, options)
        self.causal = not spec.bidirectional

    def steps(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, T, inputs) → (B, T, units · directions)."""
        return self.recurrent(x, mask=mask)[0]

    def summary(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, T, inputs) → (B, units · directions)."""
        if self.spec.pooling == "last":
            return self.recurrent(x, mask=mask, last_only=True)[0]
        return super().summary(x, mask)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Both: the features of the steps (B, T, F), and of the sequence (B, F)."""
        features = self.steps(x, mask)
        if self.spec.pooling != "last" or not self.spec.bidirectional:
            return features, self.pooling(features, mask)
        # A masked step repeats the state, so each direction ends at its end of the row whatever the mask is.
        return features, torch.cat([features[:, -1, : self.spec.units], features[:, 0, self.spec.units :]], dim=1)


class TcnBody(Body):
    """A temporal convolutional network: see `seqloom.nn.TCN`."""

    def __init__(self, spec: BodySpec, seed: int) -> None:
        super().__init__(spec, seed)
        self.tcn = seqnn.TCN(
            spec.inputs,
            list(spec.channels),
            spec.kernel_size,
            spec.dropout,
            dilations=list(spec.dilations),
            activation=spec.activation or "relu",
            seed=seed,
        )

    def steps(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, T, inputs) → (B, T, channels of the last level)."""
        return self.tcn(x, mask)

    def summary(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, T, inputs) → (B, channels of the last level); "last" of whole rows runs the steps it needs alone."""
        if self.spec.pooling == "last" and mask is None:
            return self.tcn(x, last_only=True)
        return super().summary(x, mask)


class ConvBody(Body):
    """Causal convolutions one after the other, each with its activation; the largest of every few steps between two.

    With `pool_size` p there are ⌈T / p⌉ steps behind each pooling, and `steps` gives those of the last convolution.
    """

    def __init__(self, spec: BodySpec, seed: int) -> None:
        super().__init__(spec, seed)
        self.convolutions = _convolutions(spec, seed)
        self.causal = spec.pool_size == 1

    def features(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """x (B, T, inputs) → (B, T', channels) and its mask (B, T'), None where all of it counts."""
        for level, layer in enumerate(self.convolutions):
            if level:
                x, mask = max_of_steps(x, mask, self.spec.pool_size)
            x = layer(x, mask)
        return x, mask

    def steps(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, T, inputs) → (B, T', channels of the last convolution); T' is T where pool_size is 1."""
        return self.features(x, mask)[0]

    def summary(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, T, inputs) → (B, channels of the last convolution)."""
        return self.pooling(*self.features(x, mask))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Both: the features of the steps (B, T', F), and of the sequence (B, F)."""
        features, mask = self.features(x, mask)
        return features, self.pooling(features, mask)


class ConvRecurrentBody(ConvBody):
    """The convolutions of `ConvBody`, then a GRU over what they leave."""

    def __init__(self, spec: BodySpec, seed: int) -> None:
        super().__init__(spec, seed)
        self.recurrent = _recurrent("gru", spec.channels[-1], spec, derive_seed(seed, "recurrent"), {})
        self.causal = self.causal and not spec.bidirectional

    def steps(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, T, inputs) → (B, T', units · directions)."""
        return self.forward(x, mask)[0]

    def summary(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, T, inputs) → (B, units · directions)."""
        features, mask = self.features(x, mask)
        if self.spec.pooling == "last":
            return self.recurrent(features, mask=mask, last_only=True)[0]
        return self.pooling(self.recurrent(features, mask=mask)[0], mask)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Both: the features of the steps (B, T', F), and of the sequence (B, F)."""
        features, mask = self.features(x, mask)
        steps = self.recurrent(features, mask=mask)[0]
        if self.spec.pooling != "last" or not self.spec.bidirectional:
            return steps, self.pooling(steps, mask)
        return steps, torch.cat([steps[:, -1, : self.spec.units], steps[:, 0, self.spec.units :]], dim=1)


def build_body(spec: BodySpec, seed: int) -> Body:
    """The body that `spec` names, its weights and dropout masks drawn from `seed` alone.

    >>> body = build_body(BodySpec("gru", inputs=3, units=8), seed=1)
    >>> x, mask = torch.zeros(2, 5, 3), torch.tensor([[True] * 5, [True] * 2 + [False] * 3])
    >>> body.steps(x, mask).shape, body.summary(x, mask).shape
    (torch.Size([2, 5, 8]), torch.Size([2, 8]))
    """
    if spec.kind in RECURRENT:
        return RecurrentBody(spec, seed)
    kinds: dict[str, type[Body]] = {"tcn": TcnBody, "conv": ConvBody, "conv-gru": ConvRecurrentBody}
    return kinds[spec.kind](spec, seed)


def count_parameters(spec: BodySpec) -> int:
    """How many weights `build_body` makes, worked out without building it.

    With I inputs, U units and D directions: per recurrent layer and direction G[U(I' + U) + U] with G = 1 (RNN), 3
    (GRU) or 4 (LSTM) and I' = I in the first layer, DU in the others, and U more for prelu. A convolution of K taps
    from I to C channels has IKC + C, under a TCN's weight norm C more; a TCN level has two, and (I + 1)C where its
    channels change. Attention pooling has F² + 2F.
    """
    size = spec.output_size
    count = size * (size + 2) if spec.pooling == "attention" else 0
    inputs = spec.inputs
    for channels in spec.channels:
        if spec.kind == "tcn":
            count += (inputs + channels) * spec.kernel_size * channels + 4 * channels
            count += (inputs + 1) * channels if inputs != channels else 0
        else:
            count += (inputs * spec.kernel_size + 1) * channels
        inputs = channels
    if spec.kind not in _GATES:
        return count
    units, gates, directions = spec.units, _GATES[spec.kind], 2 if spec.bidirectional else 1
    slopes = units if spec.activation == "prelu" else 0
    first = gates * units * (inputs + units + 1) + slopes
    later = gates * units * (directions * units + units + 1) + slopes
    return count + directions * (first + (spec.layers - 1) * later)


def receptive_field(spec: BodySpec) -> float:
    """How many steps the features of one step see, its own among them; infinity where it is all of them.

    tcn: 1 + Σ 2(K − 1)·d over the levels. conv: 1 + Σ (K − 1)·d·s + Σ (p − 1)·s, with s the steps of the sequence that
    one step of the level stands for.

    >>> receptive_field(BodySpec("tcn", inputs=1, channels=(25,) * 8, kernel_size=7, dilation=2))
    3061
    """
    if spec.kind == "tcn":
        return 1 + sum(2 * (spec.kernel_size - 1) * dilation for dilation in spec.dilations)
    if spec.kind != "conv":
        return math.inf
    seen = 1
    for level, dilation in enumerate(spec.dilations):
        seen += (spec.kernel_size - 1) * dilation * spec.pool_size**level
        seen += (spec.pool_size - 1) * spec.pool_size ** (level - 1) if level else 0
    return seen


def _recurrent(kind: str, inputs: int, spec: BodySpec, seed: int, options: dict[str, Any]) -> seqnn.Recurrent:
    return _CELLS[kind](
        inputs,
        spec.units,
        spec.layers,
        bidirectional=spec.bidirectional,
        input_dropout=spec.input_dropout,
        recurrent_dropout=spec.recurrent_dropout,
        between_dropout=spec.between_dropout,
        seed=seed,
        **options,
    )


def _convolutions(spec: BodySpec, seed: int) -> nn.ModuleList:
    layers = nn.ModuleList()
    generator = torch.Generator().manual_seed(seed)
    for inputs, outputs, dilation in zip((spec.inputs, *spec.channels), spec.channels, spec.dilations):
        layers.append(
            seqnn.CausalConv1d(
                inputs,
                outputs,
                spec.kernel_size,
                dilation=dilation,
                activation=spec.activation or "relu",
                dropout=spec.dropout,
                seed=generator,
            )
        )
    return layers
