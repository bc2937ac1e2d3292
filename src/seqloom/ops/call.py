"""`Call` and `ConvCall`: one call of a scan or of a convolution as a frozen record, which every engine takes.

Named tuples, not dataclasses: they are made in every call, in a fifth of the time, and
torch.compile looks through them.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from seqloom.ops.activations import Activation
from seqloom.ops.cell import Cell, StepRandom, Weights

__all__ = ["Call", "ConvCall", "State"]

State = Tensor | tuple[Tensor, Tensor]


class Call(NamedTuple):
    """The arguments of `ops.scan.scan`, which says what each one means."""

    cell: Cell
    x: Tensor
    state: State
    weights: Weights
    mask: Tensor | None = None
    reverse: bool = False
    input_mask: Tensor | None = None
    recurrent_mask: Tensor | None = None
    rng: StepRandom | None = None
    training: bool = False
    last_only: bool = False


class ConvCall(NamedTuple):
    """The arguments of `ops.conv.causal_conv`, which says what each one means; dropout is 0 unless it is drawn."""

    x: Tensor
    weight: Tensor
    bias: Tensor | None = None
    dilation: int = 1
    activation: Activation = "identity"
    residual: Tensor | None = None
    final_activation: Activation = "identity"
    dropout: float = 0.0
    rng: StepRandom | None = None
    context: Tensor | None = None
