"""Scoring the last word of passages, one a line, given all that is before it in the passage (LAMBADA).

N passages of at least two words, V words of the vocabulary. Each passage starts afresh, after the token that stands
before any text. Source: Paperno et al., arXiv 1606.06031; perplexity and accuracy as in arXiv 1803.01271, Table 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from seqloom_runtime.errors import DataError

from ...diagnostics import measured
from ..comparison import Evaluation
from .measuring import samples_of
from .network import LanguageNetwork

if TYPE_CHECKING:
    from .model import LanguageModel

__all__ = ["Passages", "last_word_losses", "measure_last_words", "read_passages"]

_NUMBERS = 1 << 22  # of a batch's embedded words or logits: 16 MiB
_LINES, _SHOWN = 20, 600


@dataclass(frozen=True)
class Passages:
    """rows: the line of each passage, from 1. words: its words, N lists."""

    rows: tuple[int, ...]
    words: tuple[list[str], ...]


def read_passages(text: str, name: str = "the text") -> Passages:
    """The passages of a text, one a line; empty lines are left out.

    Raises DataError, naming the line, for a passage of a single word, and for a text without passages.
    """
    if not isinstance(text, str):
        raise DataError(f"{name}: expected one text with a passage on each line, got {type(text).__name__}.")
    found = [(number, line.split()) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    for number, words in found:
        if len(words) < 2:
            raise DataError(
                f"{name}, line {number}: expected a passage whose last word is scored given what is before it, got the "
                f"single word {words[0]!r}; put each passage on one line."
            )
    if not found:
        raise DataError(f"{name}: expected a passage on each line, found none.")
    return Passages(tuple(number for number, _ in found), tuple(words for _, words in found))


def last_word_losses(
    model: Any, start: int, passages: list[list[int]], barred: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """−ln P of each passage's last token (N,) float64, and the most likely token there (N,) but for the `barred` one.

    passages: the ids of each. Networks run in evaluation mode.
    """
    if isinstance(model, LanguageNetwork):
        return _of_network(model, start, passages, barred)
    losses, best = np.empty(len(passages)), np.empty(len(passages), dtype=np.int64)
    for number, ids in enumerate(passages):
        p = np.array(model.distribution(ids[-2]))
        losses[number] = -np.log(p[ids[-1]])
        best[number] = _most_likely(p[None], barred)[0]
    return losses, best


def _of_network(
    network: LanguageNetwork, start: int, passages: list[list[int]], barred: int | None
) -> tuple[np.ndarray, np.ndarray]:
    was_training = network.training
    network.eval()
    losses, best = np.empty(len(passages)), np.empty(len(passages), dtype=np.int64)
    # Passages of like length side by side: what is padded behind a shorter one is read after its last word.
    order = sorted(range(len(passages)), key=lambda n: len(passages[n]))
    widest = max(network.spec.embedding_size, *network.spec.widths)
    with torch.no_grad():
        while order:
            longest = len(passages[order[-1]])
            rows = max(1, min(len(order), _NUMBERS // (longest * widest), _NUMBERS // network.spec.words))
            batch, order = order[-rows:], order[:-rows]
            ids = np.zeros((len(batch), longest), dtype=np.int64)
            for row, number in enumerate(batch):
                ids[row, : len(passages[number])] = [start, *passages[number][:-1]]
            features, _ = network(torch.from_numpy(ids))
            ends = torch.tensor([len(passages[number]) - 1 for number in batch])
            logits = network.logits(features[torch.arange(len(batch)), ends])
            targets = torch.tensor([passages[number][-1] for number in batch])
            found = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
            losses[batch] = found.double().numpy()
            best[batch] = _most_likely(logits.numpy(), barred)
    network.train(was_training)
    return losses, best


def _most_likely(values: np.ndarray, barred: int | None) -> np.ndarray:
    """The place of the largest value of each row (N, V), `barred` never."""
    if barred is not None:
        values[:, barred] = -np.inf
    return values.argmax(1)


def measure_last_words(model: LanguageModel, text: str) -> Evaluation:
    """Perplexity and accuracy of the last words of a text's passages; a row for each passage, the worst in `details`.

    A last word outside the vocabulary has the probability of `<unk>`, and is never predicted.
    """
    passages, vocabulary = read_passages(text), model.vocabulary_
    ids = [vocabulary.ids(words) for words in passages.words]
    losses, best = last_word_losses(model.model_, model.start_, ids, vocabulary.unknown_id)
    actual = [words[-1] for words in passages.words]
    predicted = vocabulary.spell(best.tolist())
    right = np.array([one == other for one, other in zip(actual, predicted, strict=True)])
    found = {name: value for name, value in measured("tokens", float(losses.mean())).items() if value is not None}
    scores = {"perplexity": found["perplexity"], "accuracy": float(right.mean()), "loss": found["loss"]}
    columns = {
        "row": np.array(passages.rows),
        "tokens": np.array([len(words) for words in passages.words]),
        "word": np.array(actual),
        "most_likely": np.array(predicted),
        "loss": losses,
    }
    return Evaluation(scores, predictions=columns, details=_details(model, passages, losses, predicted))


def _details(model: LanguageModel, passages: Passages, losses: np.ndarray, predicted: list[str]) -> dict[str, Any]:
    worst = np.argsort(-losses, kind="stable")[:_LINES].tolist()
    unknown = sum(words[-1] not in model.vocabulary_ for words in passages.words)
    return {
        "mistakes": [
            {
                "row": passages.rows[n],
                "actual": passages.words[n][-1],
                "predicted": predicted[n],
                "loss": float(losses[n]),
                "text": " ".join(passages.words[n])[-_SHOWN:],
            }
            for n in worst
        ],
        "samples": samples_of(model),
        "facts": {
            "passages": len(passages.rows),
            "vocabulary": len(model.vocabulary_),
            "last words outside the vocabulary": unknown,
        },
    }
