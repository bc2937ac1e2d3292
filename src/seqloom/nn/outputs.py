"""`Outputs`: a recurrent layer that returns its outputs alone, as the layers of nn.Sequential do."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor, nn

from seqloom.nn.arguments import NotScriptable, as_node, symbolic, tensor_of
from seqloom.nn.causal_stages import Stage
from seqloom.nn.exportable import Exportable
from seqloom.nn.receptive_field import Field, field_of
from seqloom.nn.recurrent import Recurrent
from seqloom_runtime.errors import SettingError

__all__ = ["Outputs", "outputs_of"]


class Outputs(Exportable, NotScriptable, nn.Module):
    """The outputs (B, T, S) of a recurrent layer without its final state, so that it stands in nn.Sequential.

    module: a recurrent layer of seqloom.nn or torch.nn. last_only: the output of the step that ran last alone, (B, S).

    >>> import torch
    >>> from seqloom.nn import GRU
    >>> model = nn.Sequential(Outputs(GRU(3, 5)), Outputs(GRU(5, 4), last_only=True), nn.Linear(4, 1))
    >>> model(torch.zeros(2, 7, 3)).shape
    torch.Size([2, 1])
    """

    def __init__(self, module: Recurrent | nn.RNNBase, last_only: bool = False):
        """Wrap the layer; raises SettingError for another one, and for `last_only` of torch.nn's."""
        super().__init__()
        if not isinstance(module, (Recurrent, nn.RNNBase)):
            raise SettingError(
                f"Outputs takes a recurrent layer, which returns (output, state), not {type(module).__name__}."
            )
        if last_only and not isinstance(module, Recurrent):
            raise SettingError("last_only: only the layers of seqloom.nn have it; take seqloom.nn.from_torch(module).")
        self.module, self.last_only = module, last_only

    def forward(self, x: Tensor, *arguments: Any, **keywords: Any) -> Any:
        """x (B, T, I) → (B, T, S), or (B, S) with last_only; more arguments (state, mask, lengths) go to the layer."""
        if symbolic(x):
            return as_node(self, x, *arguments, **keywords)
        if self.last_only:
            keywords["last_only"] = True
        return self.module(tensor_of(x, self.module), *arguments, **keywords)[0]

    def carry(self, x: Tensor, context: Any = None) -> tuple[Any, Any]:
        """`forward` on a chunk of a long sequence, and the state from which the chunk that follows goes on."""
        if self.last_only:
            return self.module(tensor_of(x, self.module), context, last_only=True)
        return self.module(tensor_of(x, self.module), context)

    def field(self) -> Field:
        """What an output sees: all before it."""
        return field_of(self.module)

    def output_length(self, steps: int) -> int:
        """As many as there are steps, or one."""
        return min(steps, 1) if self.last_only else steps

    def stage(self, size: int | None, batch: int, backend: str) -> Stage:
        """The layer one step at a time."""
        if self.last_only:
            raise SettingError("last_only=True waits for the last step, so the module can't run step by step.")
        if not isinstance(self.module, Recurrent):
            raise SettingError("only recurrent layers of seqloom.nn run step by step; take seqloom.nn.from_torch.")
        return _RecurrentStage(self.module, batch)


class _RecurrentStage(Stage):
    """A recurrent layer's own stream as a stage."""

    def __init__(self, module: Recurrent, batch: int):
        self._stream = module.stream(batch)
        self.inputs, self.outputs, self.dtype = self._stream.input_size, self._stream.output_size, self._stream.dtype

    def step(self, x: np.ndarray) -> np.ndarray:
        return self._stream.step(np.ascontiguousarray(x, dtype=self._stream.dtype))

    def get_state(self) -> Any:
        return self._stream.state()

    def set_state(self, state: Any) -> None:
        self._stream.restore(state)


def outputs_of(module: nn.Module) -> nn.Module:
    """A recurrent layer as one that returns its outputs alone; any other module as it is."""
    return Outputs(module) if isinstance(module, (Recurrent, nn.RNNBase)) else module
