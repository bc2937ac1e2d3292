"""What predicts for sequences, pictures and films: the methods that the estimators have once they are fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..data.sequences.ragged import Sequences
from ..errors import SettingError
from ..untrained import Predictor
from .coding import BinaryCoding, ClassCoding, Coding, NumberCoding
from .composing import compose
from .models import SequenceModel
from .reading import check_channels, check_size, films_of, pictures_of
from .streaming import SequenceStream

__all__ = ["ClassPredictor", "FramePredictor", "NumberPredictor", "SequencePredictor"]


@dataclass(frozen=True, eq=False, repr=False)
class SequencePredictor(Predictor):
    """Base of the predictors. task: as model.json names it. channels: their names. picture: (height, width) of the
    pictures, or of the frames of films."""

    task: str
    model: SequenceModel
    coding: Any
    channels: tuple[str, ...]
    picture: tuple[int, int] | None = None
    notes: Sequence[str] = field(default=())

    def read(self, X: Any) -> Sequences:
        """New sequences, of the channels and the size that `fit` saw; raises DataError for others."""
        films = self.task == "film-classifier"
        if films or self.task == "picture-classifier":
            found = films_of(X) if films else pictures_of(X)
            if self.picture is not None:
                check_size(X, found, self.picture, "X", films=films)
        else:
            found = Sequences.make(X)
        check_channels(found, self.channels, "X")
        return found

    def outputs(self, X: Any) -> tuple[Sequences, np.ndarray]:
        """What was read of X, and the outputs (N, O), or (rows, O) of every step, in the sense of the coding."""
        found = self.read(X)
        return found, self.model.outputs(found)


class ClassPredictor(SequencePredictor):
    """A label for each sequence, picture or film."""

    coding: ClassCoding

    @property
    def classes_(self) -> np.ndarray:
        """The labels (K,), sorted."""
        return self.coding.classes

    def predict(self, X: Any) -> np.ndarray:
        """The label (N,) of each one."""
        return self.coding.classes[self.outputs(X)[1].argmax(axis=1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability (N, K) float64 of each class, in the order of `classes_`."""
        return self.coding.probabilities(self.outputs(X)[1])


class NumberPredictor(SequencePredictor):
    """A number, or several, for each sequence."""

    coding: NumberCoding

    def predict(self, X: Any) -> np.ndarray:
        """The number (N,), or the numbers (N, K), of each sequence, float64 in the targets' unit."""
        return self.coding.values(self.outputs(X)[1])


class FramePredictor(SequencePredictor):
    """A number, a class or K yes-or-no answers at every step of a sequence."""

    coding: Coding

    @property
    def classes_(self) -> np.ndarray:
        """The labels (K,), sorted; AttributeError where the steps have none."""
        if not isinstance(self.coding, ClassCoding):
            raise AttributeError("this frame model gives no labels and has no classes_")
        return self.coding.classes

    def predict(self, X: Any) -> Any:
        """The values, labels, or 0 and 1 of each step.

        (N, T) or (N, T, K) where all sequences are equally long and X is no list, else a list of arrays.
        """
        sequences, outputs = self.outputs(X)
        coding = self.coding
        if isinstance(coding, ClassCoding):
            found: np.ndarray = coding.classes[outputs.argmax(axis=1)]
        elif isinstance(coding, BinaryCoding):
            found = (outputs > 0).astype(np.int64)
        else:
            assert isinstance(coding, NumberCoding)
            found = coding.values(outputs)
        return _shaped(found, sequences, X)

    def predict_proba(self, X: Any) -> Any:
        """Probabilities at each step, of every class as in `classes_`, or of each yes; shaped as in `predict`."""
        sequences, outputs = self.outputs(X)
        if not isinstance(self.coding, (ClassCoding, BinaryCoding)):
            raise SettingError("predict_proba: a FrameModel of the kind 'value' gives no probabilities; use predict.")
        return _shaped(self.coding.probabilities(outputs), sequences, X)

    def generate(self, prompt: Any = None, length: int = 100, *, temperature: float = 1.0, seed: int = 0) -> np.ndarray:
        """Write frames (length, K) of 0 and 1 that go on from `prompt` (T, K), or from a frame without a yes.

        Where the yes-or-no answers are the next step's channels. Each answer is drawn with the probability that the
        model gives it, its logit divided by `temperature` first; 0 takes the answers above one half. The same seed
        writes the same frames. Raises SettingError for another model and for values out of range, DataError for a
        prompt of another shape.
        """
        if not isinstance(self.coding, BinaryCoding):
            kind = "label" if isinstance(self.coding, ClassCoding) else "value"
            raise SettingError(f"generate: a FrameModel of the kind {kind!r} writes nothing; 'binary' and 'keys' do.")
        return compose(self, prompt, length, temperature, seed)

    def stream(self, batch_size: int = 1) -> SequenceStream:
        """`batch_size` sequences as they go on, a step at a time; raises SettingError where the model looks ahead."""
        return SequenceStream(self.model, self.coding, self.channels, batch_size)


def _shaped(values: np.ndarray, sequences: Sequences, X: Any) -> Any:
    if sequences.equal and not isinstance(X, (list, tuple)):
        return values.reshape(len(sequences), int(sequences.lengths[0]), *values.shape[1:])
    return np.split(values, sequences.offsets[1:-1])
