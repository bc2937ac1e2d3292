"""The short way into the compiled scan: calls without gradient and masks, whose weights were looked at before.

`ops.scan` checks every array of a call and finds its engine, which takes longer than the pass itself over one short
sequence. What it found for a `Weights` is kept here while that record lives. A later call looks at its inputs and, of
each weight, at what can have changed since: where it lies, its shape, its order and its memory. Numbers are read where
they lie, so that an optimizer's step is never missed. Whatever is unusual goes the long way, which has words for it.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import Parameter

from seqloom.ops.call import Call, State
from seqloom.ops.cell import Cell, Weights
from seqloom.ops.native_scan import flatten_cell
from seqloom.ops.operators import address, compiled, room
from seqloom_runtime import native

__all__ = ["at_hand", "remember", "run"]

_NAMES = ("w_x", "w_h", "bias", "bias_h", "peephole", "gain_x", "gain_h", "gain_c")
_BYTES = 4
_keys = torch._C._dispatch_keys
with torch.inference_mode():
    # What torch dispatches a plain float32 array of the CPU by: no subclass, no transform, no promise of a sign.
    _PLAIN = frozenset((_keys(torch.empty(0)).raw_repr(),))
_PLAIN |= {_keys(torch.zeros(1, device="cpu")).raw_repr()}


class _Kept(NamedTuple):
    """A weight: the array, where it lies, its shape, and the bytes of its storage."""

    array: Tensor
    address: int
    shape: torch.Size
    storage: int


class _Ready(NamedTuple):
    """What is known of a `Weights`: its cell, its arrays, I, H, S, the compiled module and its passes by `reverse`."""

    cell: Cell
    arrays: tuple[_Kept, ...]
    sizes: tuple[int, int, int]
    module: Any
    passes: tuple[Any, Any]


_READY: WeakKeyDictionary[Weights, _Ready] = WeakKeyDictionary()


def at_hand() -> bool:
    """Whether nobody looks on: no gradient is asked for, nothing is traced, compiled or transformed."""
    return (
        not torch.compiler.is_compiling()
        and not torch.is_grad_enabled()
        and torch._C._len_torch_dispatch_stack() == 0
        and not torch._C._are_functorch_transforms_active()
        and torch._C._get_tracing_state() is None
        and forward_ad._current_level < 0
    )


def run(cell: Cell, x: Tensor, state: State, weights: Weights, reverse: bool, last_only: bool) -> Any:
    """The result of `ops.scan.scan`, or None for a call that must go the long way; only where `at_hand`."""
    ready = _READY.get(weights)
    if ready is None or ready.cell is not cell or native.module() is not ready.module:
        return None
    inputs, hidden, width = ready.sizes
    h, c = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
    shape = _shape(x)
    if len(shape) != 3 or shape[2] != inputs or not shape[0] or not shape[1] or (c is None) is cell.pair:
        return None
    batch, steps, _ = shape
    if _shape(h) != (batch, width) or (c is not None and _shape(c) != (batch, hidden)):
        return None
    for array, at, size, storage in ready.arrays:
        if (
            array.data_ptr() != at
            or array.shape != size
            or not array.is_contiguous()
            or array.untyped_storage().nbytes() != storage
        ):
            return None
    y = None if last_only else room(ready.module, x, (batch, steps, width))
    h_last = torch.empty_like(h)
    c_last = None if c is None else torch.empty_like(c)
    ready.passes[bool(reverse)](
        batch,
        steps,
        x.data_ptr(),
        h.data_ptr(),
        0 if c is None else c.data_ptr(),
        0 if y is None else y.data_ptr(),
        h_last.data_ptr(),
        0 if c_last is None else c_last.data_ptr(),
        torch.get_num_threads(),
    )
    if y is None:
        y = h_last.clone()  # results never share memory
    return y, (h_last if c_last is None else (h_last, c_last))


def remember(call: Call) -> None:
    """Keep what a call that the compiled engine has run found out about its weights, if later ones can go this way."""
    cell, weights, module = call.cell, call.weights, compiled()
    if cell.random_per_step or cell.feeds_back or cell.projection is not None:
        return
    if not hasattr(module, "ReadyScan"):  # a runtime older than this package
        return
    arrays = [getattr(weights, name) for name in _NAMES]
    if any(array is not None and not _shape(array) for array in arrays):
        return
    kept = tuple(
        _Kept(array, array.data_ptr(), array.shape, array.untyped_storage().nbytes())
        for array in arrays
        if array is not None
    )
    inputs, hidden = weights.w_x.shape[0], weights.w_x.shape[1] // cell.gates
    sizes = (inputs, hidden, weights.w_h.shape[0])
    addresses = [0, 0, 0, *map(address, arrays), *[0] * 9]
    passes = []
    for reverse in (False, True):
        whole, real = flatten_cell(cell, reverse)
        passes.append(module.ReadyScan([*whole, 0, 1, 1, *sizes], real, addresses).run)
    _READY[weights] = _Ready(cell, kept, sizes, module, (passes[0], passes[1]))


def _shape(t: Any) -> tuple[int, ...]:
    """The shape of a plain contiguous float32 array whose numbers are all there; () for anything else."""
    if type(t) is not Tensor and type(t) is not Parameter:
        return ()
    if _keys(t).raw_repr() not in _PLAIN or t.dtype is not torch.float32 or not t.is_contiguous():
        return ()
    if t.untyped_storage().nbytes() < (t.storage_offset() + t.numel()) * _BYTES:
        return ()
    return t.shape
