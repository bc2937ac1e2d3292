"""The networks of sequence to sequence: an encoder, and a decoder that reads what it has written, with attention.

B pairs, T source tokens, E embedding size, U units, V target outputs: the target vocabulary's ids, and behind them the
end of a text, which as an input is the start of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import FormatError, shown
from ..forward import Arrays, Embedding, Linear, body_spec, sigmoid
from ..forward.bodies import RecurrentBody
from ..forward.conv import Convolution, conv1d, kept_only
from ..forward.writer import Encoded, Writer
from ..layer_fields import refuse_layers
from ..saved_fields import spec_from_json

__all__ = ["TranslationNetwork", "TranslationSpec"]

_LONGEST_WAVE = 10_000.0
_SCALE = np.float32(20.0)  # embeddings start between ±1/20: beside the waves they would not count
_HALF = np.float32(np.sqrt(0.5))  # a sum of two parts keeps the variance of one


@dataclass(frozen=True)
class TranslationSpec:
    """The shape of a network, as `seqloom.tasks.translation.network.TranslationSpec`, which says what each field
    means."""

    name: str
    sources: int
    targets: int
    embedding_size: int
    units: int
    layers: int
    bidirectional: bool
    attention: str
    dropout: float
    input_dropout: float
    recurrent_dropout: float
    between_dropout: float
    scheduled_sampling: float
    encoder: str = "recurrent"
    levels: int = 0
    kernel_size: int = 0

    @classmethod
    def from_json(cls, value: Any) -> TranslationSpec:
        """From what a model folder holds; raises FormatError where a field is missing, unknown or of the wrong type."""
        default = {"encoder": "recurrent", "levels": 0, "kernel_size": 0}
        return spec_from_json(cls, {**default, **value} if isinstance(value, Mapping) else value)

    @property
    def read_width(self) -> int:
        """Numbers that the encoder gives for a token."""
        return self.units * (2 if self.encoder == "recurrent" and self.bidirectional else 1)


class TranslationNetwork(Writer):
    """From the encoder's last states of each direction, or the mean of its outputs, the decoder."""

    def __init__(self, spec: TranslationSpec, arrays: Mapping[str, np.ndarray]) -> None:
        """Raises FormatError where the arrays don't fit the specification, SettingError for one that there isn't."""
        refuse_layers(spec.layers, arrays)
        if min(spec.sources, spec.targets, spec.embedding_size, spec.units) < 1:
            raise FormatError(f"model.json: no network has {shown(spec.sources)} and {shown(spec.targets)} tokens.")
        if spec.encoder not in ("recurrent", "convolutional"):
            raise FormatError(
                f"model.json: expected a recurrent or convolutional encoder, found {shown(spec.encoder)}."
            )
        own = Arrays(arrays, "network.")
        values = {"units": spec.units, "layers": spec.layers}
        decoder = body_spec("translation", spec.name, spec.embedding_size, **values)
        super().__init__(own, decoder, spec.targets, spec.attention, spec.read_width)
        self.spec, self.end = spec, spec.targets  # behind the vocabulary's ids
        self.source = Embedding(own.at("source."), spec.sources, spec.embedding_size)
        self.encoder: RecurrentBody | _ConvolutionalEncoder
        if spec.encoder == "recurrent":
            reader = body_spec(
                "translation", spec.name, spec.embedding_size, **values, bidirectional=spec.bidirectional
            )
            self.encoder = RecurrentBody(reader, own.at("encoder."))
        else:
            self.encoder = _ConvolutionalEncoder(spec, own.at("encoder."), arrays)
        own.finish()

    def encode(self, ids: np.ndarray, mask: np.ndarray) -> tuple[Encoded, Any]:
        """ids (B, T), 0 behind the end, mask (B, T) bool → what the decoder attends to, and its first state."""
        x, units = self.source(ids), self.spec.units
        if isinstance(self.encoder, RecurrentBody):
            outputs = self.encoder.steps(x, mask)
            # A masked step repeats the state, so that each direction has its last one at its own end of the row.
            ends = np.concatenate([outputs[:, -1, :units], outputs[:, 0, units:]], axis=1)
        else:
            outputs, ends = self.encoder(x, mask)
        return self.begin(outputs, mask, ends)


class _ConvolutionalEncoder:
    """h_0 = W (20 e + p) + b; h_l = √½ (h_{l−1} + a ⊙ σ(g)), (a, g) the halves of a convolution of h_{l−1}
    over K tokens around each: see `seqloom.tasks.translation.encoders`."""

    def __init__(self, spec: TranslationSpec, arrays: Arrays, known: Mapping[str, np.ndarray]) -> None:
        """Takes "first.weight" …, "levels.0.weight" …; known: all arrays of the file."""
        refuse_layers(spec.levels, known)
        self.first = Linear(arrays.at("first."), spec.embedding_size, spec.units)
        self.levels = [
            Convolution.taken(arrays.at(f"levels.{number}."), spec.units, 2 * spec.units, spec.kernel_size)
            for number in range(spec.levels)
        ]

    def __call__(self, x: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x (B, T, E), mask (B, T) → outputs (B, T, U), and their mean over the tokens of a text (B, U)."""
        h = self.first(_SCALE * x + positions(x.shape[1], x.shape[2]))
        for level in self.levels:
            value, gate = np.split(conv1d(kept_only(h, mask), level, padding="same"), 2, axis=2)
            h = (h + value * sigmoid(gate).astype(np.float32)) * _HALF
        total = kept_only(h, mask).sum(axis=1, dtype=np.float64)
        return h, (total / mask.sum(axis=1, keepdims=True)).astype(np.float32)


def positions(steps: int, size: int) -> np.ndarray:
    """(T, E) float32: sin and cos of t / 10000^(2i/E), one after the other.

    >>> positions(2, 3)[1].round(3).tolist()
    [0.8410000205039978, 0.5400000214576721, 0.0020000000949949026]
    """
    rates = _LONGEST_WAVE ** (-2.0 * np.arange((size + 1) // 2) / size)
    angles = np.arange(steps)[:, None] * rates
    return np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(steps, -1)[:, :size].astype(np.float32)
