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
from seqloom.ops.operators import address, compiled, eager, room, settled, unchanged
from seqloom_runtime import native

__all__ = ["StackPlan", "plan_stack"]

Wires = Sequence[tuple[int, int | None]]


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
        arrays = (x, *(layer.weight for layer in layers), *(layer.bias for layer in layers))
        if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in arrays):
            return _Stack.apply(self, *arrays)  # pyright: ignore[reportReturnType]
        with torch.no_grad():
            return _forward(self, arrays, save=False)[0]


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


def _split(plan: StackPlan, arrays: Sequence[Any]) -> tuple[Tensor, list[Tensor], list[Tensor | None]]:
    """x, the weights and the biases, contiguous."""
    kept = [settled(t) for t in arrays]
    count = len(plan.flat)
    assert kept[0] is not None
    return kept[0], [w for w in kept[1 : 1 + count] if w is not None], kept[1 + count :]


def _forward(plan: StackPlan, arrays: Sequence[Any], *, save: bool) -> list[Tensor]:
    """Run the compiled forward pass: the last output; with `save` then the earlier ones and what layers save."""
    module = compiled()
    x, weights, biases = _split(plan, arrays)
    settings = plan.settings(x, weights, save)
    outputs = [
        # Without a gradient the outputs between layers stay in a core's cache and need no memory.
        room(module, x, (x.shape[0], x.shape[1], weight.shape[0])) if save or weight is weights[-1] else x.new_empty(0)
        for weight in weights
    ]
    saved = []
    for one, dropout in zip(settings, plan.dropouts, strict=True):
        row = module.conv_saved_row(one, dropout) if save else 0
        saved.append(room(module, x, (x.shape[0], x.shape[1], row)) if row else x.new_empty(0))
    # The zeros are the gradients of weight and bias, in the columns that the backward pass fills.
    addresses = [[*map(address, four), 0, 0] for four in zip(weights, biases, outputs, saved, strict=True)]
    module.conv_stack_forward(settings, plan.dropouts, plan.wires, addresses, address(x), native.threads())
    # The last one first, as it is the result.
    return [outputs[-1], *outputs[:-1], *saved]


def _backward(
    plan: StackPlan, dy: Tensor, arrays: Sequence[Any], results: Sequence[Tensor], needed: Sequence[bool]
) -> Any:
    """Run the compiled backward pass: gradients of x, the weights and the biases, None where not needed."""
    module = compiled()
    x, weights, biases = _split(plan, arrays)
    count = len(weights)
    kept_dy, *kept = [settled(t) for t in unchanged(dy, *results)]
    last, *earlier = kept[:count]
    given = [x, *weights, *biases]
    wanted = [
        room(module, x, tuple(t.shape)) if need and t is not None else None
        for t, need in zip(given, needed, strict=True)
    ]
    addresses = [
        list(map(address, six))
        for six in zip(
            weights, biases, [*earlier, last], kept[count:], wanted[1 : 1 + count], wanted[1 + count :], strict=True
        )
    ]
    ends = (address(x), address(kept_dy), address(wanted[0]))
    module.conv_stack_backward(
        plan.settings(x, weights, True), plan.dropouts, plan.wires, addresses, *ends, native.threads()
    )
    return wanted


class _Stack(Function):
    """The stack with its gradient."""

    @staticmethod
    def forward(ctx: Any, plan: StackPlan, *arrays: Tensor | None) -> Tensor:
        """Return the last output."""
        results = _forward(plan, arrays, save=True)
        ctx.plan = plan
        ctx.save_for_backward(*arrays, *results)
        return results[0]

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Gradients for every argument of `forward`."""
        count = 1 + 2 * len(ctx.plan.flat)
        saved = ctx.saved_tensors
        arrays, results = saved[:count], saved[count:]
        needed = ctx.needs_input_grad[1:]
        # Someone differentiates again, or asks for many gradients at once: the readable path can do that.
        # (No operator stands behind the stack, so what is not eager goes that way as well.)
        if torch.is_grad_enabled() or is_legacy_batchedtensor(grads[0]) or not eager(grads[0], *arrays):
            return (None, *_differentiable(ctx.plan, arrays, grads[0], needed))
        return (None, *_backward(ctx.plan, grads[0], arrays, results, needed))


def _differentiable(plan: StackPlan, arrays: Sequence[Any], dy: Tensor, needed: Sequence[bool]) -> list[Any]:
    """The gradients as a differentiable function of everything: the readable layers, differentiated."""
    count = len(plan.flat)

    def run(inputs: list[Any]) -> list[Tensor | None]:
        outputs = [inputs[0]]
        for k, (flat, (source, residual)) in enumerate(zip(plan.flat, plan.wires, strict=True)):
            outputs.append(
                conv_reference.run(
                    ConvCall(
                        outputs[source],
                        inputs[1 + k],
                        inputs[1 + count + k],
                        **unflatten(flat),
                        residual=None if residual < 0 else outputs[residual],
                        dropout=plan.dropouts[k],
                    )
                )
            )
        return [outputs[-1]]

    return gradients_again(run, arrays, [dy], needed)
