"""What the compiled operators share: where plain numbers are at hand, memory for results, addresses, codes."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import Parameter

from seqloom.ops.call import Call
from seqloom_runtime import native
from seqloom_runtime.errors import BackendError

__all__ = [
    "ACTIVATION_CODES",
    "address",
    "compiled",
    "defined",
    "dense",
    "eager",
    "fits",
    "mapped",
    "missing",
    "plain",
    "refuse_freed",
    "refuse_frozen_draws",
    "refuses_masks",
    "room",
    "settled",
    "signed",
    "traced",
    "transformed",
    "unchanged",
    "unfit",
]

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
# Parameter by name: the weights of every module are of it, and would else count as a subclass with no address.
_PLAIN_TYPES = frozenset((Tensor, Parameter, type(None)))
_REAL = (torch.float32, torch.float64)
_LARGE = 1 << 16  # floats from which on fresh pages cost more than the detour to memory that is kept


def missing() -> str | None:
    """Why there is no compiled module, or None; for torch.compile a constant, as it would trace the search for it."""
    return f"this installation is {native.flavour()}" if native.module() is None else None


# What `torch.compiler.assume_constant_result` does, but the decorator imports the whole compiler (torch._dynamo, sympy:
# a second and 75 MB) for it. tests/test_start.py holds the import, tests/nn/test_torch_tools.py the compiled graph.
missing._dynamo_marked_constant = True  # pyright: ignore[reportFunctionMemberAccess]


def unfit(x: Tensor) -> str | None:
    """Why no compiled kernel can run on x, or None where they can."""
    reason = missing()
    if reason is not None:
        return reason
    if x.device.type != "cpu":
        return f"x is on {x.device}, it runs on the CPU"
    if x.dtype != torch.float32:
        return f"x is {x.dtype}, it has float32 only"
    return None


def defined(
    name: str,
    arrays: Sequence[str],
    required: Collection[str],
    signature: tuple[str, str],
    *,
    forward: Sequence[Callable[..., Any]],
    backward: Sequence[Callable[..., Any]],
) -> torch.library.Library:
    """Define the operators `name` and `name`_backward, which live as long as the library that is returned.

    signature: of both, with {} for the arrays. forward: what runs on numbers, where only shapes are known, and where
    autograd looks on; backward: the first two of these. Not `custom_op`, whose wrapper costs 84 µs a forward and
    backward pass; this costs 4 (ARCHITECTURE.md, 3.1).
    """
    listed = ", ".join(f"Tensor{'' if array in required else '?'} {array}" for array in arrays)
    library = torch.library.Library("seqloom", "FRAGMENT")
    for own, text, (run, fake) in zip((name, f"{name}_backward"), signature, (forward[:2], backward), strict=True):
        library.define(own + text.format(listed))
        library.impl(own, run, "CPU")
        torch.library.register_fake(f"seqloom::{own}", fake, lib=library)
    library.impl(name, forward[2], "Autograd")
    return library


def compiled() -> Any:
    """The compiled module; raises BackendError where there is none."""
    module = native.module()
    if module is None:
        raise BackendError(f"the compiled module is needed here, but this installation is {native.flavour()}.")
    return module


def eager(x: Tensor, *others: Tensor | None) -> bool:
    """Whether plain numbers are at hand, so that the detour over the dispatcher (some 20 µs a call) can be spared.

    Every array of the call counts: a weight that only stands for others, as a subclass of Tensor can, has no address.
    """
    return (
        not torch.compiler.is_compiling()
        and type(x) in _PLAIN_TYPES
        and _PLAIN_TYPES.issuperset(map(type, others))
        # Modes such as torch.export's replace operations, and hand out tensors without numbers.
        and torch._C._len_torch_dispatch_stack() == 0
        and not torch._C._are_functorch_transforms_active()
        and torch._C._get_tracing_state() is None
    )


def traced() -> bool:
    """Whether `torch.jit.trace` looks on: it records torch's own operations and takes our results for constants."""
    return not torch.compiler.is_compiling() and torch._C._get_tracing_state() is not None


def refuse_frozen_draws(what: str) -> None:
    """Raise where `torch.jit.trace` records a call that draws: every later call would repeat these numbers."""
    if traced():
        raise BackendError(
            f"{what} can't be traced in training: the graph would repeat the numbers drawn now. Call .eval() on the "
            "module first, or use torch.export."
        )


def mapped() -> bool:
    """Whether a transform of torch.func runs: our operators have no rule for many gradients at once."""
    return not torch.compiler.is_compiling() and torch._C._are_functorch_transforms_active()


def transformed() -> bool:
    """Whether someone derives forwards or maps over a batch: the other engines would give no derivative, or zero."""
    if torch.compiler.is_compiling():
        return False
    return forward_ad._current_level >= 0 or torch._C._are_functorch_transforms_active()


def dense(t: Tensor) -> str | None:
    """Why a tensor is no plain array of numbers, or None where it is: sparse, nested, of another library's layout."""
    if t.layout is torch.strided and not t.is_nested and t.dtype in _REAL:
        return None  # as nearly always, and looked at in every call
    if t.is_nested:
        return "a nested tensor; pad it (torch.nested.to_padded_tensor) and give lengths"
    if t.layout is not torch.strided:
        return f"{t.layout}; call .to_dense() on it"
    return "a quantized tensor; call .dequantize() on it" if t.is_quantized else None


def fits(value: Any, shapes: Collection[tuple[int, ...]], dtype: torch.dtype, device: torch.device) -> bool:
    """Whether a value is a dense tensor of one of the shapes, of this type and on this device."""
    return (
        isinstance(value, Tensor)
        and value.layout is torch.strided
        # torch has one object for each type.
        and value.dtype is dtype
        and not value.is_nested
        and value.shape in shapes
        and value.device == device
    )


def refuses_masks(call: Call) -> str | None:
    """Why an engine with a hand-written gradient can't run a call for its masks or sizes, or None where it can."""
    for name, value in (("input_mask", call.input_mask), ("recurrent_mask", call.recurrent_mask)):
        if value is not None and value.dim() == 3:
            return f"it has no {name} for each gate"
        if value is not None and value.requires_grad:
            return f"it has no gradient for {name}"
    if 0 in call.x.shape:
        return f"x of shape {tuple(call.x.shape)} is empty"
    return None


def plain(t: Tensor) -> Tensor:
    """The same numbers without torch's promises of a sign or of zeros, which other code than torch's own can't see."""
    if t._is_zerotensor():
        return torch.zeros(t.shape, dtype=t.dtype, device=t.device)
    return t.resolve_neg() if t.is_neg() else t


def settled(t: Tensor | None) -> Tensor | None:
    """A contiguous tensor whose numbers lie in memory of its own, without gradient where it had to be copied.

    Raises BackendError (a RuntimeError, as torch.nn raises) where the memory is gone or too short: code that shares
    parameters between machines frees them between uses.
    """
    if t is None:
        return None
    if t.is_neg() or t._is_zerotensor():
        t = plain(t.detach())
    # A quick test that is right for a contiguous tensor; an expanded one fails it and is looked at closely.
    if t.untyped_storage().nbytes() < t.storage_offset() * t.itemsize + t.nbytes:
        _refuse_short(t)
    # Detached, as its address is all that is wanted: the copy must not enter the graph.
    return t if t.is_contiguous() else t.detach().contiguous()


def unchanged(*arrays: Tensor | None) -> tuple[Any, ...]:
    """The arrays that a backward pass was given; raises BackendError where one came back in another type than float32.

    Hooks on saved tensors may have packed them; what they unpack is read by its address.
    """
    for t in arrays:
        if t is not None and t.dtype is not torch.float32:
            raise BackendError(
                f"a backward pass got back {t.dtype} of shape {tuple(t.shape)} for what it saved as float32: a hook on "
                "saved tensors must unpack the type that it packed."
            )
    return arrays


def forms_of(arrays: Sequence[Tensor | None]) -> list[tuple[torch.Size, torch.dtype] | None]:
    """Shape and type of what is saved for a backward pass, None for what isn't there; for `came_back`."""
    return [None if t is None else (t.shape, t.dtype) for t in arrays]


def came_back(forms: Sequence[tuple[torch.Size, torch.dtype] | None], arrays: Sequence[Tensor | None]) -> None:
    """Raise BackendError unless all that a backward pass gets has the shape and type in which it was saved.

    Hooks on saved tensors may have packed some of it; what they unpack is read by its address.
    """
    for number, (was, t) in enumerate(zip(forms, arrays, strict=True), start=1):
        now = None if t is None else (t.shape, t.dtype)
        if was != now:
            raise BackendError(
                f"a backward pass got back {_told(now)} for what it saved as {_told(was)} (number {number} of "
                f"{len(forms)}): a hook on saved tensors must unpack the shape and type that it packed."
            )


def _told(form: tuple[torch.Size, torch.dtype] | None) -> str:
    return "nothing" if form is None else f"{form[1]} of shape {tuple(form[0])}"


def refuse_freed(*arrays: Tensor | None) -> None:
    """Raise BackendError for a tensor whose memory is gone, before torch's own operations read it: some don't look."""
    for t in arrays:
        # Tensors that only stand for others have no storage to look at.
        if t is None or t.device.type != "cpu" or not eager(t) or t._is_zerotensor():
            continue
        if t.untyped_storage().nbytes() < t.storage_offset() * t.itemsize + t.nbytes:
            _refuse_short(t)


def _refuse_short(t: Tensor) -> None:
    """Raise BackendError unless the storage holds all numbers; one that is repeated (expand) takes little of it."""
    if not t.numel():
        return
    span = sum((size - 1) * stride for size, stride in zip(t.shape, t.stride(), strict=True)) + 1
    have, need = t.untyped_storage().nbytes(), (t.storage_offset() + span) * t.itemsize
    if have < need:
        raise BackendError(
            f"a tensor of shape {tuple(t.shape)} has lost its memory: its storage holds {have:,} bytes where {need:,} "
            "are needed. Whoever freed it (storage.resize_, as sharded training does) must bring it back before the "
            "call."
        )


def room(module: Any, x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """An array to be filled: large ones on memory that is kept between calls."""
    return x.new_empty(shape) if math.prod(shape) < _LARGE else module.kept_floats(shape)


def address(t: Tensor | None) -> int:
    """Where an array begins; 0 for None and for an empty one."""
    return 0 if t is None else t.data_ptr()  # which is 0 for an empty one


def signed(value: int) -> int:
    """The same 64 bits as a signed number."""
    # Whole numbers in an operator's signature are signed; the C++ side reads the bits as unsigned.
    value &= 2**64 - 1
    return value - 2**64 if value >= 2**63 else value
