"""The text classifier's networks: numbered words in, one number for each class out.

Every network maps ids (B, T), 0 behind each text's end, and lengths (B,) to (B, K); the hierarchical one ids (B, S, W)
and lengths (B, S). B texts, T words, S sentences, W words of a sentence; K outputs: 1 for two classes, else one for
each class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import FormatError
from ..forward import Arrays, BodySpec, Embedding, body_spec, build_body, build_head, model_of
from ..forward.texts import first_occurrences
from ..layer_fields import LayersSpec, refuse_layers

__all__ = ["TextNetwork", "TextSpec", "mask_of"]


@dataclass(frozen=True)
class TextSpec(LayersSpec):
    """The shape of a network, as `seqloom.tasks.text.networks.TextNetworkSpec`, which says what each field means."""

    name: str
    words: int
    classes: int
    length: int
    embedding_size: int
    embedding_dropout: float
    trainable: bool
    units: int
    layers: int
    kernel_size: int
    pool: str
    hidden: int
    dropout: float
    input_dropout: float
    recurrent_dropout: float
    between_dropout: float

    @property
    def outputs(self) -> int:
        """One for two classes (the log odds of the second), else one for each."""
        return 1 if self.classes == 2 else self.classes

    @property
    def body(self) -> BodySpec:
        """What reads the embedded words."""
        return body_spec(
            "text",
            self.name,
            self.embedding_size,
            units=self.units,
            layers=self.layers,
            kernel_size=self.kernel_size,
            length=self.length,
            pooling=self.pool,
            **self.layer_values,
        )


class TextNetwork:
    """Embedding, body, perhaps a hidden layer, output; built from the arrays of a model folder."""

    def __init__(self, spec: TextSpec, arrays: Mapping[str, np.ndarray]) -> None:
        """Raises FormatError where the arrays don't fit the specification, SettingError for one that there isn't."""
        if min(spec.words - 1, spec.classes - 1, spec.embedding_size, spec.hidden + 1) < 1:
            raise FormatError(f"model.json: no network has {spec.words} words and {spec.classes} classes.")
        refuse_layers(spec.layers, arrays)
        own = Arrays(arrays, "network.")
        self.spec = spec
        self.embedding = Embedding(own.at("embedding."), spec.words, spec.embedding_size)
        body = spec.body
        self.distinct = body.kind == "bag"  # which words a text holds, not how often
        recurrent = body.kind in ("rnn", "gru", "lstm")
        # The names of the first models, in which recurrent layers stood a level deeper.
        self.encoder: Any = build_body(body, own, "encoder.body." if recurrent else "encoder.")
        head = model_of("text", spec.name).head
        place = own if spec.hidden else own.at("output.")
        self.read_out = build_head(head, self.encoder.output_size, spec.outputs, place, hidden=spec.hidden)
        own.finish()

    @property
    def width(self) -> int | None:
        """The flat network reads a fixed number of words, the others what the longest text has."""
        return self.spec.length if self.spec.name == "flat" else None

    def __call__(self, ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """(B, T) and (B,) → (B, K) float32; for han (B, S, W) and (B, S)."""
        ids = first_occurrences(ids) if self.distinct else ids
        return self.read_out(self.encoder.summary(self.embedding(ids), mask_of(lengths, ids.shape[-1])))


def mask_of(lengths: np.ndarray, time: int) -> np.ndarray | None:
    """(…, T) bool, True for the words of each text or sentence; None where every text fills all steps."""
    if lengths.ndim == 1 and len(lengths) and int(lengths.min()) == time:
        return None
    return np.arange(time) < lengths[..., None]
