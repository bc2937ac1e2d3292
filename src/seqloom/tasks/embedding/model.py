"""`WordEmbedder`: running text in, a vector for every word out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from seqloom_runtime.data.text import Vocabulary, WordVectors
from seqloom_runtime.data.text.scripts import unspaced_script
from seqloom_runtime.errors import DataError
from seqloom_runtime.limits import need_memory

from ...training import History
from ..checkpointing import Checkpointing
from ..comparison import Evaluation
from ..constraints import OneOf
from ..estimator import Estimator
from ..parameters import constraints_of
from .examples import Tokens, read_tokens, words_of
from .measuring import measure_vectors, questions_of

__all__ = ["MODELS", "WordEmbedder"]

MODELS = ("skip-gram", "cbow", "glove", "random")


@dataclass(frozen=True, eq=False)
class Fitted:
    """What `fit` finds."""

    vectors: WordVectors
    counts: dict[str, int]
    history: History | None
    n_parameters: int
    notes: list[str]


class _Learned:
    """What `fit` sets."""

    vectors_: WordVectors
    counts_: dict[str, int]
    history_: History | None
    n_parameters_: int
    notes_: list[str]


@dataclass(kw_only=True, eq=False, repr=False)
class WordEmbedder(_Learned, Estimator):
    """Word vectors trained from text, as word2vec and GloVe train them.

    model: "skip-gram" (a word tells each word of its window from `negatives` words drawn by chance), "cbow" (all words
        of a window together tell the one in its middle; Mikolov et al. 2013), "glove" (w·c + b + d fits the logarithm
        of how often two words stand near each other; Pennington et al. 2014), or "random" (untrained, to compare).
    embedding_size: numbers in a vector. window: words on each side, at most (word2vec draws a width for each word).
    negatives, subsample: words drawn for each right one, and the frequency t above which words are left out at random
        (word2vec). x_max: the count from which GloVe weighs all pairs alike.
    max_words, min_count, lower: of the vocabulary; rarer words are passed over.
    epochs: None for 5, for GloVe 25. learning_rate: None for 0.025 (skip-gram) or 0.05; word2vec's falls to nearly 0.
    seed: of start and draws. Steps are taken one after another on one thread, so equal seeds give equal bytes.

    A text is split at white space, without punctuation; lines end windows. `vectors_` holds the words, the most
    frequent first (`seqloom.WordVectors`), `counts_` their occurrences.

    >>> text = "the cat sat on the mat\\nthe dog sat on the rug\\n" * 20
    >>> model = WordEmbedder(embedding_size=8, epochs=2, min_count=1).fit(text)
    >>> len(model.vectors_), model.vectors_.width, model.nearest("cat", 2)[0][0] in model.vectors_
    (7, 8, True)
    """

    _fitted = "vectors_"
    _constraints = constraints_of("WordEmbedder", model=OneOf(MODELS))

    model: str = "skip-gram"
    embedding_size: int = 100
    window: int = 5
    negatives: int = 5
    subsample: float = 1e-3
    x_max: float = 100.0
    max_words: int | None = None
    min_count: int = 5
    lower: bool = True
    epochs: int | None = None
    learning_rate: float | None = None
    seed: int = 0

    def fit(
        self,
        text: str | Iterable[str],
        *,
        valid: str | Iterable[str] | None = None,
        directory: str | os.PathLike[str] | None = None,
        resume: bool = False,
        on_event: Callable[[Any], None] | None = None,
    ) -> Self:
        """Learn from running text, or from its lines; `valid` is a text that is scored after each epoch.

        With `directory` training is saved there, and `resume=True` goes on to the same bytes. Raises SettingError for
        parameters out of range, DataError for texts with too few words.
        """
        self._check_parameters()
        self._forget()
        lines, notes = self._lines(text, "the training text")
        vocabulary = self._vocabulary(lines)
        tokens = read_tokens(lines, vocabulary)
        assert vocabulary.counts is not None
        counts = np.array([vocabulary.counts[word] for word in vocabulary.words], dtype=np.float64)
        needed = (8 if self.model == "glove" else 5) * 4 * len(vocabulary) * (int(self.embedding_size) + 1)
        need_memory(needed, "embedding_size: the vectors of all words", "Choose fewer, or a smaller max_words.")
        questions = None
        if valid is not None:
            held = read_tokens(self._lines(valid, "the validation text")[0], vocabulary)
            questions = questions_of(held, len(vocabulary), int(self.window))

        def validate(vectors: np.ndarray) -> Mapping[str, float]:
            return {} if questions is None else {"context_auc": questions.score(vectors)}

        where = Checkpointing.make(directory, resume, on_event)
        vectors, history = self._learned(tokens, counts, where, validate)
        passed = sum(len(words) for words in lines) - len(tokens)
        if passed:
            notes.append(
                f"{passed:,} words outside the vocabulary of {len(vocabulary):,} were passed over (min_count)."
            )
        found = WordVectors(vocabulary.words, vectors)
        self._take(Fitted(found, dict(vocabulary.counts), history, int(vectors.size), notes))
        return self

    def _learned(
        self,
        tokens: Tokens,
        counts: np.ndarray,
        where: Checkpointing,
        validate: Callable[[np.ndarray], Mapping[str, float]],
    ) -> tuple[np.ndarray, History | None]:
        from .learning import initial, train

        if self.model == "random":
            return initial("random", len(counts), int(self.embedding_size), int(self.seed))["in"], None
        epochs = int(self.epochs or (25 if self.model == "glove" else 5))
        return train(self, epochs, tokens, counts, where, validate)

    def evaluate(
        self,
        text: str | Iterable[str],
        *,
        near: Sequence[str] = (),
        analogies: Sequence[tuple[str, str, str]] = (),
    ) -> Evaluation:
        """Score a text that was not trained on: context_auc, the share of pairs of words told right.

        A pair that stands in one window of the text against a pair drawn by chance: how often the first has the higher
        cosine of centred vectors. 0.5 is chance. `near` and `analogies` are the words shown in its details, a few usual
        ones where empty. Raises DataError for words without a vector, and for a text without such pairs.
        """
        self._check_fitted()
        lines, _ = self._lines(text, "the text")
        vocabulary = Vocabulary(self.vectors_.words, padding=False, unknown=None)
        near = [word.lower() if self.lower else word for word in near]
        asked = [(a.lower(), b.lower(), c.lower()) if self.lower else (a, b, c) for a, b, c in analogies]
        return measure_vectors(self, read_tokens(lines, vocabulary), near, asked)

    def nearest(self, word: str | np.ndarray, count: int = 10) -> list[tuple[str, float]]:
        """The words with the highest cosine to a word or a vector, and the cosine."""
        self._check_fitted()
        return self.vectors_.nearest(word, count)

    def analogy(self, first: str, second: str, third: str, count: int = 10) -> list[tuple[str, float]]:
        """What is to `third` as `second` is to `first`, with the cosine."""
        self._check_fitted()
        return self.vectors_.analogy(first, second, third, count)

    def _vocabulary(self, lines: list[list[str]]) -> Vocabulary:
        limit = None if self.max_words is None else int(self.max_words)
        found = Vocabulary.fit(lines, max_words=limit, min_count=int(self.min_count), padding=False, unknown=None)
        if len(found) < 2:
            raise DataError(
                f"The training text: expected at least two different words that occur {int(self.min_count)} times, "
                f"found {len(found)}; give a smaller min_count or a longer text."
            )
        return found

    def _lines(self, text: str | Iterable[str], name: str) -> tuple[list[list[str]], list[str]]:
        """The words of each line, and what there is to say about them."""
        if isinstance(text, bytes) or not isinstance(text, (str, Iterable)):
            raise DataError(f"{name}: expected a text or its lines, got {type(text).__name__}.")
        given = text.split("\n") if isinstance(text, str) else list(text)
        for line in given:
            if not isinstance(line, str):
                raise DataError(f"{name}: expected lines of text, got {type(line).__name__}.")
        splitter = words_of(bool(self.lower))
        script = unspaced_script(given[:1000])
        said = [] if script is None else [f"The text has no spaces between words ({script}): each character is a word."]
        return [splitter.tokens(line) for line in given], said
