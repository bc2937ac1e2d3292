"""The Siamese network: one body and one linear layer for both sequences of a pair, and the losses of their distances.

B sequences, T steps, C channels, E numbers of an embedding. Alike (B, B): 1 for a pair that is alike, 0 for one that
isn't, −1 for one that nothing is known of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from seqloom_runtime.forward import MODELS

from ...training import derive_seed
from ..networks import BodySpec, Spec, body_spec, build_body, model_of, names_for, register_models
from ..networks.heads import seeded_linear

__all__ = [
    "LOSSES",
    "NETWORKS",
    "SiameseNetwork",
    "SiameseSpec",
    "build_siamese",
    "contrastive_loss",
    "distances",
    "triplet_loss",
]

register_models("similarity", MODELS["similarity"])
NETWORKS = names_for("similarity")
LOSSES = ("triplet", "contrastive")
_TINY = 1e-12  # the root's gradient is infinite at 0


@dataclass(frozen=True)
class SiameseSpec(Spec):
    """Everything that fixes a network's shape: enough to build it again before its weights are loaded."""

    name: str
    channels: int
    embedding_size: int = 32
    units: int = 64
    layers: int = 1
    bidirectional: bool = False
    input_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    between_dropout: float = 0.0

    _least: ClassVar = dict.fromkeys(("channels", "embedding_size", "units", "layers"), 1)

    def __post_init__(self) -> None:
        """Raise SettingError for an unknown model and sizes below 1."""
        model_of("similarity", self.name)
        self.check_sizes()

    @property
    def body(self) -> BodySpec:
        """What reads a sequence."""
        return body_spec(
            "similarity",
            self.name,
            self.channels,
            units=self.units,
            layers=self.layers,
            bidirectional=self.bidirectional,
            input_dropout=self.input_dropout,
            recurrent_dropout=self.recurrent_dropout,
            between_dropout=self.between_dropout,
            pooling="last",
        )


class SiameseNetwork(nn.Module):
    """e = v / |v|, v = W h + b, h the body's state after the sequence: distances lie between 0 and 2.

    Source: Bromley et al. 1993; Mueller & Thyagarajan 2016, with triplets as in Schroff et al. 2015, arXiv 1503.03832.
    """

    def __init__(self, spec: SiameseSpec, seed: int) -> None:
        super().__init__()
        self.spec = spec
        self.body = build_body(spec.body, derive_seed(seed, "body"))
        own = torch.Generator().manual_seed(derive_seed(seed, "output"))
        self.output = seeded_linear(self.body.output_size, spec.embedding_size, own)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, T, C), mask (B, T) bool or None → embeddings (B, E) of length 1."""
        return nn.functional.normalize(self.output(self.body.summary(x, mask)), dim=1)


def distances(embeddings: Tensor) -> Tensor:
    """The Euclidean distance (B, B) of each pair of embeddings (B, E)."""
    squared = embeddings.square().sum(dim=1)
    between = squared[:, None] + squared[None] - 2 * embeddings @ embeddings.T
    return between.clamp(min=_TINY).sqrt()


def contrastive_loss(distance: Tensor, alike: Tensor, margin: float) -> Tensor:
    """½ mean d² of the pairs that are alike + ½ mean max(0, m − d)² of the others, each pair of two sequences.

    Source: Hadsell, Chopra & LeCun 2006.
    """
    pairs = torch.ones_like(alike).triu(1).bool()
    near, far = pairs & (alike == 1), pairs & (alike == 0)
    pull = distance[near].square().sum() / near.sum().clamp(min=1)
    push = (margin - distance[far]).clamp(min=0).square().sum() / far.sum().clamp(min=1)
    return 0.5 * (pull + push)


def triplet_loss(distance: Tensor, alike: Tensor, margin: float) -> Tensor:
    """The mean over all triplets of a batch of max(0, m + d(anchor, alike) − d(anchor, other)), those above 0.

    Source: Hermans, Beyer & Leibe 2017, arXiv 1703.07737, batch all, without the triplets that are right already.
    """
    own = torch.eye(len(alike), dtype=torch.bool)
    near, far = (alike == 1) & ~own, alike == 0
    losses = (margin + distance[:, :, None] - distance[:, None, :]).clamp(min=0)
    losses = losses * (near[:, :, None] & far[:, None, :])
    return losses.sum() / (losses > 0).sum().clamp(min=1)


def build_siamese(spec: SiameseSpec, seed: int) -> SiameseNetwork:
    """The network that `spec` names, weights and masks drawn from `seed` alone."""
    return SiameseNetwork(spec, seed)
