"""The hierarchical attention network: words make sentences, sentences make the text, and both say which ones counted.

B texts, S sentences, W words, E numbers for each word, U units in a direction, N sentences of all texts together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...nn import mask_from_lengths
from ...training import derive_seed
from ..networks import AttentionPooling, BodySpec, WholeBody, make_recurrent

__all__ = ["Attention", "HierarchicalBody"]

_TOGETHER = 128  # sentences of like length in one run: enough to fill the cores, few enough to be of like length


class Attention(NamedTuple):
    """How much each word of a sentence, (B, S, W), and each sentence of a text, (B, S), counted; 0 for padding."""

    words: Tensor
    sentences: Tensor


class HierarchicalBody(WholeBody):
    """A bidirectional GRU over the words of a sentence and attention; the same over the sentences of a text.

    u = tanh(Wh + b), α = softmax(uᵀu_w), s = Σ αh at both levels. Sentences of one batch are run together whichever
    text they belong to, and none is run for padding. Source: Yang et al., NAACL 2016.
    """

    def __init__(self, spec: BodySpec, seed: int) -> None:
        super().__init__(spec, seed)
        layer, size = replace(spec, between_dropout=0.0), self.output_size
        self.words = make_recurrent("gru", spec.inputs, layer, derive_seed(seed, "words"))
        self.word_attention = AttentionPooling(size, derive_seed(seed, "word attention"))
        self.dropout = nn.Dropout(spec.between_dropout)
        self.sentences = make_recurrent("gru", size, layer, derive_seed(seed, "sentences"))
        self.sentence_attention = AttentionPooling(size, derive_seed(seed, "sentence attention"))

    def summary(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, S, W, E), mask (B, S, W) of the words in each sentence, none behind a text's end: (B, 2U)."""
        return self.attend(x, x.new_ones(x.shape[:3], dtype=torch.bool) if mask is None else mask)[0]

    def attend(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Attention]:
        """The same, with the attention of words and sentences."""
        lengths = mask.sum(dim=2)
        real = lengths > 0  # (B, S): sentences stand at the front
        pooled, alpha = self._sentences_alone(x[real], lengths[real])
        sentences = pooled.new_zeros(*real.shape, self.output_size).masked_scatter(
            real[:, :, None], self.dropout(pooled)
        )
        h, _ = self.sentences(sentences, lengths=real.sum(dim=1))
        beta = self.sentence_attention.weights(h, real)
        text = torch.einsum("bs,bsf->bf", beta, h)
        words = alpha.new_zeros(*real.shape, x.shape[2]).masked_scatter(real[:, :, None], alpha)
        return text, Attention(words, beta)

    def _sentences_alone(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """x (N, W, E), lengths (N,) at least 1: features (N, 2U) and attention (N, W) of the sentences.

        Sentences of like length run together, so that few steps go to padding.
        """
        order = torch.argsort(lengths, stable=True)
        features, attention = [], []
        for rows in order.split(_TOGETHER):
            steps = int(lengths[rows[-1]]) if len(rows) else 0
            h, _ = self.words(x[rows, :steps], lengths=lengths[rows])
            alpha = self.word_attention.weights(h, mask_from_lengths(lengths[rows], steps))
            features.append(torch.einsum("nw,nwf->nf", alpha, h))
            attention.append(functional.pad(alpha, (0, x.shape[1] - steps)))
        back = torch.argsort(order)
        return torch.cat(features)[back], torch.cat(attention)[back]
