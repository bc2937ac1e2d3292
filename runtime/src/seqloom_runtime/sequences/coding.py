"""What a network's outputs mean: classes, numbers, or independent yes-or-no answers.

A coding turns targets, as they came in, into what a network learns, and a network's outputs (…, O) into predictions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from ..data.sequences.labels import class_codes
from ..errors import DataError
from ..probability import logistic, softmax
from .scale import Scale

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


@dataclass(frozen=True, eq=False)
class ClassCoding(Coding):
    """One of K classes: outputs are their logits."""

    classes: np.ndarray

    @property
    def outputs(self) -> int:
        """K."""
        return len(self.classes)

    def encode(self, raw: np.ndarray, what: str = "y") -> np.ndarray:
        """Labels (M,) as positions in `classes`; raises DataError for one that isn't there."""
        return class_codes(raw, self.classes, what=what)

    def probabilities(self, output: np.ndarray) -> np.ndarray:
        """softmax(o): (…, K) float64 with the sum 1."""
        return softmax(output)


@dataclass(frozen=True, eq=False)
class NumberCoding(Coding):
    """K numbers, standardised by `scale`.

    loss: the name of the loss that they were learned with, in standard deviations of the target where it is scaled.
    `flat` says that the targets came without the axis K.
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

    def values(self, output: np.ndarray) -> np.ndarray:
        """Predictions (…) or (…, K) float64 in the target's unit."""
        values = self.scale.unscaled(output)
        return values[..., 0] if self.flat else values


@dataclass(frozen=True, eq=False)
class BinaryCoding(Coding):
    """K independent yes-or-no answers: outputs are logits."""

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

    def probabilities(self, output: np.ndarray) -> np.ndarray:
        """σ(o): (…, K) float64."""
        return logistic(output)
