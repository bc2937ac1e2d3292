"""Writing the target: greedily, or by beam search with a length penalty.

B sources, W beams, V outputs. Sources: Sutskever et al. 2014 (beam search); Wu et al. 2016, arXiv 1609.08144, eq. 14
(length penalty).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..networks.writer import Encoded, Writer

__all__ = ["Written", "beam_search", "length_penalty", "rearranged", "searched"]

Step = Callable[[Tensor, Any], tuple[Tensor, Any, Tensor | None]]
"""The last tokens (R,) and the state of R rows → log P (R, V) of the next ones, the state, attention (R, T) or None."""


@dataclass(frozen=True)
class Written:
    """One text: its tokens without the end, its score, and the attention (K, T) of each token, the end's last."""

    ids: list[int]
    score: float
    attention: Tensor | None


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
    rearrange: Callable[[Any, Tensor], Any],
) -> list[Written]:
    """The best text of each of B = `rows` sources, whose `state` has B·W rows, those of a source one behind the other.

    end: the id of the end, which is the start too. longest: tokens at most, the end among them; where no text has ended
    by then the best unfinished one is given. rearrange: a state and row numbers (B·W,) in, the state of those rows out.
    A text ends where its end is among the W best continuations, and a source is done once W have ended or none can
    become better; so one beam is greedy search. The length that the penalty counts includes the end.
    """
    last = torch.full((rows * beams,), end)
    total = torch.full((rows, beams), -torch.inf)
    total[:, 0] = 0.0  # all beams start alike: only one may count
    written = torch.empty((rows * beams, 0), dtype=torch.int64)
    seen: list[Tensor] = []
    found = [_Found() for _ in range(rows)]
    first = torch.arange(rows)[:, None] * beams
    least = length_penalty(longest, strength)
    for length in range(1, longest + 1):
        following, state, weights = step(last, state)
        options = following.view(rows, beams, -1) + total[:, :, None]
        words = options.shape[2]
        if weights is not None:
            seen.append(weights)
        penalty = length_penalty(length, strength)
        values, places = options.flatten(1).topk(beams, dim=1)
        for row, column in ((places % words == end) & (values > -torch.inf)).nonzero().tolist():
            own = row * beams + int(places[row, column]) // words
            found[row].take(float(values[row, column]) / penalty, own, written, seen)
        options[:, :, end] = -torch.inf
        total, places = options.flatten(1).topk(beams, dim=1)
        for row, reach in enumerate((total[:, 0] / least).tolist()):
            # What may still come: log P only falls, the penalty only grows.
            found[row].settle(reach, beams)
        parent = (first + torch.div(places, words, rounding_mode="floor")).flatten()
        last = (places % words).flatten()
        written = torch.cat([written[parent], last[:, None]], dim=1)
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

    def take(self, score: float, row: int, written: Tensor, seen: list[Tensor]) -> None:
        """Count a text that has ended, and keep it where it is the best."""
        if self.done:
            return
        self.ended += 1
        if self.best is None or score > self.best.score:
            attention = torch.stack([weights[row] for weights in seen]) if seen else None
            self.best = Written(written[row].tolist(), score, attention)

    def settle(self, reach: float, beams: int) -> None:
        """Say whether the search is over: `reach` is the most that any unfinished text may come to."""
        self.done = self.done or self.ended >= beams or (self.best is not None and self.best.score >= reach)

    def given(self) -> Written:
        """The text; there always is one, as an unfinished one counts where none has ended."""
        assert self.best is not None
        return self.best


def searched(
    network: Writer, read: tuple[Encoded, Any], barred: Sequence[int], *, beams: int, strength: float, longest: int
) -> list[Written]:
    """The best text for each of the examples that `network` has read, without the ids `barred`; as `beam_search`."""
    encoded, state = read
    count = len(encoded.outputs)
    encoded = encoded.repeated(beams)

    def step(last: Tensor, state: Any) -> tuple[Tensor, Any, Tensor | None]:
        scores, state, weights = network.step(last, encoded, state)
        scores[:, list(barred)] = -torch.inf
        return scores, state, weights

    return beam_search(
        step,
        rearranged(state, torch.arange(count).repeat_interleave(beams)),
        count,
        network.output.out_features - 1,
        beams=beams,
        strength=strength,
        longest=longest,
        rearrange=rearranged,
    )


def rearranged(state: Any, rows: Tensor) -> Any:
    """A decoder's state of the rows (R,)."""
    if isinstance(state, tuple):
        return tuple(inner[:, rows] for inner in state)
    return state[:, rows]
