"""The network of captions: convolutions read the picture, a decoder writes and looks at the places of their maps.

B pictures (Y, X, C), P places of the last maps, each of H numbers; the rest as in `networks/writer.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqloom_runtime.errors import SettingError
from seqloom_runtime.forward import MODELS

from ... import nn as seqnn
from ...nn.frame_encoder import seeded_conv2d
from ...training import derive_seed
from ..networks import BodySpec, Spec, body_spec, model_of, names_for, register_models
from ..networks.attention import ATTENTIONS
from ..networks.writer import Encoded, Writer

__all__ = ["NETWORKS", "CaptionNetwork", "CaptionSpec", "build_caption_network"]

register_models("captions", MODELS["captions"])
NETWORKS = names_for("captions")


@dataclass(frozen=True)
class CaptionSpec(Spec):
    """Everything that fixes a network's shape: enough to build it again before its weights are loaded.

    size: height, width and channels of the pictures. channels: of each convolution. targets: ids of the vocabulary.
    """

    name: str
    size: tuple[int, ...]
    targets: int
    channels: tuple[int, ...] = (16, 32, 64)
    kernel_size: int = 3
    embedding_size: int = 32
    units: int = 96
    layers: int = 1
    attention: str = "additive"
    dropout: float = 0.0
    scheduled_sampling: float = 0.0

    _least: ClassVar = dict.fromkeys(("targets", "kernel_size", "embedding_size", "units", "layers"), 1)

    def __post_init__(self) -> None:
        """Raise SettingError for sizes and options that don't go together."""
        model_of("captions", self.name)
        self.check_sizes()
        if self.attention not in (*ATTENTIONS, "none"):
            raise SettingError(f"attention: expected {', '.join(ATTENTIONS)} or none, got {self.attention!r}.")
        if self.kernel_size % 2 == 0:
            raise SettingError(f"kernel_size: expected an odd number, got {self.kernel_size}.")
        if len(self.size) != 3 or min(self.size) < 1 or not self.channels or min(self.channels) < 1:
            raise SettingError("size, channels: expected numbers of at least 1.")

    @property
    def places(self) -> tuple[int, int]:
        """Height and width of the last maps: each convolution halves them, rounded up."""
        tall, wide = self.size[:2]
        for _ in self.channels:
            tall, wide = -(-tall // 2), -(-wide // 2)
        return tall, wide

    @property
    def decoder(self) -> BodySpec:
        """What writes the caption."""
        return body_spec("captions", self.name, self.embedding_size, units=self.units, layers=self.layers)


class CaptionNetwork(Writer):
    """`nn.FrameEncoder` without pooling, one more convolution, and a learned vector for each place added: what the
    decoder attends to; it starts from their mean.

    Sources: Vinyals et al. 2015, arXiv 1411.4555; attention over places: Xu et al. 2015, arXiv 1502.03044.
    """

    def __init__(self, spec: CaptionSpec, seed: int) -> None:
        super().__init__()
        self.spec = spec
        self.end = spec.targets  # behind the vocabulary's ids
        self.generator = torch.Generator().manual_seed(derive_seed(seed, "masks"))
        own = torch.Generator().manual_seed(derive_seed(seed, "linear"))
        width, (tall, wide) = spec.channels[-1], spec.places
        self.target = seqnn.Embedding(spec.targets + 1, spec.embedding_size, seed=derive_seed(seed, "target"))
        self.encoder = seqnn.FrameEncoder(
            spec.size[2],
            spec.channels,
            kernel_size=spec.kernel_size,
            seed=derive_seed(seed, "encoder"),
            pooled=False,
        )
        self.around = seeded_conv2d(width, width, spec.kernel_size, own)
        self.places = nn.Parameter(torch.empty(tall * wide, width).normal_(0.0, 0.1, generator=own))
        self.write_with(spec, width, own, derive_seed(seed, "decoder"), derive_seed(seed, "attention"))

    def forward(self, pictures: Tensor, before: Tensor) -> Tensor:
        """pictures (B, Y, X, C) from 0 to 1, before (B, K): the token before each one to write → scores (B, K, V)."""
        return self.taught(before, *self.encode(pictures))

    def encode(self, pictures: Tensor) -> tuple[Encoded, Any]:
        """pictures (B, Y, X, C) → what the decoder attends to, (B, P, H), and its first state."""
        maps = self.encoder(pictures[:, None])[:, 0].permute(0, 3, 1, 2)
        read = functional.relu(self.around(maps)).flatten(2).transpose(1, 2) + self.places
        mask = torch.ones(read.shape[:2], dtype=torch.bool)
        return self.begin(read, mask, read.mean(dim=1))

    def loss(self, pictures: Tensor, before: Tensor, after: Tensor) -> Tensor:
        """−ln P of a token, the mean over all of the batch; after (B, K) int64, −1 behind the end of a caption."""
        return functional.cross_entropy(self(pictures, before).flatten(0, 1), after.flatten(), ignore_index=-1)


def build_caption_network(spec: CaptionSpec, seed: int) -> CaptionNetwork:
    """The network that `spec` names, weights and masks drawn from `seed` alone."""
    return CaptionNetwork(spec, seed)
