"""The Siamese network in evaluation: one body and one linear layer, an embedding of length 1 for each sequence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..errors import FormatError
from ..forward import Arrays, Linear, body_spec, build_body
from ..saved_fields import spec_from_json

__all__ = ["SiameseNetwork", "SiameseShape"]

_LEAST_NORM = 1e-12  # as torch's `normalize` divides


@dataclass(frozen=True)
class SiameseShape:
    """The fields of `seqloom.tasks.similarity.network.SiameseSpec`, as model.json holds them."""

    name: str
    channels: int
    embedding_size: int = 32
    units: int = 64
    layers: int = 1
    bidirectional: bool = False
    input_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    between_dropout: float = 0.0


class SiameseNetwork:
    """e = v / |v|, v = W h + b, h the body's state after the sequence."""

    def __init__(self, value: Any, arrays: Mapping[str, np.ndarray], prefix: str = "network.") -> None:
        """From what model.json holds of it, and its arrays; raises FormatError where they don't fit together."""
        shape = spec_from_json(SiameseShape, value)
        if min(shape.channels, shape.embedding_size, shape.units, shape.layers) < 1:
            raise FormatError("network: expected sizes of at least 1.")
        options = asdict(shape)
        for name in ("name", "channels", "embedding_size"):
            del options[name]
        own = Arrays(arrays, prefix)
        spec = body_spec("similarity", shape.name, shape.channels, pooling="last", **options)
        self.body = build_body(spec, own.at("body."))
        self.output = Linear(own.at("output."), spec.output_size, shape.embedding_size)
        own.finish()
        self.shape, self.width = shape, spec.output_size

    def __call__(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """x (B, T, C), mask (B, T) bool or None → embeddings (B, E) of length 1."""
        v = self.output(self.body.summary(x, mask))
        length = np.sqrt(np.square(v, dtype=np.float64).sum(axis=1, keepdims=True))
        return (v / np.maximum(length, _LEAST_NORM)).astype(np.float32)
