"""The linear layer that reads a body's features out, its weights drawn from a generator of its own."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["seeded_linear"]


def seeded_linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """A linear layer with Glorot uniform weights from `generator` and zero bias: Glorot & Bengio 2010, eq. 16.

    torch's global random stream is neither read nor moved.

    >>> layers = [seeded_linear(3, 2, torch.Generator().manual_seed(5)) for _ in range(2)]
    >>> torch.equal(layers[0].weight, layers[1].weight), layers[0].bias.tolist()
    (True, [0.0, 0.0])
    """
    layer = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")
    nn.init.xavier_uniform_(layer.weight, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer
