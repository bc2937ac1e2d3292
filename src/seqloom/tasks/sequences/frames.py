"""`FrameModel`: a label, a value or yes-or-no answers at every step of numeric sequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from seqloom_runtime.data.sequences import Sequences, class_labels, frame_targets
from seqloom_runtime.errors import DataError
from seqloom_runtime.sequences.predictors import FramePredictor
from seqloom_runtime.sequences.streaming import SequenceStream

from ..comparison import Evaluation
from ..constraints import OneOf
from ..networks import names_for
from ..parameters import constraints_of
from .base import ACTIVATION, SequenceEstimator
from .coding import BinaryCoding, ClassCoding, Coding, NumberCoding
from .frame_scoring import evaluate_frames
from .models import BASELINES
from .prepared import Examples
from .scoring import explained, target_scale

__all__ = ["IGNORED", "KINDS", "FrameModel"]

KINDS = ("value", "label", "binary", "keys")
IGNORED = -1
_OPENING, _WRITTEN = 8, 92  # steps of music for the report: of a test piece, and what the model goes on with


@dataclass(kw_only=True, eq=False, repr=False)
class FrameModel(SequenceEstimator):
    """Tell something at every step of a sequence: a number, a class, or K yes-or-no answers.

    Parameters
    ----------
    model: rnn, gru, lstm, tcn, conv or conv-gru; or a baseline: majority (labels), mean, last (the present values of
        the first K channels).
    kind: "value": numbers, y (N, T) or (N, T, K), NaN where a step has none; "label": classes, y (N, T), −1 where a
        whole-number label is to be ignored; "binary": 0 and 1, y (N, T, K), NaN where a step has none; "keys": the
        same, for the keys of a piano, whose evaluation writes music. y may be a list of arrays (T_n,) or (T_n, K).
    loss: mse, mae or huber, of scaled values; labels have the cross-entropy, binary answers its sum over the K.
    reduction: "mean": the loss is the mean over all steps of a batch that count; "sum": the sum over the steps of each
        sequence, the mean over the sequences.
    score_last: only the last so many steps of each sequence count, in the loss and in the scores; None for all.
    classes: the labels that there can be, where the training sequences may lack one; None to find them.
    target_scaling: "standard" or "none", of values.
    The other parameters are those of `SequenceEstimator`.

    Attributes after fit: `classes_` (labels), and those of `SequenceEstimator`.

    >>> x = np.random.default_rng(0).normal(size=(40, 12, 1))
    >>> y = np.roll(x[:, :, 0], 1, axis=1)  # what stood one step before
    >>> y[:, 0] = np.nan
    >>> model = FrameModel(units=8, epochs=20, batch_size=8, learning_rate=0.02).fit(x, y)
    >>> model.predict(x).shape, bool(model.score(x, y) > 0.8)
    ((40, 12), True)
    """

    _task: ClassVar[str] = "frame-model"
    _predicts = FramePredictor
    _every_step: ClassVar[bool] = True
    _constraints = constraints_of(
        "FrameModel", model=OneOf(names_for("sequences", after=BASELINES)), activation=ACTIVATION
    )

    kind: str = "value"
    loss: str = "mse"
    reduction: str = "mean"
    score_last: int | None = None
    classes: Sequence[Any] | None = None
    target_scaling: str = "standard"

    @property
    def classes_(self) -> np.ndarray:
        """The labels (K,), sorted; AttributeError where the kind is not label."""
        self._check_fitted()
        if not isinstance(self.coding_, ClassCoding):
            raise AttributeError(f"a FrameModel of the kind {self.kind!r} has no classes_")
        return self.coding_.classes

    def predict(self, X: Any) -> Any:
        """The values, labels, or 0 and 1 of each step.

        (N, T) or (N, T, K) where all sequences are equally long and X is no list, else a list of arrays.
        """
        return self._predictor.predict(X)

    def predict_proba(self, X: Any) -> Any:
        """Probabilities at each step, of every class as in `classes_`, or of each yes; shaped as in `predict`."""
        return self._predictor.predict_proba(X)

    def score(self, X: Any, y: Any) -> float:
        """Over the steps that count: R² of values, the share of right labels, or of right answers."""
        examples, outputs = self._scored(X, y)
        counted = examples.weight > 0
        target, outputs = examples.target[counted], outputs[counted]
        if isinstance(self.coding_, ClassCoding):
            return float((outputs.argmax(axis=1) == target).mean())
        if isinstance(self.coding_, BinaryCoding):
            return float(((outputs > 0) == (target > 0.5)).mean())
        return explained(target.astype(np.float64), outputs)

    def evaluate(self, X: Any, y: Any) -> Evaluation:
        """Scores over the steps that count, predictions (of at most 200,000 steps), and what is worth drawing."""
        examples, outputs = self._scored(X, y)
        evaluation = evaluate_frames(self.coding_, examples, outputs)
        if self.kind != "keys" or len(self.channels_) != self.coding_.outputs:
            return evaluation
        return replace(evaluation, details={**evaluation.details, "music": _written(self, examples.sequences)})

    def generate(self, prompt: Any = None, length: int = 100, *, temperature: float = 1.0, seed: int = 0) -> np.ndarray:
        """Write frames (length, K) of 0 and 1 that go on from `prompt` (T, K), or from a frame without a yes.

        For kinds "binary" and "keys" whose answers are the next step's channels. Each answer is drawn with the
        probability that the model gives it, its logit divided by `temperature` first; 0 takes the answers above one
        half. The same seed writes the same frames. Raises SettingError for another model and for values out of range,
        DataError for a prompt of another shape.
        """
        return self._predictor.generate(prompt, length, temperature=temperature, seed=seed)

    def stream(self, batch_size: int = 1) -> SequenceStream:
        """`batch_size` sequences as they go on, a step at a time: `step(x)` with the numbers of a step says what
        `predict_proba` says of labels and yes-or-no answers, `predict` of values, to rounding.

        Raises SettingError where the model looks ahead.
        """
        return self._predictor.stream(batch_size)

    def _raw(self, sequences: Sequences, y: Any, what: str = "y") -> Examples:
        target = frame_targets(y, sequences, what=what)
        counted = np.ones(len(target), dtype=bool)
        if self.kind == "label":
            if target.ndim != 1:
                raise DataError(
                    f"{what}: expected one label at each step, got {target.shape[1]}; for several answers "
                    "at once use kind='binary'."
                )
            target = class_labels(target, len(target), what=what)
            if target.dtype.kind == "i":
                counted = target != IGNORED
        else:
            if target.dtype.kind not in "biuf":
                raise DataError(f"{what}: expected numbers, got {target.dtype}; for labels use kind='label'.")
            wide = target.reshape(len(target), -1)
            infinite = np.argwhere(np.isinf(wide)) if target.dtype.kind == "f" else np.empty((0, 2))
            if len(infinite):
                raise DataError(f"{what}: expected numbers, or NaN for a step without one, found an infinite value.")
            counted = ~np.isnan(wide.astype(np.float64)).any(axis=1)
        if self.score_last is not None:
            last = np.repeat(sequences.offsets[1:], sequences.lengths) - np.arange(len(target))
            counted = counted & (last <= int(self.score_last))
        if not counted.any():
            raise DataError(f"{what}: expected at least one step with a target that counts, all are ignored.")
        return Examples(sequences, target, np.asarray(counted, dtype=np.float32), True)

    def _coded(
        self, examples: Examples, train: Examples, held: Examples | None
    ) -> tuple[Coding, Examples, Examples | None]:
        for name, part in (("training", train), ("validation", held)):
            if part is not None and not (part.weight > 0).any():
                raise DataError(f"y: expected a step that counts among the {name} sequences, all are ignored.")
        columns = 1 if train.target.ndim == 1 else train.target.shape[1]
        coding: Coding
        if self.kind == "label":
            coding = ClassCoding(self._classes(examples))
        elif self.kind in ("binary", "keys"):
            coding = BinaryCoding(columns)
        else:
            coding = NumberCoding(columns, train.target.ndim == 1, target_scale(train, self.target_scaling), self.loss)
        encoded = [
            None if part is None else replace(part, target=encode(coding, part, what))
            for part, what in ((train, "y"), (held, "valid y"))
        ]
        assert encoded[0] is not None
        return coding, encoded[0], encoded[1]

    def _classes(self, examples: Examples) -> np.ndarray:
        found = np.unique(examples.target[examples.weight > 0])
        if self.classes is not None:
            # Encoding what was found raises for a label that is not among the given ones.
            given = np.unique(class_labels(list(self.classes), len(self.classes), what="classes"))
            ClassCoding(given).encode(found)
            found = given
        if len(found) < 2:
            raise DataError(f"y: expected at least two classes to tell apart, all labels are {found[0].item()!r}.")
        return found

    def _scored(self, X: Any, y: Any) -> tuple[Examples, np.ndarray]:
        self._check_fitted()
        examples = self._raw(self._read(X), y)
        coded = replace(examples, target=encode(self.coding_, examples, "y"))
        return coded, self.model_.outputs(coded.sequences)


def _written(model: FrameModel, sequences: Sequences) -> list[dict[str, Any]]:
    """Music at two temperatures that goes on from the first sequence: the keys that sound at each step."""
    # A model has hardly seen what follows silence: a few frames of a piece give it a place to start from.
    opening = sequences.values[: min(_OPENING, int(sequences.lengths[0]))]
    found = []
    for temperature in (0.7, 1.0):
        roll = model.generate(opening, _WRITTEN, temperature=temperature, seed=1)
        steps = [np.flatnonzero(frame).tolist() for frame in [*opening, *roll]]
        found.append({"steps": steps, "given": len(opening), "settings": {"temperature": temperature, "seed": 1}})
    return found


def encode(coding: Coding, examples: Examples, what: str) -> np.ndarray:
    """The targets in a coding; those that don't count are 0."""
    counted = examples.weight > 0
    codes = coding.encode(examples.target[counted], what)
    # An ignored label need not be a class, so only those that count are looked up.
    target = np.zeros((len(counted), *codes.shape[1:]), dtype=codes.dtype)
    target[counted] = codes
    return target
