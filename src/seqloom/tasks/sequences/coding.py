"""What a network's outputs mean: classes, numbers, or independent yes-or-no answers; and the loss that goes with each.

A coding turns targets, as they came in, into what a network learns, and a network's outputs (…, O) into predictions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from seqloom_runtime.data.sequences import class_codes
from seqloom_runtime.errors import DataError

from ...diagnostics import softmax
from ..number_loss import number_loss
from .prepared import Batch, Scale

__all__ = ["BinaryCoding", "ClassCoding", "Coding", "NumberCoding"]


class Coding(ABC):
    """Base of the codings."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """O, how many numbers a network gives for each sequence or step."""

    @abstractmethod
    def encode(self, raw: np.ndarray, what: str = "y") -> np.ndarray:
        """Targets (M,) or (M, K) as the network learns them; those that don't count may hold anything."""

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
class ClassCoding(Coding):
    """One of K classes: outputs are their logits, the loss is −log softmax(o)_y."""

    classes: np.ndarray

    @property
    def outputs(self) -> int:
        """K."""
        return len(self.classes)

    def encode(self, raw: np.ndarray, what: str = "y") -> np.ndarray:
        """Labels (M,) as positions in `classes`; raises DataError for one that isn't there."""
        return class_codes(raw, self.classes, what=what)

    def losses(self, output: Tensor, target: Tensor) -> Tensor:
        """Cross-entropy: output (…, K), target (…) int64 → (…)."""
        flat = functional.cross_entropy(output.reshape(-1, output.shape[-1]), target.reshape(-1), reduction="none")
        return flat.view(target.shape)

    def probabilities(self, output: np.ndarray) -> np.ndarray:
        """softmax(o): (…, K) float64 with the sum 1."""
        return softmax(output)


@dataclass(frozen=True, eq=False)
class NumberCoding(Coding):
    """K numbers, standardised by `scale`; the loss is the mean over them.

    loss: of `number_loss`, in standard deviations of the target where it is scaled. `flat` says that the targets came
    without the axis K.
    """

    columns: int
    flat: bool
    scale: Scale
    loss: str = "mse"

    @property
    def outputs(self) -> int:
        """K."""
        return self.columns

    def encode(self, raw: np.ndarray, what: str = "y") -> np.ndarray:
        """Numbers (M,) or (M, K) scaled, (M, K) float32."""
        wide = raw[:, None] if raw.ndim == 1 else raw
        if wide.shape[1] != self.columns:
            raise DataError(f"{what}: expected {self.columns} targets, as were learned, got {wide.shape[1]}.")
        # Steps without a target are NaN with weight 0, and 0 · NaN would be NaN.
        return self.scale.scaled(np.nan_to_num(wide.astype(np.float64)))

    def losses(self, output: Tensor, target: Tensor) -> Tensor:
        """(…, K) each → (…)."""
        return number_loss(self.loss, output, target).mean(dim=-1)

    def values(self, output: np.ndarray) -> np.ndarray:
        """Predictions (…) or (…, K) float64 in the target's unit."""
        values = self.scale.unscaled(output)
        return values[..., 0] if self.flat else values


@dataclass(frozen=True, eq=False)
class BinaryCoding(Coding):
    """K independent yes-or-no answers: outputs are logits, the loss is −Σ_k log p(y_k), summed over the K."""

    columns: int

    @property
    def outputs(self) -> int:
        """K."""
        return self.columns

    def encode(self, raw: np.ndarray, what: str = "y") -> np.ndarray:
        """0 and 1 (M, K) as float32; raises DataError for other values."""
        wide = raw[:, None] if raw.ndim == 1 else raw
        if wide.shape[1] != self.columns:
            raise DataError(f"{what}: expected {self.columns} answers at each step, got {wide.shape[1]}.")
        values = np.nan_to_num(wide.astype(np.float32))
        odd = np.argwhere((values != 0) & (values != 1))
        if len(odd):
            row, column = (int(i) for i in odd[0])
            raise DataError(f"{what}: expected 0 or 1, got {wide[row, column]} in row {row}, column {column}.")
        return values

    def losses(self, output: Tensor, target: Tensor) -> Tensor:
        """(…, K) each → (…)."""
        losses = functional.binary_cross_entropy_with_logits(output, target.to(output.dtype), reduction="none")
        return losses.sum(dim=-1)

    def probabilities(self, output: np.ndarray) -> np.ndarray:
        """σ(o): (…, K) float64."""
        # σ through tanh: e^(−o) would overflow for logits far below 0.
        return 0.5 * (1.0 + np.tanh(0.5 * output.astype(np.float64)))
