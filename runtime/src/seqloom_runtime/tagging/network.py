"""The tagger's networks: word ids in, a score of every tag at every word out.

B sentences, T words, V ids, E embedding size, K tags.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import FormatError
from ..forward import Arrays, BodySpec, Embedding, body_spec, build_body, build_head, model_of
from ..forward.crf import CRF
from ..layer_fields import LayersSpec, refuse_layers

__all__ = ["TaggerSpec", "TaggingNetwork"]


@dataclass(frozen=True)
class TaggerSpec(LayersSpec):
    """The shape of a network, as `seqloom.tasks.tagging.network.TaggerSpec`, which says what each field means."""

    name: str
    words: int
    tags: int
    embedding_size: int
    units: int
    layers: int
    context: int
    crf: bool
    word_dropout: float
    dropout: float
    input_dropout: float
    recurrent_dropout: float

    @property
    def body(self) -> BodySpec:
        """What reads the words, each with its context: (2c + 1)E numbers."""
        return body_spec(
            "tagging",
            self.name,
            (2 * self.context + 1) * self.embedding_size,
            units=self.units,
            layers=self.layers,
            outputs=self.tags,
            **self.layer_values,
        )


class TaggingNetwork:
    """Embedding of a window of words, body, tag scores; with `crf` a layer that scores whole tag sequences."""

    def __init__(self, spec: TaggerSpec, arrays: Mapping[str, np.ndarray]) -> None:
        """Raises FormatError where the arrays don't fit the specification, SettingError for one that there isn't."""
        if min(spec.words, spec.tags, spec.embedding_size, spec.context + 1) < 1:
            raise FormatError(f"model.json: no network has {spec.words} words and {spec.tags} tags.")
        refuse_layers(spec.layers, arrays)
        body = spec.body
        # In the first models the body's layers had no name of their own.
        own = "network.body.hidden." if body.kind == "dense" else "network.body.recurrent."
        renamed = {
            own + name.removeprefix("network.body.") if name.startswith("network.body.") else name: array
            for name, array in arrays.items()
        }
        held = Arrays(renamed, "network.")
        self.spec = spec
        self.embedding = Embedding(held.at("embedding."), spec.words, spec.embedding_size)
        self.body = build_body(body, held, "body.")
        head = model_of("tagging", spec.name).head
        self.output = build_head(head, self.body.output_size, spec.tags, held.at("output."))
        self.crf = CRF(held.at("crf."), spec.tags) if spec.crf else None
        held.finish()

    def scores(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """ids (B, T), 0 behind the end, mask (B, T) bool, true for words → scores (B, T, K)."""
        return self.output(self.body.steps(_windows(self.embedding(ids), self.spec.context), mask))

    def best(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """The most likely tags (B, T): of each word, with a crf of each sentence."""
        scores = self.scores(ids, mask)
        return scores.argmax(axis=2) if self.crf is None else self.crf.decode(scores, mask)


def _windows(x: np.ndarray, context: int) -> np.ndarray:
    """(B, T, E) → (B, T, (2c + 1)E): each step beside the c before and after it, zeros outside."""
    if not context:
        return x
    rows, steps, size = x.shape
    found = np.zeros((rows, steps, 2 * context + 1, size), dtype=np.float32)
    for place, shift in enumerate(range(-context, context + 1)):
        # Step t of the output sees step t + shift of the input.
        to = slice(max(0, -shift), min(steps, steps - shift))
        if to.start < to.stop:
            found[:, to, place] = x[:, to.start + shift : to.stop + shift]
    return found.reshape(rows, steps, -1)
