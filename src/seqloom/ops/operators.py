"""What the compiled operators share: where plain numbers are at hand, memory for results, addresses, codes."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import Parameter

from seqloom.errors import BackendError
from seqloom.ops import native

__all__ = ["ACTIVATION_CODES", "address", "compiled", "eager", "missing", "room", "signed", "transformed"]

# The order of the C++ enumeration Activation.
ACTIVATION_CODES = (
    "tanh",
    "sigmoid",
    "relu",
    "leaky_relu",
    "elu",
    "softsign",
    "softplus",
    "identity",
    "hard_sigmoid",
    "hard_sigmoid_02",
)
_LARGE = 1 << 16  # floats from which on fresh pages cost more than the detour to memory that is kept


@torch.compiler.assume_constant_result
def missing() -> str | None:
    """Why there is no compiled module, or None; for torch.compile a constant, as it would trace the search for it."""
    return f"this installation is {native.flavour()}" if native.module() is None else None


def compiled() -> Any:
    """The compiled module; raises BackendError where there is none."""
    module = native.module()
    if module is None:
        raise BackendError(f"the compiled module is needed here, but this installation is {native.flavour()}.")
    return module


def eager(x: Tensor) -> bool:
    """Whether plain numbers are at hand, so that the detour over the dispatcher (some 20 µs a call) can be spared."""
    return (
        not torch.compiler.is_compiling()
        and type(x) in (Tensor, Parameter)
        and torch._C._len_torch_dispatch_stack() == 0
        and not torch._C._are_functorch_transforms_active()
    )


def transformed() -> bool:
    """Whether someone derives forwards or maps over a batch: the other engines would give no derivative, or zero."""
    if torch.compiler.is_compiling():
        return False
    return forward_ad._current_level >= 0 or torch._C._are_functorch_transforms_active()


def room(module: Any, x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """An array to be filled: large ones on memory that is kept between calls."""
    return x.new_empty(shape) if math.prod(shape) < _LARGE else module.kept_floats(shape)


def address(t: Tensor | None) -> int:
    """Where an array begins; 0 for None and for an empty one."""
    return 0 if t is None or t.numel() == 0 else t.data_ptr()


def signed(value: int) -> int:
    """The same 64 bits as a signed number."""
    value &= 2**64 - 1
    return value - 2**64 if value >= 2**63 else value
