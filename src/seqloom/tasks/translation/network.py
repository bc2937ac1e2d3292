"""The networks of sequence to sequence: an encoder, a decoder that reads what it has written, attention between them.

B pairs, T source tokens, K target tokens with the end behind them, E embedding size, U units, V target outputs: the
target vocabulary's ids, and behind them the end of a text, which as an input is the start of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from seqloom_runtime.errors import SettingError
from seqloom_runtime.forward import MODELS

from ... import nn as seqnn
from ...training import derive_seed
from ..networks import BodySpec, Spec, body_spec, model_of, names_for, register_models
from ..networks.attention import ATTENTIONS
from ..networks.body import RecurrentBody
from ..networks.writer import Encoded, Writer
from .encoders import ENCODERS, ConvolutionalEncoder

__all__ = ["NETWORKS", "Encoded", "TranslationNetwork", "TranslationSpec", "build_translation_network"]

register_models("translation", MODELS["translation"])
NETWORKS = names_for("translation")


@dataclass(frozen=True)
class TranslationSpec(Spec):
    """Everything that fixes a network's shape: enough to build it again before its weights are loaded.

    sources, targets: ids of the two vocabularies, padding and unknown word included. levels, kernel_size: of the
    convolutional encoder.
    """

    name: str
    sources: int
    targets: int
    embedding_size: int = 64
    units: int = 128
    layers: int = 1
    bidirectional: bool = True
    attention: str = "additive"
    dropout: float = 0.0
    input_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    between_dropout: float = 0.0
    scheduled_sampling: float = 0.0
    encoder: str = "recurrent"
    levels: int = 0
    kernel_size: int = 0

    _least: ClassVar = dict.fromkeys(("sources", "targets", "embedding_size", "units", "layers"), 1)
    _left_out: ClassVar[tuple[str, ...]] = ("encoder", "levels", "kernel_size")

    def __post_init__(self) -> None:
        """Raise SettingError for sizes and options that don't go together."""
        model_of("translation", self.name)
        self.check_sizes()
        if self.attention not in (*ATTENTIONS, "none"):
            raise SettingError(f"attention: expected {', '.join(ATTENTIONS)} or none, got {self.attention!r}.")
        if self.encoder not in ENCODERS:
            raise SettingError(f"encoder: expected {' or '.join(ENCODERS)}, got {self.encoder!r}.")
        if self.encoder == "convolutional" and (self.levels < 1 or self.kernel_size < 1):
            raise SettingError(f"levels, kernel_size: expected 1 or more, got {self.levels} and {self.kernel_size}.")

    @property
    def reader(self) -> BodySpec:
        """The recurrent network that reads the source."""
        return self._body(bidirectional=self.bidirectional)

    @property
    def read_width(self) -> int:
        """Numbers that the encoder gives for a token."""
        return self.units * (2 if self.encoder == "recurrent" and self.bidirectional else 1)

    @property
    def decoder(self) -> BodySpec:
        """What writes the target."""
        return self._body(bidirectional=False)

    def _body(self, *, bidirectional: bool) -> BodySpec:
        return body_spec(
            "translation",
            self.name,
            self.embedding_size,
            units=self.units,
            layers=self.layers,
            bidirectional=bidirectional,
            input_dropout=self.input_dropout,
            recurrent_dropout=self.recurrent_dropout,
            between_dropout=self.between_dropout,
        )


class TranslationNetwork(Writer):
    """Embedding and encoder; from its last states, s_0 = tanh(W [h_first; h_last] + b) of each layer, the decoder; its
    read-out tanh(W [s_k; c_k] + b) (Luong et al. 2015) with attention, else s_k alone. A convolutional encoder has no
    last state: the decoder starts from the mean of its outputs.

    In training the decoder reads the right tokens (teacher forcing). With `scheduled_sampling` that share of them,
    drawn anew for each, is what the network itself held most likely, from a first pass without gradients.
    Sources: Cho et al. 2014; Bengio et al. 2015, arXiv 1506.03099, in parallel as in Duckworth et al. 2019,
    arXiv 1906.04331.
    """

    def __init__(self, spec: TranslationSpec, seed: int) -> None:
        super().__init__()
        self.spec = spec
        self.end = spec.targets  # behind the vocabulary's ids
        self.generator = torch.Generator().manual_seed(derive_seed(seed, "masks"))
        own = torch.Generator().manual_seed(derive_seed(seed, "linear"))
        size = spec.embedding_size
        self.source = seqnn.Embedding(spec.sources, size, seed=derive_seed(seed, "source"))
        self.target = seqnn.Embedding(spec.targets + 1, size, seed=derive_seed(seed, "target"))
        if spec.encoder == "recurrent":
            self.encoder = RecurrentBody(spec.reader, derive_seed(seed, "encoder"))
        else:
            self.encoder = ConvolutionalEncoder(
                size,
                spec.units,
                levels=spec.levels,
                kernel_size=spec.kernel_size,
                dropout=spec.dropout,
                seed=derive_seed(seed, "encoder"),
                generator=self.generator,
            )
        self.write_with(spec, spec.read_width, own, derive_seed(seed, "decoder"), derive_seed(seed, "attention"))

    def forward(self, ids: Tensor, mask: Tensor, before: Tensor) -> Tensor:
        """ids (B, T) and their mask, before (B, K): the token before each one to write → scores (B, K, V)."""
        return self.taught(before, *self.encode(ids, mask))

    def encode(self, ids: Tensor, mask: Tensor) -> tuple[Encoded, Any]:
        """ids (B, T) int64, 0 behind the end, mask (B, T) bool → what the decoder attends to, and its first state."""
        x = self.source(ids)
        units = self.spec.units
        if isinstance(self.encoder, RecurrentBody):
            outputs = self.encoder.steps(x, mask)
            # A masked step repeats the state, so that each direction has its last one at its own end of the row.
            ends = torch.cat([outputs[:, -1, :units], outputs[:, 0, units:]], dim=1)
        else:
            outputs, ends = self.encoder(x, mask)
        return self.begin(outputs, mask, ends)

    def loss(self, ids: Tensor, mask: Tensor, before: Tensor, after: Tensor) -> Tensor:
        """−ln P of a token, the mean over all of the batch; after (B, K) int64, −1 behind the end of a target."""
        return nn.functional.cross_entropy(self(ids, mask, before).flatten(0, 1), after.flatten(), ignore_index=-1)


def build_translation_network(spec: TranslationSpec, seed: int) -> TranslationNetwork:
    """The network that `spec` names, weights and masks drawn from `seed` alone."""
    return TranslationNetwork(spec, seed)
