"""Scoring a text while adapting to it: a neural cache of what was read, and dynamic evaluation of the weights.

N tokens, F features, M tokens in the cache. At step t the features h_t predict token w_{t+1}; all that is used of the
text lies before it.
- Neural cache (Grave et al., arXiv 1612.04426): p(w) = (1 − λ) p_model(w) + λ Σ_i [w_{i+1} = w] softmax_i(θ h_t·h_i)
  over the last M positions i < t.
- Dynamic evaluation (Krause et al., arXiv 1709.07432, with plain gradient steps): after each window its own mean loss
  moves the weights, W ← W − η ∇, the gradient clipped to a norm.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...nn import detach
from .network import LanguageNetwork

__all__ = ["Adaptation", "adapted_losses"]

_STEPS, _LOGITS = 256, 1 << 22


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


def adapted_losses(network: LanguageNetwork, start: int, ids: np.ndarray, how: Adaptation) -> np.ndarray:
    """−ln P of each token (N,) float64: ids (N,) int64 follow the token `start`; the text is read once, in order.

    The network's weights are afterwards bitwise what they were.
    """
    before = torch.from_numpy(np.concatenate([[start], ids[:-1]]))
    targets = torch.from_numpy(np.ascontiguousarray(ids))
    most = max(1, min(_STEPS, _LOGITS // network.spec.logits_at_once))
    steps = min(how.window, most) if how.rate else most
    cache = _Cache(how)
    found: list[np.ndarray] = []
    state: Any = None
    with _weights_kept(network), torch.set_grad_enabled(bool(how.rate)):
        weights = [p for p in network.parameters() if p.requires_grad]
        for first in range(0, len(ids), steps):
            wanted = targets[first : first + steps]
            features, state = network(before[None, first : first + steps], state)
            state = detach(state)
            losses = network.losses(features[0], wanted)
            found.append(cache.mixed(losses.detach(), features[0].detach(), wanted).numpy())
            if how.rate and first + steps < len(ids):
                _move(weights, losses.mean(), how)
    return np.concatenate(found)


class _Cache:
    """The features of the last M positions and the tokens that followed them."""

    def __init__(self, how: Adaptation) -> None:
        self.how = how
        self.keys: Tensor | None = None
        self.words: Tensor | None = None

    def mixed(self, losses: Tensor, features: Tensor, targets: Tensor) -> Tensor:
        """−ln p (T,) float64 of the mixture for a piece: losses (T,), features (T, F), targets (T,)."""
        losses = losses.double()
        if not self.how.size:
            return losses
        keys = features if self.keys is None else torch.cat([self.keys, features])
        words = targets if self.words is None else torch.cat([self.words, targets])
        # Row t of the piece stands at place t + M of the cache: it sees the M places before its own, none after.
        place = torch.arange(len(keys)) - (len(keys) - len(features) + torch.arange(len(features)))[:, None]
        seen = (place < 0) & (place >= -self.how.size)
        likeness = (self.how.flatness * (features @ keys.T)).double().masked_fill(~seen, -torch.inf)
        share = torch.where(seen, torch.softmax(likeness, 1).nan_to_num(), 0.0)
        cached = (share * (words == targets[:, None])).sum(1)
        weight = torch.where(seen.any(1), self.how.weight, 0.0).double()  # nothing is cached before the first token
        self.keys, self.words = keys[-self.how.size :], words[-self.how.size :]
        return -torch.log((1 - weight) * torch.exp(-losses) + weight * cached)


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
