"""Classifiers and regressors of numeric sequences behind the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from seqloom_runtime.errors import SettingError, shown
from seqloom_runtime.limits import LARGEST

from .problem import Problem
from .served import Ask, Reply, Served, WindowStream, refusal
from .tensors import Tensor

__all__ = ["ServedSequences", "ServedSteps"]


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
        outputs = self._outputs([_array(each, at, self._channels) for at, each in enumerate(ask.sequences, 1)])
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
        _refuse_large(x)
        with np.errstate(over="ignore", invalid="ignore"):
            found = np.asarray((self._model.predict_proba if self._classifies else self._model.predict)(x), np.float64)
        _finite(found)
        if not self._classifies:
            return {"value": found.reshape(len(found), -1)}
        return {"probabilities": found, "label": np.array(self._names, dtype=object)[found.argmax(axis=1)]}


class ServedSteps(Served):
    """A model that says something at every step: `x` (N, T, C) gives `probabilities` or `value` (N, T, K).

    Where it doesn't look ahead it has streams, which remember: a step costs the same however many came before it.
    """

    takes = ("sequences",)

    def __init__(self, model: Any, task: str, name: str, settings: Mapping[str, Any]) -> None:
        self._model, self.task = model, task
        self.estimator = f"FrameModel, {name}"
        self._channels, count = len(model.channels), model.coding.outputs
        self._names = [str(label) for label in model.classes_.tolist()] if hasattr(model, "classes_") else []
        self._given = "value" if hasattr(model.coding, "values") else "probabilities"
        self.inputs = (Tensor("x", "FP64", (-1, -1, self._channels)),)
        self.outputs = (Tensor(self._given, "FP64", (-1, -1, count)),)
        try:
            model.stream()
            self._streams = True
        except SettingError as why:
            self._streams, self.notes = False, (str(why),)

    def run(self, inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """What is said at every step of sequences of one length."""
        found = self._of(inputs["x"])
        return {self._given: found.reshape(*found.shape[:2], -1)}

    def predict(self, ask: Ask) -> Reply:
        """What is said at every step of each sequence; their lengths may differ."""
        if ask.kind != "sequences":
            raise refusal(self, ask.kind)
        sequences = [_array(each, at, self._channels) for at, each in enumerate(ask.sequences, 1)]
        found = [self._of(each[None])[0].reshape(len(each), -1).tolist() for each in sequences]
        return Reply({"predictions": found, "each": self._names or [self._given]})

    def open_stream(self) -> WindowStream | None:
        """A stream of the model's own; None where it looks ahead."""
        return WindowStream(0, tuple(map(str, self._model.channels))) if self._streams else None

    def stepper(self) -> Any:
        """The state of a new stream."""
        return self._model.stream()

    def told_step(self, outputs: np.ndarray) -> dict[str, Any]:
        """The outputs, and the likeliest class where there are classes."""
        told: dict[str, Any] = {self._given: outputs}
        return {**told, "label": self._names[int(outputs.argmax())]} if self._names else told

    def about(self) -> dict[str, Any]:
        """With the channels, and the classes where there are some."""
        told = {"channels": [str(name) for name in self._model.channels]}
        return {**super().about(), **told, **({"classes": self._names} if self._names else {})}

    def _of(self, x: np.ndarray) -> np.ndarray:
        _refuse_large([x])
        with np.errstate(over="ignore", invalid="ignore"):
            found = np.asarray((self._model.predict if self._given == "value" else self._model.predict_proba)(x))
        return _finite(found.astype(np.float64))


def _refuse_large(x: Any) -> None:
    largest = max((float(np.abs(each).max()) for each in x), default=0.0)
    if largest > LARGEST:
        raise Problem(400, f"x: expected numbers up to {LARGEST:g}, got {largest:g}.")


def _finite(found: np.ndarray) -> np.ndarray:
    if not np.isfinite(found).all():
        raise Problem(400, "x: the numbers lie too far from those of the training to be computed with.")
    return found


def _array(sequence: Any, at: int, channels: int) -> np.ndarray:
    """A sequence (T, C) from JSON: steps, each a list of numbers, or of one channel a number."""
    steps = sequence if isinstance(sequence, list) else []
    if channels == 1:
        steps = [[step] if type(step) in (int, float) else step for step in steps]
    good = bool(steps) and all(isinstance(step, list) and len(step) == channels for step in steps)
    if not good or not all(type(value) in (int, float) for step in steps for value in step):
        raise Problem(400, f"Sequence {at}: expected steps of {channels} numbers each, got {shown(sequence)}.")
    try:
        return np.array(steps, dtype=np.float64)
    except OverflowError:
        raise Problem(400, f"Sequence {at}: a number in it is too large.") from None
