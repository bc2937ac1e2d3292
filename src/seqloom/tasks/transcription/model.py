"""`Transcriber`: sounds in, what is said in them out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from seqloom_runtime.errors import DataError, shown
from seqloom_runtime.transcription.sounds import checked_sounds
from seqloom_runtime.translation.tokens import Tokens

from ...training import History
from ..cell_parameters import CellParameters
from ..checkpointing import Checkpointing
from ..comparison import Evaluation
from ..constraints import OneOf
from ..estimator import Estimator
from ..networks import names_for
from ..parameters import constraints_of
from ..training_parameters import TrainingParameters
from .network import NETWORKS
from .predicting import predictor

__all__ = ["BASELINES", "Transcriber"]

BASELINES = ("nearest",)


class _Learned:
    """What `fit` sets."""

    level_: str
    symbols_: Tokens
    rate_: int | None
    mean_: np.ndarray
    scale_: np.ndarray
    model_: Any
    language_: Any
    beams_: int
    history_: History | None
    n_parameters_: int
    notes_: list[str]


@dataclass(kw_only=True, eq=False, repr=False)
class Transcriber(_Learned, CellParameters, TrainingParameters, Estimator):
    """Writes what is said in a sound, or any symbols that come in the order of the frames they stand for.

    Sounds are `seqloom.data.speech.Sound` (log-mel features are made of them, each band less its mean over the sound),
    paths of WAV files, or frames (T, F) of one's own, handwriting for example.

    model: conv-gru (convolutions that shorten the frames, then a GRU), gru, lstm or rnn; or the baseline nearest, the
        text of the training sound that is most alike.
    level: the tokens, char or word; None chooses words where at most 100 different ones recur.
    sample_rate: of every sound, None for that of the first; convert_rate: convert others, which are refused otherwise.
    mels, frame_shift: bands of a frame, and seconds from one to the next.
    channels, kernel_size, pool_size: of conv-gru's convolutions; between two of them every pool_size frames become one.
        CTC writes at most one token at each frame that is left.
    units, layers, bidirectional, dropout, input_dropout, recurrent_dropout, between_dropout: of the recurrent layers.
    band_mask, frame_mask: two stretches of bands and two of frames, each up to so wide, are hidden anew at each step of
        the training (SpecAugment); 0 for none.
    beams: of the prefix beam search, 1 to read greedily; None takes 8, or 1 where that makes fewer mistakes on
        validation and no language model is given. language_model: path of a run or model folder of a language model of
        the same level, which is saved with this model; language_weight, token_bonus: what it, and each token, counts
        there.
    validation_fraction: of the sounds, drawn at random, where `fit` gets no `valid`.
    The other parameters are those of training (`seqloom.training.FitSettings`); the weights of the epoch with the
    lowest word error rate on validation, read greedily, are kept.

    >>> low, high = np.zeros((12, 3)), np.ones((12, 3))
    >>> model = Transcriber(model="nearest").fit([low, high] * 10, ["no", "yes"] * 10)
    >>> model.predict([high * 0.9])
    ['yes']
    """

    _fitted = "model_"
    _constraints = constraints_of("Transcriber", model=OneOf(names_for("transcription", after=BASELINES)))

    model: str = "conv-gru"
    level: str | None = None
    sample_rate: int | None = None
    convert_rate: bool = False
    mels: int = 40
    frame_shift: float = 0.01
    channels: tuple[int, ...] = (48, 64, 64)
    kernel_size: int = 5
    pool_size: int = 2
    units: int = 96
    layers: int = 1
    bidirectional: bool = True
    dropout: float = 0.1
    input_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    between_dropout: float = 0.0
    band_mask: int = 8
    frame_mask: int = 10
    beams: int | None = None
    language_model: str | None = None
    language_weight: float = 0.3
    token_bonus: float = 0.0
    validation_fraction: float = 0.1
    batch_size: int = 16
    learning_rate: float = 0.003
    schedule: str = "cosine"

    def _packages(self) -> Mapping[str, str]:
        return {"jiwer": "the word error rate"}

    def fit(
        self,
        sounds: Sequence[Any],
        texts: Sequence[str],
        *,
        valid: tuple[Sequence[Any], Sequence[str]] | None = None,
        directory: str | os.PathLike[str] | None = None,
        resume: bool = False,
        on_event: Callable[[Any], None] | None = None,
    ) -> Self:
        """Learn from sounds and what is said in each; `valid` picks the best epoch.

        directory, resume, on_event: of `seqloom.training.fit`. Raises SettingError for parameters out of range,
        DataError where sounds and texts don't agree in number, a text is empty, a sound is too short for its text, has
        another sample rate, or there are too few.
        """
        from .learning import learn, split_sounds

        self._check_parameters()
        self._forget()
        train = checked_pairs(sounds, texts, "training")
        told = read_here(sounds, train[0])
        if valid is None:
            train, held = split_sounds(train, float(self.validation_fraction), int(self.seed))
        else:
            held = checked_pairs(*valid, "validation")
        self._take(learn(self, train, held, Checkpointing.make(directory, resume, on_event)))
        self.notes_ = [*told, *self.notes_]
        return self

    def predict(self, sounds: Sequence[Any]) -> list[str]:
        """What is said in each sound; raises DataError for one that is empty, too short or of another sample rate."""
        self._check_fitted()
        return predictor(self).predict(sounds)

    def align(self, sound: Any) -> list[tuple[str, float, float]]:
        """Each token of what is said in a sound, and where: the first and the last second, of frames their numbers."""
        self._check_fitted()
        return predictor(self).align(sound)

    def evaluate(self, sounds: Sequence[Any], texts: Sequence[str]) -> Evaluation:
        """Word error rate, character error rate (both by jiwer) and exact match; raises DataError as `fit`."""
        from .measuring import measure_sounds

        self._check_fitted()
        return measure_sounds(self, *checked_pairs(sounds, texts, "test"))

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.model in NETWORKS:
            from .learning import check_memory, transcription_spec

            check_memory(
                transcription_spec(self, int(self.mels), 3), self.optimizer
            )  # the shape raises for what is odd


def checked_pairs(sounds: Any, texts: Any, name: str) -> tuple[list[Any], list[str]]:
    """Sounds and their texts, words one space apart; raises DataError, saying which, where they don't fit together."""
    found = checked_sounds(sounds, f"{name} sounds")
    if isinstance(texts, str) or not hasattr(texts, "__iter__"):
        raise DataError(f"{name} texts: expected a list of texts, got {type(texts).__name__}.")
    written = []
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataError(f"{name} texts, text {number}: expected a text, got {shown(text)}.")
        if not text.strip():
            raise DataError(f"{name} texts, text {number}: expected what is said, it is empty; leave the sound out.")
        written.append(" ".join(text.split()))
    if len(found) != len(written):
        raise DataError(f"The {name} data: expected a text for each of {len(found)} sounds, got {len(written)}.")
    if not found:
        raise DataError(f"The {name} data: expected at least one sound, got none.")
    return found, written


def read_here(given: Any, found: Sequence[Any]) -> list[str]:
    """What is to be said of the sounds that were read from the paths among those `given`."""
    from seqloom_runtime.data.speech import mixed_down

    paths = [isinstance(one, (str, os.PathLike)) for one in given] if isinstance(given, (list, tuple)) else []
    return [said.text for said in mixed_down([sound for path, sound in zip(paths, found) if path])]
