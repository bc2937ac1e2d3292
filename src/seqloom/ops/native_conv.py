"""The compiled causal convolution as torch operators with a gradient: `seqloom::causal_conv` and its backward.

Registered with a plain `torch.library.Library`, with fake kernels, so that `torch.compile` and `torch.export` see one
opaque operation. Settings cross the border as a flat list of whole numbers: φ, ψ, dilation, and the key of the dropout
(seed, call, layer). Second derivatives are taken through the readable convolution.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch._C._functorch import is_legacy_batchedtensor
from torch.autograd import Function

from seqloom.ops import conv_reference
from seqloom.ops.activations import activation_name
from seqloom.ops.again import gradients_again
from seqloom.ops.call import ConvCall
from seqloom.ops.cell import StepRandom
from seqloom.ops.operators import (
    ACTIVATION_CODES,
    address,
    came_back,
    compiled,
    defined,
    eager,
    forms_of,
    mapped,
    room,
    settled,
    signed,
    unchanged,
    unfit,
)
from seqloom_runtime import native

__all__ = ["conv_settings", "flatten", "refuses", "run", "unflatten"]

# The arrays of a call, in order: those that can have a gradient, and the dropout's seed where it is a tensor.
_DIFFERENTIABLE = ("x", "weight", "bias", "residual", "context")
_ARRAYS = (*_DIFFERENTIABLE, "seed")
_REQUIRED = ("x", "weight")


def refuses(call: ConvCall) -> str | None:
    """Return why the compiled convolution can't run the call, or None where it can."""
    x = call.x
    reason = unfit(x)
    if reason is not None:
        return reason
    if activation_name(call.activation) is None or activation_name(call.final_activation) is None:
        return "it knows the named activations only"
    if 0 in x.shape:
        return f"x of shape {tuple(x.shape)} is empty"
    return None


def run(call: ConvCall) -> Tensor:
    """Run a call that `refuses` answers with None."""
    context, dropout, rng = call.context, call.dropout, call.rng
    # A kernel of one tap looks back on nothing, and an empty array has no address.
    if context is not None and context.shape[1] == 0:
        context = None
    flat = flatten if torch.compiler.is_compiling() else _flatten_once  # torch.compile looks through a cache
    whole = flat(str(call.activation), str(call.final_activation), call.dilation, rng if dropout else None)
    # A seed drawn inside a compiled graph is no number yet: it goes as an array, and stands in the list from there on.
    seed = rng.seed if dropout and rng is not None and isinstance(rng.seed, Tensor) else None
    arguments = (call.x, call.weight, call.bias, call.residual, context, seed, whole, dropout, False)
    if not eager(*arguments[:6]):
        return torch.ops.seqloom.causal_conv(*arguments)[0]
    return _with_gradient(*arguments)[0]


def flatten(activation: str, final_activation: str, dilation: int, rng: StepRandom | None) -> list[int]:
    """φ, ψ, dilation and the dropout's key as whole numbers."""
    random = StepRandom(0) if rng is None else rng
    key = (random.seed, random.call, random.layer)
    phi, psi = ACTIVATION_CODES.index(activation), ACTIVATION_CODES.index(final_activation)
    return [phi, psi, dilation, *(0 if isinstance(v, Tensor) else signed(v) for v in key)]


_flatten_once = functools.lru_cache(maxsize=256)(flatten)


def _with_seed(whole: Sequence[int], seed: Tensor | None) -> Sequence[int]:
    """The whole numbers with the seed of a compiled graph in its place."""
    return whole if seed is None else [*whole[:3], int(seed), *whole[4:]]


def unflatten(whole: Sequence[int]) -> dict[str, Any]:
    """The keywords of the readable convolution."""
    return {
        "activation": ACTIVATION_CODES[whole[0]],
        "final_activation": ACTIVATION_CODES[whole[1]],
        "dilation": whole[2],
        "rng": StepRandom(whole[3], whole[4], whole[5]),
    }


def conv_settings(x: Tensor, weight: Tensor, whole: Sequence[int], residual: bool, save: bool) -> list[int]:
    """What the compiled module reads: settings and sizes."""
    outputs, inputs, taps = weight.shape
    return [*whole, int(residual), int(save), x.shape[0], x.shape[1], inputs, outputs, taps]


def _forward(
    arrays: Sequence[Tensor | None], whole: Sequence[int], dropout: float, save: bool
) -> tuple[Tensor, Tensor]:
    """Run the compiled forward pass: y and what is saved for its gradient, empty without `save`."""
    module = compiled()
    whole = _with_seed(whole, arrays[-1])
    kept = [settled(t) for t in arrays[:-1]]
    x, weight = kept[:2]
    assert x is not None
    assert weight is not None
    settings = conv_settings(x, weight, whole, kept[3] is not None, save)
    y = room(module, x, (x.shape[0], x.shape[1], weight.shape[0]))
    # The layout of what is saved is the kernels' own business; Python only makes room for it.
    row = module.conv_saved_row(settings, dropout) if save else 0
    saved = room(module, x, (x.shape[0], x.shape[1], row)) if row else x.new_empty(0)
    module.conv_forward(settings, dropout, [address(t) for t in (*kept, y, saved)], native.threads())
    return y, saved


def _backward(
    dy: Tensor,
    arrays: Sequence[Tensor | None],
    y: Tensor,
    saved: Tensor,
    whole: Sequence[int],
    dropout: float,
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """Run the compiled backward pass: one gradient for each array, None where it is not needed."""
    module = compiled()
    whole = _with_seed(whole, arrays[-1])
    kept = [settled(t) for t in arrays[:-1]]
    x, weight = kept[:2]
    assert x is not None
    assert weight is not None
    settings = conv_settings(x, weight, whole, kept[3] is not None, True)
    dy_kept, y_kept, saved_kept = (settled(t) for t in unchanged(dy, y, saved))
    wanted = [
        room(module, x, tuple(t.shape)) if t is not None and need else None
        for t, need in zip(kept, needed, strict=True)
    ]
    given = [address(t) for t in (*kept, y_kept, saved_kept)]
    module.conv_backward(settings, dropout, given, [address(t) for t in (dy_kept, *wanted)], native.threads())
    return wanted


class _Conv(Function):
    """The operator with its gradient."""

    @staticmethod
    def forward(ctx: Any, whole: list[int], dropout: float, *arrays: Tensor | None) -> Any:
        """Return y and saved."""
        y, saved = _run(arrays, whole, dropout, True)
        ctx.whole, ctx.dropout = whole, dropout
        ctx.save_for_backward(*arrays, y, saved)
        ctx.forms = forms_of((*arrays, y, saved))
        # `saved` never has a gradient: None for it, not an array of zeros.
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(saved)
        return y, saved

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Gradients for every argument of `forward`."""
        *arrays, y, saved = ctx.saved_tensors
        needed = list(ctx.needs_input_grad[2 : 2 + len(_DIFFERENTIABLE)])
        dy = grads[0]
        if dy is None:
            return (None,) * (2 + len(_ARRAYS))
        # Someone differentiates again, or asks for many gradients at once: the readable path can do that.
        if torch.is_grad_enabled() or is_legacy_batchedtensor(dy) or mapped():
            return (None, None, *_differentiable(ctx, arrays, dy, needed), None)
        if here := eager(y, dy):
            came_back(ctx.forms, (*arrays, y, saved))
        run = _backward_plain if here else torch.ops.seqloom.causal_conv_backward
        found = run(dy, *arrays, y, saved, ctx.whole, ctx.dropout, needed)
        return (None, None, *(g if need else None for g, need in zip(found, needed, strict=True)), None)


def _differentiable(ctx: Any, arrays: Sequence[Tensor | None], dy: Tensor, needed: Sequence[bool]) -> list[Any]:
    """The gradients as a differentiable function of everything: the readable convolution, differentiated."""
    settings = unflatten(_with_seed(ctx.whole, arrays[-1]))

    def run(inputs: list[Any]) -> list[Tensor | None]:
        given = dict(zip(_DIFFERENTIABLE, inputs, strict=True))
        return [conv_reference.run(ConvCall(**given, **settings, dropout=ctx.dropout))]

    return gradients_again(run, arrays[: len(_DIFFERENTIABLE)], [dy], needed)


def _with_gradient(*arguments: Any) -> Any:
    """Entry where autograd looks on: keep what the gradient needs only where one can be asked for."""
    *arrays, whole, dropout, save = arguments
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in arrays[:-1]):
        return _Conv.apply(whole, dropout, *arrays)
    return _run(arrays, whole, dropout, save)  # a compiled graph saves for its own gradient


def _run(arrays: Sequence[Any], whole: Sequence[int], dropout: float, save: bool) -> Any:
    """The forward pass below autograd."""
    if eager(arrays[0]):  # the others were looked at on the way here
        with torch.no_grad():
            return _forward(arrays, whole, dropout, save)
    # Else the operator's Autograd entry, `_with_gradient`, would call itself without end.
    with torch._C._AutoDispatchBelowAutograd():
        return torch.ops.seqloom.causal_conv(*arrays, list(whole), dropout, save)


def _forward_op(*arguments: Any) -> Any:
    *arrays, whole, dropout, save = arguments
    return _forward(arrays, list(whole), dropout, save)


def _backward_op(*arguments: Any) -> Any:
    # An operator can't return None in a list of tensors: what is not needed comes back empty.
    x = arguments[1]
    return [x.new_empty(0) if t is None else t for t in _backward_plain(*arguments)]


def _backward_plain(*arguments: Any) -> list[Tensor | None]:
    dy, *arrays = arguments[: 1 + len(_ARRAYS)]
    return _backward(dy, arrays, *arguments[1 + len(_ARRAYS) :])


def _forward_fake(*arguments: Any) -> Any:
    *arrays, whole, dropout, save = arguments
    x, weight = arrays[:2]
    sizes = [int(n) for n in (weight.shape[1], weight.shape[0], weight.shape[2])]
    row = 0
    if save:  # the size of a row does not depend on batch and time, which may be symbols here
        row = compiled().conv_saved_row([*whole, int(arrays[3] is not None), 1, 1, 1, *sizes], dropout)
    y = x.new_empty(x.shape[0], x.shape[1], weight.shape[0])
    return y, x.new_empty((x.shape[0], x.shape[1], row) if row else 0)


def _backward_fake(*arguments: Any) -> Any:
    arrays, needed = arguments[1 : 1 + len(_DIFFERENTIABLE)], arguments[-1]
    x = arrays[0]
    return [
        x.new_empty(t.shape) if t is not None and need else x.new_empty(0)
        for t, need in zip(arrays, needed, strict=True)
    ]


_library = defined(
    "causal_conv",
    _ARRAYS,
    _REQUIRED,
    (
        "({}, int[] whole, float dropout, bool save) -> (Tensor, Tensor)",
        "(Tensor dy, {}, Tensor y, Tensor saved, int[] whole, float dropout, bool[] needed) -> Tensor[]",
    ),
    forward=(_forward_op, _forward_fake, _with_gradient),
    backward=(_backward_op, _backward_fake),
)
