"""What a `Seq2Seq` writes, and its `Evaluation`: scores, texts row by row, and what is worth drawing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.extras import installed, need
from seqloom_runtime.translation.texts import same

from ...diagnostics.edit_distance import edit_distance, error_rate
from ..comparison import Evaluation
from ..word_map import word_map
from .network import TranslationNetwork
from .predicting import predictor

if TYPE_CHECKING:
    from .model import Seq2Seq

__all__ = ["bleu", "measure_texts"]

_MISTAKES, _DRAWN, _TOKENS = 40, 4, 60
_BLEU_ORDER = 4


def bleu(actual: Sequence[str], predicted: Sequence[str]) -> float:
    """BLEU of a corpus, 0 to 100, by sacrebleu with its defaults; raises MissingDependencyError without it.

    Where no actual text has four words there is no four-gram to match: the shorter ones alone count (effective order).
    """
    short = all(len(text.split()) < _BLEU_ORDER for text in actual)
    score = need("sacrebleu", "BLEU").metrics.BLEU(effective_order=short)
    return float(score.corpus_score(list(predicted), [list(actual)]).score)


def measure_texts(model: Seq2Seq, sources: list[str], actual: list[str]) -> Evaluation:
    """Scores of the texts written for `sources` against the `actual` ones."""
    most = model.max_length if isinstance(model.model_, TranslationNetwork) else None
    fits = [n for n, text in enumerate(sources) if most is None or len(model.source_.ids(text)) <= most]
    found = dict(zip(fits, predictor(model).written([sources[n] for n in fits])))
    predicted = [found[n][0] if n in found else "" for n in range(len(sources))]
    exact = np.array([same(a, b) for a, b in zip(actual, predicted)])
    rate = error_rate(actual, predicted)
    scores = {"exact_match": float(exact.mean()), "cer": rate}
    rank = 1 - scores["exact_match"] + 1e-3 * min(rate, 1.0)  # where none is exact, the nearer ones are better
    if model.level_ != "char" and installed("sacrebleu"):
        scores = {"bleu": bleu(actual, predicted), **scores}
        rank = 1 - scores["bleu"] / 100
    details: dict[str, Any] = {
        "facts": _facts(model, sources, len(fits)),
        "mistakes": _mistakes(sources, actual, predicted),
        "alignment": _alignment(model, sources, found, actual),
    }
    vocabulary = model.target_.vocabulary
    if isinstance(model.model_, TranslationNetwork) and model.level_ == "word" and len(vocabulary) > vocabulary.first:
        vectors = model.model_.target.weight.detach().numpy()[vocabulary.first : len(vocabulary)]
        details["embedding"] = word_map(vocabulary.words[vocabulary.first :], vectors)
    columns = {
        "row": np.arange(len(sources)),
        "source": np.array(sources, dtype=object),
        "actual": np.array(actual, dtype=object),
        "predicted": np.array(predicted, dtype=object),
    }
    return Evaluation(scores, predictions=columns, details=details, rank=rank)


def _facts(model: Seq2Seq, sources: list[str], fits: int) -> dict[str, Any]:
    facts: dict[str, Any] = {"pairs": len(sources), "tokens": model.level_}
    unknown = model.source_.unknown
    if unknown is not None:
        facts["source tokens not met in training"] = sum(model.source_.ids(text).count(unknown) for text in sources)
    if fits < len(sources):
        facts["sources that are too long, counted as wrong"] = len(sources) - fits
    return facts


def _mistakes(sources: list[str], actual: list[str], predicted: list[str]) -> list[dict[str, Any]]:
    """The texts that are furthest from what they should be, by their error rate."""
    rates = [edit_distance(a, b) / len(a) for a, b in zip(actual, predicted)]
    wrong = [n for n in range(len(sources)) if not same(actual[n], predicted[n])]
    order = sorted(wrong, key=lambda n: (-rates[n], n))[:_MISTAKES]
    return [
        {"row": n, "actual": actual[n], "predicted": predicted[n], "loss": rates[n], "text": sources[n]} for n in order
    ]


def _alignment(model: Seq2Seq, sources: list[str], found: dict[int, Any], actual: list[str]) -> list[dict[str, Any]]:
    """The attention of the first few texts that aren't too wide to draw."""
    drawn = []
    for n, (text, search) in found.items():
        if search is None or search.attention is None:
            return []
        tokens, ours, weights = predictor(model).drawn(sources[n], search)
        if max(len(tokens), len(ours)) <= _TOKENS:
            drawn.append(
                {"row": n, "source": tokens, "target": ours, "weights": weights, "actual": actual[n], "predicted": text}
            )
        if len(drawn) == _DRAWN:
            break
    return drawn
