"""The text classifier's networks: numbered words in, one number for each class out.

Every network maps ids (B, T) int64, 0 behind each text's end, and lengths (B,) to (B, K); the hierarchical one ids
(B, S, W) and lengths (B, S). B texts, T words, S sentences, W words of a sentence; K outputs: 1 for two classes, else
one for each class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from seqloom_runtime.forward import MODELS

from ...nn import Embedding, mask_from_lengths
from ...training import derive_seed
from ..cell_parameters import cell_options
from ..layer_fields import LayersSpec, layer_fields
from ..networks import (
    BodySpec,
    RecurrentBody,
    body_spec,
    build_body,
    build_head,
    model_of,
    names_for,
    register_models,
)
from .encoders import first_occurrences

__all__ = ["NETWORKS", "TextNetwork", "TextNetworkSpec", "build_text_network", "mask_of"]

register_models("text", MODELS["text"])
NETWORKS = names_for("text")


@dataclass(frozen=True)
class TextNetworkSpec(LayersSpec):
    """Everything that fixes a network's shape: enough to build it again before its weights are loaded.

    words: rows of the embedding, padding and unknown word included; length: words of every text (flat).
    units: of the recurrent layers, filters of the convolutions, or 0. kernel_size: conv and conv-lstm.
    hidden: units of a relu layer before the output; 0 for none.
    """

    name: str
    words: int
    classes: int
    length: int = 400
    embedding_size: int = 64
    embedding_dropout: float = 0.0
    trainable: bool = True
    units: int = 64
    layers: int = 1
    kernel_size: int = 7
    pool: str = "last"
    hidden: int = 0
    dropout: float = 0.0
    input_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    between_dropout: float = 0.0

    _least: ClassVar = {
        **dict.fromkeys(("length", "embedding_size", "units", "layers", "kernel_size"), 1),
        "words": 2,
        "classes": 2,
        "hidden": 0,
    }

    def check(self) -> None:
        """Raise SettingError for an unknown network, sizes that are too small, or a pool that it doesn't have."""
        model_of("text", self.name)
        self.check_sizes()
        _ = self.body

    @property
    def outputs(self) -> int:
        """One for two classes (the log odds of the second), else one for each."""
        return 1 if self.classes == 2 else self.classes

    @property
    def body(self) -> BodySpec:
        """What reads the embedded words; raises SettingError for what the model doesn't have."""
        return body_spec(
            "text",
            self.name,
            self.embedding_size,
            units=self.units,
            layers=self.layers,
            kernel_size=self.kernel_size,
            length=self.length,
            input_dropout=self.input_dropout,
            recurrent_dropout=self.recurrent_dropout,
            between_dropout=self.between_dropout,
            pooling=self.pool,
            **layer_fields(self),
            **cell_options(self),
        )


class TextNetwork(nn.Module):
    """Embedding, body, dropout, perhaps a hidden layer, output."""

    def __init__(self, spec: TextNetworkSpec, seed: int, weights: Tensor | None = None):
        """Build what `spec` says, all weights drawn from `seed`; weights (V, E): pretrained rows of the embedding."""
        super().__init__()
        self.embedding = Embedding(
            spec.words,
            spec.embedding_size,
            dropout=spec.embedding_dropout,
            weights=weights,
            trainable=spec.trainable,
            seed=derive_seed(seed, "embedding"),
        )
        self.distinct = spec.body.kind == "bag"  # which words a text holds, not how often
        self.encoder: Any = build_body(spec.body, derive_seed(seed, "encoder"))
        generator = torch.Generator().manual_seed(derive_seed(seed, "dense"))
        self.dropout = nn.Dropout(spec.dropout)
        head = model_of("text", spec.name).head
        sizes = (self.encoder.output_size, spec.outputs)
        self.output: Any = build_head(head, *sizes, generator, hidden=spec.hidden, dropout=spec.dropout)
        # The names of the first models, in which recurrent layers stood a level deeper and the head's at the top.
        self.saved_as = {"output.hidden.": "hidden.", "output.output.": "output."}
        self.saved_as |= {"encoder.": "encoder.body."} if isinstance(self.encoder, RecurrentBody) else {}

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """(B, T) and (B,) → (B, K); for han (B, S, W) and (B, S)."""
        ids = first_occurrences(ids) if self.distinct else ids
        return self.read_out(self.encoder.summary(self.embedding(ids), mask_of(lengths, ids.shape[-1])))

    def read_out(self, encoded: Tensor) -> Tensor:
        """From the encoder's vectors (…, F) to (…, K)."""
        return self.output(self.dropout(encoded))


def build_text_network(spec: TextNetworkSpec, seed: int, weights: Tensor | None = None) -> TextNetwork:
    """Build the network that `spec` names, its weights drawn from `seed` alone; raises as `check` does."""
    spec.check()
    return TextNetwork(spec, seed, weights)


def mask_of(lengths: Tensor, time: int) -> Tensor | None:
    """(…, T) bool, True for the words of each text or sentence; None where every text fills all steps, which is faster.

    lengths: (B,) words of each text, or (B, S) of each sentence.
    """
    if lengths.dim() == 1 and len(lengths) and int(lengths.min()) == time:
        return None
    return mask_from_lengths(lengths.flatten(), time).unflatten(0, lengths.shape)
