"""The compiled stack of causal convolutions with its gradient, for calls where plain numbers are at hand.

Second derivatives are taken through the readable convolution, layer by layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch._C._functorch import is_legacy_batchedtensor
from torch.autograd import Function

from seqloom.ops import conv_reference
from seqloom.ops.again import gradients_again
from seqloom.ops.call import ConvCall
from seqloom.ops.cell import StepRandom
from seqloom.ops.conv_stream import ConvLayer
from seqloom.ops.native_conv import conv_settings, flatten, refuses, unflatten
from seqloom.ops.operators import address, came_back, compiled, eager, forms_of, room, settled, unchanged
from seqloom.ops.weight_norm import weight_norm
from seqloom_runtime import native

__all__ = ["StackPlan", "plan_stack"]

Wires = Sequence[tuple[int, int | None]]
_OF_A_LAYER = (
    "weight",
    "bias",
    "gain",
)  # the arrays of a call, besides x: the weights of all layers, then the biases, …


# Made once a call, and without arrays, so that forward and backward pass share it.
@dataclass(frozen=True, eq=False)
class StackPlan:
    """What a call is, besides its arrays; `plan_stack` makes it."""

    flat: list[list[int]]  # φ, ψ, dilation and key of every layer
    dropouts: list[float]  # 0 where none is drawn
    wires: list[list[int]]  # source and residual, −1 without

    def settings(self, x: Tensor, weights: Sequence[Tensor], save: bool) -> list[list[int]]:
        """What the compiled module reads of every layer."""
        return [
            conv_settings(x, weight, flat, residual >= 0, save)
            for flat, weight, (_, residual) in zip(self.flat, weights, self.wires, strict=True)
        ]

    def by_sequences(self, x: Tensor, layers: Sequence[ConvLayer]) -> bool:
        """Whether one sequence after the other passes through all layers: what lies between them fits into a cache."""
        settings = self.settings(x, [layer.weight for layer in layers], False)
        return bool(compiled().conv_stack_fits(settings, self.dropouts, self.wires))

    def run(self, x: Tensor, layers: Sequence[ConvLayer]) -> Tensor:
        """The last layer's output (B, T, C_out)."""
        arrays = (x, *(getattr(layer, name) for name in _OF_A_LAYER for layer in layers))
        if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in arrays):
            return _Stack.apply(self, *arrays)  # pyright: ignore[reportReturnType]
        with torch.no_grad():
            return _forward(self, arrays, None)


def plan_stack(
    x: Tensor, layers: Sequence[ConvLayer], wires: Wires, keys: Sequence[StepRandom | None]
) -> StackPlan | str:
    """How the compiled stack runs a checked call, or why it can't; arguments as in `ops.conv_stack.causal_stack`.

    wires: source and residual of every layer; keys: of every layer's dropout, None where it draws nothing.
    """
    for number, layer in enumerate(layers, start=1):
        reason = refuses(
            ConvCall(x, layer.weight, activation=layer.activation, final_activation=layer.final_activation)
        )
        if reason is not None:
            return f"layer {number}: {reason}"
    flat = [
        flatten(str(layer.activation), str(layer.final_activation), layer.dilation, key)
        for layer, key in zip(layers, keys, strict=True)
    ]
    drawn = [0.0 if key is None else float(layer.dropout) for layer, key in zip(layers, keys, strict=True)]
    return StackPlan(flat, drawn, [[s, -1 if r is None else r] for s, r in wires])


def _split(plan: StackPlan, arrays: Sequence[Any]) -> list[list[Any]]:
    """x alone, the weights, the biases and the gains, contiguous."""
    kept = [settled(t) for t in arrays]
    count = len(plan.flat)
    return [kept[:1], *(kept[1 + k * count : 1 + (k + 1) * count] for k in range(len(_OF_A_LAYER)))]


@dataclass(eq=False)
class _Kept:
    """One array for all that lies between the layers and that the backward pass reads, and where each part begins.

    Places of every layer's output (none of the last one's, which is the result), of what it saves, and of its ‖V‖
    under weight norm: one allocation and one saved tensor instead of three a layer.
    """

    settings: list[list[int]]  # of every layer, where its values are saved
    places: list[tuple[int, int, int]]  # floats from the beginning, −1 for what a layer has not
    floats: int

    def addresses(self, flat: Tensor, last: Tensor) -> list[tuple[int, ...]]:
        """Of output, saved and ‖V‖ of every layer; 0 for what is not there."""
        start = address(flat)
        found = [tuple(0 if place < 0 else start + 4 * place for place in three) for three in self.places]
        found[-1] = (address(last), *found[-1][1:])
        return found


def _kept(plan: StackPlan, arrays: Sequence[Any]) -> _Kept:
    """How what is kept lies."""
    count = len(plan.flat)
    x, weights, gains = arrays[0], arrays[1 : 1 + count], arrays[1 + 2 * count :]
    settings = plan.settings(x, weights, True)
    module, steps, floats = compiled(), x.shape[0] * x.shape[1], 0
    places = []
    for k, (weight, gain, one, dropout) in enumerate(zip(weights, gains, settings, plan.dropouts, strict=True)):
        outputs = weight.shape[0]
        sizes = (
            steps * outputs if k < len(weights) - 1 else 0,
            steps * module.conv_saved_row(one, dropout),
            0 if gain is None else outputs,
        )
        begins = []
        for size in sizes:
            begins.append(floats if size else -1)
            floats += -(-size // 16) * 16  # whole lines of a cache
        places.append(tuple(begins))
    return _Kept(settings, places, floats)


def _forward(plan: StackPlan, arrays: Sequence[Any], kept: _Kept | None, flat: Tensor | None = None) -> Tensor:
    """Run the compiled forward pass: the last output; what the backward pass reads besides goes into `flat`."""
    module = compiled()
    (x,), weights, biases, gains = _split(plan, arrays)
    settings = plan.settings(x, weights, False) if kept is None else kept.settings
    last = room(module, x, (x.shape[0], x.shape[1], weights[-1].shape[0]))
    # Without a gradient the outputs between layers stay in a core's cache and need no memory.
    results: list[tuple[int, ...]] = [(0, 0, 0)] * (len(weights) - 1) + [(address(last), 0, 0)]
    if kept is not None and flat is not None:
        results = kept.addresses(flat, last)
    # The zeros are the gradients of weight, bias and gain, in the columns that the backward pass fills.
    addresses = [
        [address(weight), address(bias), y, saved, 0, 0, address(gain), norms, 0]
        for weight, bias, gain, (y, saved, norms) in zip(weights, biases, gains, results, strict=True)
    ]
    module.conv_stack_forward(settings, plan.dropouts, plan.wires, addresses, address(x), native.threads())
    return last


def _backward(
    plan: StackPlan,
    kept: _Kept,
    dy: Tensor,
    arrays: Sequence[Any],
    results: Sequence[Tensor],
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """Run the compiled backward pass: gradients of x, the weights, biases and gains, None where not needed."""
    module = compiled()
    split = _split(plan, arrays)
    (x,), weights, biases, gains = split
    given: list[Any] = [settled(t) for t in (*unchanged(dy), *results)]
    dy, last, flat = given
    count = len(weights)
    wanted = [
        room(module, x, tuple(t.shape)) if need and t is not None else None
        for t, need in zip((t for part in split for t in part), needed, strict=True)
    ]
    for k, gain in enumerate(gains):
        # The kernels make the gradients of both parts of a normalised weight at once.
        if gain is not None and (needed[1 + k] or needed[1 + 2 * count + k]):
            for number, t in ((1 + k, weights[k]), (1 + 2 * count + k, gain)):
                wanted[number] = t.new_empty(t.shape) if wanted[number] is None else wanted[number]
    parts = [wanted[1 + k * count : 1 + (k + 1) * count] for k in range(len(_OF_A_LAYER))]
    addresses = [
        [
            *map(address, (weight, bias)),
            y,
            saved,
            address(dweight),
            address(dbias),
            address(gain),
            norms,
            address(dgain),
        ]
        for weight, bias, gain, (y, saved, norms), dweight, dbias, dgain in zip(
            weights, biases, gains, kept.addresses(flat, last), *parts, strict=True
        )
    ]
    ends = (address(x), address(dy), address(wanted[0]))
    module.conv_stack_backward(kept.settings, plan.dropouts, plan.wires, addresses, *ends, native.threads())
    return [t if need else None for t, need in zip(wanted, needed, strict=True)]


class _Stack(Function):
    """The stack with its gradient."""

    @staticmethod
    def forward(ctx: Any, plan: StackPlan, *arrays: Tensor | None) -> Tensor:
        """Return the last output."""
        kept = _kept(plan, arrays)
        flat = room(compiled(), arrays[0], (kept.floats,))  # pyright: ignore[reportArgumentType]
        last = _forward(plan, arrays, kept, flat)
        ctx.plan, ctx.kept = plan, kept
        ctx.save_for_backward(*arrays, last, flat)
        ctx.forms = forms_of((*arrays, last, flat))
        return last

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Gradients for every argument of `forward`."""
        count = 1 + len(_OF_A_LAYER) * len(ctx.plan.flat)
        saved = ctx.saved_tensors
        arrays, results = saved[:count], saved[count:]
        needed = ctx.needs_input_grad[1:]
        # Someone differentiates again, or asks for many gradients at once: the readable path can do that.
        # (No operator stands behind the stack, so what is not eager goes that way as well.)
        if torch.is_grad_enabled() or is_legacy_batchedtensor(grads[0]) or not eager(grads[0], *arrays):
            return (None, *_differentiable(ctx.plan, arrays, grads[0], needed))
        came_back(ctx.forms, saved)
        return (None, *_backward(ctx.plan, ctx.kept, grads[0], arrays, results, needed))


def _differentiable(plan: StackPlan, arrays: Sequence[Any], dy: Tensor, needed: Sequence[bool]) -> list[Any]:
    """The gradients as a differentiable function of everything: the readable layers, differentiated."""
    count = len(plan.flat)

    def kernel(inputs: list[Any], k: int) -> Any:
        weight, gain = inputs[1 + k], inputs[1 + 2 * count + k]
        return weight if gain is None else weight_norm(weight, gain)

    def run(inputs: list[Any]) -> list[Tensor | None]:
        outputs = [inputs[0]]
        for k, (flat, (source, residual)) in enumerate(zip(plan.flat, plan.wires, strict=True)):
            outputs.append(
                conv_reference.run(
                    ConvCall(
                        outputs[source],
                        kernel(inputs, k),
                        inputs[1 + count + k],
                        **unflatten(flat),
                        residual=None if residual < 0 else outputs[residual],
                        dropout=plan.dropouts[k],
                    )
                )
            )
        return [outputs[-1]]

    return gradients_again(run, arrays, [dy], needed)
