"""The convolutional encoder of sequence to sequence. B texts, T tokens, E embedding size, U units."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ... import nn as seqnn
from ...training import derive_seed
from ..networks import dropped
from ..networks.heads import seeded_linear

__all__ = ["ENCODERS", "ConvolutionalEncoder", "positions"]

ENCODERS = ("recurrent", "convolutional")
_LONGEST_WAVE = 10_000.0
_SCALE = 20.0  # embeddings start between ±1/20: beside the waves they would not count
_HALF = math.sqrt(0.5)  # a sum of two parts keeps the variance of one


class ConvolutionalEncoder(nn.Module):
    """h_0 = W (20 e + p) + b; h_l = √½ (h_{l−1} + a ⊙ σ(g)), (a, g) the halves of a convolution of h_{l−1}
    over K tokens around each; a level sees K − 1 tokens more, and all tokens of a text are read at once.

    e are the embeddings, p the waves of `positions`, which tell one place of the text from another.
    Sources: Gehring et al. 2017, arXiv 1611.02344 and 1705.03122 (gated levels, √½); Dauphin et al. 2017,
    arXiv 1612.08083 (gate); Vaswani et al. 2017, arXiv 1706.03762, section 3.5 (waves).
    """

    def __init__(
        self,
        inputs: int,
        units: int,
        *,
        levels: int,
        kernel_size: int,
        dropout: float,
        seed: int,
        generator: torch.Generator,
    ) -> None:
        """inputs: E; seed: of the weights; dropout: before each convolution, its masks drawn by `generator`."""
        super().__init__()
        self.dropout, self.generator, self.output_size = dropout, generator, units
        self.first = seeded_linear(inputs, units, torch.Generator().manual_seed(derive_seed(seed, "first")))
        self.levels = nn.ModuleList(
            seqnn.Conv1d(units, 2 * units, kernel_size, padding="same", seed=derive_seed(seed, "level", str(level)))
            for level in range(levels)
        )

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, T, E), mask (B, T) → outputs (B, T, U), and their mean over the tokens of a text (B, U)."""
        h = self.first(_SCALE * x + positions(x.shape[1], x.shape[2]).to(x))
        for level in self.levels:
            read = dropped(h, self.dropout, self.generator) if self.training else h
            value, gate = level(read, mask).chunk(2, dim=2)
            h = (h + value * torch.sigmoid(gate)) * _HALF
        kept = mask[:, :, None].to(h)
        return h, (h * kept).sum(dim=1) / kept.sum(dim=1)


def positions(steps: int, size: int) -> Tensor:
    """(T, E): sin and cos of t / 10000^(2i/E), one after the other.

    >>> positions(2, 3)[1].round(decimals=3).tolist()
    [0.8410000205039978, 0.5400000214576721, 0.0020000000949949026]
    """
    rates = _LONGEST_WAVE ** (-2.0 * torch.arange((size + 1) // 2, dtype=torch.float64) / size)
    angles = torch.arange(steps, dtype=torch.float64)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :size].to(torch.float32)
