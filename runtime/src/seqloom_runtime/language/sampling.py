"""Writing text with a language model: one token at a time from its distribution, cut and sharpened as asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import SettingError, shown
from .ngrams import Bigram, Unigram

__all__ = ["Sampling", "one_row", "sample", "stepper"]


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn.

    temperature: logits are divided by it; 0 takes the most likely token. top_k: only the k most likely tokens. top_p:
    only the most likely tokens that together reach the probability p (nucleus sampling, arXiv 1904.09751). With both,
    top_k comes first.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        """Raise SettingError for values out of range."""
        whole = isinstance(self.top_k, int) and not isinstance(self.top_k, bool)
        if not _number(self.temperature) or not 0 <= self.temperature < np.inf:
            raise SettingError(f"temperature: expected a number of at least 0, got {shown(self.temperature)}.")
        if self.top_k is not None and (not whole or self.top_k < 1):
            raise SettingError(f"top_k: expected a whole number of at least 1, got {shown(self.top_k)}.")
        if self.top_p is not None and (not _number(self.top_p) or not 0 < self.top_p <= 1):
            raise SettingError(f"top_p: expected a probability above 0 and at most 1, got {shown(self.top_p)}.")

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """logits (V,) → what is drawn from (V,) float64, sum 1."""
        values = logits.astype(np.float64)
        if self.temperature == 0:
            chosen = np.zeros(len(values))
            chosen[int(values.argmax())] = 1.0
            return chosen
        if self.top_k is not None and self.top_k < len(values):
            # Stable: of tokens with the same logit those that come first in the vocabulary stay, on every machine.
            order = np.argsort(-values, kind="stable")
            values[order[self.top_k :]] = -np.inf
        with np.errstate(over="ignore"):  # the tiniest temperatures leave the most likely token alone
            # Less the maximum, so that no power of e overflows.
            values = (values - values.max()) / self.temperature
        p = np.exp(values)
        p /= p.sum()
        if self.top_p is not None and self.top_p < 1:
            order = np.argsort(-p, kind="stable")
            reached = np.cumsum(p[order])
            kept = int(np.searchsorted(reached, self.top_p)) + 1  # at least one, and the one that reaches p
            p[order[kept:]] = 0.0
            p /= p.sum()
        return p


def sample(
    step: Callable[[int], np.ndarray], prompt: list[int], sampling: Sampling, seed: int, barred: tuple[int, ...] = ()
) -> Iterator[int]:
    """Token ids without end: after `prompt` (at least one token), each drawn given all before it.

    step: a token in, the logits (V,) of the next one out. barred: tokens that are never drawn.
    """
    generator = np.random.default_rng(seed)
    logits = np.empty(0)
    for token in prompt:
        logits = step(token)
    while True:
        logits = np.array(logits, dtype=np.float64)
        logits[list(barred)] = -np.inf
        p = sampling.probabilities(logits)
        token = min(int(np.searchsorted(np.cumsum(p), generator.random(), side="right")), len(p) - 1)
        if p[token] == 0.0:  # rounding of the sum let the draw fall behind the last one that may be
            token = int(np.flatnonzero(p)[-1])
        yield token
        logits = step(token)


def stepper(model: Any) -> Callable[[int], np.ndarray]:
    """A function that takes one token after another and gives the logits (V,) of the next, from a start of its own."""
    if isinstance(model, (Unigram, Bigram)):
        return lambda token: np.log(model.distribution(token))
    # A token at a time: a batch of one through the layers' whole forward pass would spend its time on calls.
    embedding, stream = model.embedding.weight, model.stream(1)
    if model.softmax is not None:
        return lambda token: model.logits(np.array(stream.step(embedding[token]), dtype=np.float32))
    weight, bias = model.weight, model.bias
    return lambda token: one_row(weight, stream.step(embedding[token])) + bias


def one_row(weight: np.ndarray, features: np.ndarray) -> np.ndarray:
    """weight (V, F) times features (F,) → (V,), the same bits whatever else the machine's cores do.

    NumPy's own product would share the words among threads, which costs more than they bring where cores are busy.
    """
    return np.einsum("vf,f->v", weight, features)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
