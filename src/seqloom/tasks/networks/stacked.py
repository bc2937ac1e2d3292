"""`LayerStack`: recurrent layers that are not alike, a module each, which run as one `seqloom.nn.Recurrent` does.

B rows, T steps, I inputs, F features of the last layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...nn import Recurrent
from ...ops.draws import draw_mask, remember

__all__ = ["LayerStack", "StackStream"]


class LayerStack(nn.Module):
    """Layers one after the other; between two of them a dropout that is drawn anew at every step.

    Its state is the tuple of the layers' states.
    """

    def __init__(self, layers: Sequence[Recurrent], between_dropout: float, generator: torch.Generator) -> None:
        """layers: from first to last, each as wide as the next one's inputs; generator: draws the dropout's masks."""
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.between_dropout, self.generator = between_dropout, remember(generator)

    def forward(
        self, x: Tensor, state: Any = None, mask: Tensor | None = None, *, last_only: bool = False
    ) -> tuple[Tensor, Any]:
        """x (B, T, I), mask (B, T) → (B, T, F), or (B, F) of the step that ran last, and the states after it."""
        finals = []
        for number, layer in enumerate(self.layers):
            if number and self.training and self.between_dropout:
                x = x * draw_mask(self.generator, x.shape, self.between_dropout, x)
            own = None if state is None else state[number]
            # The layers below have to hand on every step.
            x, final = layer(x, own, mask, last_only=last_only and number == len(self.layers) - 1)
            finals.append(final)
        return x, tuple(finals)

    def initial_state(self, batch_size: int) -> Any:
        """The state that a call without one starts from."""
        return tuple(layer.initial_state(batch_size) for layer in self.parts())

    def stream(self, batch_size: int = 1) -> StackStream:
        """One step at a time; raises SettingError where a layer reads the sequence backwards."""
        return StackStream([layer.stream(batch_size) for layer in self.parts()])

    def parts(self) -> list[Recurrent]:
        """The layers, from first to last."""
        return [layer for layer in self.layers if isinstance(layer, Recurrent)]


class StackStream:
    """The streams of layers, one feeding the next."""

    def __init__(self, streams: Sequence[Any]) -> None:
        self.streams = tuple(streams)

    def step(self, x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """x (I,) or (B, I) → (F,) or (B, F); without `out` the result is a buffer that the next step reuses."""
        for stream in self.streams[:-1]:
            x = stream.step(x)
        return self.streams[-1].step(x, out)

    def reset(self) -> None:
        """Start a new sequence: the states are zeros again."""
        for stream in self.streams:
            stream.reset()

    def state(self) -> Any:
        """A copy of the states, as `LayerStack` carries them."""
        return tuple(stream.state() for stream in self.streams)

    def restore(self, state: Any) -> None:
        """Go on from a state of `state()`; raises SettingError where a shape doesn't fit."""
        for stream, own in zip(self.streams, state, strict=True):
            stream.restore(own)
