"""Bag-of-words classifiers: logistic regression and a forest, kept and read without the library that fitted them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from ..data import SparseRows, WordMatrix, WordTokenizer
from ..errors import FormatError
from ..probability import softmax
from .forest import Forest

__all__ = ["BagClassifier"]

_LEAST = 1e-4  # a forest's share of 0 counts as this much when logits are made of it


@dataclass(frozen=True, eq=False, repr=False)
class BagClassifier:
    """Logistic regression, with weights (V, K or 1) and bias, or a forest."""

    tokenizer: WordTokenizer
    matrix: WordMatrix
    weights: np.ndarray | None = None
    bias: np.ndarray | None = None
    forest: Forest | None = None

    @property
    def n_parameters(self) -> int:
        """Weights and biases, or the forest's nodes."""
        if self.forest is not None:
            return len(self.forest.left)
        assert self.weights is not None
        assert self.bias is not None
        return self.weights.size + self.bias.size

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """Numbers (N, K) whose softmax are the probabilities; with two classes the first column is 0."""
        bag = self._bag(texts)
        if self.forest is not None:
            return np.log(np.maximum(self.forest.probabilities(bag), _LEAST))
        assert self.weights is not None
        assert self.bias is not None
        z = _times(bag, self.weights) + self.bias
        # softmax(0, z) = (1 − σ(z), σ(z)): two classes need but one column of weights.
        return np.concatenate([np.zeros_like(z), z], axis=1) if z.shape[1] == 1 else z

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """(N, K) as scikit-learn's `predict_proba` gives them, before calibration."""
        return softmax(self.logits(texts)) if self.forest is None else self.forest.probabilities(self._bag(texts))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The arrays by name."""
        arrays = {f"words.{name}": array for name, array in self.matrix.to_arrays().items()}
        if self.forest is not None:
            return arrays | {f"forest.{name}": array for name, array in self.forest.to_arrays().items()}
        assert self.weights is not None
        assert self.bias is not None
        return arrays | {"bag.weights": self.weights, "bag.bias": self.bias}

    @classmethod
    def from_arrays(
        cls, model: str, tokenizer: WordTokenizer, weighting: str, arrays: Mapping[str, np.ndarray], classes: int
    ) -> Self:
        """The classifier of `to_arrays`; raises FormatError where arrays are missing, or don't fit the vocabulary."""
        width, outputs = len(tokenizer.vocabulary), 1 if classes == 2 else classes
        matrix = WordMatrix.from_arrays(weighting, _below("words.", arrays))
        if matrix.to_arrays()["weights"].shape != (width,):
            raise FormatError(f"model.safetensors: expected a weight for each of the {width} words in 'words.weights'.")
        if model == "bow-forest":
            return cls(tokenizer, matrix, forest=Forest.from_arrays(_below("forest.", arrays), width, classes))
        for name, shape in {"bag.weights": (width, outputs), "bag.bias": (outputs,)}.items():
            array = arrays.get(name)
            if array is None or array.dtype != np.float64 or array.shape != shape or not np.isfinite(array).all():
                raise FormatError(f"model.safetensors: expected finite float64 numbers of shape {shape} in {name!r}.")
        return cls(tokenizer, matrix, arrays["bag.weights"], arrays["bag.bias"])

    def _bag(self, texts: Sequence[str]) -> SparseRows:
        return self.matrix.transform(self.tokenizer.encode(texts))


def _times(bag: SparseRows, weights: np.ndarray) -> np.ndarray:
    """The product (N, V) times (V, K), in float64."""
    rows, columns = bag.rows, np.ascontiguousarray(weights.T)
    # bincount adds in the order of the rows, so the bits don't depend on a BLAS or its threads.
    sums = [np.bincount(rows, weights=bag.values * w[bag.indices], minlength=len(bag)) for w in columns]
    return np.stack(sums, axis=1)


def _below(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
