"""The networks of sequence to sequence: an encoder, a decoder that reads what it has written, attention between them.

B pairs, T source tokens, K target tokens with the end behind them, E embedding size, U units, V target outputs: the
target vocabulary's ids, and behind them the end of a text, which as an input is the start of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ... import nn as seqnn
from ...errors import SettingError
from ...training import derive_seed
from ..networks import BodySpec, Model, Spec, body_spec, dropped, model_of, names_for, register_models
from ..networks.attention import ATTENTIONS, make_attention
from ..networks.body import RecurrentBody, make_recurrent
from ..networks.heads import seeded_linear
from .encoders import ENCODERS, ConvolutionalEncoder

__all__ = ["NETWORKS", "Encoded", "TranslationNetwork", "TranslationSpec", "build_translation_network"]

register_models("translation", {name: Model(name) for name in ("rnn", "gru", "lstm")})
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


@dataclass(frozen=True)
class Encoded:
    """A batch of sources, read: outputs (B, T, H), mask (B, T), the attention's keys (B, T, U) or None."""

    outputs: Tensor
    mask: Tensor
    keys: Tensor | None

    def repeated(self, times: int) -> Encoded:
        """Each row `times` times, one behind the other."""
        return Encoded(
            self.outputs.repeat_interleave(times, 0),
            self.mask.repeat_interleave(times, 0),
            None if self.keys is None else self.keys.repeat_interleave(times, 0),
        )


class TranslationNetwork(nn.Module):
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
        self.bridge = seeded_linear(spec.read_width, spec.layers * spec.units, own)
        self.decoder = make_recurrent(spec.decoder.kind, size, spec.decoder, derive_seed(seed, "decoder"))
        if spec.attention == "none":
            self.attention, self.joined = None, None
        else:
            width = spec.read_width
            self.attention = make_attention(spec.attention, spec.units, derive_seed(seed, "attention"), width)
            self.joined = seeded_linear(spec.units + width, spec.units, own)
        self.output = seeded_linear(spec.units, spec.targets + 1, own)

    def forward(self, ids: Tensor, mask: Tensor, before: Tensor) -> Tensor:
        """ids (B, T) and their mask, before (B, K): the token before each one to write → scores (B, K, V)."""
        encoded, state = self.encode(ids, mask)
        share = self.spec.scheduled_sampling
        if self.training and share:
            before = self._mixed(before, encoded, state, share)
        return self._written(before, encoded, state)[0]

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
        start = torch.tanh(self.bridge(ends)).view(len(ids), self.spec.layers, units).transpose(0, 1).contiguous()
        keys = None if self.attention is None else self.attention.key(outputs)
        state = (start, torch.zeros_like(start)) if self.decoder.cell.pair else start
        return Encoded(outputs, mask, keys), state

    def step(self, before: Tensor, encoded: Encoded, state: Any) -> tuple[Tensor, Any, Tensor | None]:
        """before (B,): the last token of each → log P (B, V) of the next, the state, attention (B, T)."""
        scores, state, weights = self._written(before[:, None], encoded, state)
        return torch.log_softmax(scores[:, 0], dim=1), state, None if weights is None else weights[:, 0]

    def _written(self, before: Tensor, encoded: Encoded, state: Any) -> tuple[Tensor, Any, Tensor | None]:
        features, state = self.decoder(self.target(before), state)
        weights = None
        if self.attention is not None:
            assert self.joined is not None
            weights = self.attention.weights(features, encoded.outputs, encoded.mask, encoded.keys)
            features = torch.tanh(self.joined(torch.cat([features, weights @ encoded.outputs], dim=2)))
        if self.training:
            features = dropped(features, self.spec.dropout, self.generator)
        return self.output(features), state, weights

    def _mixed(self, before: Tensor, encoded: Encoded, state: Any, share: float) -> Tensor:
        """The right tokens, a share of them replaced by the network's own choice; the start stays."""
        with torch.no_grad():
            chosen = self._written(before, encoded, state)[0][:, :-1].argmax(dim=2)
        drawn = torch.rand(chosen.shape, generator=self.generator) < share
        return torch.cat([before[:, :1], torch.where(drawn, chosen, before[:, 1:])], dim=1)

    def loss(self, ids: Tensor, mask: Tensor, before: Tensor, after: Tensor) -> Tensor:
        """−ln P of a token, the mean over all of the batch; after (B, K) int64, −1 behind the end of a target."""
        return nn.functional.cross_entropy(self(ids, mask, before).flatten(0, 1), after.flatten(), ignore_index=-1)


def build_translation_network(spec: TranslationSpec, seed: int) -> TranslationNetwork:
    """The network that `spec` names, weights and masks drawn from `seed` alone."""
    return TranslationNetwork(spec, seed)
