"""The network of transcription: convolutions that shorten the frames, a recurrent network both ways, symbols.

B sounds, T frames of F numbers, S ≤ T steps behind the poolings, V outputs: the blank, 0, and the ids of the symbols.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from seqloom_runtime.forward import MODELS
from seqloom_runtime.transcription.decoding import BLANK

from ...training import derive_seed
from ..cell_parameters import cell_options
from ..networks import BodySpec, CellSpec, body_spec, build_body, dropped, names_for, register_models
from ..networks.convolutional import ConvRecurrentBody
from ..networks.heads import seeded_linear

__all__ = ["NETWORKS", "TranscriptionNetwork", "TranscriptionSpec", "build_transcription_network", "needed"]

register_models("transcription", MODELS["transcription"])
NETWORKS = names_for("transcription")


@dataclass(frozen=True)
class TranscriptionSpec(CellSpec):
    """Everything that fixes a network's shape: enough to build it again before its weights are loaded.

    inputs: numbers of a frame. symbols: ids of the vocabulary, blank and unknown symbol included.
    """

    name: str
    inputs: int
    symbols: int
    channels: tuple[int, ...] = ()
    kernel_size: int = 5
    pool_size: int = 2
    units: int = 96
    layers: int = 1
    bidirectional: bool = True
    dropout: float = 0.0
    input_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    between_dropout: float = 0.0
    band_mask: int = 0
    frame_mask: int = 0

    _least: ClassVar = dict.fromkeys(("inputs", "symbols", "kernel_size", "pool_size", "units", "layers"), 1)

    def __post_init__(self) -> None:
        """Raise SettingError for sizes and options that don't go together."""
        self.check_sizes()
        _ = self.body

    @property
    def body(self) -> BodySpec:
        """What reads the frames."""
        return body_spec(
            "transcription",
            self.name,
            self.inputs,
            channels=self.channels,
            kernel_size=self.kernel_size,
            pool_size=self.pool_size,
            units=self.units,
            layers=self.layers,
            bidirectional=self.bidirectional,
            dropout=self.dropout,
            input_dropout=self.input_dropout,
            recurrent_dropout=self.recurrent_dropout,
            between_dropout=self.between_dropout,
            **cell_options(self),
        )

    @property
    def stride(self) -> int:
        """Frames that one step of the outputs stands for."""
        body = self.body
        return body.pool_size ** max(0, len(body.channels) - 1)

    def steps(self, frames: int) -> int:
        """S: steps of so many frames."""
        return -(-frames // self.stride)


class TranscriptionNetwork(nn.Module):
    """A body and a linear read-out: log P of each symbol and of the blank at every step.

    Source: Graves et al. 2006, "Connectionist temporal classification".
    """

    def __init__(self, spec: TranscriptionSpec, seed: int) -> None:
        super().__init__()
        self.spec = spec
        self.generator = torch.Generator().manual_seed(derive_seed(seed, "masks"))
        self.body: Any = build_body(spec.body, derive_seed(seed, "body"))
        own = torch.Generator().manual_seed(derive_seed(seed, "linear"))
        self.output = seeded_linear(self.body.output_size, spec.symbols, own)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, T, F), mask (B, T) bool, true where a row has frames → log P (B, S, V), and how many steps (B,)."""
        if isinstance(self.body, ConvRecurrentBody):
            x, left = self.body.features(x, mask)
            mask = mask if left is None else left
            features = self.body.recurrent(x, mask=mask)[0]
        else:
            features = self.body.steps(x, mask)
        if self.training:
            features = dropped(features, self.spec.dropout, self.generator)
        return torch.log_softmax(self.output(features), dim=2), mask.sum(dim=1)

    def loss(self, x: Tensor, mask: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
        """−ln P(text | sound), the sum over the batch over its symbols; targets (B, K) int64, lengths (B,) of them."""
        if self.training:
            x = self._hidden(x, 2, self.spec.band_mask, x.shape[2] // 3)
            x = self._hidden(x, 1, self.spec.frame_mask, x.shape[1] // 5)
        p, steps = self(x, mask)
        each = nn.functional.ctc_loss(p.transpose(0, 1), targets, steps, lengths, blank=BLANK, reduction="sum")
        return each / lengths.sum()

    def _hidden(self, x: Tensor, axis: int, widest: int, most: int) -> Tensor:
        """x with two stretches along an axis 0, the mean of all frames, each 0 to min(widest, most) wide."""
        widest, size = min(widest, most), x.shape[axis]
        if widest < 1:
            return x
        wide = torch.randint(0, widest + 1, (len(x), 2, 1), generator=self.generator)
        first = (torch.rand((len(x), 2, 1), generator=self.generator) * (size - wide + 1)).floor()
        places = torch.arange(size)
        hidden = ((places >= first) & (places < first + wide)).any(dim=1)
        return torch.where(hidden[:, :, None] if axis == 1 else hidden[:, None, :], 0.0, x)


def needed(ids: list[int]) -> int:
    """The fewest steps that CTC can write the symbols in: one each, and a blank between two that are equal.

    >>> needed([3, 3, 4])
    4
    """
    return len(ids) + sum(a == b for a, b in pairwise(ids))


def build_transcription_network(spec: TranscriptionSpec, seed: int) -> TranscriptionNetwork:
    """The network that `spec` names, weights and masks drawn from `seed` alone."""
    return TranscriptionNetwork(spec, seed)
