"""`SequenceClassifier`: a label for each numeric sequence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from seqloom_runtime.data.sequences import Sequences, class_labels
from seqloom_runtime.errors import DataError
from seqloom_runtime.sequences.predictors import ClassPredictor

from ..class_weights import class_weights
from ..comparison import Evaluation
from ..constraints import OneOf
from ..measuring import measure_classes
from ..networks import names_for
from ..parameters import constraints_of
from .base import ACTIVATION, SequenceEstimator
from .coding import ClassCoding, Coding
from .prepared import Examples
from .shown import series_of

__all__ = ["SequenceClassifier"]


class _Learned:
    """What `fit` sets."""

    coding_: ClassCoding


@dataclass(kw_only=True, eq=False, repr=False)
class SequenceClassifier(_Learned, SequenceEstimator):
    """Tell which class a numeric sequence belongs to, with a network or the majority class.

    Parameters
    ----------
    model: rnn, gru, lstm, tcn, conv or conv-gru, or the baseline majority.
    pooling: what the answer is read from: the "last" step's features, their "mean" or "max" over the steps, or a mean
        weighted by learned "attention".
    pool_size: of conv and conv-gru: the largest of every so many steps goes on, between two convolutions.
    class_weight: None; "balanced", which counts each class alike; or weights by label (1 for one that isn't named).
    The other parameters are those of `SequenceEstimator`.

    Attributes after fit: `classes_` (K,), and those of `SequenceEstimator`.

    >>> rng = np.random.default_rng(0)
    >>> walks = rng.normal(size=(60, 8, 1)).cumsum(axis=1)
    >>> labels = np.where(walks[:, -1, 0] > 0, "up", "down")
    >>> model = SequenceClassifier(units=8, epochs=20, batch_size=16, learning_rate=0.02).fit(walks, labels)
    >>> model.classes_, bool(model.score(walks, labels) > 0.8)
    (array(['down', 'up'], dtype='<U4'), True)
    """

    _task: ClassVar[str] = "sequence-classifier"
    _predicts = ClassPredictor
    _constraints = constraints_of(
        "SequenceClassifier", model=OneOf(names_for("sequences", after=("majority",))), activation=ACTIVATION
    )

    pool_size: int = 1
    pooling: str = "last"
    class_weight: Any = None

    @property
    def classes_(self) -> np.ndarray:
        """The labels (K,), sorted."""
        self._check_fitted()
        return self.coding_.classes

    def predict(self, X: Any) -> np.ndarray:
        """The label (N,) of each sequence."""
        return self._predictor.predict(X)

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability (N, K) float64 of each class, in the order of `classes_`."""
        return self._predictor.predict_proba(X)

    def score(self, X: Any, y: Any) -> float:
        """The share of sequences whose label is predicted, as scikit-learn's classifiers give it."""
        examples, outputs = self._scored(X, y)
        return float((outputs.argmax(axis=1) == examples.target).mean())

    def evaluate(self, X: Any, y: Any) -> Evaluation:
        """Accuracy and the other scores of classifiers, predictions, and what is worth drawing."""
        examples, outputs = self._scored(X, y)
        return measure_classes(
            examples.target,
            self.coding_.probabilities(outputs),
            [str(label) for label in self.classes_.tolist()],
            show=lambda n: self._shown(examples.sequences, n),
        )

    def _shown(self, sequences: Sequences, number: int) -> dict[str, Any]:
        """A sequence as the report draws it."""
        return {"series": series_of(sequences, number)}

    def _raw(self, sequences: Sequences, y: Any, what: str = "y") -> Examples:
        labels = class_labels(y, len(sequences), what=what)
        return Examples(sequences, labels, np.ones(len(labels), dtype=np.float32), False)

    def _coded(
        self, examples: Examples, train: Examples, held: Examples | None
    ) -> tuple[Coding, Examples, Examples | None]:
        # Of all examples, held out or not: a class that was held out whole must have an output all the same.
        classes = np.unique(examples.target)
        if len(classes) < 2:
            raise DataError(
                f"y: expected at least two classes to tell apart, all {len(examples.target):,} labels are "
                f"{classes[0].item()!r}."
            )
        coding = ClassCoding(classes)
        codes = coding.encode(train.target)
        weights = class_weights(self.class_weight, codes, classes.tolist()).astype(np.float32)
        train = replace(train, target=codes, weight=weights[codes])
        if held is not None:
            codes = coding.encode(held.target, "valid y")
            held = replace(held, target=codes, weight=weights[codes])
        return coding, train, held

    def _strata(self, examples: Examples) -> np.ndarray:
        return np.unique(examples.target, return_inverse=True)[1]

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn asks: this is a classifier, so that its folds keep the classes' shares."""
        from sklearn.utils import ClassifierTags

        tags = super().__sklearn_tags__()
        tags.estimator_type, tags.classifier_tags, tags.target_tags.required = "classifier", ClassifierTags(), True
        return tags
