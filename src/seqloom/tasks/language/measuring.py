"""A language model's `Evaluation`: scores, the loss of every line, and what is worth drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...data.text import Corpus
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
    lines = _lines(corpus)
    ends = np.cumsum([len(line) for line in lines])
    sums = np.add.reduceat(losses, np.concatenate([[0], ends[:-1]]))
    tokens = np.diff(np.concatenate([[0], ends]))
    each = sums / tokens
    columns = {"row": np.arange(1, len(lines) + 1), "tokens": tokens, "loss": each}
    return Evaluation(scores, predictions=columns, details=_details(model, lines, each, len(losses)))


def _lines(corpus: Corpus) -> list[list[str]]:
    """The tokens line by line; a char model's lines end with their line end."""
    if corpus.level == "word":
        return list(corpus.lines())
    return [list(line) for line in corpus.text.split("\n") for line in [line + "\n"]][:-1] + (
        [list(corpus.text.rsplit("\n", 1)[-1])] if not corpus.text.endswith("\n") else []
    )


def _details(model: LanguageModel, lines: list[list[str]], each: np.ndarray, tokens: int) -> dict[str, Any]:
    join = " ".join if model.level == "word" else "".join
    long_enough = [n for n in np.argsort(-each, kind="stable").tolist() if len(lines[n]) >= 3][:_LINES]
    details: dict[str, Any] = {
        "mistakes": [
            {
                "row": n + 1,
                "actual": f"{len(lines[n])} tokens",
                "predicted": f"{each[n]:.2f} nats each",
                "loss": float(each[n]),
                "text": join(lines[n])[:_SHOWN],
            }
            for n in long_enough
        ],
        "samples": samples_of(model),
        "facts": {
            "tokens": tokens,
            "lines": len(lines),
            "vocabulary": len(model.vocabulary_),
        },
    }
    if model.vocabulary_.unknown_id is not None and model.level == "word":
        unknown = sum(token not in model.vocabulary_ for line in lines for token in line)
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
