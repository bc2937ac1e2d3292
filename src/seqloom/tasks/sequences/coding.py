"""The codings of `seqloom_runtime.sequences.coding` with the loss that goes with each."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from seqloom_runtime.sequences import coding

from ..number_loss import number_loss
from .prepared import Batch

__all__ = ["BinaryCoding", "ClassCoding", "Coding", "NumberCoding"]


class Coding(coding.Coding):
    """Base of the codings that networks are trained in."""

    @abstractmethod
    def losses(self, output: Tensor, target: Tensor) -> Tensor:
        """The loss of each sequence or step: output (…, O), target (…) or (…, K) → (…)."""

    def batch_loss(self, module: Any, batch: Batch) -> Tensor:
        """The weighted loss of a batch, the mean over its rows of each row's sum."""
        x, mask, target, weight = batch
        losses = self.losses(module(x, mask), target) * weight
        return (losses if losses.dim() == 1 else losses.sum(dim=1)).mean()

    def score(self, output: np.ndarray, target: np.ndarray, weight: np.ndarray) -> float:
        """The weighted mean loss over outputs (M, O)."""
        # In float64, so that the epoch that is chosen doesn't hang on how the sum was rounded.
        losses = self.losses(torch.from_numpy(output), torch.from_numpy(target)).double().numpy()
        return float((losses * weight).sum() / weight.sum())


@dataclass(frozen=True, eq=False)
class ClassCoding(coding.ClassCoding, Coding):
    """One of K classes: outputs are their logits, the loss is −log softmax(o)_y."""

    def losses(self, output: Tensor, target: Tensor) -> Tensor:
        """Cross-entropy: output (…, K), target (…) int64 → (…)."""
        flat = functional.cross_entropy(output.reshape(-1, output.shape[-1]), target.reshape(-1), reduction="none")
        return flat.view(target.shape)


@dataclass(frozen=True, eq=False)
class NumberCoding(coding.NumberCoding, Coding):
    """K numbers, standardised by `scale`; the loss is the mean over them of `number_loss`."""

    def losses(self, output: Tensor, target: Tensor) -> Tensor:
        """(…, K) each → (…)."""
        return number_loss(self.loss, output, target).mean(dim=-1)


@dataclass(frozen=True, eq=False)
class BinaryCoding(coding.BinaryCoding, Coding):
    """K independent yes-or-no answers: outputs are logits, the loss is −Σ_k log p(y_k), summed over the K."""

    def losses(self, output: Tensor, target: Tensor) -> Tensor:
        """(…, K) each → (…)."""
        losses = functional.binary_cross_entropy_with_logits(output, target.to(output.dtype), reduction="none")
        return losses.sum(dim=-1)
