"""Small networks and batches that several studies share: a recurrent or convolutional body, then a linear layer."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from .. import nn as seqnn

__all__ = ["CELLS", "Passes", "Reader", "count", "glorot_linear"]

CELLS = {"rnn": seqnn.RNN, "gru": seqnn.GRU, "lstm": seqnn.LSTM}


class Passes:
    """Batches of rows of equally long tensors; each pass is a new order and ends with a smaller batch.

    The order comes from torch's global stream, which the training loop keeps apart for it and saves.

    >>> batches = Passes(torch.arange(5), torch.arange(5), batch_size=2)
    >>> len(batches), sorted(int(x) for batch, _ in batches for x in batch)
    (3, [0, 1, 2, 3, 4])
    """

    def __init__(self, *tensors: Tensor, batch_size: int) -> None:
        self._tensors, self._size = tensors, batch_size

    def __len__(self) -> int:
        return math.ceil(len(self._tensors[0]) / self._size)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        order = torch.randperm(len(self._tensors[0]))
        for rows in order.split(self._size):
            yield tuple(tensor[rows] for tensor in self._tensors)


class Reader(nn.Module):
    """x (B, T, I) through a body to features, then a linear layer: (B, T, K), or (B, K) of the last step alone.

    dropout: of the features.
    """

    def __init__(
        self, body: nn.Module, features: int, outputs: int, *, seed: int, last: bool = True, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.body, self.last, self.dropout = body, last, nn.Dropout(dropout)
        self.output = glorot_linear(features, outputs, seed)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, I) → (B, K), or (B, T, K)."""
        # Where only the last step is read, the body skips what leads to the others: for a TCN most of the work.
        if isinstance(self.body, seqnn.Recurrent):
            y, _ = self.body(x, last_only=self.last)
            return self.output(self.dropout(y))
        if isinstance(self.body, seqnn.TCN):
            return self.output(self.dropout(self.body(x, last_only=self.last)))
        y = self.body(x)
        return self.output(self.dropout(y[:, -1] if self.last else y))


def glorot_linear(inputs: int, outputs: int, seed: int) -> nn.Linear:
    """A linear layer that starts Glorot uniform with zero bias: Glorot & Bengio 2010, eq. 16."""
    layer = nn.Linear(inputs, outputs)
    nn.init.xavier_uniform_(layer.weight, generator=torch.Generator().manual_seed(seed))
    nn.init.zeros_(layer.bias)
    return layer


def count(module: nn.Module) -> int:
    """How many numbers are trained.

    >>> count(nn.Linear(3, 2))
    8
    """
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
