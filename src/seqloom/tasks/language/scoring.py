"""Scoring running text: the loss of every token given all before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from .network import LanguageNetwork

__all__ = ["network_losses", "streams_for", "token_losses"]

# Pieces side by side at most, the least length of one, and the tokens of the text before it that make its state.
_ROWS, _PIECE, _WARM = 16, 4096, 512
_LOGITS = 1 << 22  # numbers of one product: 16 MiB


def network_losses(network: LanguageNetwork, start: int, ids: np.ndarray) -> np.ndarray:
    """−ln P of each token (N,) float64: ids (N,) int64 follow the token `start`, in evaluation mode.

    A text of N ≥ 8,192 tokens is read in up to 16 pieces side by side, each after 512 tokens of what is before it, so
    that its state is, but for what is further away than that, the one of the whole text.
    """
    was_training = network.training
    network.eval()
    rows = streams_for(len(ids))
    length = -(-len(ids) // rows)
    before = np.concatenate([[start], ids[:-1]])
    found = np.zeros(rows * length)
    with torch.no_grad():
        state = None
        if rows > 1:
            warm = np.stack([before[max(0, r * length - _WARM) : r * length][-_WARM:] for r in range(1, rows)])
            state = _beside_start(network, torch.from_numpy(warm))
        # The last row may be short: it reads the last token again, and what that costs is cut off at the end.
        places = np.minimum(np.arange(rows)[:, None] * length + np.arange(length), len(ids) - 1)
        # The logits of a large vocabulary are what needs memory: fewer steps at a time.
        steps = max(1, min(256, _LOGITS // (rows * network.spec.logits_at_once)))
        for first in range(0, length, steps):
            at = places[:, first : first + steps]
            features, state = network(torch.from_numpy(before[at]), state)
            losses = network.losses(features.flatten(0, 1), torch.from_numpy(ids[at]).flatten())
            found.reshape(rows, length)[:, first : first + steps] = losses.reshape(at.shape).double().numpy()
    network.train(was_training)
    return found[: len(ids)]


def streams_for(tokens: int) -> int:
    """In how many pieces side by side a text is read."""
    return max(1, min(_ROWS, tokens // _PIECE))


def token_losses(model: Any, start: int, ids: np.ndarray) -> np.ndarray:
    """−ln P of each token (N,) float64 of a network or a baseline."""
    if isinstance(model, LanguageNetwork):
        return network_losses(model, start, ids)
    return model.losses(np.concatenate([[start], ids[:-1]]), ids)


def _beside_start(network: LanguageNetwork, warm: torch.Tensor) -> Any:
    """The state of rows of which the first is at the start of the text and the others have read `warm`."""
    _, after = network(warm)
    fresh = network.initial_state(1)
    return _joined(fresh, after, lambda first, others: torch.cat([first, others], dim=network.body.state_axis))


def _joined(first: Any, others: Any, join: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Any:
    if isinstance(first, torch.Tensor):
        return join(first, others)
    return None if first is None else tuple(_joined(a, b, join) for a, b in zip(first, others, strict=True))
