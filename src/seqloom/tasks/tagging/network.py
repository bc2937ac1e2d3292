"""The tagger's networks: word ids in, a score of every tag at every word out.

B sentences, T words, V ids, E embedding size, K tags.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from ... import nn as seqnn
from ...errors import SettingError, shown
from ...training import derive_seed
from ..networks import seeded_linear
from ..saved_fields import spec_from_json

__all__ = ["NETWORKS", "TaggerSpec", "TaggingNetwork", "build_tagging_network", "count_tagger_weights"]

_RECURRENT = {"elman": "rnn", "lstm": "lstm", "gru": "gru", "birnn": "rnn", "bilstm": "lstm", "bigru": "gru"}
NETWORKS = ("memoryless", "jordan", *_RECURRENT)
_CELLS = {"rnn": seqnn.RNN, "gru": seqnn.GRU, "lstm": seqnn.LSTM}
_GATES = {"rnn": 1, "gru": 3, "lstm": 4}


@dataclass(frozen=True)
class TaggerSpec:
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

    def __post_init__(self) -> None:
        """Raise SettingError for sizes and options that don't go together."""
        if self.name not in NETWORKS:
            raise SettingError(f"model: expected one of {', '.join(NETWORKS)}, got {shown(self.name)}.")
        for name, least in (
            ("words", 1),
            ("tags", 1),
            ("embedding_size", 1),
            ("units", 1),
            ("layers", 1),
            ("context", 0),
        ):
            if getattr(self, name) < least:
                raise SettingError(f"{name}: expected a whole number of at least {least}, got {getattr(self, name)}.")
        if self.name == "jordan" and self.layers > 1:
            raise SettingError("layers: a jordan network feeds its output back, so it has one layer; use layers=1.")

    @property
    def bidirectional(self) -> bool:
        """Whether a second set of weights reads the sentence backwards."""
        return self.name.startswith("bi")

    @property
    def inputs(self) -> int:
        """Numbers that a step sees: the embeddings of the word and its context."""
        return (2 * self.context + 1) * self.embedding_size

    @property
    def features(self) -> int:
        """Numbers that a step's tag scores are read from."""
        return self.tags if self.name == "jordan" else self.units * (2 if self.bidirectional else 1)

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TaggerSpec:
        """Rebuild from `to_json`; raises FormatError where a field is missing, unknown or of the wrong type."""
        return spec_from_json(cls, value)


class TaggingNetwork(nn.Module):
    """Embedding of a window of words, body, tag scores; with `crf` a layer that scores whole tag sequences.

    In training a word becomes the unknown one with probability `word_dropout`, so that the network learns what to make
    of words that it has never seen. The Jordan network feeds back its sigmoid outputs, one for each tag.
    """

    def __init__(self, spec: TaggerSpec, unknown: int, seed: int) -> None:
        super().__init__()
        self.spec, self.unknown = spec, unknown
        self.generator = torch.Generator().manual_seed(derive_seed(seed, "masks"))
        self.embedding = seqnn.Embedding(spec.words, spec.embedding_size, seed=derive_seed(seed, "embedding"))
        body_seed = derive_seed(seed, "body")
        own = torch.Generator().manual_seed(derive_seed(seed, "linear"))
        if spec.name == "memoryless":
            sizes = [spec.inputs, *[spec.units] * spec.layers]
            self.body: nn.Module = nn.ModuleList(seeded_linear(a, b, own) for a, b in pairwise(sizes))
        elif spec.name == "jordan":
            self.body = seqnn.Jordan(
                spec.inputs,
                spec.units,
                spec.tags,
                input_dropout=spec.input_dropout,
                recurrent_dropout=spec.recurrent_dropout,
                seed=body_seed,
            )
        else:
            self.body = _CELLS[_RECURRENT[spec.name]](
                spec.inputs,
                spec.units,
                spec.layers,
                bidirectional=spec.bidirectional,
                input_dropout=spec.input_dropout,
                recurrent_dropout=spec.recurrent_dropout,
                seed=body_seed,
            )
        self.output = seeded_linear(spec.features, spec.tags, own)
        self.crf = seqnn.CRF(spec.tags) if spec.crf else None

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """ids (B, T) int64, 0 behind the end, mask (B, T) bool, true for words → scores (B, T, K)."""
        if self.training and self.spec.word_dropout:
            drawn = torch.rand(ids.shape, generator=self.generator) < self.spec.word_dropout
            ids = torch.where(drawn & mask, self.unknown, ids)
        x = _windows(self.embedding(ids), self.spec.context)
        if isinstance(self.body, nn.ModuleList):
            for layer in self.body:
                x = torch.tanh(layer(x))
        else:
            x = self.body(x, mask=mask)[0]
        if self.training and self.spec.dropout:
            keep = 1.0 - self.spec.dropout
            x = x * torch.empty(x.shape).bernoulli_(keep, generator=self.generator).div_(keep).to(x)
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


def count_tagger_weights(spec: TaggerSpec) -> int:
    """How many weights `build_tagging_network` makes, worked out without building it.

    V ids, E embedding, I = (2c + 1)E inputs, U units, K tags, D directions: VE; memoryless (I + 1)U, and (U + 1)U for
    each further layer; jordan U(I + K + 1) + (U + 1)K; the others per layer and direction G[U(I' + U) + U] with I' = I,
    then DU; the read-out (F + 1)K, with a crf K² + 2K more.
    """
    units, tags = spec.units, spec.tags
    total = spec.words * spec.embedding_size + (spec.features + 1) * tags + (tags * (tags + 2) if spec.crf else 0)
    if spec.name == "memoryless":
        return total + (spec.inputs + 1) * units + (spec.layers - 1) * (units + 1) * units
    if spec.name == "jordan":
        return total + units * (spec.inputs + tags + 1) + (units + 1) * tags
    gates, directions = _GATES[_RECURRENT[spec.name]], 2 if spec.bidirectional else 1
    first = gates * units * (spec.inputs + units + 1)
    later = gates * units * (directions * units + units + 1)
    return total + directions * (first + (spec.layers - 1) * later)
