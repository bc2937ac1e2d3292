"""Looking into a text classifier: what it believes after each word, and which words and sentences it attended to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import SettingError
from ..forward.texts import running_pool
from ..probability import softmax
from .encoding import words_read
from .network import mask_of

if TYPE_CHECKING:
    from .predictor import TextPredictor

__all__ = ["Belief", "Sentence", "attention_of", "belief_of"]


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


def belief_of(predictor: TextPredictor, text: str) -> Belief:
    """The probabilities after each word of a text; raises SettingError for a model that doesn't read word by word."""
    if predictor.model not in ("rnn", "gru", "lstm"):
        raise SettingError(
            f"model={predictor.model!r} doesn't read texts word by word from the start: belief needs rnn, gru or lstm."
        )
    network: Any = predictor.predicts
    encoder = network.encoder
    if encoder.spec.pooling == "attention":
        raise SettingError(
            "pool='attention' weighs all words of a text when it is complete: belief needs pool last, mean or max."
        )
    assert predictor.tokenizer is not None
    words = words_read(predictor.tokenizer, text, predictor.max_length, predictor.keep)[0]
    ids, _ = predictor.encoded([text]).batch(np.array([0]))
    read = running_pool(encoder.steps(network.embedding(ids)), encoder.spec.pooling)
    steps = network.read_out(read)[0].astype(np.float64)[: len(words)]
    # Two classes have one output, the log odds of the second.
    logits = np.concatenate([np.zeros_like(steps), steps], axis=1) if steps.shape[1] == 1 else steps
    return Belief(words, softmax(logits, predictor.temperature), list(predictor.classes_))


def attention_of(predictor: TextPredictor, text: str) -> list[Sentence]:
    """How much each sentence, and each word in it, counted; raises SettingError for another model than han."""
    if predictor.model != "han":
        raise SettingError(f"model={predictor.model!r} weighs no words and sentences: attention needs han.")
    network: Any = predictor.predicts
    ids, lengths = predictor.encoded([text]).batch(np.array([0]))
    mask = mask_of(lengths, ids.shape[-1])
    assert mask is not None
    _, found = network.encoder.attend(network.embedding(ids), mask)
    assert predictor.tokenizer is not None
    spelled = words_read(predictor.tokenizer, text, predictor.max_length, predictor.keep, sentences=True)
    return [
        Sentence(words, found.words[0, place, : len(words)].astype(np.float64), float(found.sentences[0, place]))
        for place, words in enumerate(spelled)
    ]
