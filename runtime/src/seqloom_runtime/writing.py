"""Writing a text token by token: greedily, or by beam search with a length penalty.

B sources, W beams, V outputs. Sources: Sutskever et al. 2014 (beam search); Wu et al. 2016, arXiv 1609.08144, eq. 14
(length penalty).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Written", "beam_search", "length_penalty", "rearranged", "searched"]

Step = Callable[[np.ndarray, Any], tuple[np.ndarray, Any, "np.ndarray | None"]]
"""The last tokens (R,) and the state of R rows → log P (R, V) of the next ones, the state, attention (R, T) or None."""


@dataclass(frozen=True, eq=False)
class Written:
    """One text: its tokens without the end, its score, and the attention (K, T) of each token, the end's last."""

    ids: list[int]
    score: float
    attention: np.ndarray | None


def length_penalty(length: int, strength: float) -> float:
    """((5 + length) / 6)^strength, by which log P is divided; 0 leaves log P as it is.

    >>> length_penalty(7, 0.0), length_penalty(7, 1.0)
    (1.0, 2.0)
    """
    return ((5 + length) / 6) ** strength


def beam_search(
    step: Step,
    state: Any,
    rows: int,
    end: int,
    *,
    beams: int,
    strength: float,
    longest: int,
    rearrange: Callable[[Any, np.ndarray], Any],
) -> list[Written]:
    """The best text of each of B = `rows` sources, whose `state` has B·W rows, those of a source one behind the other.

    end: the id of the end, which is the start too. longest: tokens at most, the end among them; where no text has ended
    by then the best unfinished one is given. rearrange: a state and row numbers (B·W,) in, the state of those rows out.
    A text ends where its end is among the W best continuations, and a source is done once W have ended or none can
    become better; so one beam is greedy search. The length that the penalty counts includes the end.
    """
    last = np.full(rows * beams, end)
    total = np.full((rows, beams), -np.inf, dtype=np.float32)
    total[:, 0] = 0.0  # all beams start alike: only one may count
    written = np.empty((rows * beams, 0), dtype=np.int64)
    seen: list[np.ndarray] = []
    found = [_Found() for _ in range(rows)]
    first = np.arange(rows)[:, None] * beams
    least = length_penalty(longest, strength)
    for length in range(1, longest + 1):
        following, state, weights = step(last, state)
        options = following.reshape(rows, beams, -1) + total[:, :, None]
        words = options.shape[2]
        if weights is not None:
            seen.append(weights)
        penalty = length_penalty(length, strength)
        values, places = _largest(options.reshape(rows, -1), beams)
        for row, column in np.argwhere((places % words == end) & (values > -np.inf)).tolist():
            own = row * beams + int(places[row, column]) // words
            found[row].take(float(values[row, column]) / penalty, own, written, seen)
        options[:, :, end] = -np.inf
        total, places = _largest(options.reshape(rows, -1), beams)
        for row, reach in enumerate((total[:, 0] / least).tolist()):
            # What may still come: log P only falls, the penalty only grows.
            found[row].settle(reach, beams)
        parent = (first + places // words).ravel()
        last = (places % words).ravel()
        written = np.concatenate([written[parent], last[:, None]], axis=1)
        state, seen = rearrange(state, parent), [weights[parent] for weights in seen]
        if all(text.done for text in found):
            break
    for row, text in enumerate(found):
        if text.best is None:
            text.take(float(total[row, 0]) / least, row * beams, written, seen)
    return [text.given() for text in found]


class _Found:
    """The best finished text of a source, how many have ended, and whether that is all."""

    def __init__(self) -> None:
        self.best: Written | None = None
        self.ended, self.done = 0, False

    def take(self, score: float, row: int, written: np.ndarray, seen: list[np.ndarray]) -> None:
        """Count a text that has ended, and keep it where it is the best."""
        if self.done:
            return
        self.ended += 1
        if self.best is None or score > self.best.score:
            attention = np.stack([weights[row] for weights in seen]) if seen else None
            self.best = Written(written[row].tolist(), score, attention)

    def settle(self, reach: float, beams: int) -> None:
        """Say whether the search is over: `reach` is the most that any unfinished text may come to."""
        self.done = self.done or self.ended >= beams or (self.best is not None and self.best.score >= reach)

    def given(self) -> Written:
        """The text; there always is one, as an unfinished one counts where none has ended."""
        assert self.best is not None
        return self.best


def searched(
    network: Any, read: tuple[Any, Any], barred: Sequence[int], *, beams: int, strength: float, longest: int
) -> list[Written]:
    """The best text for each of the examples that `network` has read, without the ids `barred`; as `beam_search`.

    network: a `seqloom_runtime.forward.writer.Writer`. read: what it attends to, and its first state.
    """
    encoded, state = read
    count = len(encoded.outputs)
    encoded = encoded.repeated(beams)

    def step(last: np.ndarray, state: Any) -> tuple[np.ndarray, Any, np.ndarray | None]:
        scores, state, weights = network.step(last, encoded, state)
        scores[:, list(barred)] = -np.inf
        return scores, state, weights

    return beam_search(
        step,
        rearranged(state, np.repeat(np.arange(count), beams)),
        count,
        network.end,
        beams=beams,
        strength=strength,
        longest=longest,
        rearrange=rearranged,
    )


def rearranged(state: Any, rows: np.ndarray) -> Any:
    """A decoder's state of the rows (R,)."""
    if isinstance(state, tuple):
        return tuple(np.ascontiguousarray(inner[:, rows]) for inner in state)
    return np.ascontiguousarray(state[:, rows])


def _largest(values: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The `count` largest of each row (B, N) and their places, the largest first; of equals the first.

    >>> _largest(np.array([[1.0, 3.0, 3.0, 2.0]]), 2)[1].tolist()
    [[1, 2]]
    """
    if count == 1:
        places = values.argmax(axis=1)[:, None]
    else:
        count = min(count, values.shape[1])
        few = np.sort(np.argpartition(values, values.shape[1] - count, axis=1)[:, values.shape[1] - count :], axis=1)
        order = np.argsort(-np.take_along_axis(values, few, axis=1), axis=1, kind="stable")
        places = np.take_along_axis(few, order, axis=1)
    return np.take_along_axis(values, places, axis=1), places
