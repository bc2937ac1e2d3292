"""`Chain`: layers one after the other that hand a mask on; what `from_keras`, `from_onnx` and `from_torch` make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seqloom.nn.arguments import NotScriptable, check_mask, kept_only, symbolic, tensor_of
from seqloom.nn.causal_stream import CausalStream, open_stream
from seqloom.nn.embedding import Embedding
from seqloom.nn.exportable import Exportable
from seqloom.nn.outputs import Outputs
from seqloom.nn.pooling import GlobalAverage
from seqloom.nn.receptive_field import POINTWISE, method_of
from seqloom.nn.recurrent import Recurrent
from seqloom_runtime.errors import SettingError

__all__ = ["Chain"]


class Chain(Exportable, NotScriptable, nn.Sequential):
    """nn.Sequential with a stream, whose layers are told which steps count.

    A mask comes from the caller, or from a layer that leaves steps out (`mask_of`, as a Masking layer of Keras). It
    goes to the recurrent layers and to GlobalAverage, past point-wise layers, and ends at layers that change the steps.

    >>> from seqloom.nn import GRU
    >>> model = Chain(Outputs(GRU(3, 5), last_only=True), nn.Linear(5, 1))
    >>> model(torch.zeros(2, 7, 3)).shape
    torch.Size([2, 1])
    """

    notes: tuple[str, ...] = ()
    """What was left behind or decided when the layers were taken from elsewhere, in one sentence each."""

    def forward(self, x: Any, mask: Tensor | None = None) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Run the layers; x (B, T, C), or whole numbers (B, T) where an Embedding comes first; mask (B, T) bool.

        Raises SettingError where a shape doesn't fit.
        """
        if symbolic(x):
            if mask is not None:
                raise SettingError("torch.fx follows a Chain without a mask alone.")
            return super().forward(x)
        x = self._given(x)
        if mask is not None:
            check_mask(mask, x)
        for part in self:
            told = method_of(part, "mask_of")
            if told is not None:
                kept = told(x)
                mask = kept if mask is None else mask & kept
            x, mask = _run(part, x, mask)
        return x

    def stream(self, batch_size: int = 1, *, backend: str = "auto") -> CausalStream:
        """One step at a time: see `CausalStream`; raises SettingError, with the reason, for layers that look ahead.

        Behind an Embedding a step takes the whole numbers as (B, 1), or (1,) for a batch of 1.
        """
        return open_stream(self, batch_size, backend=backend)

    def _given(self, x: Any) -> Any:
        first = next(iter(self), None)
        if not isinstance(first, (Embedding, nn.Embedding)):
            return tensor_of(x, self)
        if isinstance(x, (np.ndarray, Sequence)):
            x = torch.as_tensor(np.asarray(x))
        if not isinstance(x, Tensor) or x.is_floating_point() or x.dtype == torch.bool or x.dim() != 2:
            found = f"{x.dtype} of {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
            raise SettingError(f"x must be whole numbers (batch, time), the words of an Embedding, not {found}.")
        return x.long()


def _run(part: nn.Module, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """A layer's output, and the mask of the layer behind it."""
    if mask is None or method_of(part, "mask_of") is not None:
        return part(x), mask
    if isinstance(part, Outputs):
        y = part(x, None, mask)
        if part.last_only:
            return y, None
        # As Keras has it: each direction alone would repeat a state of its own there.
        both = isinstance(part.module, Recurrent) and part.module.options.bidirectional
        return kept_only(y, mask) if both else y, mask
    if isinstance(part, GlobalAverage):
        return part(x, mask), None
    if isinstance(part, Chain):
        return part(x, mask), None
    passes = isinstance(part, (*POINTWISE, nn.LayerNorm, Embedding)) or bool(getattr(part, "pointwise", False))
    return part(x), mask if passes else None
