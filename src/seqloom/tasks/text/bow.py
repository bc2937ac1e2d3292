"""Fitting bag-of-words classifiers, logistic regression and a forest, by scikit-learn."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqloom_runtime.data import SparseRows, Vocabulary, WordMatrix, WordTokenizer
from seqloom_runtime.errors import DataError
from seqloom_runtime.extras import need
from seqloom_runtime.text.bow import BagClassifier
from seqloom_runtime.text.forest import Forest

__all__ = ["BagPlan", "bag_tokenizer", "fit_bag", "require_sklearn"]


@dataclass(frozen=True)
class BagPlan:
    """How a bag-of-words classifier is fitted: mode of `WordMatrix`, strength (C) or number of trees, seed."""

    model: str
    weighting: str
    strength: float
    trees: int
    seed: int
    threads: int


def fit_bag(
    plan: BagPlan, tokenizer: WordTokenizer, texts: Sequence[str], numbers: np.ndarray, class_weight: np.ndarray
) -> tuple[BagClassifier, list[str]]:
    """Fit on texts whose words `tokenizer` numbers, and classes (N,); returns the classifier and notes."""
    sequences = tokenizer.encode(texts)
    matrix = WordMatrix(plan.weighting).fit(sequences, len(tokenizer.vocabulary))
    bag = matrix.transform(sequences)
    weight = dict(enumerate(class_weight.tolist()))
    if plan.model == "bow-forest":
        return BagClassifier(tokenizer, matrix, forest=_forest(plan, bag, numbers, weight)), []
    weights, bias, notes = _logistic(plan, bag, numbers, weight)
    return BagClassifier(tokenizer, matrix, weights, bias), notes


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
