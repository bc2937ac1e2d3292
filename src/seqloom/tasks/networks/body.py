"""The bodies of sequence and text networks: recurrent stacks with a mask, and what pools their steps.

A body maps x (B, T, inputs) and a mask (B, T) bool, None where all steps count, to features of every step (B, T, F)
with `steps`, or of the whole sequence (B, F) with `summary`. A masked step is as if it were not in the sequence: the
other steps' features are those of the sequence without it, and nothing that stands there, NaN included, reaches them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from ... import nn as seqnn
from ...training import derive_seed
from .pooling import make_pooling
from .spec import BodySpec

__all__ = ["Body", "RecurrentBody", "build_body", "count_parameters"]

_CELLS = {"rnn": seqnn.RNN, "gru": seqnn.GRU, "lstm": seqnn.LSTM}
_GATES = {"rnn": 1, "gru": 3, "lstm": 4}


class Body(nn.Module, ABC):
    """Base of the bodies. `causal` says whether the features of a step depend on no later step."""

    def __init__(self, spec: BodySpec, seed: int) -> None:
        super().__init__()
        self.spec = spec
        self.output_size = spec.output_size
        self.pooling = make_pooling(spec.pooling, spec.output_size, derive_seed(seed, "pooling"))

    causal: bool = True

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
        self.recurrent = _CELLS[spec.kind](
            spec.inputs,
            spec.units,
            spec.layers,
            bidirectional=spec.bidirectional,
            input_dropout=spec.input_dropout,
            recurrent_dropout=spec.recurrent_dropout,
            between_dropout=spec.between_dropout,
            seed=seed,
            **options,
        )
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


def build_body(spec: BodySpec, seed: int) -> Body:
    """The body that `spec` names, its weights and dropout masks drawn from `seed` alone.

    >>> body = build_body(BodySpec("gru", inputs=3, units=8), seed=1)
    >>> x, mask = torch.zeros(2, 5, 3), torch.tensor([[True] * 5, [True] * 2 + [False] * 3])
    >>> body.steps(x, mask).shape, body.summary(x, mask).shape
    (torch.Size([2, 5, 8]), torch.Size([2, 8]))
    """
    return RecurrentBody(spec, seed)


def count_parameters(spec: BodySpec) -> int:
    """How many weights `build_body` makes, worked out without building it.

    With I inputs, U units and D directions: per layer and direction G[U(I' + U) + U] with G = 1 (RNN), 3 (GRU) or 4
    (LSTM) and I' = I in the first layer, DU in the others, and U more for prelu; attention pooling has F² + 2F.
    """
    units, gates, directions = spec.units, _GATES[spec.kind], 2 if spec.bidirectional else 1
    slopes = units if spec.activation == "prelu" else 0
    first = gates * units * (spec.inputs + units + 1) + slopes
    later = gates * units * (directions * units + units + 1) + slopes
    size = spec.output_size
    pooling = size * (size + 2) if spec.pooling == "attention" else 0
    return directions * (first + (spec.layers - 1) * later) + pooling
