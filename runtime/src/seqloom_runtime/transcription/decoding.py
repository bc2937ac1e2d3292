"""Reading a text off CTC's outputs: greedily, by prefix beam search, and which step gave which symbol.

log_p (S, V): ln P of each symbol at each step of one sound, V with the blank, id 0. Sources: Graves et al. 2006 (best
path, forward variables); Hannun et al. 2014, arXiv 1408.2873 (prefix beam search with a language model).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

__all__ = ["BLANK", "Read", "Scorer", "align", "greedy", "prefix_beam_search", "without_unknown"]

BLANK = 0
"""The output that says nothing: the vocabulary's padding."""

Prefix = tuple[int, ...]
Scorer = Callable[[Prefix], tuple[np.ndarray, float]]
"""The symbols so far → ln P (V,) of each as the next one, and ln P that the text ends here; of a language model."""

_AT_ONCE = 24  # the likeliest symbols of a step that a prefix may go on with


class Read(NamedTuple):
    """A text: its ids, and its score, ln P of all paths that give it and what the language model adds."""

    ids: list[int]
    score: float


class _Ways(NamedTuple):
    """ln P of the paths that give a prefix so far: of those that end in a blank, and of those that don't."""

    blank: float
    symbol: float

    @property
    def both(self) -> float:
        return _plus(self.blank, self.symbol)


_NONE = _Ways(-np.inf, -np.inf)


def greedy(log_p: np.ndarray) -> list[int]:
    """The likeliest output of each step, repeats joined, blanks left out: the best path.

    >>> p = np.log([[0.1, 0.9, 0.0001], [0.2, 0.8, 0.0001], [0.9, 0.1, 0.0001], [0.1, 0.2, 0.7]])
    >>> greedy(p)
    [1, 2]
    """
    best = log_p.argmax(axis=1)
    changed = np.concatenate([[True], best[1:] != best[:-1]])
    return best[changed & (best != BLANK)].tolist()


def prefix_beam_search(
    log_p: np.ndarray, beams: int, *, language: Scorer | None = None, weight: float = 0.0, bonus: float = 0.0
) -> list[Read]:
    """At most `beams` texts, the best first: those of the most likely prefixes, all paths of a prefix added up.

    A text scores ln P(text | sound) + weight · ln P(text) + bonus · symbols; language: gives P(text). With as many
    beams and symbols as there are texts the search is exact.
    """
    log_p = np.asarray(log_p, dtype=np.float64)
    held: dict[Prefix, _Ways] = {(): _Ways(0.0, -np.inf)}
    said = _Said(language, weight, bonus)
    count = min(log_p.shape[1] - 1, _AT_ONCE)
    for row in log_p:
        p = row.tolist()
        symbols = (np.argpartition(-row[1:], count - 1)[:count] + 1).tolist()
        found: dict[Prefix, list[float]] = {}
        for prefix, ways in held.items():
            both = ways.both
            last = prefix[-1] if prefix else BLANK
            own = found.setdefault(prefix, [-np.inf, -np.inf])
            own[0] = _plus(own[0], both + p[BLANK])
            if prefix:
                own[1] = _plus(own[1], ways.symbol + p[last])
            for symbol in symbols:
                # After the same symbol a new one needs a blank between; without it the path only goes on.
                new = (ways.blank if symbol == last else both) + p[symbol]
                if new > -np.inf:
                    longer = found.setdefault((*prefix, symbol), [-np.inf, -np.inf])
                    longer[1] = _plus(longer[1], new)
        kept = {prefix: _Ways(*values) for prefix, values in found.items()}
        best = sorted(kept, key=lambda prefix: (-(kept[prefix].both + said.of(prefix)), prefix))[:beams]
        held = {prefix: kept[prefix] for prefix in best}
    read = [Read(list(prefix), ways.both + said.of(prefix, ended=True)) for prefix, ways in held.items()]
    return sorted(read, key=lambda text: (-text.score, text.ids))


class _Said:
    """What a language model and the bonus add to each prefix, worked out once."""

    def __init__(self, language: Scorer | None, weight: float, bonus: float) -> None:
        self.language, self.weight, self.bonus = language, weight, bonus
        self.known: dict[Prefix, float] = {(): 0.0}

    def of(self, prefix: Prefix, ended: bool = False) -> float:
        value = self.known.get(prefix)
        if value is None:
            value = self.of(prefix[:-1]) + self.bonus
            if self.language is not None:
                value += self.weight * float(self.language(prefix[:-1])[0][prefix[-1]])
            self.known[prefix] = value
        if ended and self.language is not None:
            value += self.weight * self.language(prefix)[1]
        return value


def align(log_p: np.ndarray, ids: list[int]) -> list[tuple[int, int]]:
    """The most likely path that gives the symbols: (first step, step after the last) of each.

    Every other step of the path is a blank. Of equal paths the one that goes on latest. Empty where there are no
    symbols; raises ValueError where the steps are too few for them.
    """
    log_p = np.asarray(log_p, dtype=np.float64)
    states = np.full(2 * len(ids) + 1, BLANK)
    states[1::2] = ids
    # A state follows itself, the one before, and over a blank the one before that where the symbols differ.
    over = np.zeros(len(states), dtype=bool)
    over[3::2] = states[3::2] != states[1:-2:2]
    score = np.full(len(states), -np.inf)
    score[:2] = log_p[0, states[:2]]
    came = np.zeros((len(log_p), len(states)), dtype=np.int64)
    for step in range(1, len(log_p)):
        one = np.concatenate([[-np.inf], score[:-1]])
        two = np.where(over, np.concatenate([[-np.inf, -np.inf], score[:-2]])[: len(states)], -np.inf)
        options = np.stack([score, one, two])
        came[step] = options.argmax(axis=0)
        score = options.max(axis=0) + log_p[step, states]
    state = len(states) - 1
    if len(states) > 1 and score[-2] > score[-1]:
        state -= 1
    if score[state] == -np.inf:
        raise ValueError(f"{len(log_p)} steps are too few for these {len(ids)} symbols")
    spans = [(len(log_p), 0)] * len(ids)
    for step in range(len(log_p) - 1, -1, -1):
        if state % 2:
            first, last = spans[state // 2]
            spans[state // 2] = min(first, step), max(last, step + 1)
        state -= came[step, state]
    return spans


def without_unknown(log_p: np.ndarray, unknown: int | None) -> np.ndarray:
    """The same with the unknown symbol, which no text holds, never the likeliest."""
    if unknown is not None:
        log_p = log_p.copy()
        log_p[:, unknown] = -np.inf
    return log_p


def _plus(a: float, b: float) -> float:
    """ln(e^a + e^b)."""
    high, low = (a, b) if a > b else (b, a)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))
