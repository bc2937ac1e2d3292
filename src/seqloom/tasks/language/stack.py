"""`RecurrentStack`: recurrent layers of different widths, or with a dropout of their own between them.

B rows, T steps, E inputs, F units of the last layer. The layers of a body (`seqloom.tasks.networks`) are alike; a
language model whose last layer is as wide as its embedding, or with other masks between its layers than before the
first, has one module for each layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...training import derive_seed
from ..networks import body_spec, dropped
from ..networks.body import RecurrentBody

__all__ = ["RecurrentStack"]


class RecurrentStack(nn.Module):
    """Layers of `widths` units, each a body of its own; carries a tuple of their states.

    input_dropouts: before each layer, one mask for each row. between_dropout: between two, anew at every step.
    activations: of each layer, None for the model's own. options: the others of a recurrent body
    (`seqloom.tasks.networks.BodySpec`).
    """

    state_axis = 1  # along which the rows of a batch lie in each layer's state

    def __init__(
        self,
        name: str,
        inputs: int,
        widths: Sequence[int],
        *,
        input_dropouts: Sequence[float],
        between_dropout: float,
        activations: Sequence[str | None],
        options: dict[str, Any],
        seed: int,
    ) -> None:
        super().__init__()
        self.between_dropout = between_dropout
        self.generator = torch.Generator().manual_seed(derive_seed(seed, "between"))
        self.layers = nn.ModuleList()
        for number, (width, share) in enumerate(zip(widths, input_dropouts, strict=True)):
            own = {"units": width, "layers": 1, "input_dropout": share, "activation": activations[number]}
            spec = body_spec("language", name, inputs, **own, **options)
            self.layers.append(RecurrentBody(spec, derive_seed(seed, f"layer {number}")))
            inputs = width
        self.output_size = inputs

    def carry(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """x (B, T, E) and the layers' states, None at a start → (B, T, F), and the states after it."""
        after = []
        for number, layer in enumerate(self._bodies()):
            if number and self.training:
                x = dropped(x, self.between_dropout, self.generator, tuple(x.shape))
            x, own = layer.carry(x, None if state is None else state[number])
            after.append(own)
        return x, tuple(after)

    def initial_state(self, rows: int) -> Any:
        """The state at the start of `rows` texts, zeros."""
        return tuple(layer.initial_state(rows) for layer in self._bodies())

    def stream(self, batch_size: int = 1) -> StackStream:
        """One step at a time."""
        return StackStream([layer.stream(batch_size) for layer in self._bodies()])

    def _bodies(self) -> list[RecurrentBody]:
        return [layer for layer in self.layers if isinstance(layer, RecurrentBody)]


class StackStream:
    """The streams of layers, one feeding the next."""

    def __init__(self, streams: Sequence[Any]) -> None:
        self.streams = tuple(streams)

    def step(self, x: np.ndarray) -> np.ndarray:
        """x (E,) → (F,); the result is a buffer that the next step reuses."""
        for stream in self.streams:
            x = stream.step(x)
        return x
