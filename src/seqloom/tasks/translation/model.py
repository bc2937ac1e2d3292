"""`Seq2Seq`: pairs of texts in, the other text of a new one out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

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

__all__ = ["BASELINES", "Seq2Seq"]

BASELINES = ("memory",)


class _Learned:
    """What `fit` sets."""

    level_: str
    source_: Tokens
    target_: Tokens
    longest_: int
    model_: Any
    history_: History | None
    n_parameters_: int
    notes_: list[str]


@dataclass(kw_only=True, eq=False, repr=False)
class Seq2Seq(_Learned, TrainingParameters, Estimator):
    """Writes a text for a text: a translation, a date spelled another way, the result of a sum.

    model: gru, lstm or rnn, of the encoder and the decoder; or the baseline memory, the target of the training source
        that is most alike.
    level: the tokens, char, word or subword (byte pairs; needs the extra `text`); None chooses words where they recur.
    max_words, min_count: of each side's words; others are unknown, and an unknown word that is written becomes the word
        of the source with the most attention. max_length: tokens of a text at most.
    attention: additive (Bahdanau), multiplicative (Luong) or none. bidirectional: the encoder reads both ways.
    encoder: recurrent, of the same kind as the decoder, or convolutional: `levels` gated convolutions over
        `kernel_size` tokens, which read all tokens at once (`bidirectional` then says nothing).
    embedding_size, units, layers, dropout, input_dropout, recurrent_dropout, between_dropout: of the network.
    scheduled_sampling: share of the decoder's inputs in training that are its own choice and not the right ones.
    beams, length_penalty: of the search when texts are written; one beam is greedy.
    validation_fraction: of the pairs, drawn at random, where `fit` gets no `valid`.
    The other parameters are those of training (`seqloom.training.FitSettings`); the weights of the epoch that writes
    most validation texts exactly are kept.

    >>> digits = [f"{n} {n + 1}" for n in range(40)]
    >>> model = Seq2Seq(model="memory").fit(digits, [text[::-1] for text in digits])
    >>> model.predict(["7 8", "12 13"])
    ['8 7', '31 21']
    """

    _fitted = "model_"
    _constraints = constraints_of("Seq2Seq", model=OneOf(names_for("translation", after=BASELINES)))

    model: str = "gru"
    level: str | None = None
    max_words: int | None = None
    min_count: int = 1
    max_length: int = 200
    embedding_size: int = 64
    units: int = 128
    layers: int = 1
    bidirectional: bool = True
    encoder: str = "recurrent"
    levels: int = 4
    kernel_size: int = 3
    attention: str = "additive"
    dropout: float = 0.1
    input_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    between_dropout: float = 0.0
    scheduled_sampling: float = 0.0
    beams: int = 4
    length_penalty: float = 0.6
    validation_fraction: float = 0.1
    learning_rate: float = 0.002
    schedule: str = "cosine"

    def _packages(self) -> Mapping[str, str]:
        return {"tokenizers": "level='subword'"} if self.level == "subword" else {}

    def fit(
        self,
        sources: Sequence[str],
        targets: Sequence[str],
        *,
        valid: tuple[Sequence[str], Sequence[str]] | None = None,
        directory: str | os.PathLike[str] | None = None,
        resume: bool = False,
        on_event: Callable[[Any], None] | None = None,
    ) -> Self:
        """Learn from texts and what shall be written for each; `valid` picks the best epoch.

        directory, resume, on_event: of `seqloom.training.fit`. Raises SettingError for parameters out of range,
        DataError where the sides don't agree in number, a text is empty, or there are too few pairs.
        """
        from .learning import learn, split_pairs

        self._check_parameters()
        self._forget()
        train = checked_pairs(sources, targets, "training")
        if valid is None:
            train, held = split_pairs(train, float(self.validation_fraction), int(self.seed))
        else:
            held = checked_pairs(*valid, "validation")
        self._take(learn(self, train, held, Checkpointing.make(directory, resume, on_event)))
        return self

    def predict(self, sources: Sequence[str]) -> list[str]:
        """The text written for each of `sources`; raises DataError for an empty or a too long one."""
        self._check_fitted()
        return predictor(self).predict(sources)

    def attend(self, source: str) -> tuple[list[str], list[str], list[list[float]]]:
        """The tokens of a source, those written for it with the end behind them, and the weights (K, T) that each
        written token gave the source's; raises SettingError where the model has no attention."""
        self._check_fitted()
        return predictor(self).attend(source)

    def evaluate(self, sources: Sequence[str], targets: Sequence[str]) -> Evaluation:
        """Exact match, character error rate and, where sacrebleu is installed, BLEU.

        A source of more than `max_length` tokens counts as wrong. Raises DataError as `fit`.
        """
        from .measuring import measure_texts

        self._check_fitted()
        return measure_texts(self, *checked_pairs(sources, targets, "test"))

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.model in NETWORKS:
            from .learning import check_memory, translation_spec

            check_memory(translation_spec(self, 2, 2), self.optimizer)  # the shape raises for what doesn't go together


def checked_pairs(sources: Any, targets: Any, name: str) -> tuple[list[str], list[str]]:
    """Both sides as lists of texts; raises DataError, saying which text, where they don't fit together."""
    found = checked_texts(sources, f"{name} sources"), checked_texts(targets, f"{name} targets")
    if len(found[0]) != len(found[1]):
        raise DataError(
            f"The {name} data: expected as many targets as sources, got {len(found[1])} and {len(found[0])}."
        )
    if not found[0]:
        raise DataError(f"The {name} data: expected at least one pair, got none.")
    return found
