"""Classifiers and regressors of numeric sequences behind the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from seqloom_runtime.errors import shown
from seqloom_runtime.limits import LARGEST

from .problem import Problem
from .served import Ask, Reply, Served, refusal
from .tensors import Tensor

__all__ = ["ServedSequences"]


class ServedSequences(Served):
    """`x` (N, T, C), sequences of one length, gives `probabilities` (N, K) and `label` (N,), or `value` (N, K)."""

    takes = ("sequences",)

    def __init__(self, model: Any, task: str, name: str, settings: Mapping[str, Any]) -> None:
        self._model, self.task = model, task
        self._classifies = task == "sequence-classifier"
        self.estimator = f"{'SequenceClassifier' if self._classifies else 'SequenceRegressor'}, {name}"
        self._channels = len(model.channels)
        self.inputs = (Tensor("x", "FP64", (-1, -1, self._channels)),)
        if self._classifies:
            self._names = [str(label) for label in model.classes_.tolist()]
            outputs = (Tensor("probabilities", "FP64", (-1, len(self._names))), Tensor("label", "BYTES", (-1,)))
        else:
            self._names = []
            outputs = (Tensor("value", "FP64", (-1, model.coding.outputs)),)
        self.outputs = outputs

    def run(self, inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """The outputs of sequences of one length."""
        return self._outputs(inputs["x"])

    def predict(self, ask: Ask) -> Reply:
        """The class or the value of each sequence; their lengths may differ."""
        if ask.kind != "sequences":
            raise refusal(self, ask.kind)
        outputs = self._outputs([self._array(each, at) for at, each in enumerate(ask.sequences, 1)])
        if not self._classifies:
            values = outputs["value"].tolist()
            return Reply({"predictions": values}, [f"value_{i + 1}" for i in range(len(values[0]))], values)
        p, labels = outputs["probabilities"].tolist(), outputs["label"].tolist()
        found = [{"label": label, "probabilities": dict(zip(self._names, row))} for label, row in zip(labels, p)]
        return Reply(
            {"predictions": found}, ("label", *(f"p_{n}" for n in self._names)), [(b, *r) for b, r in zip(labels, p)]
        )

    def about(self) -> dict[str, Any]:
        """With the channels, and the classes of a classifier."""
        told = {"channels": [str(name) for name in self._model.channels]}
        return {**super().about(), **told, **({"classes": self._names} if self._classifies else {})}

    def _outputs(self, x: Any) -> dict[str, np.ndarray]:
        largest = max((float(np.abs(each).max()) for each in x), default=0.0)
        if largest > LARGEST:
            raise Problem(400, f"x: expected numbers up to {LARGEST:g}, got {largest:g}.")
        with np.errstate(over="ignore", invalid="ignore"):
            found = np.asarray((self._model.predict_proba if self._classifies else self._model.predict)(x), np.float64)
        if not np.isfinite(found).all():
            raise Problem(400, "x: the numbers lie too far from those of the training to be computed with.")
        if not self._classifies:
            return {"value": found.reshape(len(found), -1)}
        return {"probabilities": found, "label": np.array(self._names, dtype=object)[found.argmax(axis=1)]}

    def _array(self, sequence: Any, at: int) -> np.ndarray:
        """A sequence (T, C) from JSON: steps, each a list of numbers, or of one channel a number."""
        steps = sequence if isinstance(sequence, list) else []
        if self._channels == 1:
            steps = [[step] if type(step) in (int, float) else step for step in steps]
        good = bool(steps) and all(isinstance(step, list) and len(step) == self._channels for step in steps)
        if not good or not all(type(value) in (int, float) for step in steps for value in step):
            raise Problem(
                400, f"Sequence {at}: expected steps of {self._channels} numbers each, got {shown(sequence)}."
            )
        try:
            return np.array(steps, dtype=np.float64)
        except OverflowError:
            raise Problem(400, f"Sequence {at}: a number in it is too large.") from None
