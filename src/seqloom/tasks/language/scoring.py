"""Scoring running text while a network trains: the loss of every token given all before it, by torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from seqloom_runtime.language.scoring import pieces

from .network import LanguageNetwork

__all__ = ["network_losses"]

_LOGITS = 1 << 22  # numbers of one product: 16 MiB


def network_losses(network: LanguageNetwork, start: int, ids: np.ndarray) -> np.ndarray:
    """−ln P of each token (N,) float64: ids (N,) int64 follow the token `start`, in evaluation mode; see `pieces`."""
    was_training = network.training
    network.eval()
    read = pieces(start, ids)
    rows, length = read.wanted.shape
    found = np.zeros((rows, length))
    with torch.no_grad():
        state = None if read.warm is None else _beside_start(network, torch.from_numpy(read.warm))
        # The logits of a large vocabulary are what needs memory: fewer steps at a time.
        steps = max(1, min(256, _LOGITS // (rows * network.spec.logits_at_once)))
        for first in range(0, length, steps):
            wanted = read.wanted[:, first : first + steps]
            features, state = network(torch.from_numpy(read.before[:, first : first + steps]), state)
            losses = network.losses(features.flatten(0, 1), torch.from_numpy(wanted).flatten())
            found[:, first : first + steps] = losses.reshape(wanted.shape).double().numpy()
    network.train(was_training)
    return found.ravel()[: len(ids)]


def _beside_start(network: LanguageNetwork, warm: torch.Tensor) -> Any:
    """The state of rows of which the first is at the start of the text and the others have read `warm`."""
    _, after = network(warm)
    fresh = network.initial_state(1)
    return _joined(fresh, after, lambda first, others: torch.cat([first, others], dim=network.body.state_axis))


def _joined(first: Any, others: Any, join: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Any:
    if isinstance(first, torch.Tensor):
        return join(first, others)
    return None if first is None else tuple(_joined(a, b, join) for a, b in zip(first, others, strict=True))
