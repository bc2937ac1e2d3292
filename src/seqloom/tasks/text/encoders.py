"""The bodies that texts alone have: embedded words in, one vector for each text out.

They map x (B, T, E), zero behind each text's end, and a mask (B, T) of words at the front to (B, F): B texts, T words,
E numbers for each word. What a text gives does not depend on how far it was padded; one without words gives what zeros
give.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ... import nn as seqnn
from ...nn import mask_from_lengths
from ...training import derive_seed
from ..networks import BodySpec, WholeBody, body_kind, lengthened, make_recurrent, register_body
from .hierarchical import HierarchicalBody

__all__ = ["first_occurrences", "running_pool"]

_WIDTHS = (3, 5, 7)  # taps of the convolutions side by side


class BagBody(WholeBody):
    """A dense layer over which words a text holds: the sum of its different words' rows and a bias, then relu."""

    def __init__(self, spec: BodySpec, seed: int) -> None:
        super().__init__(spec, seed)
        self.bias = nn.Parameter(torch.zeros(spec.inputs))

    def summary(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, E), zero where a word came before → (B, E)."""
        return torch.relu(x.sum(dim=1) + self.bias)


class MeanBody(WholeBody):
    """The mean of a text's words."""

    def summary(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, E) → (B, E)."""
        return x.sum(dim=1) / _lengths(x, mask).clamp(min=1).to(x)[:, None]


class ConvMaxBody(WholeBody):
    """Convolution, maximum of every 5 steps, convolution, maximum over the text; both with relu and no padding."""

    def __init__(self, spec: BodySpec, seed: int) -> None:
        super().__init__(spec, seed)
        self.first = _conv(spec.inputs, spec.units, spec.kernel_size, derive_seed(seed, "first"))
        self.second = _conv(spec.units, spec.units, spec.kernel_size, derive_seed(seed, "second"))

    def summary(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, E) → (B, filters)."""
        y, lengths = _conv_relu(self.first, lengthened(x, self.spec.kernel_size), _lengths(x, mask))
        y, lengths = _max_pool(y, lengths, 5)  # Chollet, Deep Learning with Python, 1st edition, 6.4.3
        return _conv_relu(self.second, lengthened(y, self.spec.kernel_size), lengths)[0].amax(dim=1)


class InceptionBody(WholeBody):
    """Convolutions of several widths side by side, each followed by relu and the maximum over the text; joined.

    Sources: Szegedy et al., arXiv 1409.4842 (parallel widths); Kim, arXiv 1408.5882 (for texts).
    """

    def __init__(self, spec: BodySpec, seed: int) -> None:
        super().__init__(spec, seed)
        self.branches = nn.ModuleList(
            _conv(spec.inputs, spec.units, width, derive_seed(seed, str(width))) for width in _WIDTHS
        )

    def summary(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, E) → (B, filters · widths)."""
        long, lengths = lengthened(x, max(_WIDTHS)), _lengths(x, mask)
        return torch.cat([_conv_relu(branch, long, lengths)[0].amax(dim=1) for branch in self.branches], dim=1)


class ConvLstmBody(WholeBody):
    """Convolution with relu, maximum of every 4 steps, then an LSTM over the shorter sequence."""

    def __init__(self, spec: BodySpec, seed: int) -> None:
        super().__init__(spec, seed)
        self.convolution = _conv(spec.inputs, spec.units, spec.kernel_size, derive_seed(seed, "convolution"))
        self.recurrent = make_recurrent("lstm", spec.units, spec, derive_seed(seed, "recurrent"))

    def summary(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, E) → (B, units)."""
        y, lengths = _conv_relu(self.convolution, lengthened(x, self.spec.kernel_size), _lengths(x, mask))
        y, lengths = _max_pool(y, lengths, 4)
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


def _lengths(x: Tensor, mask: Tensor | None) -> Tensor:
    """(B,) words of each text."""
    return torch.full((len(x),), x.shape[1]) if mask is None else mask.sum(dim=1)


def _conv(inputs: int, filters: int, kernel: int, seed: int) -> seqnn.Conv1d:
    return seqnn.Conv1d(inputs, filters, kernel, padding="valid", activation="relu", seed=seed)


def _conv_relu(layer: Any, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Convolution and relu; outputs that begin behind the last whole window become 0.

    A text shorter than the kernel keeps one window, which sees zeros behind the text. Returns y (B, T − k + 1, C) and
    the number of windows of each text.
    """
    y = layer(x)
    # relu leaves nothing below 0, so that a 0 behind the text never wins a maximum.
    lengths = (lengths - layer.kernel_size + 1).clamp(min=1)
    return y.masked_fill(~mask_from_lengths(lengths, y.shape[1])[:, :, None], 0.0), lengths


def _max_pool(y: Tensor, lengths: Tensor, pool: int) -> tuple[Tensor, Tensor]:
    """The maximum of every `pool` steps, the last of them fewer; y ≥ 0, and 0 behind each text's end."""
    y = nn.functional.max_pool1d(y.transpose(1, 2), pool, ceil_mode=True).transpose(1, 2)
    return y, (lengths + pool - 1) // pool


for _kind in (
    body_kind("bag", "a dense layer over which words a text holds", "long texts in which single words decide", BagBody),
    body_kind("mean", "the mean of a text's words", "a first network, fast", MeanBody),
    body_kind("conv-max", "two convolutions with max-pooling", "phrases, wherever they stand", ConvMaxBody),
    body_kind(
        "inception", "convolutions of 3, 5 and 7 words side by side", "phrases of several lengths", InceptionBody
    ),
    body_kind("conv-lstm", "a convolution, then an LSTM", "phrases and their order", ConvLstmBody),
    body_kind(
        "hierarchical",
        "attention over words, then over sentences",
        "long texts; shows what it looked at",
        HierarchicalBody,
    ),
):
    register_body(_kind)
