"""What a text classifier's report draws: a map of its words, and what it believed of and attended to in a few texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..word_map import word_map

if TYPE_CHECKING:
    from .classifier import TextClassifier

__all__ = ["drawings"]

# Texts that the report draws, their words, and the decimals of a weight: a page that opens at once.
_DRAWN = 6
_DRAWN_WORDS = 120
_ROUND = 4


def drawings(
    classifier: TextClassifier, texts: Sequence[str], actual: np.ndarray, p: np.ndarray, names: list[str]
) -> dict[str, Any]:
    """What docs/files.md says under `embedding`, and under `belief` or `attention`.

    The latter of a few texts: of each class one that was surely right, and the worst mistakes.
    """
    mapped: dict[str, Any] = {}
    if hasattr(classifier, "learned_"):
        words = classifier.tokenizer_.vocabulary
        vectors = classifier.learned_.network.embedding.weight.detach().numpy()
        if len(words) > words.first:
            mapped["embedding"] = word_map(words.words[words.first :], vectors[words.first :])
    rows = _picked(actual, p)
    about = [{"actual": names[actual[row]], "predicted": names[int(p[row].argmax())]} for row in rows]
    if classifier.model in ("rnn", "gru", "lstm"):
        if classifier.learned_.spec.pool == "attention":
            return mapped
        found = []
        for row, named in zip(rows, about):
            belief = classifier.belief(texts[row])
            if belief.words:
                shown = slice(-_DRAWN_WORDS, None)
                after = belief.probabilities[shown].round(_ROUND).tolist()
                classes = names[: belief.probabilities.shape[1]]
                found.append({**named, "classes": classes, "tokens": belief.words[shown], "probabilities": after})
        return {**mapped, "belief": found}
    if classifier.model != "han":
        return mapped
    attended = []
    for row, named in zip(rows, about):
        sentences = [
            {"weight": round(s.weight, _ROUND), "tokens": s.words, "weights": s.weights.round(_ROUND).tolist()}
            for s in classifier.attention(texts[row])
        ]
        if sentences:
            attended.append({**named, "sentences": sentences})
    return {**mapped, "attention": attended}


def _picked(actual: np.ndarray, p: np.ndarray) -> list[int]:
    """The surest right one of each class (of the first three), then the surest wrong ones; at most six."""
    right = p.argmax(axis=1) == actual
    sure = p.max(axis=1)
    rows = []
    for number in np.unique(actual)[: _DRAWN // 2]:
        own = np.flatnonzero(right & (actual == number))
        rows += own[np.argsort(-sure[own], kind="stable")][:1].tolist()
    wrong = np.flatnonzero(~right)
    return rows + wrong[np.argsort(-sure[wrong], kind="stable")][: _DRAWN - len(rows)].tolist()
