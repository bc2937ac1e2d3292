"""`Captioner`: pictures in, a text for each out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from seqloom_runtime.captions.folder import BASELINE
from seqloom_runtime.captions.predictor import refuse_other_size
from seqloom_runtime.data.captioned import checked_pictures
from seqloom_runtime.errors import DataError
from seqloom_runtime.translation.texts import checked_texts
from seqloom_runtime.translation.tokens import Tokens

from ...training import History
from ..checkpointing import Checkpointing
from ..comparison import Evaluation
from ..constraints import OneOf
from ..estimator import Estimator
from ..networks import names_for
from ..parameters import constraints_of
from ..training_parameters import TrainingParameters
from .network import NETWORKS
from .predicting import predictor

__all__ = ["BASELINES", "Captioner"]

BASELINES = (BASELINE,)


class _Learned:
    """What `fit` sets."""

    size_: tuple[int, int, int]
    range_: Any
    target_: Tokens
    longest_: int
    model_: Any
    history_: History | None
    n_parameters_: int
    notes_: list[str]


@dataclass(kw_only=True, eq=False, repr=False)
class Captioner(_Learned, TrainingParameters, Estimator):
    """Writes what a picture shows.

    model: gru, lstm or rnn, which write; or the baseline nearest, the text of the training picture most alike.
    level: the tokens, word or char. max_words, min_count: of the words; an unknown one is never written. max_length:
        tokens of a text at most.
    channels, kernel_size: of the convolutions that read the picture, each of stride 2. embedding_size, units, layers,
        dropout: of the decoder. attention: over the places of the picture, additive, multiplicative or none.
    scheduled_sampling: share of the decoder's inputs in training that are its own choice and not the right ones.
    beams, length_penalty: of the search when texts are written; one beam is greedy.
    validation_fraction: of the pictures, drawn at random, where `fit` gets no `valid`.
    The other parameters are those of training (`seqloom.training.FitSettings`); the weights of the epoch that writes
    most validation texts exactly are kept.

    >>> pictures = np.zeros((20, 6, 6)); pictures[::2, :3] = 1.0
    >>> model = Captioner(model="nearest").fit(pictures, ["bright above", "dark"] * 10)
    >>> model.predict(pictures[:2])
    ['bright above', 'dark']
    """

    _fitted = "model_"
    _constraints = constraints_of("Captioner", model=OneOf(names_for("captions", after=BASELINES)))

    model: str = "gru"
    level: str = "word"
    max_words: int | None = None
    min_count: int = 1
    max_length: int = 60
    channels: Sequence[int] = (16, 32, 64)
    kernel_size: int = 3
    embedding_size: int = 32
    units: int = 96
    layers: int = 1
    attention: str = "additive"
    dropout: float = 0.1
    scheduled_sampling: float = 0.0
    beams: int = 4
    length_penalty: float = 0.6
    validation_fraction: float = 0.1
    learning_rate: float = 0.002
    schedule: str = "cosine"

    def fit(
        self,
        pictures: Any,
        texts: Sequence[str],
        *,
        valid: tuple[Any, Sequence[str]] | None = None,
        directory: str | os.PathLike[str] | None = None,
        resume: bool = False,
        on_event: Callable[[Any], None] | None = None,
    ) -> Self:
        """Learn from pictures, (N, Y, X), (N, Y, X, C) or a list of them, and what shall be written of each.

        valid: other ones, which pick the best epoch. directory, resume, on_event: of `seqloom.training.fit`. Raises
        SettingError for parameters out of range, DataError where pictures differ in size, or a text is empty.
        """
        from .learning import learn, split_pictures

        self._check_parameters()
        self._forget()
        train = _checked(pictures, texts, "training")
        if valid is None:
            train, held = split_pictures(train, float(self.validation_fraction), int(self.seed))
        else:
            held = _checked(*valid, "validation")
            refuse_other_size(held[0], train[0].shape[1:], "validation pictures")
        self._take(learn(self, train, held, Checkpointing.make(directory, resume, on_event)))
        return self

    def predict(self, pictures: Any) -> list[str]:
        """The text written of each picture; raises DataError for pictures of another size."""
        self._check_fitted()
        return predictor(self).predict(pictures)

    def attend(self, picture: Any) -> tuple[list[str], np.ndarray]:
        """The tokens written of one picture, the end behind them, and the weights (K, Y', X') that each gave the
        places; raises SettingError where the model has no attention."""
        self._check_fitted()
        return predictor(self).attend(picture)

    def evaluate(self, pictures: Any, texts: Sequence[str]) -> Evaluation:
        """Exact match, character error rate and, where sacrebleu is installed, BLEU. Raises DataError as `fit`."""
        from .measuring import measure_captions

        self._check_fitted()
        found = _checked(pictures, texts, "test")
        refuse_other_size(found[0], self.size_, "test pictures")
        return measure_captions(self, *found)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.model in NETWORKS:
            from .learning import caption_spec, check_memory

            check_memory(caption_spec(self, (1, 1, 1), 2), self.optimizer)  # the shape raises for what doesn't fit


def _checked(pictures: Any, texts: Any, name: str) -> tuple[np.ndarray, list[str]]:
    found = checked_pictures(pictures, f"{name} pictures")[0], checked_texts(texts, f"{name} texts")
    if len(found[0]) != len(found[1]):
        raise DataError(
            f"The {name} data: expected as many texts as pictures, got {len(found[1])} and {len(found[0])}."
        )
    return found
