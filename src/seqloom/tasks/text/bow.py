"""Bag-of-words classifiers: logistic regression and a forest, fitted by scikit-learn, kept and read without it."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from seqloom_runtime.data import SparseRows, Vocabulary, WordMatrix, WordTokenizer
from seqloom_runtime.errors import DataError, FormatError
from seqloom_runtime.extras import need

from ...diagnostics import softmax
from .forest import Forest

__all__ = ["BagClassifier", "BagPlan", "bag_tokenizer", "require_sklearn"]

_LEAST = 1e-4  # a forest's share of 0 counts as this much when logits are made of it


@dataclass(frozen=True)
class BagPlan:
    """How a bag-of-words classifier is fitted: mode of `WordMatrix`, strength (C) or number of trees, seed."""

    model: str
    weighting: str
    strength: float
    trees: int
    seed: int
    threads: int


@dataclass(frozen=True, eq=False)
class BagClassifier:
    """Logistic regression, with weights (V, K or 1) and bias, or a forest."""

    tokenizer: WordTokenizer
    matrix: WordMatrix
    weights: np.ndarray | None = None
    bias: np.ndarray | None = None
    forest: Forest | None = None

    @classmethod
    def fit(
        cls,
        plan: BagPlan,
        tokenizer: WordTokenizer,
        texts: Sequence[str],
        numbers: np.ndarray,
        class_weight: np.ndarray,
    ) -> tuple[Self, list[str]]:
        """Fit on texts whose words `tokenizer` numbers, and classes (N,); returns the classifier and notes."""
        sequences = tokenizer.encode(texts)
        matrix = WordMatrix(plan.weighting).fit(sequences, len(tokenizer.vocabulary))
        bag = matrix.transform(sequences)
        weight = dict(enumerate(class_weight.tolist()))
        if plan.model == "bow-forest":
            return cls(tokenizer, matrix, forest=_forest(plan, bag, numbers, weight)), []
        weights, bias, notes = _logistic(plan, bag, numbers, weight)
        return cls(tokenizer, matrix, weights, bias), notes

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


def bag_tokenizer(
    tokenizer: WordTokenizer, texts: Sequence[str], *, max_words: int, min_df: float, max_df: float
) -> WordTokenizer:
    """Number the `max_words` most frequent of the words that stand in enough texts, and not in too many.

    min_df, max_df: in how many texts a word may stand at least and at most; below 1, and 1.0, are shares of the texts.
    Ids start at 1; other words are left out. Raises DataError where no word is left.
    """
    total: Counter[str] = Counter()
    held: Counter[str] = Counter()
    for text in texts:
        words = tokenizer.tokens(text)
        total.update(words)
        held.update(set(words))
    low, high = (limit * len(texts) if isinstance(limit, float) and limit <= 1 else limit for limit in (min_df, max_df))
    kept = {word: count for word, count in total.items() if low <= held[word] <= high}
    if not kept:
        raise DataError(
            f"The {len(texts):,} texts hold no word that stands in at least {min_df} and at most {max_df} of them (1.0 "
            "and below: as shares); give texts with words in them, or other limits min_df and max_df."
        )
    tokenizer.vocabulary_ = Vocabulary.from_counts(kept, max_words=max_words, unknown=None)
    return tokenizer


def require_sklearn(model: str) -> None:
    """Raise MissingDependencyError where scikit-learn, which fits this model, is not installed."""
    need("sklearn", f"model={model!r}")


def _logistic(
    plan: BagPlan, bag: SparseRows, numbers: np.ndarray, weight: dict[int, float]
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    # scikit-learn's 100 rounds often don't suffice for tens of thousands of columns.
    model = LogisticRegression(C=plan.strength, max_iter=500, class_weight=weight)
    notes = []
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(_matrix(bag), numbers)
    if any(issubclass(warning.category, ConvergenceWarning) for warning in raised):
        notes.append("bow: the regression had not settled after 500 rounds; a smaller strength would help.")
    return np.ascontiguousarray(model.coef_.T, np.float64), np.asarray(model.intercept_, np.float64), notes


def _forest(plan: BagPlan, bag: SparseRows, numbers: np.ndarray, weight: dict[int, float]) -> Forest:
    from sklearn.ensemble import RandomForestClassifier

    # NumPy's old generator, which scikit-learn draws from, takes seeds of 32 bits.
    model = RandomForestClassifier(
        n_estimators=plan.trees, random_state=plan.seed % 2**32, class_weight=weight, n_jobs=plan.threads
    )
    # The forest is the same for any number of threads: each tree has a seed of its own.
    model.fit(_matrix(bag), numbers)
    return Forest.of([tree.tree_ for tree in model.estimators_])


def _matrix(bag: SparseRows) -> Any:
    from scipy.sparse import csr_matrix

    return csr_matrix((bag.values.astype(np.float64), bag.indices, bag.indptr), shape=(len(bag), bag.width))


def _times(bag: SparseRows, weights: np.ndarray) -> np.ndarray:
    """The product (N, V) times (V, K), in float64."""
    rows, columns = bag.rows, np.ascontiguousarray(weights.T)
    # bincount adds in the order of the rows, so the bits don't depend on a BLAS or its threads.
    sums = [np.bincount(rows, weights=bag.values * w[bag.indices], minlength=len(bag)) for w in columns]
    return np.stack(sums, axis=1)


def _below(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
