"""`Highway` and `Residual`: layers whose first act is to let their input through."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from seqloom.nn.arguments import NotScriptable, as_node, check_size, generator_of, symbolic, tensor_of, type_told
from seqloom.nn.causal_stages import HighwayStage, LinearStage, Stage, SumStage
from seqloom.nn.causal_stream import CausalStream, carry, open_stream, stage_of, wire_sum
from seqloom.nn.initialisers import undrawn
from seqloom.nn.outputs import outputs_of
from seqloom.nn.receptive_field import Field, field_of, output_length
from seqloom.ops.activations import Activation, activation_function, check_activation
from seqloom.ops.conv_stream import ConvLayer
from seqloom.ops.operators import dense, refuse_freed
from seqloom_runtime.errors import SettingError

__all__ = ["Highway", "Residual"]


class Highway(NotScriptable, nn.Module):
    """y = H(x)⊙T(x) + x⊙(1 − T(x)), H(x) = φ(x W_H + b_H), T(x) = σ(x W_T + b_T), at every step for itself.

    b_T starts at `gate_bias`: below zero the layer carries its input at first. Source: Srivastava et al., arXiv
    1505.00387.

    >>> closed, x = Highway(3, gate_bias=-200.0), torch.randn(2, 5, 3)
    >>> torch.equal(closed(x), x)
    True
    """

    def __init__(
        self,
        size: int,
        *,
        activation: Activation = "relu",
        # Negative, as the paper has it: a deep stack starts near the identity and learns to transform.
        gate_bias: float = -1.0,
        seed: int | torch.Generator = 0,
    ):
        """Make a layer of `size` channels, its weights Glorot uniform from the seed, b_H zero."""
        super().__init__()
        self.size, generator = check_size("size", size), generator_of(seed)
        check_activation(activation, "activation")
        self.activation: Activation = activation
        # By way of meta: nn.Linear would draw from torch's global generator, and be drawn anew here.
        self.transform = undrawn(nn.Linear(size, size, device="meta"), "cpu")
        self.gate = undrawn(nn.Linear(size, size, device="meta"), "cpu")
        for linear, bias in ((self.transform, 0.0), (self.gate, float(gate_bias))):
            nn.init.xavier_uniform_(linear.weight, generator=generator)
            nn.init.constant_(linear.bias, bias)

    def forward(self, x: Tensor) -> Tensor:
        """(…, size) → (…, size); raises SettingError for another number of channels."""
        if symbolic(x):
            return as_node(self, x)
        x = tensor_of(x, self)
        if not isinstance(x, Tensor) or dense(x) is not None:
            found = dense(x) if isinstance(x, Tensor) else type_told(x)
            raise SettingError(f"x of Highway must be a dense tensor, not {found}.")
        own = self.gate.weight  # no tensor where torch's quantize_dynamic has replaced the layer
        if isinstance(own, Tensor) and (x.dtype, x.device) != (own.dtype, own.device):
            raise SettingError(f"x of Highway must be {own.dtype} on {own.device}, not {x.dtype} on {x.device}.")
        if x.shape[-1:] != (self.size,):
            raise SettingError(f"x of Highway must have {self.size} channels on its last axis, not {tuple(x.shape)}.")
        refuse_freed(x)
        t = torch.sigmoid(self.gate(x))
        return activation_function(self.activation)(self.transform(x)) * t + x * (1 - t)

    def field(self) -> Field:
        """One step."""
        return Field()

    def stage(self, size: int | None, batch: int, backend: str) -> Stage:
        """The layer one step at a time."""
        return HighwayStage(
            LinearStage(self.transform.weight, self.transform.bias, batch, self.activation),
            LinearStage(self.gate.weight, self.gate.bias, batch, "sigmoid"),
            batch,
        )

    def stream(self, batch_size: int = 1, *, backend: str = "auto") -> CausalStream:
        """One step at a time: see `CausalStream`."""
        return open_stream(self, batch_size, backend=backend)


class Residual(NotScriptable, nn.Module):
    """y = x + F(x) for any module F that keeps the shape. Source: He et al., arXiv 1512.03385.

    Of a recurrent layer, which returns (output, state), F is the output: `Residual(GRU(8, 8))`.

    >>> Residual(nn.Identity())(torch.ones(1, 2, 3)).sum().item()
    12.0
    """

    def __init__(self, module: nn.Module):
        """Wrap F."""
        super().__init__()
        self.module = module

    def forward(self, x: Tensor, *arguments: Any, **keywords: Any) -> Tensor:
        """x + F(x); more arguments go to F. Raises SettingError where F changes the shape."""
        if symbolic(x):
            return as_node(self, x, *arguments, **keywords)
        x = tensor_of(x, self)
        return self._sum(x, outputs_of(self.module)(x, *arguments, **keywords))

    def carry(self, x: Tensor, context: Any = None) -> tuple[Tensor, Any]:
        """`forward` on a chunk of a long sequence, and F's context for the chunk that follows."""
        y, context = carry(outputs_of(self.module), x, context)
        return self._sum(x, y), context

    def _sum(self, x: Tensor, y: Tensor) -> Tensor:
        # Broadcasting would add a wrong shape in silence.
        if y.shape != x.shape:
            raise SettingError(
                f"Residual adds what {type(self.module).__name__} returns to its input, so the shapes must be equal: "
                f"it made {tuple(y.shape)} of {tuple(x.shape)}."
            )
        return x + y

    def field(self) -> Field:
        """What an output sees."""
        return Field().beside(field_of(outputs_of(self.module)))

    def output_length(self, steps: int) -> int:
        """As F."""
        return output_length(outputs_of(self.module), steps)

    def stage(self, size: int | None, batch: int, backend: str) -> Stage:
        """The layer one step at a time."""
        return SumStage(stage_of(outputs_of(self.module), size, batch, backend), batch)

    def wire(self, layers: list[ConvLayer], source: int) -> Any:
        """F and the sum as convolutions, where that is possible: see `nn.causal_stream`."""
        return wire_sum(self.module, layers, source)

    def stream(self, batch_size: int = 1, *, backend: str = "auto") -> CausalStream:
        """One step at a time where F is causal: see `CausalStream`."""
        return open_stream(self, batch_size, backend=backend)
