"""The text classifier's networks: numbered words in, one number for each class out.

Every network maps ids (B, T) int64, 0 behind each text's end, and lengths (B,) to (B, K); the hierarchical one ids
(B, S, W) and lengths (B, S). B texts, T words, S sentences, W words of a sentence; K outputs: 1 for two classes, else
one for each class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import SettingError, shown
from ...nn import Embedding
from ...training import derive_seed
from ..networks import BodySpec, count_parameters, seeded_linear
from ..saved_fields import spec_from_json
from .encoders import (
    BagEncoder,
    ConvEncoder,
    ConvRecurrentEncoder,
    FlatEncoder,
    InceptionEncoder,
    PooledEncoder,
    RecurrentEncoder,
    first_occurrences,
)
from .hierarchical import HierarchicalEncoder

__all__ = [
    "NETWORKS",
    "RECURRENT",
    "TextNetwork",
    "TextNetworkSpec",
    "build_text_network",
    "check_text_network",
    "count_text_parameters",
]

RECURRENT = {"rnn": "rnn", "gru": "gru", "lstm": "lstm", "bigru": "gru", "bilstm": "lstm"}
NETWORKS = ("bow-dense", "pooled", "flat", "conv", "inception", "conv-lstm", *RECURRENT, "han")
_POOL = {"conv": 5, "conv-lstm": 4}
_KERNELS = (3, 5, 7)


@dataclass(frozen=True)
class TextNetworkSpec:
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

    @property
    def outputs(self) -> int:
        """One for two classes (the log odds of the second), else one for each."""
        return 1 if self.classes == 2 else self.classes

    @property
    def bidirectional(self) -> bool:
        """Whether a text is read from both sides."""
        return self.name in ("bigru", "bilstm", "han")

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TextNetworkSpec:
        """Rebuild from `to_json`; raises FormatError where a field is missing, unknown or of the wrong type."""
        return spec_from_json(cls, value)


class TextNetwork(nn.Module):
    """Embedding, encoder, dropout, perhaps a hidden layer, output."""

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
        self.distinct = spec.name == "bow-dense"
        self.encoder = _encoder(spec, derive_seed(seed, "encoder"))
        generator = torch.Generator().manual_seed(derive_seed(seed, "dense"))
        self.dropout = nn.Dropout(spec.dropout)
        width = self.encoder.size
        self.hidden = seeded_linear(width, spec.hidden, generator) if spec.hidden else None
        self.output = seeded_linear(spec.hidden or width, spec.outputs, generator)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """(B, T) and (B,) → (B, K); for han (B, S, W) and (B, S)."""
        ids = first_occurrences(ids) if self.distinct else ids
        return self.read_out(self.encoder(self.embedding(ids), lengths))

    def read_out(self, encoded: Tensor) -> Tensor:
        """From the encoder's vectors (…, F) to (…, K)."""
        y = self.dropout(encoded)
        if self.hidden is not None:
            y = self.dropout(torch.relu(self.hidden(y)))
        return self.output(y)


def build_text_network(spec: TextNetworkSpec, seed: int, weights: Tensor | None = None) -> TextNetwork:
    """Build the network that `spec` names, its weights drawn from `seed` alone; raises as `check_text_network` does."""
    check_text_network(spec)
    return TextNetwork(spec, seed, weights)


def check_text_network(spec: TextNetworkSpec) -> None:
    """Raise SettingError for an unknown network, sizes that are too small, or a pool that this network doesn't have."""
    if spec.name not in NETWORKS:
        raise SettingError(f"model: expected one of {', '.join(NETWORKS)}, got {shown(spec.name)}.")
    least = {"words": 2, "classes": 2, "length": 1, "embedding_size": 1, "units": 1, "layers": 1, "kernel_size": 1}
    for name, low in {**least, "hidden": 0}.items():
        if getattr(spec, name) < low:
            raise SettingError(f"{name}: expected a whole number of at least {low}, got {getattr(spec, name)}.")
    if spec.name in RECURRENT:
        _body(spec)


def count_text_parameters(spec: TextNetworkSpec) -> int:
    """How many weights `build_text_network` makes, worked out without building it.

    With V words, E numbers for each, U units or filters, k the kernel, H hidden units and K outputs: the embedding VE
    (and E biases of bow-dense); recurrent per layer and direction G[U(I + U) + U] with G = 1 (RNN), 3 (GRU) or 4
    (LSTM); a convolution kIU + U; attention over F features F² + 2F; then FH + H and HK + K, or FK + K.
    """
    embedding, units = spec.embedding_size, spec.units
    body, width = 0, embedding
    if spec.name == "bow-dense":
        body = embedding
    elif spec.name == "flat":
        width = embedding * spec.length
    elif spec.name == "conv":
        body, width = (spec.kernel_size * (embedding + units) + 2) * units, units
    elif spec.name == "inception":
        body, width = (sum(_KERNELS) * embedding + len(_KERNELS)) * units, len(_KERNELS) * units
    elif spec.name == "conv-lstm":
        body = (spec.kernel_size * embedding + 1) * units + _recurrent(4, units, units)
        width = units
    elif spec.name == "han":
        width = 2 * units
        body = 2 * _recurrent(3, embedding, units) + 2 * _recurrent(3, width, units) + 2 * (width + 2) * width
    elif spec.name in RECURRENT:
        body, width = count_parameters(_body(spec)), _body(spec).output_size
    head = (width + 1) * spec.hidden + (spec.hidden + 1) * spec.outputs if spec.hidden else (width + 1) * spec.outputs
    return spec.words * embedding + body + head


def _recurrent(gates: int, inputs: int, units: int) -> int:
    return gates * units * (inputs + units + 1)


def _encoder(spec: TextNetworkSpec, seed: int) -> Any:
    options: dict[str, Any] = {"input_dropout": spec.input_dropout, "recurrent_dropout": spec.recurrent_dropout}
    size, units = spec.embedding_size, spec.units
    if spec.name == "bow-dense":
        return BagEncoder(size)
    if spec.name == "pooled":
        return PooledEncoder(size)
    if spec.name == "flat":
        return FlatEncoder(size, spec.length)
    if spec.name == "conv":
        return ConvEncoder(size, units, spec.kernel_size, _POOL["conv"], seed)
    if spec.name == "inception":
        return InceptionEncoder(size, units, _KERNELS, seed)
    if spec.name == "conv-lstm":
        return ConvRecurrentEncoder(size, units, spec.kernel_size, _POOL["conv-lstm"], options, seed)
    if spec.name == "han":
        return HierarchicalEncoder(size, units, spec.between_dropout, options, seed)
    return RecurrentEncoder(_body(spec), seed)


def _body(spec: TextNetworkSpec) -> BodySpec:
    return BodySpec(
        kind=RECURRENT[spec.name],
        inputs=spec.embedding_size,
        units=spec.units,
        layers=spec.layers,
        bidirectional=spec.bidirectional,
        input_dropout=spec.input_dropout,
        recurrent_dropout=spec.recurrent_dropout,
        between_dropout=spec.between_dropout,
        pooling=spec.pool,
    )
