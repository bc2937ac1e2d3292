"""`SequenceTagger`: tagged sentences in, a tag for every word of new ones out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from seqloom_runtime.data.text import Vocabulary
from seqloom_runtime.errors import DataError
from seqloom_runtime.tagging.predictor import words_read
from seqloom_runtime.tagging.sentences import sentences_of
from seqloom_runtime.tagging.spans import are_span_tags

from ...training import History
from ..cell_parameters import CellParameters
from ..checkpointing import Checkpointing
from ..comparison import Evaluation
from ..constraints import OneOf
from ..estimator import Estimator
from ..layer_fields import ACTIVATION
from ..networks import names_for
from ..parameters import constraints_of
from ..training_parameters import TrainingParameters
from .network import NETWORKS
from .predicting import predictor

__all__ = ["BASELINES", "SequenceTagger"]

BASELINES = ("frequent",)

Sentences = Sequence[Sequence[str]]


class _Learned:
    """What `fit` sets."""

    vocabulary_: Vocabulary
    tags_: tuple[str, ...]
    model_: Any
    history_: History | None
    n_parameters_: int
    notes_: list[str]


@dataclass(kw_only=True, eq=False, repr=False)
class SequenceTagger(_Learned, CellParameters, TrainingParameters, Estimator):
    """Tags every word of a sentence: entities (B-, I- tags), parts of speech, or any other labels.

    model: memoryless (feed-forward), elman, jordan, lstm, gru, or in both directions birnn, bilstm, bigru; or the
        baseline frequent, each word's most frequent tag.
    context: words on each side that a step sees beside its own. crf: score whole tag sequences (not for frequent).
    embedding_size, units, layers, activation: of the network; units=(32, 64) and activation=("tanh", "relu") are those
        of each layer. word_dropout: share of the words made unknown in training; dropout:
        of the features that tags are read from; input_dropout, recurrent_dropout: one mask for each sentence.
    lower, digits: words are compared in lower case; every digit counts as the same.
    min_count: words that come less often in training are unknown words.
    validation_fraction: of the sentences, drawn at random, where `fit` gets no `valid`.
    The other parameters are those of training (`seqloom.training.FitSettings`); the weights of the epoch with the best
    F1 (accuracy, where tags are no spans) on the validation sentences are kept.

    >>> words = [["fly", "to", "boston"], ["to", "denver", "please"]] * 20
    >>> tags = [["O", "O", "B-city"], ["O", "B-city", "O"]] * 20
    >>> tagger = SequenceTagger(model="frequent").fit(words, tags)
    >>> tagger.predict([["fly", "to", "denver"]]), tagger.spans([["denver", "please"]])
    ([['O', 'O', 'B-city']], [[(0, 1, 'city', 'denver')]])
    """

    _fitted = "model_"
    _constraints = constraints_of(
        "SequenceTagger", model=OneOf(names_for("tagging", after=BASELINES)), activation=ACTIVATION
    )

    model: str = "bilstm"
    context: int = 1
    crf: bool = False
    embedding_size: int = 100
    units: int | Sequence[int] = 100
    layers: int = 1
    activation: str | Sequence[str] | None = None
    word_dropout: float = 0.05
    dropout: float = 0.3
    input_dropout: float = 0.3
    recurrent_dropout: float = 0.0
    lower: bool = True
    digits: bool = True
    min_count: int = 1
    validation_fraction: float = 0.1
    epochs: int = 30
    batch_size: int = 16
    learning_rate: float = 0.002
    clip_norm: float | None = 5.0
    schedule: str = "cosine"

    def fit(
        self,
        sentences: Sentences,
        tags: Sentences,
        *,
        valid: tuple[Sentences, Sentences] | None = None,
        directory: str | os.PathLike[str] | None = None,
        resume: bool = False,
        on_event: Callable[[Any], None] | None = None,
    ) -> Self:
        """Learn from sentences (lists of words) and their tags; `valid` picks the best epoch.

        directory, resume, on_event: of `seqloom.training.fit`. Raises SettingError for parameters out of range,
        DataError where words and tags don't agree in number or there are too few sentences.
        """
        from .learning import learn, split_sentences

        self._check_parameters()
        self._forget()
        train = _checked(sentences, tags, "training")
        if valid is None:
            train, held = split_sentences(train, float(self.validation_fraction), int(self.seed))
        else:
            held = _checked(*valid, "validation")
        self._take(learn(self, train, held, Checkpointing.make(directory, resume, on_event)))
        return self

    @property
    def tags_spans_(self) -> bool:
        """Whether the tags mark spans (B-, I-), so that F1 over spans is what counts; else accuracy over words is."""
        self._check_fitted()
        return are_span_tags(self.tags_)

    def predict(self, sentences: Sentences) -> list[list[str]]:
        """The tag of every word of each sentence."""
        self._check_fitted()
        return predictor(self).predict(sentences)

    def spans(self, sentences: Sentences) -> list[list[tuple[int, int, str, str]]]:
        """The predicted spans of each sentence: first word, the one after the last, label, and the words."""
        self._check_fitted()
        return predictor(self).spans(sentences)

    def evaluate(self, sentences: Sentences, tags: Sentences) -> Evaluation:
        """F1, precision and recall over spans, and accuracy over words; where tags are no spans accuracy alone.

        Raises DataError where words and tags don't agree in number.
        """
        from .measuring import measure_tags

        self._check_fitted()
        words, marks = _checked(sentences, tags, "test")
        return measure_tags(self, words, marks, self.predict(words))

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.model in NETWORKS:
            from .learning import check_memory, tagger_spec

            check_memory(tagger_spec(self, 1, 1), self.optimizer)  # the shape raises for what doesn't go together

    def _words(self, sentence: Sequence[str]) -> list[str]:
        return words_read(sentence, bool(self.lower), bool(self.digits))


def _checked(sentences: Any, tags: Any, name: str) -> tuple[list[list[str]], list[list[str]]]:
    """Both as lists of lists of texts; raises DataError, saying which sentence, where they don't fit together."""
    words, marks = sentences_of(sentences, f"{name} sentences"), sentences_of(tags, f"{name} tags")
    if len(words) != len(marks):
        raise DataError(
            f"The {name} data: expected as many lists of tags as sentences, got {len(marks)} and {len(words)}."
        )
    if not words:
        raise DataError(f"The {name} data: expected at least one sentence, got none.")
    for number, (sentence, mark) in enumerate(zip(words, marks)):
        if len(sentence) != len(mark):
            raise DataError(
                f"The {name} data, sentence {number}: expected a tag for each of {len(sentence)} words, got "
                f"{len(mark)} ({' '.join(sentence)[:60]!r})."
            )
        if not sentence:
            raise DataError(f"The {name} data, sentence {number}: expected words, the sentence is empty; leave it out.")
    return words, marks
