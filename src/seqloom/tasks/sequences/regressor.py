"""`SequenceRegressor`: a number, or several, for each numeric sequence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from seqloom_runtime.data.sequences import Sequences, number_targets
from seqloom_runtime.sequences.predictors import NumberPredictor

from ..comparison import Evaluation
from ..constraints import OneOf
from ..networks import names_for
from ..parameters import constraints_of
from .base import ACTIVATION, SequenceEstimator
from .coding import Coding, NumberCoding
from .prepared import Examples
from .scoring import explained, measure_values, target_scale
from .shown import series_of

__all__ = ["SequenceRegressor"]


class _Learned:
    """What `fit` sets."""

    coding_: NumberCoding


@dataclass(kw_only=True, eq=False, repr=False)
class SequenceRegressor(_Learned, SequenceEstimator):
    """Tell the number, or the K numbers, that belong to a numeric sequence, with a network or a baseline.

    Parameters
    ----------
    model: rnn, gru, lstm, tcn, conv or conv-gru; or a baseline: mean (of the training targets), last (value of the
        first K channels).
    pooling: what the answer is read from: the "last" step's features, their "mean" or "max" over the steps, or a mean
        weighted by learned "attention".
    pool_size: of conv and conv-gru: the largest of every so many steps goes on, between two convolutions.
    loss: mse, mae or huber, of scaled targets.
    target_scaling: "standard" brings each target to mean 0 and standard deviation 1 over the training sequences, or
        "none".
    The other parameters are those of `SequenceEstimator`.

    Attributes after fit: those of `SequenceEstimator`.

    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(60, 6, 1))
    >>> model = SequenceRegressor(units=8, epochs=30, batch_size=16, learning_rate=0.02).fit(x, x.sum(axis=(1, 2)))
    >>> model.predict(x[:2]).shape, bool(model.score(x, x.sum(axis=(1, 2))) > 0.8)
    ((2,), True)
    """

    _task: ClassVar[str] = "sequence-regressor"
    _predicts = NumberPredictor
    _constraints = constraints_of(
        "SequenceRegressor", model=OneOf(names_for("sequences", after=("mean", "last"))), activation=ACTIVATION
    )

    pool_size: int = 1
    pooling: str = "last"
    loss: str = "mse"
    target_scaling: str = "standard"

    def predict(self, X: Any) -> np.ndarray:
        """The number (N,), or the numbers (N, K), of each sequence, float64 in the targets' unit."""
        return self._predictor.predict(X)

    def score(self, X: Any, y: Any) -> float:
        """R², the share of the targets' variance that is explained, the mean over K, as scikit-learn gives it."""
        sequences = self._read(X)
        return explained(number_targets(y, len(sequences)), self.predict(sequences))

    def evaluate(self, X: Any, y: Any) -> Evaluation:
        """Errors in the targets' unit, predictions, and what is worth drawing."""
        examples = self._raw(self._read(X), y)
        self.coding_.encode(examples.target)  # as many targets as were learned
        return measure_values(
            examples.target,
            self.predict(examples.sequences),
            rows=np.arange(len(examples.sequences)),
            show=lambda n: {"series": series_of(examples.sequences, n)},
        )

    def _raw(self, sequences: Sequences, y: Any, what: str = "y") -> Examples:
        targets = number_targets(y, len(sequences), what=what)
        return Examples(sequences, targets, np.ones(len(targets), dtype=np.float32), False)

    def _coded(
        self, examples: Examples, train: Examples, held: Examples | None
    ) -> tuple[Coding, Examples, Examples | None]:
        coding = NumberCoding(
            columns=1 if train.target.ndim == 1 else train.target.shape[1],
            flat=train.target.ndim == 1,
            scale=target_scale(train, self.target_scaling),
            loss=self.loss,
        )
        train = replace(train, target=coding.encode(train.target))
        return coding, train, None if held is None else replace(held, target=coding.encode(held.target, "valid y"))

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn asks: this is a regressor."""
        from sklearn.utils import RegressorTags

        tags = super().__sklearn_tags__()
        tags.estimator_type, tags.regressor_tags, tags.target_tags.required = "regressor", RegressorTags(), True
        return tags
