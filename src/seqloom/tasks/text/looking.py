"""Looking into a text classifier: what it believes after each word, and which words and sentences it attended to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from seqloom_runtime.errors import SettingError

from ...diagnostics import softmax
from ..networks import RecurrentBody
from ..word_map import word_map
from .encoders import running_pool
from .encoding import words_read
from .hierarchical import HierarchicalBody
from .learning import encoded_for
from .networks import mask_of

if TYPE_CHECKING:
    from .classifier import TextClassifier

__all__ = ["Belief", "Sentence", "attention_of", "belief_of", "drawings"]

# Texts that the report draws, their words, and the decimals of a weight: a page that opens at once.
_DRAWN = 6
_DRAWN_WORDS = 120
_ROUND = 4


@dataclass(frozen=True, eq=False)
class Belief:
    """The words that were read (T) and the probability of each class after each of them, (T, K)."""

    words: list[str]
    probabilities: np.ndarray
    classes: list[Any]


@dataclass(frozen=True, eq=False)
class Sentence:
    """A sentence's words, the weight of each (they sum to 1), and the sentence's own weight in its text."""

    words: list[str]
    weights: np.ndarray
    weight: float


def belief_of(classifier: TextClassifier, text: str) -> Belief:
    """See `TextClassifier.belief`."""
    if classifier.model not in ("rnn", "gru", "lstm"):
        raise SettingError(
            f"model={classifier.model!r} doesn't read texts word by word from the start: belief needs rnn, gru or lstm."
        )
    network = classifier.learned_.network
    encoder = network.encoder
    assert isinstance(encoder, RecurrentBody)
    if encoder.spec.pooling == "attention":
        raise SettingError(
            "pool='attention' weighs all words of a text when it is complete: belief needs pool last, mean or max."
        )
    encoded = encoded_for(classifier, classifier.tokenizer_, [text])
    words = words_read(classifier.tokenizer_, text, int(classifier.max_length), classifier.keep)[0]
    ids, _ = encoded.batch(np.array([0]))
    with torch.no_grad():
        read = running_pool(encoder.steps(network.embedding(ids)), encoder.spec.pooling)
        steps = network.read_out(read)[0].double().numpy()[: len(words)]
    # Two classes have one output, the log odds of the second.
    logits = np.concatenate([np.zeros_like(steps), steps], axis=1) if steps.shape[1] == 1 else steps
    return Belief(words, softmax(logits, classifier.temperature_), list(classifier.classes_))


def attention_of(classifier: TextClassifier, text: str) -> list[Sentence]:
    """See `TextClassifier.attention`."""
    if classifier.model != "han":
        raise SettingError(f"model={classifier.model!r} weighs no words and sentences: attention needs han.")
    network = classifier.learned_.network
    encoder = network.encoder
    assert isinstance(encoder, HierarchicalBody)
    ids, lengths = encoded_for(classifier, classifier.tokenizer_, [text]).batch(np.array([0]))
    with torch.no_grad():
        mask = mask_of(lengths, ids.shape[-1])
        assert mask is not None
        _, found = encoder.attend(network.embedding(ids), mask)
    spelled = words_read(classifier.tokenizer_, text, int(classifier.max_length), classifier.keep, sentences=True)
    return [
        Sentence(words, found.words[0, place, : len(words)].double().numpy(), float(found.sentences[0, place]))
        for place, words in enumerate(spelled)
    ]


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
            belief = belief_of(classifier, texts[row])
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
            for s in attention_of(classifier, texts[row])
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
