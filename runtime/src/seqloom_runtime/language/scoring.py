"""Scoring running text: the loss of every token given all before it, with a cache of what was read where asked.

N tokens, F features, M tokens in the cache. At step t the features h_t predict token w_{t+1}; all that is used of the
text lies before it. Neural cache (Grave et al., arXiv 1612.04426): p(w) = (1 − λ) p_model(w) + λ Σ_i [w_{i+1} = w]
softmax_i(θ h_t·h_i) over the last M positions i < t.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..forward import product

__all__ = ["Adaptation", "NeuralCache", "cached_losses", "network_losses", "pieces", "streams_for"]

# Pieces side by side at most, the least length of one, and the tokens of the text before it that make its state.
_ROWS, _PIECE, _WARM = 16, 4096, 512
_LOGITS = 1 << 22  # numbers of one product: 16 MiB
_STEPS = 256


@dataclass(frozen=True)
class Adaptation:
    """size: tokens M of the cache, 0 for none. weight: λ. flatness: θ. rate: η, 0 for weights that stay. clip: of ∇."""

    size: int = 0
    weight: float = 0.1
    flatness: float = 1.0
    rate: float = 0.0
    window: int = 35
    clip: float | None = None

    def __bool__(self) -> bool:
        return bool(self.size or self.rate)


@dataclass(frozen=True, eq=False)
class Pieces:
    """How a text is read: tokens before each (rows, length), tokens (rows, length), and what the rows have read."""

    before: np.ndarray
    wanted: np.ndarray
    warm: np.ndarray | None


def pieces(start: int, ids: np.ndarray) -> Pieces:
    """A text of N ≥ 8,192 tokens in up to 16 pieces side by side, each after 512 tokens of what is before it, so that
    its state is, but for what is further away than that, the one of the whole text."""
    rows = streams_for(len(ids))
    length = -(-len(ids) // rows)
    before = np.concatenate([[start], ids[:-1]])
    # The last row may be short: it reads the last token again, and what that costs is cut off at the end.
    places = np.minimum(np.arange(rows)[:, None] * length + np.arange(length), len(ids) - 1)
    warm = None
    if rows > 1:
        warm = np.stack([before[max(0, r * length - _WARM) : r * length][-_WARM:] for r in range(1, rows)])
    return Pieces(before[places], ids[places], warm)


def streams_for(tokens: int) -> int:
    """In how many pieces side by side a text is read."""
    return max(1, min(_ROWS, tokens // _PIECE))


def network_losses(network: Any, start: int, ids: np.ndarray) -> np.ndarray:
    """−ln P of each token (N,) float64: ids (N,) int64 follow the token `start`; see `pieces`."""
    read = pieces(start, ids)
    rows, length = read.wanted.shape
    found, state = np.zeros((rows, length)), None
    if read.warm is not None:
        _, after = network.features(read.warm)
        state = _joined(network.initial_state(1), after, network.state_axis)
    # The logits of a large vocabulary are what needs memory: fewer steps at a time.
    steps = max(1, min(_STEPS, _LOGITS // (rows * network.spec.logits_at_once)))
    for first in range(0, length, steps):
        part = slice(first, first + steps)
        features, state = network.features(read.before[:, part], state)
        losses = network.losses(features.reshape(-1, features.shape[-1]), read.wanted[:, part].ravel())
        found[:, part] = losses.reshape(rows, -1)
    return found.ravel()[: len(ids)]


def cached_losses(network: Any, start: int, ids: np.ndarray, how: Adaptation) -> np.ndarray:
    """−ln P of each token (N,) float64, mixed with a neural cache; the text is read once, in order."""
    before, cache, state = np.concatenate([[start], ids[:-1]]), NeuralCache(how), None
    steps = max(1, min(_STEPS, _LOGITS // network.spec.logits_at_once))
    found = []
    for first in range(0, len(ids), steps):
        wanted = ids[first : first + steps]
        features, state = network.features(before[None, first : first + steps], state)
        found.append(cache.mixed(network.losses(features[0], wanted), features[0], wanted))
    return np.concatenate(found)


class NeuralCache:
    """The features of the last M positions and the tokens that followed them."""

    def __init__(self, how: Adaptation) -> None:
        self.how = how
        self.keys: np.ndarray | None = None
        self.words: np.ndarray | None = None

    def mixed(self, losses: np.ndarray, features: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """−ln p (T,) float64 of the mixture for a piece: losses (T,), features (T, F), targets (T,)."""
        losses = losses.astype(np.float64)
        if not self.how.size:
            return losses
        keys = features if self.keys is None else np.concatenate([self.keys, features])
        words = targets if self.words is None else np.concatenate([self.words, targets])
        # Row t of the piece stands at place t + M of the cache: it sees the M places before its own, none after.
        place = np.arange(len(keys)) - (len(keys) - len(features) + np.arange(len(features)))[:, None]
        seen = (place < 0) & (place >= -self.how.size)
        likeness = np.where(seen, self.how.flatness * product(features, keys).astype(np.float64), -np.inf)
        highest = likeness.max(axis=1, keepdims=True)
        share = np.exp(likeness - np.where(np.isfinite(highest), highest, 0.0))
        share /= np.maximum(share.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
        cached = (share * (words == targets[:, None])).sum(axis=1)
        weight = np.where(seen.any(axis=1), self.how.weight, 0.0)  # nothing is cached before the first token
        self.keys, self.words = keys[-self.how.size :], words[-self.how.size :]
        return -np.log((1 - weight) * np.exp(-losses) + weight * cached)


def _joined(first: Any, others: Any, axis: int) -> Any:
    """The state of rows of which the first is at the start of the text and the others have read what is before them."""
    if isinstance(first, np.ndarray):
        return np.concatenate([first, others], axis=axis)
    return None if first is None else tuple(_joined(a, b, axis) for a, b in zip(first, others, strict=True))
