"""A language model's `Evaluation`: scores, the loss of every line, and what is worth drawing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.data.text import Corpus

from ...diagnostics import measured
from ..comparison import Evaluation
from ..word_map import word_map
from .network import LanguageNetwork

if TYPE_CHECKING:
    from .model import LanguageModel

__all__ = ["measure_text", "samples_of"]

_LINES, _SAMPLE_TOKENS = 20, {"word": 60, "char": 400}
_SHOWN = 600  # characters of a line: a text without line ends is a single one


def measure_text(model: LanguageModel, corpus: Corpus, losses: np.ndarray) -> Evaluation:
    """Scores of a text whose tokens have the given losses (N,), in nats."""
    mean = float(losses.mean())
    scores = {name: value for name, value in measured("tokens", mean).items() if value is not None}
    if model.level == "char":  # of characters the field quotes bits
        scores = {"bits": scores.pop("bits"), "loss": scores.pop("loss"), **scores}
    tokens, unknown = _counted(model, corpus)
    ends = np.cumsum(tokens)
    sums = np.add.reduceat(losses, np.concatenate([[0], ends[:-1]]))
    each = sums / tokens
    columns = {"row": np.arange(1, len(tokens) + 1), "tokens": tokens, "loss": each}
    return Evaluation(scores, predictions=columns, details=_details(model, corpus, tokens, unknown, each))


def _lines(corpus: Corpus) -> Iterator[Sequence[str]]:
    """The tokens line by line; a char model's lines end with their line end."""
    return corpus.lines() if corpus.level == "word" else iter(re.findall(r"[^\n]*\n|[^\n]+", corpus.text))


def _counted(model: LanguageModel, corpus: Corpus) -> tuple[np.ndarray, int]:
    """How many tokens each line has, and how many of all are outside the vocabulary; no line stays in memory."""
    tokens, unknown = [], 0
    for line in _lines(corpus):
        tokens.append(len(line))
        if corpus.level == "word":
            unknown += sum(token not in model.vocabulary_ for token in line)
    return np.array(tokens), unknown


def _details(
    model: LanguageModel, corpus: Corpus, tokens: np.ndarray, unknown: int, each: np.ndarray
) -> dict[str, Any]:
    join = " ".join if model.level == "word" else "".join
    worst = [n for n in np.argsort(-each, kind="stable").tolist() if tokens[n] >= 3][:_LINES]
    wanted = set(worst)
    texts = {n: join(line)[:_SHOWN] for n, line in enumerate(_lines(corpus)) if n in wanted}
    details: dict[str, Any] = {
        "mistakes": [
            {
                "row": n + 1,
                "actual": f"{tokens[n]} tokens",
                "predicted": f"{each[n]:.2f} nats each",
                "loss": float(each[n]),
                "text": texts[n],
            }
            for n in worst
        ],
        "samples": samples_of(model),
        "facts": {
            "tokens": int(tokens.sum()),
            "lines": len(tokens),
            "vocabulary": len(model.vocabulary_),
        },
    }
    if model.vocabulary_.unknown_id is not None and model.level == "word":
        details["facts"]["words outside the vocabulary"] = unknown
    if isinstance(model.model_, LanguageNetwork) and len(model.vocabulary_) > model.vocabulary_.first:
        details["embedding"] = _map(model)
    return details


def samples_of(model: LanguageModel) -> list[dict[str, Any]]:
    """Text that the model writes, sampled in three ways."""
    length = _SAMPLE_TOKENS[model.level]
    found = []
    for temperature, top_p in ((0.5, None), (1.0, None), (1.0, 0.9)):
        text = model.generate("", length, temperature=temperature, top_p=top_p, seed=1)
        settings: dict[str, Any] = {"temperature": temperature, "seed": 1}
        found.append({"prompt": "", "text": text, "settings": settings | ({} if top_p is None else {"top_p": top_p})})
    return found


def _map(model: LanguageModel) -> dict[str, Any]:
    """The most frequent tokens' embeddings."""
    first = model.vocabulary_.first
    return word_map(model.vocabulary_.words[first:], model.model_.embedding.weight.detach().numpy()[first:])
