"""The half of a network that writes: a recurrent decoder that reads what it has written, with attention over what was
read, be it tokens of a text or places of a picture; as `seqloom.tasks.networks.writer`.

B examples, T steps read, K tokens with the end behind them, H numbers of a step read, U units, V outputs: the
vocabulary's ids, and behind them the end of a text, which as an input is the start of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .adaptive import log_softmax
from .arrays import Arrays
from .attention import contexts, make_attention
from .bodies import make_recurrent
from .embedding import Embedding
from .linear import Linear
from .spec import BodySpec

__all__ = ["Encoded", "Writer"]


@dataclass(frozen=True, eq=False)
class Encoded:
    """A batch of sources, read: outputs (B, T, H), mask (B, T), the attention's keys (B, T, U) or None."""

    outputs: np.ndarray
    mask: np.ndarray
    keys: np.ndarray | None

    def repeated(self, times: int) -> Encoded:
        """Each row `times` times, one behind the other."""
        keys = None if self.keys is None else np.repeat(self.keys, times, axis=0)
        return Encoded(np.repeat(self.outputs, times, axis=0), np.repeat(self.mask, times, axis=0), keys)


class Writer:
    """From what was read, s_0 = tanh(W e + b) of each layer, the decoder; its read-out tanh(W [s_k; c_k] + b) with
    attention, else s_k alone."""

    def __init__(self, arrays: Arrays, decoder: BodySpec, targets: int, attention: str, width: int) -> None:
        """decoder: its inputs are the size of the target's embedding; targets: ids of the vocabulary, without the end;
        attention: a name, or "none"; width: H.

        Takes "target.weight" (V, E), "bridge", "decoder.cells.0.w_x" …, "attention", "joined" and "output".
        """
        self.units, self.layers = decoder.units, decoder.layers
        self.target = Embedding(arrays.at("target."), targets + 1, decoder.inputs)
        self.bridge = Linear(arrays.at("bridge."), width, self.layers * self.units)
        self.decoder = make_recurrent(decoder.kind, decoder.inputs, decoder, arrays.at("decoder."))
        self.attention = self.joined = None
        if attention != "none":
            self.attention = make_attention(attention, arrays.at("attention."), self.units, width)
            self.joined = Linear(arrays.at("joined."), self.units + width, self.units)
        self.output = Linear(arrays.at("output."), self.units, targets + 1)

    def begin(self, outputs: np.ndarray, mask: np.ndarray, ends: np.ndarray) -> tuple[Encoded, Any]:
        """outputs (B, T, H), their mask, and their summary (B, H) → what the decoder attends to, and its first
        state."""
        start = np.tanh(self.bridge(ends)).reshape(len(outputs), self.layers, self.units).swapaxes(0, 1)
        keys = None if self.attention is None else self.attention.key(outputs)
        state = (start, np.zeros_like(start)) if self.decoder.cell.pair else start
        return Encoded(outputs, mask, keys), state

    def taught(self, before: np.ndarray, encoded: Encoded, state: Any) -> np.ndarray:
        """before (B, K): the token before each one to write → scores (B, K, V)."""
        return self._written(before, encoded, state)[0]

    def step(self, before: np.ndarray, encoded: Encoded, state: Any) -> tuple[np.ndarray, Any, np.ndarray | None]:
        """before (B,): the last token of each → log P (B, V) of the next, the state, attention (B, T)."""
        scores, state, weights = self._written(before[:, None], encoded, state)
        return log_softmax(scores[:, 0]), state, None if weights is None else weights[:, 0]

    def _written(self, before: np.ndarray, encoded: Encoded, state: Any) -> tuple[np.ndarray, Any, np.ndarray | None]:
        features, state = self.decoder(self.target(before), state)
        weights = None
        if self.attention is not None and self.joined is not None:
            weights = self.attention.weights(features, encoded.outputs, encoded.mask, encoded.keys)
            features = np.tanh(self.joined(np.concatenate([features, contexts(weights, encoded.outputs)], axis=2)))
        return self.output(features), state, weights
