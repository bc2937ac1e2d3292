"""The decoder of an encoder-decoder: from the encoder's last state through the steps of the horizon, one by one.

At each step it reads what is known of it in advance (columns, holidays, the calendar) and where the step stands. Its
own forecast is not fed back: a forecast is linear in the state, which the recurrence reads anyhow.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ...training import derive_seed
from ..networks import BodySpec
from ..networks.attention import AdditiveAttention
from ..networks.body import make_recurrent
from ..networks.heads import seeded_linear

__all__ = ["CELLS", "AdditiveAttention", "Decoder", "StepReadOut"]

CELLS = ("rnn", "gru", "lstm")


class Decoder(nn.Module):
    """Recurrent layers of the encoder's shape over the steps ahead; with attention each step also reads a context.

    Source: Cho et al., "Learning phrase representations using RNN encoder-decoder", EMNLP 2014; Sutskever et al. 2014.
    """

    place: Tensor

    def __init__(self, encoder: BodySpec, steps: int, known: int, attention: bool, seed: int) -> None:
        """encoder: its shape; steps: K; known: F, columns known in advance."""
        super().__init__()
        self.recurrent = make_recurrent(encoder.kind, 1 + known, encoder, derive_seed(seed, "decoder"))
        width = encoder.output_size
        self.attention = AdditiveAttention(width, derive_seed(seed, "attention")) if attention else None
        self.output_size = width * (2 if attention else 1)
        place = torch.arange(1, steps + 1) / steps
        self.register_buffer("place", place[:, None], persistent=False)

    def forward(self, encoded: Tensor, state: Any, future: Tensor | None) -> Tensor:
        """encoded (B, T, H), the encoder's outputs, its last state, and future (B, K, F) or None → (B, K, output)."""
        read = self.place.expand(len(encoded), -1, -1)
        decoded = self.recurrent(read if future is None else torch.cat([read, future], dim=2), state)[0]
        return decoded if self.attention is None else torch.cat([decoded, self.attention(decoded, encoded)], dim=2)


class StepReadOut(nn.Module):
    """o_k = V f_k + b_k: one matrix for all steps, a bias for each. (B, K, F) → (B, K · P)."""

    def __init__(self, features: int, steps: int, numbers: int, generator: torch.Generator) -> None:
        """numbers: P of each step."""
        super().__init__()
        self.weight = seeded_linear(features, numbers, generator).weight
        self.bias = nn.Parameter(torch.zeros(steps * numbers))

    def forward(self, features: Tensor) -> Tensor:
        """As the class says."""
        return nn.functional.linear(features, self.weight).flatten(1) + self.bias
