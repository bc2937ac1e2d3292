"""Penalties on a language model's features: their size (AR) and how much they change from step to step (TAR).

B rows, T steps, F features. Source: Merity et al., arXiv 1708.01009 and 1708.02182, section 4.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ...nn import Stateful
from .network import LanguageNetwork

__all__ = ["FeaturePenalty", "WithFeatures"]


class WithFeatures(nn.Module):
    """A network whose output is the pair of its features after and before the output dropout."""

    def __init__(self, network: LanguageNetwork) -> None:
        super().__init__()
        self.network = network
        self.last: tuple[Tensor, Tensor] | None = None  # of the forward pass under way

    def forward(self, ids: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """ids (B, T) → features (B, T, F) after the dropout, and the state after them; keeps both in `last`."""
        raw, after = self.network.features(ids, state)
        dropped = self.network.dropped(raw)
        self.last = (dropped, raw)
        return dropped, after

    def initial_state(self, rows: int) -> Any:
        """As the network's."""
        return self.network.initial_state(rows)


@dataclass(frozen=True)
class FeaturePenalty:
    """α · mean(h̃²) + β · mean((h_t − h_{t−1})²), h̃ the features after the output dropout and h those before it.

    size, change: α and β. The training loop asks for it after each forward pass and reports it apart from the loss.
    """

    size: float
    change: float

    def __call__(self, module: nn.Module) -> Tensor:
        """Of the last forward pass of a `WithFeatures`, alone or inside a `Stateful`."""
        inner = module.module if isinstance(module, Stateful) else module
        assert isinstance(inner, WithFeatures)
        assert inner.last is not None
        (dropped, raw), inner.last = inner.last, None
        total = self.size * dropped.square().mean()
        if self.change and raw.shape[1] > 1:
            total = total + self.change * (raw[:, 1:] - raw[:, :-1]).square().mean()
        return total
