"""Adaptive softmax: frequent words in a head, rarer ones in clusters that are computed only where they are needed.

V words by frequency, F features. Words below the first cutoff are in the head, beside one entry for each cluster; the
words from a cutoff up to the next are a cluster, whose features are first projected to F/4, F/16, … numbers:
log P(w) = log P(cluster of w) + log P(w | its cluster). Source: Grave et al., "Efficient softmax approximation for
GPUs", arXiv 1609.04309; the module is torch's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from seqloom_runtime.errors import SettingError

__all__ = ["AdaptiveSoftmax", "check_cutoffs", "usual_cutoffs"]

_DIVISION = 4  # by which each cluster's features are fewer than the one's before
_HEAD, _SECOND = 0.075, 0.225  # shares of the words, as 20,000 and 60,000 of WikiText-103's 267,735


def usual_cutoffs(words: int) -> tuple[int, ...]:
    """The cutoffs of a vocabulary where none are given.

    >>> usual_cutoffs(267_735)
    (20080, 60240)
    """
    first = max(1, round(_HEAD * words))
    return first, max(first + 1, round(_SECOND * words))


def check_cutoffs(cutoffs: Sequence[int], words: int, features: int) -> None:
    """Raise SettingError where a vocabulary can't be cut so, or the features are too few for the last cluster."""
    if list(cutoffs) != sorted(set(cutoffs)) or cutoffs[0] < 1 or cutoffs[-1] >= words:
        raise SettingError(
            f"cutoffs: expected increasing numbers of words from 1 to {words - 1}, as the vocabulary has {words:,}, "
            f"got {', '.join(map(str, cutoffs))}."
        )
    least = _DIVISION ** len(cutoffs)
    if features < least:
        raise SettingError(
            f"cutoffs: the last of {len(cutoffs)} clusters has 1/{least} of the features, so at least {least} are "
            f"needed, and there are {features}; use more units or fewer cutoffs."
        )


class AdaptiveSoftmax(nn.AdaptiveLogSoftmaxWithLoss):
    """torch's module with a bias in the head, its weights drawn from `seed` alone."""

    def __init__(self, features: int, words: int, cutoffs: Sequence[int], seed: int) -> None:
        with torch.random.fork_rng(devices=[]):  # torch draws from its global stream, which is the caller's
            super().__init__(features, words, list(cutoffs), div_value=float(_DIVISION), head_bias=True)
        generator = torch.Generator().manual_seed(seed)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                bound = 1 / math.sqrt(module.in_features)
                nn.init.uniform_(module.weight, -bound, bound, generator=generator)
        nn.init.zeros_(self.head.bias)

    def losses(self, features: Tensor, targets: Tensor) -> Tensor:
        """−ln P (N,) of the words `targets` (N,) after features (N, F)."""
        return -self(features, targets).output

    def log_probabilities(self, features: Tensor) -> Tensor:
        """features (…, F) → (…, V): of every word."""
        found = self.log_prob(features.reshape(-1, features.shape[-1]))
        return found.reshape(*features.shape[:-1], found.shape[-1])
