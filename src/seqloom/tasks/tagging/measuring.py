"""A tagger's `Evaluation`: scores over spans and words, word by word predictions, and what is worth drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...diagnostics.spans import SpanScores, score_spans, spans_of
from ..comparison import Evaluation
from ..word_map import word_map
from .network import TaggingNetwork

if TYPE_CHECKING:
    from .tagger import SequenceTagger

__all__ = ["measure_tags"]

_MISTAKES, _KINDS = 40, 60


def measure_tags(
    tagger: SequenceTagger, words: list[list[str]], actual: list[list[str]], predicted: list[list[str]]
) -> Evaluation:
    """Scores of predicted tags against the actual ones, sentence by sentence."""
    lengths = [len(sentence) for sentence in words]
    flat_actual = np.array([tag for sentence in actual for tag in sentence], dtype=object)
    flat_predicted = np.array([tag for sentence in predicted for tag in sentence], dtype=object)
    scores = {"accuracy": float(np.mean(flat_actual == flat_predicted))}
    details: dict[str, Any] = {"facts": _facts(tagger, words, actual)}
    if tagger.tags_spans_:
        total, each = score_spans(actual, predicted)
        scores = {"f1": total.f1, "precision": total.precision, "recall": total.recall, **scores}
        details["per_class"] = _by_label(each)
        details["spans"] = _mistakes(words, actual, predicted)
    first = tagger.vocabulary_.first
    if isinstance(tagger.model_, TaggingNetwork) and len(tagger.vocabulary_) > first:
        vectors = tagger.model_.embedding.weight.detach().numpy()
        details["embedding"] = word_map(tagger.vocabulary_.words[first:], vectors[first:])
    columns = {
        "row": np.repeat(np.arange(len(words)), lengths),
        "word": np.array([word for sentence in words for word in sentence], dtype=object),
        "actual": flat_actual,
        "predicted": flat_predicted,
    }
    return Evaluation(scores, predictions=columns, details=details)


def _by_label(each: dict[str, SpanScores]) -> dict[str, list[Any]]:
    often = sorted(each, key=lambda label: (-each[label].actual, label))[:_KINDS]
    return {
        "classes": often,
        "precision": [each[label].precision for label in often],
        "recall": [each[label].recall for label in often],
        "f1": [each[label].f1 for label in often],
        "support": [each[label].actual for label in often],
    }


def _mistakes(words: list[list[str]], actual: list[list[str]], predicted: list[list[str]]) -> list[dict[str, Any]]:
    """The sentences with the most spans that are wrong or missed."""
    both = [(spans_of(gold), spans_of(found)) for gold, found in zip(actual, predicted)]
    wrong = [len(set(gold) ^ set(found)) for gold, found in both]
    order = sorted((n for n in range(len(words)) if wrong[n]), key=lambda n: (-wrong[n], n))
    return [{"row": n, "tokens": words[n], "actual": both[n][0], "predicted": both[n][1]} for n in order[:_MISTAKES]]


def _facts(tagger: SequenceTagger, words: list[list[str]], actual: list[list[str]]) -> dict[str, Any]:
    vocabulary = tagger.vocabulary_
    unknown = sum(word not in vocabulary for sentence in words for word in tagger._words(sentence))
    count = sum(map(len, words))
    new = sorted({tag for sentence in actual for tag in sentence} - set(tagger.tags_))
    facts: dict[str, Any] = {"sentences": len(words), "words": count, "words not met in training": unknown}
    if new:
        shown = ", ".join(new[:6]) + (", …" if len(new) > 6 else "")
        facts["tags not met in training"] = f"{len(new)} ({shown})"
    return facts
