"""Heads: what reads a body's features out. Their weights are drawn from a generator that is passed in."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...nn.initialisers import undrawn
from .registry import HEADS, HeadKind, register_head

__all__ = ["HiddenHead", "build_head", "seeded_linear"]


def seeded_linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """A linear layer with Glorot uniform weights from `generator` and zero bias: Glorot & Bengio 2010, eq. 16.

    torch's global random stream is neither read nor moved.

    >>> layers = [seeded_linear(3, 2, torch.Generator().manual_seed(5)) for _ in range(2)]
    >>> torch.equal(layers[0].weight, layers[1].weight), layers[0].bias.tolist()
    (True, [0.0, 0.0])
    """
    # nn.Linear draws from torch's global stream when it is made, but not on the meta device.
    layer = nn.Linear(inputs, outputs, device="meta")
    if torch.empty(0).is_meta:  # a network whose weights are counted alone
        return layer
    undrawn(layer)
    nn.init.xavier_uniform_(layer.weight, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


class HiddenHead(nn.Module):
    """A relu layer with dropout behind it, then a linear one."""

    def __init__(self, features: int, outputs: int, generator: torch.Generator, hidden: int, dropout: float) -> None:
        super().__init__()
        self.hidden = seeded_linear(features, hidden, generator)
        self.dropout = nn.Dropout(dropout)
        self.output = seeded_linear(hidden, outputs, generator)

    def forward(self, features: Tensor) -> Tensor:
        """(…, F) → (…, O)."""
        return self.output(self.dropout(torch.relu(self.hidden(features))))


def build_head(
    name: str, features: int, outputs: int, generator: torch.Generator, *, hidden: int = 0, dropout: float = 0.0
) -> nn.Module:
    """The head of that name among `HEADS`; with `hidden` units in between the linear one becomes a `HiddenHead`."""
    if name == "linear" and hidden:
        name = "hidden"
    return HEADS[name].build(features, outputs, generator, hidden=hidden, dropout=dropout)


register_head(HeadKind("linear", "o = W f + b", lambda f, o, generator, **_: seeded_linear(f, o, generator)))
register_head(
    HeadKind(
        "hidden",
        "a relu layer of `hidden` units, dropout, then o = W h + b",
        lambda f, o, generator, *, hidden=0, dropout=0.0: HiddenHead(f, o, generator, hidden or f, dropout),
    )
)
