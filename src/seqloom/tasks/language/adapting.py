"""Scoring a text while adapting to it: dynamic evaluation of the weights, with a neural cache of what was read too.

After each window its own mean loss moves the weights, W ← W − η ∇, the gradient clipped to a norm (Krause et al., arXiv
1709.07432, with plain gradient steps). All that is used of the text lies before the token that is scored.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seqloom_runtime.language.scoring import Adaptation, NeuralCache

from ...nn import detach
from .network import LanguageNetwork

__all__ = ["adapted_losses"]

_STEPS, _LOGITS = 256, 1 << 22


def adapted_losses(network: LanguageNetwork, start: int, ids: np.ndarray, how: Adaptation) -> np.ndarray:
    """−ln P of each token (N,) float64: ids (N,) int64 follow the token `start`; the text is read once, in order.

    The network's weights are afterwards bitwise what they were.
    """
    before = torch.from_numpy(np.concatenate([[start], ids[:-1]]))
    targets = torch.from_numpy(np.ascontiguousarray(ids))
    most = max(1, min(_STEPS, _LOGITS // network.spec.logits_at_once))
    steps = min(how.window, most) if how.rate else most
    cache = NeuralCache(how)
    found: list[np.ndarray] = []
    state: Any = None
    with _weights_kept(network), torch.set_grad_enabled(bool(how.rate)):
        weights = [p for p in network.parameters() if p.requires_grad]
        for first in range(0, len(ids), steps):
            wanted = targets[first : first + steps]
            features, state = network(before[None, first : first + steps], state)
            state = detach(state)
            losses = network.losses(features[0], wanted)
            found.append(cache.mixed(losses.detach().numpy(), features[0].detach().numpy(), wanted.numpy()))
            if how.rate and first + steps < len(ids):
                _move(weights, losses.mean(), how)
    return np.concatenate(found)


def _move(weights: list[nn.Parameter], loss: Tensor, how: Adaptation) -> None:
    gradients = torch.autograd.grad(loss, weights, allow_unused=True)
    given = [gradient for gradient in gradients if gradient is not None]
    norm = float(torch.nn.utils.get_total_norm(given))
    scale = 1.0 if how.clip is None or norm <= how.clip else how.clip / norm
    with torch.no_grad():
        for weight, gradient in zip(weights, gradients, strict=True):
            if gradient is not None:
                weight.sub_(gradient, alpha=how.rate * scale)


@contextmanager
def _weights_kept(network: LanguageNetwork) -> Iterator[None]:
    """Evaluation mode within; mode and weights are as before behind."""
    was_training = network.training
    kept = [(weight, weight.detach().clone()) for weight in network.parameters()]
    network.eval()
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, value in kept:
                weight.copy_(value)
        network.train(was_training)
