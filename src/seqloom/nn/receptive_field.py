"""`receptive_field`: how many input steps an output of a stack of layers can see, and `output_length`: how many outputs
it has.

A layer is described by a `Field`; a layer of one's own joins in by a method `field()` that returns one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from torch import nn

from seqloom.nn.recurrent import Recurrent
from seqloom_runtime.errors import SettingError

__all__ = ["POINTWISE", "Field", "field_of", "method_of", "output_length", "receptive_field"]

# Layers of torch whose output at a step depends on that step alone, in evaluation.
POINTWISE: tuple[type[nn.Module], ...] = (
    nn.Identity, nn.Linear, nn.Embedding, nn.Dropout, nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh,
    nn.Sigmoid, nn.Softplus, nn.Softsign, nn.Hardtanh, nn.Hardsigmoid, nn.Hardswish,
)  # fmt: skip


@dataclass(frozen=True)
class Field:
    """Output j sees inputs j·stride − before … j·stride + after; `math.inf` where there is no bound."""

    before: float = 0
    after: float = 0
    stride: int = 1

    @property
    def size(self) -> float:
        """The receptive field in input steps: a whole number, or infinity."""
        return self.before + self.after + 1

    @property
    def causal(self) -> bool:
        """Whether there is an output for every step, and none sees a later one."""
        return self.after == 0 and self.stride == 1

    def then(self, other: Field) -> Field:
        """The field of two layers one after the other.

        >>> Field(before=4).then(Field(before=8)).size
        13
        """
        # A step of the second layer is `stride` steps of the input.
        return Field(
            self.before + other.before * self.stride, self.after + other.after * self.stride, self.stride * other.stride
        )

    def beside(self, other: Field) -> Field:
        """The field of two layers side by side on the same input; raises SettingError where strides differ."""
        if self.stride != other.stride:
            raise SettingError(
                f"layers side by side must give equally many outputs, but their strides are {self.stride} and "
                f"{other.stride}."
            )
        return Field(max(self.before, other.before), max(self.after, other.after), self.stride)


def receptive_field(module: nn.Module) -> int | float:
    """Return how many input steps one output of `module` sees, `math.inf` where it sees all of them.

    module: a layer of `seqloom.nn`; one of torch's convolutions, poolings (channel first), point-wise or recurrent
    layers; nn.Sequential of any of these, nested; anything with a method `field()`. For causal convolutions alone it is
    1 + Σ (k_i − 1)·d_i; a stride multiplies what follows it. Raises SettingError for a layer that isn't known.

    >>> from seqloom.nn import TCN, CausalConv1d
    >>> receptive_field(nn.Sequential(*(CausalConv1d(1, 1, 2, dilation=d) for d in (1, 2, 4, 8))))
    16
    >>> receptive_field(TCN(1, [25] * 8, 7))
    3061
    """
    return field_of(module).size


def field_of(module: nn.Module) -> Field:
    """Return the `Field` of a layer or stack; raises as `receptive_field` does."""
    own = method_of(module, "field")
    if own is not None:
        return own()
    if isinstance(module, nn.Sequential):
        whole = Field()
        for part in module:
            whole = whole.then(field_of(part))
        return whole
    # The state carries on from the very first step, so there is no bound on that side.
    if isinstance(module, Recurrent):
        both = module.options.bidirectional
        forward = both or not module.options.reverse
        backward = both or module.options.reverse
        return Field(math.inf if forward else 0, math.inf if backward else 0)
    if isinstance(module, nn.RNNBase):
        return Field(math.inf, math.inf if module.bidirectional else 0)
    # A norm over more than the last axis would mix the steps.
    if isinstance(module, POINTWISE) or (isinstance(module, nn.LayerNorm) and len(module.normalized_shape) == 1):
        return Field()
    if isinstance(module, (nn.Conv1d, nn.MaxPool1d, nn.AvgPool1d)):
        return _torch_window(module)
    raise SettingError(
        f"the receptive field of {type(module).__name__} is not known: pass nn.Sequential of its layers, or give it a "
        "method field() that returns a seqloom.nn.Field."
    )


def output_length(module: nn.Module, steps: int) -> int:
    """Return how many outputs `module` gives for `steps` inputs, 0 where they are too few for one.

    Covers the layers of `seqloom.nn`, torch's point-wise layers, and nn.Sequential of these; raises SettingError for
    others.

    >>> from seqloom.nn import Conv1d, MaxPool
    >>> output_length(nn.Sequential(Conv1d(1, 1, 5), MaxPool(3)), 20)
    5
    """
    own = method_of(module, "output_length")
    if own is not None:
        return max(own(steps), 0)
    if isinstance(module, nn.Sequential):
        for part in module:
            steps = output_length(part, steps)
        return steps
    # A layer that sees one step for each output has as many of them.
    if field_of(module) == Field():
        return steps
    raise SettingError(f"how many outputs {type(module).__name__} gives is not known: it has no method output_length.")


def method_of(module: nn.Module, name: str) -> Any:
    """Return a module's method of that name, None where it has none."""
    found = getattr(module, name, None)
    return found if callable(found) else None


def _torch_window(module: Any) -> Field:
    """A convolution or pooling of torch, whose output j starts at input j·stride − padding."""
    size, stride, dilation = (_one(getattr(module, name, 1)) for name in ("kernel_size", "stride", "dilation"))
    span = (size - 1) * dilation
    if module.padding == "same":
        # The odd one of the zeros stands behind.
        before = span // 2
    else:
        before = 0 if module.padding == "valid" else _one(module.padding)
    return Field(before, span - before, stride)


def _one(value: Any) -> int:
    return int(value[0] if isinstance(value, tuple) else value)
