"""The tagger's networks: word ids in, a score of every tag at every word out.

B sentences, T words, V ids, E embedding size, K tags.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from seqloom_runtime.errors import SettingError
from seqloom_runtime.forward import MODELS

from ... import nn as seqnn
from ...training import derive_seed
from ..cell_parameters import cell_options
from ..layer_fields import LayersSpec, layer_fields
from ..networks import (
    BodySpec,
    body_spec,
    build_body,
    build_head,
    dropped,
    model_of,
    names_for,
    register_models,
)

__all__ = ["NETWORKS", "TaggerSpec", "TaggingNetwork", "build_tagging_network"]

register_models("tagging", MODELS["tagging"])
NETWORKS = names_for("tagging")


@dataclass(frozen=True)
class TaggerSpec(LayersSpec):
    """Everything that fixes a network's shape: enough to build it again before its weights are loaded.

    words: ids, padding and unknown word included. context: words on each side that every step sees too.
    """

    name: str
    words: int
    tags: int
    embedding_size: int = 100
    units: int = 100
    layers: int = 1
    context: int = 3
    crf: bool = False
    word_dropout: float = 0.0
    dropout: float = 0.0
    input_dropout: float = 0.0
    recurrent_dropout: float = 0.0

    _least: ClassVar = {**dict.fromkeys(("words", "tags", "embedding_size", "units", "layers"), 1), "context": 0}

    def __post_init__(self) -> None:
        """Raise SettingError for sizes and options that don't go together."""
        model_of("tagging", self.name)
        self.check_sizes()
        if self.name == "jordan" and self.layers > 1:
            raise SettingError("layers: a jordan network feeds its output back, so it has one layer; use layers=1.")
        if self.stack or self.activations or self.activation:
            _ = self.body  # which refuses layers that don't go together

    @property
    def body(self) -> BodySpec:
        """What reads the words, each with its context: (2c + 1)E numbers."""
        return body_spec(
            "tagging",
            self.name,
            (2 * self.context + 1) * self.embedding_size,
            units=self.units,
            layers=self.layers,
            input_dropout=self.input_dropout,
            recurrent_dropout=self.recurrent_dropout,
            outputs=self.tags,
            **layer_fields(self),
            **cell_options(self),
        )


class TaggingNetwork(nn.Module):
    """Embedding of a window of words, body, tag scores; with `crf` a layer that scores whole tag sequences.

    In training a word becomes the unknown one with probability `word_dropout`, so that the network learns what to make
    of words that it has never seen. The Jordan network feeds back its sigmoid outputs, one for each tag.
    """

    saved_as: ClassVar = {"body.recurrent.": "body.", "body.hidden.": "body."}  # the names of the first models

    def __init__(self, spec: TaggerSpec, unknown: int, seed: int) -> None:
        super().__init__()
        self.spec, self.unknown = spec, unknown
        self.generator = torch.Generator().manual_seed(derive_seed(seed, "masks"))
        self.embedding = seqnn.Embedding(spec.words, spec.embedding_size, seed=derive_seed(seed, "embedding"))
        own = torch.Generator().manual_seed(derive_seed(seed, "linear"))
        # Dense layers are drawn before the read-out from the same generator.
        self.body = build_body(spec.body, own if spec.body.kind == "dense" else derive_seed(seed, "body"))
        self.output = build_head(model_of("tagging", spec.name).head, self.body.output_size, spec.tags, own)
        self.crf = seqnn.CRF(spec.tags) if spec.crf else None

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """ids (B, T) int64, 0 behind the end, mask (B, T) bool, true for words → scores (B, T, K)."""
        if self.training and self.spec.word_dropout:
            drawn = torch.rand(ids.shape, generator=self.generator) < self.spec.word_dropout
            ids = torch.where(drawn & mask, self.unknown, ids)
        x = self.body.steps(_windows(self.embedding(ids), self.spec.context), mask)
        if self.training:
            x = dropped(x, self.spec.dropout, self.generator)
        return self.output(x)

    def loss(self, ids: Tensor, mask: Tensor, tags: Tensor) -> Tensor:
        """−ln P of the tags, summed over the words that have one, averaged over the sentences.

        tags (B, T) int64, −1 where the loss ignores the word. With a crf the tags of a sentence are one event, and
        every word needs one.
        """
        scores = self(ids, mask)
        if self.crf is not None:
            return self.crf.loss(scores, tags, mask).mean()
        summed = nn.functional.cross_entropy(scores.flatten(0, 1), tags.flatten(), ignore_index=-1, reduction="sum")
        return summed / len(ids)

    def best(self, ids: Tensor, mask: Tensor) -> Tensor:
        """The most likely tags (B, T) int64: of each word, with a crf of each sentence."""
        scores = self(ids, mask)
        return scores.argmax(dim=2) if self.crf is None else self.crf.decode(scores, mask)


def _windows(x: Tensor, context: int) -> Tensor:
    """(B, T, E) → (B, T, (2c + 1)E): each step beside the c before and after it, zeros outside."""
    if not context:
        return x
    wide = nn.functional.pad(x, (0, 0, context, context))
    return torch.cat([wide[:, shift : shift + x.shape[1]] for shift in range(2 * context + 1)], dim=2)


def build_tagging_network(spec: TaggerSpec, unknown: int, seed: int) -> TaggingNetwork:
    """The network that `spec` names, weights and masks drawn from `seed` alone; `unknown` is the unknown word's id."""
    return TaggingNetwork(spec, unknown, seed)
