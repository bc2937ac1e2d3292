"""What word vectors are worth: whether words of one window of a held-out text are nearer than words drawn by chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.data.text import WordVectors
from seqloom_runtime.errors import DataError

from ...diagnostics import auc
from ...training import derive_seed
from ..comparison import Evaluation
from ..word_map import word_map
from .examples import Tokens, pairs_within

if TYPE_CHECKING:
    from .model import WordEmbedder

__all__ = ["ANALOGIES", "Questions", "measure_vectors", "questions_of"]

_MOST = 20_000  # pairs
_SHOWN, _NEAREST, _PASSED = 12, 8, 40  # words with neighbours, neighbours each, most frequent words passed over
ANALOGIES = (
    ("man", "woman", "king"),
    ("man", "woman", "he"),
    ("france", "paris", "italy"),
    ("france", "paris", "germany"),
    ("good", "better", "bad"),
    ("big", "bigger", "small"),
    ("one", "two", "three"),
    ("year", "years", "day"),
    ("is", "was", "are"),
    ("say", "said", "make"),
)
"""first is to second as third is to …; those whose words the vocabulary has are shown."""


class Questions:
    """Pairs of words: which stand in one window of a text, and which were drawn by chance.

    near: (P, 2) and far: (P, 2) ids; `far` has the same first words.
    """

    def __init__(self, near: np.ndarray, far: np.ndarray) -> None:
        self.near, self.far = near, far

    def score(self, vectors: np.ndarray) -> float:
        """The area under the ROC curve of the cosines of centred vectors (`diagnostics.auc`): ½ is chance."""
        # Trained vectors share a direction that tells little but how frequent a word is (Mu & Viswanath 2018).
        vectors = vectors - vectors.mean(axis=0)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        units = vectors / np.where(lengths > 0, lengths, 1)
        cosines = [np.einsum("pd,pd->p", units[pairs[:, 0]], units[pairs[:, 1]]) for pairs in (self.near, self.far)]
        actual = np.repeat([True, False], [len(self.near), len(self.far)])
        return float(auc(actual, np.concatenate(cosines)))


def questions_of(tokens: Tokens, words: int, window: int) -> Questions:
    """Pairs within `window` words of each other, of unlike words, at most 20,000 drawn evenly; always the same ones.

    The words of chance are those of the other pairs in another order. `words` is the size of the vocabulary. Raises
    DataError for a text without such a pair.
    """
    random = np.random.Generator(np.random.Philox(key=derive_seed(0, "embedding", "questions")))
    centres, contexts = pairs_within(tokens, np.full(len(tokens), window))
    near = np.stack([tokens.ids[centres], tokens.ids[contexts]], axis=1)
    near = near[near[:, 0] != near[:, 1]]
    if not len(near):
        raise DataError("The text holds no two different words of the vocabulary near each other; give a longer one.")
    near = near[np.unique(np.linspace(0, len(near) - 1, min(len(near), _MOST)).astype(np.int64))]
    # Those of other pairs: both kinds are then of the same frequencies, and frequency alone tells nothing.
    drawn = random.permutation(near[:, 1])
    # A word has the cosine 1 to itself, which says nothing: another one stands for it.
    drawn = np.where(drawn == near[:, 0], (drawn + 1) % words, drawn)
    return Questions(near, np.stack([near[:, 0], drawn], axis=1))


def measure_vectors(
    model: WordEmbedder, tokens: Tokens, near: Sequence[str] = (), analogies: Sequence[tuple[str, str, str]] = ()
) -> Evaluation:
    """The score of a text's questions, nearest words, analogies and the map.

    near, analogies: what is shown, in place of a few usual ones. Raises DataError for words without a vector.
    """
    vectors = model.vectors_
    questions = questions_of(tokens, len(vectors), int(model.window))
    facts = {"words": len(tokens), "vocabulary": len(vectors), "pairs of words": len(questions.near)}
    usual = [words for words in ANALOGIES if all(word in vectors for word in words)]
    tables = [_nearest_table(vectors, near or _telling(vectors)), *_analogy_table(vectors, analogies or usual)]
    return Evaluation(
        {"context_auc": questions.score(vectors.vectors)},
        details={"embedding": word_map(vectors.words, vectors.vectors), "tables": tables, "facts": facts},
    )


def _telling(vectors: WordVectors) -> list[str]:
    """Words to show neighbours of: frequent ones, after the few that stand in every sentence."""
    long = [word for word in vectors.words if len(word) > 3]
    return long[min(_PASSED, max(0, len(long) - _SHOWN)) :][:_SHOWN]


def _nearest_table(vectors: WordVectors, words: Sequence[str]) -> dict[str, Any]:
    rows = [[word, _listed(vectors.nearest(word, _NEAREST))] for word in words]
    reading = "Words with the highest cosine to each, and the cosine."
    return {"title": "Nearest words", "reading": reading, "columns": ["word", "nearest words"], "rows": rows}


def _listed(found: list[tuple[str, float]]) -> str:
    return ", ".join(f"{word} {cosine:.2f}" for word, cosine in found)


def _analogy_table(vectors: WordVectors, asked: Sequence[tuple[str, str, str]]) -> list[dict[str, Any]]:
    rows = [[f"{a} : {b} = {c} : ?", _listed(vectors.analogy(a, b, c, 4))] for a, b, c in asked]
    if not rows:
        return []
    reading = "Words nearest to second − first + third, with their cosines; small texts seldom hold enough for these."
    return [{"title": "Analogies", "reading": reading, "columns": ["analogy", "nearest words"], "rows": rows}]
