"""The decoder of an encoder-decoder: from the encoder's last state through the steps of the horizon, one by one.

At each step it reads what is known of it in advance (columns, holidays, the calendar) and where the step stands. Its
own forecast is not fed back: a forecast is linear in the state, which the recurrence reads anyhow.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..forward import Arrays, Linear, make_recurrent, product, softmax
from .spec import NetworkSpec

__all__ = ["AdditiveAttention", "Decoder"]


class Decoder:
    """Recurrent layers of the encoder's shape over the steps ahead; with attention each step also reads a context."""

    def __init__(self, spec: NetworkSpec, arrays: Arrays) -> None:
        encoder = spec.body
        self.recurrent = make_recurrent(encoder.kind, 1 + spec.future, encoder, arrays.at("recurrent."))
        width = encoder.output_size
        self.attention = AdditiveAttention(width, arrays.at("attention.")) if spec.attention else None
        self.output_size = width * (2 if spec.attention else 1)
        place = np.arange(1, spec.forecast_steps + 1, dtype=np.float32) / np.float32(spec.forecast_steps)
        self.place = place[:, None]

    def __call__(self, encoded: np.ndarray, state: Any, future: np.ndarray | None) -> np.ndarray:
        """encoded (B, T, H), the encoder's outputs, its last state, and future (B, K, F) or None → (B, K, output)."""
        read = np.broadcast_to(self.place, (len(encoded), *self.place.shape))
        read = np.ascontiguousarray(read if future is None else np.concatenate([read, future], axis=2))
        decoded = self.recurrent(read, state)[0]
        if self.attention is None:
            return decoded
        return np.concatenate([decoded, self.attention(decoded, encoded)], axis=2)


class AdditiveAttention:
    """c_k = Σ_t α_kt h_t with α_k = softmax_t(v · tanh(W s_k + U h_t + b)) (Bahdanau et al. 2015)."""

    def __init__(self, width: int, arrays: Arrays) -> None:
        self.query = Linear(arrays.at("query."), width, width)
        self.key = Linear(arrays.at("key."), width, width, bias=False)
        self.score = arrays.take("score", width)[None]

    def __call__(self, states: np.ndarray, encoded: np.ndarray) -> np.ndarray:
        """s (B, K, S) and h (B, T, H) → c (B, K, H): step by step of h, so that nothing of B · K · T · H is held."""
        query, keys = self.query(states), self.key(encoded)
        steps = range(encoded.shape[1])
        scores = np.stack([product(np.tanh(query + keys[:, t, None]), self.score)[:, :, 0] for t in steps], axis=2)
        weights = softmax(scores, axis=2)
        contexts = np.zeros_like(states)
        for t in steps:
            contexts += weights[:, :, t, None] * encoded[:, t, None]
        return contexts
