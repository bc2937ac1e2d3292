"""`Recurrent`: the forward pass of `seqloom.nn`'s RNN, Jordan, LSTM and GRU; `LayerStack`: of layers not alike.

B batch, T time, I inputs, H units, S width of a layer's state, L layers, D directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import SettingError
from .arrays import Arrays
from .cell import Cell, CellWeights
from .scan import State, checked, checked_mask, scan
from .streams import RecurrentStream, StackStream

__all__ = ["LayerStack", "Recurrent"]

MERGES = ("concat", "sum", "mean")


class Recurrent:
    """A stack of recurrent layers, each in one or two directions; called as the module, it gives what that gives in
    evaluation."""

    def __init__(
        self,
        cell: Cell,
        arrays: Arrays,
        sizes: tuple[int, int, int],
        *,
        layers: int = 1,
        bidirectional: bool = False,
        reverse: bool = False,
        merge: str = "concat",
        bias: bool = True,
        recurrent_bias: bool = False,
    ) -> None:
        """sizes: I, H and S; takes the arrays "cells.0.w_x" …, number layer·D + direction. merge: how the outputs of
        two directions are joined, "concat", "sum" or "mean"."""
        self.cell, self.layers, self.directions = cell, layers, 2 if bidirectional else 1
        self.reverse, self.merge = reverse, merge
        if merge not in MERGES:
            raise SettingError(f"merge: expected one of {', '.join(MERGES)}, got {merge!r}.")
        self.inputs, self.units, self.width = sizes
        self.output_size = self.width * (self.directions if merge == "concat" else 1)
        self.weights = [
            CellWeights.taken(
                cell,
                (self.output_size if number >= self.directions else self.inputs, self.units, self.width),
                arrays.at(f"cells.{number}."),
                bias=bias,
                recurrent_bias=recurrent_bias,
            )
            for number in range(layers * self.directions)
        ]

    def __call__(
        self,
        x: np.ndarray,
        state: Any = None,
        mask: np.ndarray | None = None,
        *,
        lengths: Any = None,
        last_only: bool = False,
    ) -> tuple[np.ndarray, Any]:
        """Run the stack over x (B, T, I).

        state: (L·D, B, S), zeros where None; for the LSTM the pair of h and c (…, H). mask: (B, T) bool, False for
        steps to leave out, or lengths: (B,) steps that count in each row. last_only: only the output of the step that
        ran last, of the backward direction that of the first step.

        Returns (B, T, output_size), or (B, output_size) with last_only, and the final state, shaped as `state`. Raises
        SettingError where shapes don't fit.
        """
        y = checked("x", x, (None, None, self.inputs))
        if lengths is not None:
            mask = np.arange(y.shape[1]) < np.asarray(lengths)[:, None]
        mask = None if mask is None else checked_mask(mask, y)
        starts, finals = self._starts(y, state), []
        for layer in range(self.layers):
            outputs = []
            for direction in range(self.directions):
                number = layer * self.directions + direction
                output, final = scan(
                    self.cell,
                    self.weights[number],
                    y,
                    starts[number],
                    mask=mask,
                    reverse=self.reverse or direction == 1,
                    # The layers below have to hand on every step.
                    last_only=last_only and layer == self.layers - 1,
                )
                outputs.append(output)
                finals.append(final)
            y = outputs[0] if self.directions == 1 else self._merged(outputs)
        return y, _stacked(finals)

    def initial_state(self, rows: int) -> Any:
        """The state that a call without one starts from, zeros."""
        h = np.zeros((len(self.weights), rows, self.width), dtype=np.float32)
        return (h, np.zeros((len(self.weights), rows, self.units), dtype=np.float32)) if self.cell.pair else h

    def stream(self, batch_size: int = 1) -> RecurrentStream:
        """One step at a time, from zeros; raises SettingError for layers that read the sequence backwards."""
        if self.directions == 2 or self.reverse:
            raise SettingError("a network that reads the sequence from its end can't run step by step.")
        return RecurrentStream([(self.cell, weights) for weights in self.weights], batch_size)

    def _starts(self, x: np.ndarray, state: Any) -> list[State]:
        """The initial state of each cell."""
        state = self.initial_state(len(x)) if state is None else state
        if self.cell.pair != isinstance(state, (tuple, list)):
            raise SettingError(f"state: expected {'the pair (h, c)' if self.cell.pair else 'one array'}.")
        parts = list(state) if self.cell.pair else [state]
        if len(parts) > 2:
            raise SettingError(f"state: expected the pair (h, c), got {len(parts)} arrays.")
        count = len(self.weights)
        held = [checked("state", p, (count, len(x), n)) for p, n in zip(parts, (self.width, self.units))]
        return list(zip(*held)) if self.cell.pair else list(held[0])  # pyright: ignore[reportReturnType]

    def _merged(self, outputs: list[np.ndarray]) -> np.ndarray:
        if self.merge == "concat":
            return np.concatenate(outputs, axis=-1)
        total = outputs[0] + outputs[1]
        # Two directions, hence the half.
        return total if self.merge == "sum" else total / 2


class LayerStack:
    """Layers that are not alike, one after the other; its state is the tuple of theirs."""

    def __init__(self, layers: Sequence[Recurrent]) -> None:
        """layers: from first to last, each as wide as the next one's inputs."""
        self.parts = tuple(layers)
        self.cell, self.output_size = layers[0].cell, layers[-1].output_size

    def __call__(
        self, x: np.ndarray, state: Any = None, mask: np.ndarray | None = None, *, last_only: bool = False
    ) -> tuple[np.ndarray, Any]:
        """x (B, T, I), mask (B, T) → (B, T, F), or (B, F) of the step that ran last, and the states after it."""
        finals = []
        for number, layer in enumerate(self.parts):
            own = None if state is None else state[number]
            x, final = layer(x, own, mask, last_only=last_only and number == len(self.parts) - 1)
            finals.append(final)
        return x, tuple(finals)

    def initial_state(self, rows: int) -> Any:
        """The state that a call without one starts from."""
        return tuple(layer.initial_state(rows) for layer in self.parts)

    def stream(self, batch_size: int = 1) -> StackStream:
        """One step at a time; raises SettingError where a layer reads the sequence backwards."""
        return StackStream([layer.stream(batch_size) for layer in self.parts])


def _stacked(finals: list[Any]) -> Any:
    """One array (or pair) over all cells."""
    if isinstance(finals[0], tuple):
        return np.stack([final[0] for final in finals]), np.stack([final[1] for final in finals])
    return np.stack(finals)
