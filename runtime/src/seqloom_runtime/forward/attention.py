"""Attention of a decoder's states over an encoder's outputs: weights that sum to 1 over the steps, and their mean.

States s (B, K, S), outputs h (B, T, H), a mask (B, T) bool, None where all steps count; a masked step has weight 0.
As `seqloom.tasks.networks.attention`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from ..errors import SettingError, shown, suggest
from .activations import softmax
from .arrays import Arrays
from .linear import Linear

__all__ = ["ATTENTIONS", "AdditiveAttention", "Attention", "MultiplicativeAttention", "make_attention"]

_NUMBERS = 1 << 20  # of the sums that additive attention holds at once: 4 MiB
_BLOCK = 64  # steps that are added up at once: longer sums would lose digits


class Attention(ABC):
    """c_k = Σ_t α_kt h_t with α_k = softmax_t(score(s_k, h_t))."""

    key: Linear

    def __call__(self, state: np.ndarray, encoded: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """The contexts (B, K, H)."""
        return contexts(self.weights(state, encoded, mask), encoded)

    def weights(
        self,
        state: np.ndarray,
        encoded: np.ndarray,
        mask: np.ndarray | None = None,
        keys: np.ndarray | None = None,
    ) -> np.ndarray:
        """α (B, K, T): at least 0, with the sum 1 over T. keys: `self.key(encoded)`, where it is known already."""
        scores = self.scores(state, self.key(encoded) if keys is None else keys)
        if mask is not None:
            scores = np.where(mask[:, None], scores, np.float32(-np.inf))
        return softmax(scores, axis=2)

    @abstractmethod
    def scores(self, state: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """How well each step answers each state (B, K, T)."""


class AdditiveAttention(Attention):
    """score(s, h) = v · tanh(W s + U h + b): Bahdanau et al., ICLR 2015."""

    def __init__(self, arrays: Arrays, width: int, encoded: int | None = None) -> None:
        """width: S; encoded: H, where it is another. Takes "query.weight", "query.bias", "key.weight" and "score"."""
        self.query = Linear(arrays.at("query."), width, width)
        self.key = Linear(arrays.at("key."), width if encoded is None else encoded, width, bias=False)
        self.score = arrays.take("score", width)

    def scores(self, state: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """As the class says."""
        asked = self.query(state)
        found = np.empty((*asked.shape[:2], keys.shape[1]), dtype=np.float32)
        rows = max(1, _NUMBERS // max(1, asked[:1].size * keys.shape[1]))  # (B, K, T, S) numbers would be many
        for first in range(0, len(asked), rows):
            part = slice(first, first + rows)
            found[part] = _dots(np.tanh(asked[part, :, None] + keys[part, None]), self.score)
        return found


class MultiplicativeAttention(Attention):
    """score(s, h) = s · U h: Luong et al., EMNLP 2015 ("general")."""

    def __init__(self, arrays: Arrays, width: int, encoded: int | None = None) -> None:
        """width: S; encoded: H, where it is another. Takes "key.weight"."""
        self.key = Linear(arrays.at("key."), width if encoded is None else encoded, width, bias=False)

    def scores(self, state: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """As the class says."""
        asked = [np.einsum("bs,bts->bt", state[:, place], keys) for place in range(state.shape[1])]
        return np.stack(asked, axis=1) if asked else np.zeros((len(state), 0, keys.shape[1]), np.float32)


ATTENTIONS = {"additive": AdditiveAttention, "multiplicative": MultiplicativeAttention}


def make_attention(name: str, arrays: Arrays, width: int, encoded: int | None = None) -> Attention:
    """The attention of that name among `ATTENTIONS`; raises SettingError for another.

    >>> attention = make_attention("multiplicative", Arrays({"key.weight": np.ones((4, 6), np.float32)}), 4, 6)
    >>> mask = np.array([[True, True, False]])
    >>> attention.weights(np.zeros((1, 2, 4)), np.zeros((1, 3, 6)), mask).tolist()
    [[[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]]]
    """
    if name not in ATTENTIONS:
        raise SettingError(
            f"attention: expected one of {', '.join(ATTENTIONS)}, got {shown(name)}.{suggest(str(name), ATTENTIONS)}"
        )
    return ATTENTIONS[name](arrays, width, encoded)


def contexts(weights: np.ndarray, encoded: np.ndarray) -> np.ndarray:
    """Σ_t α_kt h_t: (B, K, T) and (B, T, H) → (B, K, H).

    The steps are added up in their order, in blocks of a fixed size: zeros behind a row's end change nothing, so that
    what a row gives doesn't hang on how far it was padded.
    """
    # A single number of each step would be added up by another rule.
    wide = np.repeat(encoded, 2, axis=2) if encoded.shape[2] == 1 else encoded
    found = np.zeros((*weights.shape[:2], wide.shape[2]), dtype=np.float32)
    for first in range(0, wide.shape[1], _BLOCK):
        part = slice(first, first + _BLOCK)
        for place in range(weights.shape[1]):
            found[:, place] += np.einsum("bt,bth->bh", weights[:, place, part], wide[:, part])
    return found[:, :, : encoded.shape[2]]


def _dots(x: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """x (…, S) · vector (S) → (…), each sum by itself."""
    return np.einsum("...s,s->...", x, vector)
