"""Attention of a decoder's states over an encoder's outputs: weights that sum to 1 over the steps, and their mean.

States s (B, K, S), outputs h (B, T, H), a mask (B, T) bool, None where all steps count; a masked step has weight 0.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from .heads import seeded_linear

__all__ = ["ATTENTIONS", "AdditiveAttention", "Attention", "MultiplicativeAttention", "make_attention"]


class Attention(nn.Module, ABC):
    """c_k = Σ_t α_kt h_t with α_k = softmax_t(score(s_k, h_t)), of the step's own state, as Luong et al. (2015), so
    that all steps are worked out together."""

    key: nn.Linear

    def forward(self, state: Tensor, encoded: Tensor, mask: Tensor | None = None) -> Tensor:
        """The contexts (B, K, H)."""
        return self.weights(state, encoded, mask) @ encoded

    def weights(self, state: Tensor, encoded: Tensor, mask: Tensor | None = None, keys: Tensor | None = None) -> Tensor:
        """α (B, K, T): at least 0, with the sum 1 over T. keys: `self.key(encoded)`, where it is known already."""
        scores = self.scores(state, self.key(encoded) if keys is None else keys)
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None], -torch.inf)
        return torch.softmax(scores, dim=2)

    @abstractmethod
    def scores(self, state: Tensor, keys: Tensor) -> Tensor:
        """How well each step answers each state (B, K, T)."""


class AdditiveAttention(Attention):
    """score(s, h) = v · tanh(W s + U h + b).

    Source: Bahdanau et al., "Neural machine translation by jointly learning to align and translate", ICLR 2015.
    """

    def __init__(self, width: int, seed: int, encoded: int | None = None) -> None:
        """width: S; encoded: H, where it is another."""
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.query = seeded_linear(width, width, generator)
        self.key = seeded_linear(width if encoded is None else encoded, width, generator)
        self.key.register_parameter("bias", None)  # one b is enough for the sum
        self.score = nn.Parameter(torch.empty(width).normal_(0.0, width**-0.5, generator=generator))

    def scores(self, state: Tensor, keys: Tensor) -> Tensor:
        """As the class says."""
        return torch.tanh(self.query(state)[:, :, None] + keys[:, None]) @ self.score


class MultiplicativeAttention(Attention):
    """score(s, h) = s · U h.

    Source: Luong et al., "Effective approaches to attention-based neural machine translation", EMNLP 2015 ("general").
    """

    def __init__(self, width: int, seed: int, encoded: int | None = None) -> None:
        """width: S; encoded: H, where it is another."""
        super().__init__()
        self.key = seeded_linear(width if encoded is None else encoded, width, torch.Generator().manual_seed(seed))
        self.key.register_parameter("bias", None)  # the same for every step, it would change no weight

    def scores(self, state: Tensor, keys: Tensor) -> Tensor:
        """As the class says."""
        return state @ keys.transpose(1, 2)


ATTENTIONS = {"additive": AdditiveAttention, "multiplicative": MultiplicativeAttention}


def make_attention(name: str, width: int, seed: int, encoded: int | None = None) -> Attention:
    """The attention of that name among `ATTENTIONS`.

    >>> attention = make_attention("multiplicative", 4, seed=1, encoded=6)
    >>> mask = torch.tensor([[True, True, False]])
    >>> attention.weights(torch.zeros(1, 2, 4), torch.zeros(1, 3, 6), mask).tolist()
    [[[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]]]
    """
    return ATTENTIONS[name](width, seed, encoded)
