"""The bodies of the text networks: embedded words in, one vector for each text out.

Every encoder maps x (B, T, E), zero behind each text's end, and lengths (B,) to (B, `size`): B texts, T words, E
numbers for each word. What a text gives does not depend on how far it was padded; one without words gives what zeros
give.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ... import nn as seqnn
from ...nn import mask_from_lengths
from ...training import derive_seed
from ..networks import BodySpec, build_body

__all__ = [
    "BagEncoder",
    "ConvEncoder",
    "ConvRecurrentEncoder",
    "FlatEncoder",
    "InceptionEncoder",
    "PooledEncoder",
    "RecurrentEncoder",
    "first_occurrences",
    "mask_of",
    "running_pool",
]


class BagEncoder(nn.Module):
    """A dense layer over which words a text holds: the sum of its different words' rows and a bias, then relu."""

    def __init__(self, inputs: int):
        super().__init__()
        self.size = inputs
        self.bias = nn.Parameter(torch.zeros(inputs))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, E), zero where a word came before → (B, E)."""
        return torch.relu(x.sum(dim=1) + self.bias)


class PooledEncoder(nn.Module):
    """The mean of a text's words."""

    def __init__(self, inputs: int):
        super().__init__()
        self.size = inputs

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, E) → (B, E)."""
        return x.sum(dim=1) / lengths.clamp(min=1).to(x)[:, None]


class FlatEncoder(nn.Module):
    """The words side by side: position matters, so every text is padded to the same number of words."""

    def __init__(self, inputs: int, length: int):
        super().__init__()
        self.length, self.size = length, inputs * length

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(B, T ≤ length, E) → (B, length·E)."""
        return _lengthen(x, self.length).flatten(1)


class ConvEncoder(nn.Module):
    """Convolution, maximum of every `pool` steps, convolution, maximum over the text; both with relu and no padding."""

    def __init__(self, inputs: int, filters: int, kernel: int, pool: int, seed: int):
        super().__init__()
        self.kernel, self.pool, self.size = kernel, pool, filters
        self.first = _conv(inputs, filters, kernel, derive_seed(seed, "first"))
        self.second = _conv(filters, filters, kernel, derive_seed(seed, "second"))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, E) → (B, filters)."""
        x = _lengthen(x, self.kernel)
        y, lengths = _conv_relu(self.first, x, lengths)
        y, lengths = _max_pool(y, lengths, self.pool)
        y, lengths = _conv_relu(self.second, _lengthen(y, self.kernel), lengths)
        return y.amax(dim=1)


class InceptionEncoder(nn.Module):
    """Convolutions of several widths side by side, each followed by relu and the maximum over the text; joined.

    Sources: Szegedy et al., arXiv 1409.4842 (parallel widths); Kim, arXiv 1408.5882 (for texts).
    """

    def __init__(self, inputs: int, filters: int, kernels: tuple[int, ...], seed: int):
        super().__init__()
        self.kernels, self.size = kernels, filters * len(kernels)
        self.branches = nn.ModuleList(
            _conv(inputs, filters, kernel, derive_seed(seed, str(kernel))) for kernel in kernels
        )

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, E) → (B, filters·kernels)."""
        x = _lengthen(x, max(self.kernels))
        return torch.cat([_conv_relu(branch, x, lengths)[0].amax(dim=1) for branch in self.branches], dim=1)


class RecurrentEncoder(nn.Module):
    """Stacked RNN, GRU or LSTM in one or both directions, and what pools its steps; see `networks.build_body`."""

    def __init__(self, spec: BodySpec, seed: int):
        super().__init__()
        self.body = build_body(spec, seed)
        self.size = spec.output_size

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, E) → (B, units·directions)."""
        return self.body.summary(x, mask_of(lengths, x.shape[1]))

    def steps(self, x: Tensor) -> Tensor:
        """What the encoder gives after each word of whole texts: (B, T, E) → (B, T, size).

        For one direction, where word t and those before it are all that the t-th vector has seen.
        """
        return running_pool(self.body.steps(x), self.body.spec.pooling)


class ConvRecurrentEncoder(nn.Module):
    """Convolution with relu, maximum of every `pool` steps, then an LSTM over the shorter sequence."""

    def __init__(self, inputs: int, units: int, kernel: int, pool: int, options: dict[str, Any], seed: int):
        super().__init__()
        self.kernel, self.pool, self.size = kernel, pool, units
        self.convolution = _conv(inputs, units, kernel, derive_seed(seed, "convolution"))
        self.recurrent = seqnn.LSTM(units, units, seed=derive_seed(seed, "recurrent"), **options)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, E) → (B, units)."""
        y, lengths = _conv_relu(self.convolution, _lengthen(x, self.kernel), lengths)
        y, lengths = _max_pool(y, lengths, self.pool)
        return self.recurrent(y, lengths=lengths, last_only=True)[0]


def first_occurrences(ids: Tensor) -> Tensor:
    """The ids of each row in order, each but once; 0 for the rest.

    >>> first_occurrences(torch.tensor([[3, 2, 3, 0]])).tolist()
    [[0, 2, 3, 0]]
    """
    ids = ids.sort(dim=1).values
    again = torch.zeros_like(ids, dtype=torch.bool)
    again[:, 1:] = ids[:, 1:] == ids[:, :-1]
    return ids.masked_fill(again, 0)


def running_pool(y: Tensor, pool: str) -> Tensor:
    """What a pool gives for every beginning of a sequence: y (B, T, F) → (B, T, F).

    >>> running_pool(torch.tensor([[[1.0], [3.0], [2.0]]]), "mean").flatten().tolist()
    [1.0, 2.0, 2.0]
    """
    if pool == "mean":
        return y.cumsum(dim=1) / torch.arange(1, y.shape[1] + 1).to(y)[:, None]
    return y.cummax(dim=1).values if pool == "max" else y


def mask_of(lengths: Tensor, time: int) -> Tensor | None:
    """(B, T) bool, True for each text's words; None where every text fills all steps, which runs faster."""
    return None if len(lengths) and int(lengths.min()) == time else mask_from_lengths(lengths, time)


def _lengthen(x: Tensor, least: int) -> Tensor:
    """x with zeros behind it, so that it has `least` steps."""
    return x if x.shape[1] >= least else nn.functional.pad(x, (0, 0, 0, least - x.shape[1]))


def _conv(inputs: int, filters: int, kernel: int, seed: int) -> seqnn.Conv1d:
    return seqnn.Conv1d(inputs, filters, kernel, padding="valid", activation="relu", seed=seed)


def _conv_relu(layer: Any, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Convolution and relu; outputs that begin behind the last whole window become 0.

    A text shorter than the kernel keeps one window, which sees zeros behind the text. Returns y (B, T − k + 1, C) and
    the number of windows of each text.
    """
    y = layer(x)
    lengths = (lengths - layer.kernel_size + 1).clamp(min=1)
    return y.masked_fill(~mask_from_lengths(lengths, y.shape[1])[:, :, None], 0.0), lengths


def _max_pool(y: Tensor, lengths: Tensor, pool: int) -> tuple[Tensor, Tensor]:
    """The maximum of every `pool` steps, the last of them fewer; y ≥ 0, and 0 behind each text's end."""
    y = nn.functional.max_pool1d(y.transpose(1, 2), pool, ceil_mode=True).transpose(1, 2)
    return y, (lengths + pool - 1) // pool
