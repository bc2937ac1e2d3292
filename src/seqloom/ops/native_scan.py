"""The compiled scan as torch operators with a gradient: `seqloom::scan` and `seqloom::scan_backward`.

The operators are registered with a plain `torch.library.Library`, and have fake kernels, so that `torch.compile` and
`torch.export` see one opaque operation. A cell crosses the border as two flat lists, of whole and of real numbers.
Second derivatives are taken through the readable scan.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._C._functorch import is_legacy_batchedtensor
from torch.autograd import Function

from seqloom.ops.again import gradients_again
from seqloom.ops.call import Call, State
from seqloom.ops.cell import Cell, StepRandom, Weights
from seqloom.ops.kinds import KINDS
from seqloom.ops.operators import (
    ACTIVATION_CODES,
    address,
    came_back,
    compiled,
    defined,
    eager,
    forms_of,
    mapped,
    refuses_masks,
    room,
    settled,
    signed,
    unchanged,
    unfit,
)
from seqloom.ops.reference import reference_scan
from seqloom_runtime import native

__all__ = ["CODES", "flatten_cell", "refuses", "run"]

# The arrays of an operator call, in order: inputs, then weights; those that can have a gradient come first.
_STATES = ("x", "h0", "c0")
_WEIGHTS = ("w_x", "w_h", "bias", "bias_h", "peephole", "gain_x", "gain_h", "gain_c", "w_out", "bias_out")
_DIFFERENTIABLE = _STATES + _WEIGHTS
_FIXED = ("mask", "d_x", "d_h", "seed")  # the seed only where it is a tensor, else it stands among the whole numbers
_ARRAYS = _DIFFERENTIABLE + _FIXED
_REQUIRED = ("x", "h0", "w_x", "w_h")
CODES: Mapping[str, int] = {"elman": 0, "jordan": 1, "lstm": 2, "gru": 3}
"""The cells that have kernels, each with its number in the C++ enumeration CellKind (scan_plan.h)."""
_NAMES = tuple(CODES)
_GATES = tuple(Cell(kind).gates for kind in CODES)  # one less where the LSTM's are coupled


def refuses(call: Call) -> str | None:
    """Return why the compiled scan can't run the call, or None where it can."""
    x = call.x
    reason = unfit(x)
    if reason is not None:
        return reason
    if not call.cell.plain_activations:
        return "it knows the named activations only, without prelu"
    return refuses_masks(call)


def run(call: Call) -> tuple[Tensor, State]:
    """Run a call that `refuses` answers with None."""
    cell, x, w, rng, last_only = call.cell, call.x, call.weights, call.rng, call.last_only
    h, c = call.state if isinstance(call.state, tuple) else (call.state, None)
    flatten = flatten_cell if torch.compiler.is_compiling() else _flatten_once  # torch.compile looks through a cache
    whole, real = flatten(cell, call.reverse, call.training, rng)
    seed = rng.seed if rng is not None and isinstance(rng.seed, Tensor) else None
    arrays: tuple[Tensor | None, ...] = (
        x, h, c, w.w_x, w.w_h, w.bias, w.bias_h, w.peephole, w.gain_x, w.gain_h, w.gain_c,
        # One place for both: a product behind the cell, which Jordan's cell or a projection has, never both.
        w.w_out if cell.feeds_back else w.w_p, w.bias_out, call.mask, call.input_mask, call.recurrent_mask, seed,
    )  # fmt: skip
    if not eager(x, *arrays):
        states, h_last, c_last, _ = torch.ops.seqloom.scan(*arrays, whole, real, not last_only, False)
    elif _differentiated(arrays):
        found: Any = _Scan.apply(whole, real, not last_only, *arrays)
        states, h_last, c_last, _ = found
    else:
        states, h_last, c_last, _ = _forward(arrays, whole, real, not last_only, False)
    # A copy, as results never share memory.
    y = h_last.clone() if last_only else states
    return y, (h_last if c is None else (h_last, c_last))


def flatten_cell(
    cell: Cell, reverse: bool = False, training: bool = False, rng: StepRandom | None = None
) -> tuple[list[int], list[float]]:
    """The cell and the way it runs as whole numbers and real numbers, in the order that the C++ side reads."""
    # A seed that nothing is drawn from must not make a new entry in the cache.
    random = StepRandom(0) if rng is None or not training or not cell.random_per_step else rng
    whole = [
        CODES[cell.kind],
        *(ACTIVATION_CODES.index(str(a)) for a in (cell.activation, cell.gate_activation, cell.output_activation)),
        int(cell.reset_after),
        int(cell.coupled),
        int(cell.peephole),
        int(cell.layer_norm),
        int(cell.feeds_back or cell.projection is not None),
        int(reverse),
        int(training),
        *(0 if isinstance(v, Tensor) else signed(v) for v in (random.seed, random.call, random.layer)),
    ]
    # 0 stands for no clipping; `Cell` refuses a clip of 0.
    return whole, [cell.epsilon, cell.cell_clip or 0.0, cell.zoneout, cell.zoneout_cell, cell.candidate_dropout]


_flatten_once = functools.lru_cache(maxsize=256)(flatten_cell)


def _with_seed(whole: list[int], seed: Tensor | None) -> list[int]:
    """The whole numbers with the seed of a compiled graph in its place."""
    return whole if seed is None else [*whole[:11], int(seed), *whole[12:]]


def _unflatten(whole: Sequence[int], real: Sequence[float], width: int) -> tuple[Cell, bool, bool, StepRandom]:
    """Return cell, reverse, training and rng; width is that of the state."""
    kind = _NAMES[whole[0]]
    activation, gate, output = (ACTIVATION_CODES[i] for i in whole[1:4])
    cell = Cell(
        kind,
        activation=activation,
        gate_activation=gate,
        output_activation=output,
        reset_after=bool(whole[4]),
        coupled=bool(whole[5]),
        peephole=bool(whole[6]),
        layer_norm=bool(whole[7]),
        projection=width if whole[8] and not KINDS[kind].feeds_back else None,
        epsilon=real[0],
        cell_clip=real[1] or None,
        zoneout=real[2],
        zoneout_cell=real[3],
        candidate_dropout=real[4],
    )
    return cell, bool(whole[9]), bool(whole[10]), StepRandom(whole[11], whole[12], whole[13])


def _sizes(x: Tensor, h0: Tensor, w_x: Tensor, whole: Sequence[int]) -> list[int]:
    """B, T, I, H, S."""
    # whole[5] is `coupled`, which leaves out the gate i.
    gates = _GATES[whole[0]] - whole[5]
    return [*x.shape, w_x.shape[1] // gates, h0.shape[1]]


def _forward(arrays: Sequence[Tensor | None], whole: list[int], real: list[float], every: bool, save: bool) -> Any:
    """Run the compiled forward pass: (states, h, c, saved); what isn't there is empty."""
    module = compiled()
    whole = _with_seed(whole, arrays[-1])
    kept = [settled(t) for t in arrays[:-1]]
    x, h0, c0 = kept[:3]
    assert x is not None
    assert h0 is not None
    assert kept[3] is not None
    sizes = _sizes(x, h0, kept[3], whole)
    settings = [*whole, int(save), *sizes]
    batch, steps, _, _, width = sizes
    # The backward pass reads every state, also where only the last was asked for.
    states = room(module, x, (batch, steps, width) if every or save else (0,))
    # Not empty_like, which would copy the strides of a state that is a view.
    h = h0.new_empty(h0.shape)
    c = x.new_empty(0) if c0 is None else c0.new_empty(c0.shape)
    size = module.scan_saved_row(settings, real) * batch * steps if save else 0
    saved = room(module, x, (size,))
    outputs = [states, h, c, saved]
    module.scan_forward(settings, real, [address(t) for t in (*kept, *outputs)], native.threads())
    return states, h, c, saved


def _backward(
    grads: Sequence[Tensor | None],
    arrays: Sequence[Tensor | None],
    results: Sequence[Tensor | None],
    whole: list[int],
    real: list[float],
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """Run the compiled backward pass: one gradient for each differentiable array, None where it is not needed."""
    module = compiled()
    whole = _with_seed(whole, arrays[-1])
    kept = [settled(t) for t in arrays[:-1]]
    x, h0 = kept[:2]
    assert x is not None
    assert h0 is not None
    assert kept[3] is not None
    settings = [*whole, 1, *_sizes(x, h0, kept[3], whole)]
    given = [settled(g) for g in unchanged(*grads)]
    wanted = [
        # The kernels always write the gradients of the first state; only that of x may be left out (scan.h).
        t.new_empty(t.shape) if t is not None and (need or name in ("h0", "c0")) else None
        for name, t, need in zip(_DIFFERENTIABLE, kept[: len(_DIFFERENTIABLE)], needed, strict=True)
    ]
    inputs = [address(t) for t in (*kept, *map(settled, results))]
    module.scan_backward(settings, real, inputs, [address(t) for t in (*given, *wanted)], native.threads())
    return wanted


class _Scan(Function):
    """The operator with its gradient."""

    @staticmethod
    def forward(ctx: Any, whole: list[int], real: list[float], every: bool, *arrays: Tensor | None) -> Any:
        """Return states, h, c, saved."""
        results = _run(arrays, whole, real, every, True)
        states, h, c, saved = results
        ctx.whole, ctx.real, ctx.every = whole, real, every
        ctx.save_for_backward(*arrays, states, saved)
        ctx.forms = forms_of((*arrays, states, saved))
        ctx.set_materialize_grads(False)
        # What is empty, or is saved for the backward pass alone, can have no gradient.
        ctx.mark_non_differentiable(saved, *([] if every else [states]), *([] if arrays[2] is not None else [c]))
        return states, h, c, saved

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Gradients for every argument of `forward`."""
        *arrays, states, saved = ctx.saved_tensors
        needed = list(ctx.needs_input_grad[3 : 3 + len(_DIFFERENTIABLE)])
        nothing = [None] * len(_FIXED)
        # Someone differentiates again, or asks for many gradients at once: the readable path can do that.
        many = any(g is not None and is_legacy_batchedtensor(g) for g in grads[:3])
        if torch.is_grad_enabled() or many or mapped():
            return (None, None, None, *_differentiable(ctx, arrays, grads[:3], needed), *nothing)
        if here := eager(saved, *grads[:3]):
            came_back(ctx.forms, (*arrays, states, saved))
        run = _backward_plain if here else torch.ops.seqloom.scan_backward
        found = run(*grads[:3], *arrays, states, saved, ctx.whole, ctx.real, needed)
        chosen = [g if need else None for g, need in zip(found, needed, strict=True)]
        return (None, None, None, *chosen, *nothing)


def _differentiable(ctx: Any, arrays: Sequence[Any], grads: Sequence[Any], needed: Sequence[bool]) -> list[Any]:
    """The same gradients as a differentiable function of the inputs, through the readable scan."""
    mask, d_x, d_h, seed = arrays[len(_DIFFERENTIABLE) :]
    cell, reverse, training, rng = _unflatten(_with_seed(ctx.whole, seed), ctx.real, arrays[1].shape[1])

    def run(inputs: list[Any]) -> list[Tensor | None]:
        x, h0, c0, *weights = inputs
        given: dict[str, Any] = dict(zip(_WEIGHTS, weights, strict=True))
        if not cell.feeds_back:
            given["w_p"] = given.pop("w_out")
        # Every state, without last_only: the copy of the last one was made outside the operator.
        y, last = reference_scan(
            cell, x, h0 if c0 is None else (h0, c0), Weights(**given), mask=mask, reverse=reverse, input_mask=d_x,
            recurrent_mask=d_h, rng=rng, training=training,
        )  # fmt: skip
        return [y, *(last if isinstance(last, tuple) else (last, None))]

    return gradients_again(run, arrays[: len(_DIFFERENTIABLE)], grads, needed)


def _differentiated(arrays: Sequence[Any]) -> bool:
    """Whether a gradient can be asked for."""
    return torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in arrays[: len(_DIFFERENTIABLE)])


def _with_gradient(*arguments: Any) -> Any:
    """Entry where autograd looks on: keep what the gradient needs only where one can be asked for."""
    *arrays, whole, real, every, save = arguments
    if _differentiated(arrays):
        return _Scan.apply(whole, real, every, *arrays)
    return _run(arrays, whole, real, every, save)  # a compiled graph saves for its own gradient


def _run(arrays: Sequence[Any], whole: list[int], real: list[float], every: bool, save: bool) -> Any:
    """The forward pass below autograd."""
    if eager(arrays[0]):  # the others were looked at on the way here
        with torch.no_grad():
            return _forward(arrays, list(whole), list(real), every, save)
    # Else the operator's Autograd entry, `_with_gradient`, would call itself without end.
    with torch._C._AutoDispatchBelowAutograd():
        return torch.ops.seqloom.scan(*arrays, whole, real, every, save)


def _forward_op(*arguments: Any) -> Any:
    *arrays, whole, real, every, save = arguments
    return _forward(arrays, list(whole), list(real), every, save)


def _backward_op(*arguments: Any) -> Any:
    # An operator can't return None in a list of tensors.
    x = arguments[3]
    return [x.new_empty(0) if t is None else t for t in _backward_plain(*arguments)]


def _backward_plain(*arguments: Any) -> list[Tensor | None]:
    grads, arrays = arguments[:3], arguments[3 : 3 + len(_ARRAYS)]
    states, saved, whole, real, needed = arguments[3 + len(_ARRAYS) :]
    states, saved = unchanged(states, saved)
    results = (states, None, None, saved)
    return _backward(grads, arrays, results, list(whole), list(real), needed)


def _forward_fake(*arguments: Any) -> Any:
    *arrays, whole, real, every, save = arguments
    x, h0, c0, w_x = arrays[:4]
    batch, steps, _, hidden, width = _sizes(x, h0, w_x, whole)
    size = 0
    if save:  # the size of a row does not depend on batch and time, which may be symbols here
        size = (
            compiled().scan_saved_row([*whole, 1, 1, 1, int(x.shape[2]), int(hidden), int(width)], real) * batch * steps
        )
    states = x.new_empty((batch, steps, width) if every or save else (0,))
    c = x.new_empty(0) if c0 is None else c0.new_empty(c0.shape)  # contiguous, whatever the strides of the first state
    return states, h0.new_empty(h0.shape), c, x.new_empty(size)


def _backward_fake(*arguments: Any) -> Any:
    arrays = arguments[3 : 3 + len(_DIFFERENTIABLE)]
    needed = arguments[-1]
    return [
        t.new_empty(t.shape) if t is not None and (need or name in ("h0", "c0")) else arrays[0].new_empty(0)
        for name, t, need in zip(_DIFFERENTIABLE, arrays, needed, strict=True)
    ]


_library = defined(
    "scan",
    _ARRAYS,
    _REQUIRED,
    (
        "({}, int[] whole, float[] real, bool every, bool save) -> (Tensor, Tensor, Tensor, Tensor)",
        "(Tensor? d_states, Tensor? d_h_last, Tensor? d_c_last, {}, Tensor states, Tensor saved, int[] whole, "
        "float[] real, bool[] needed) -> Tensor[]",
    ),
    forward=(_forward_op, _forward_fake, _with_gradient),
    backward=(_backward_op, _backward_fake),
)
