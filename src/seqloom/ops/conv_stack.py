"""`causal_stack`: a whole stack of causal convolutions in one call.

The result is that of `causal_conv` layer by layer, gradients included, to the bit. Where the stack and its sequences
fit into a core's own cache, one sequence after the other runs through all layers, what passes between them stays there,
and without gradients it never reaches memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from torch import Tensor

from seqloom.ops.call import ConvCall
from seqloom.ops.cell import StepRandom
from seqloom.ops.conv import causal_conv, check_call, expect
from seqloom.ops.conv_stream import ConvLayer, wire_layers
from seqloom.ops.operators import dense, eager, transformed
from seqloom_runtime.errors import SettingError

if TYPE_CHECKING:
    from seqloom.ops.native_stack import StackPlan

__all__ = ["causal_stack", "explain_stack"]


def causal_stack(
    x: Tensor,
    layers: Sequence[ConvLayer],
    *,
    rng: StepRandom | None = None,
    training: bool = False,
    backend: str = "auto",
) -> Tensor:
    """Run x (B, T, C_in) through the layers; return the last one's output (B, T, C_out).

    layers: `ConvLayer`s with tensors, wired by their `source` and `residual`. rng: key of the dropouts, needed where
    training meets dropout: the n-th layer that drops draws with the key's layer + n, from 0. backend: as for
    `causal_conv`. Raises SettingError, naming the layer, where something doesn't fit.

    >>> import torch
    >>> double = ConvLayer(torch.tensor([[[2.0]]]))
    >>> causal_stack(torch.ones(1, 2, 1), [double, replace(double, residual=0)]).flatten()
    tensor([5., 5.])
    """
    wires = _check(x, layers, rng, training)
    keys = _keys(layers, rng, training)
    plan = _plan(x, layers, wires, keys, backend)
    if not isinstance(plan, str):
        return plan.run(x, layers)
    outputs = [x]
    for layer, (source, residual), key in zip(layers, wires, keys, strict=True):
        outputs.append(
            causal_conv(
                outputs[source],
                layer.kernel(),
                layer.bias,
                dilation=layer.dilation,
                activation=layer.activation,
                residual=None if residual is None else outputs[residual],
                final_activation=layer.final_activation,
                dropout=layer.dropout,
                rng=key,
                training=key is not None,
                backend=backend,
            )
        )
    return outputs[-1]


def explain_stack(x: Tensor, layers: Sequence[ConvLayer], *, backend: str = "auto") -> str:
    """Say in one sentence whether a `causal_stack` runs as one, and why not.

    >>> import torch
    >>> explain_stack(torch.zeros(2, 4, 1), [ConvLayer(torch.ones(1, 1, 1))], backend="torch")
    "causal_stack runs layer by layer: backend='torch' has single convolutions only."
    """
    plan = _plan(x, layers, _check(x, layers, StepRandom(0), False), [None] * len(layers), backend)
    if isinstance(plan, str):
        return f"causal_stack runs layer by layer: {plan}."
    if plan.by_sequences(x, layers):
        return "causal_stack runs a sequence at a time."
    few = "there are few sequences, or they are too long or too wide for a core's cache"
    return f"causal_stack runs layer by layer in one call: {few}."


def _check(
    x: Tensor, layers: Sequence[ConvLayer], rng: StepRandom | None, training: bool
) -> list[tuple[int, int | None]]:
    """(source, residual) of every layer; raises SettingError."""
    if not layers:
        raise SettingError("a stack needs at least one layer.")
    for number, layer in enumerate(layers, start=1):
        if not isinstance(layer.weight, Tensor) or dense(layer.weight) is not None or layer.weight.dim() != 3:
            raise SettingError(
                f"weight of layer {number} must be a dense tensor (channels out, channels in, kernel size)."
            )
    wires = wire_layers(layers, [tuple(layer.weight.shape[:2]) for layer in layers])
    for number, (layer, (source, _)) in enumerate(zip(layers, wires, strict=True), start=1):
        # Of the layers further up nothing but their width is known yet.
        given = x if source == 0 else x.new_empty(0, 0, layer.weight.shape[1])
        try:
            check_call(_call(given, layer, rng), training)
            if layer.gain is not None:
                expect("gain", layer.gain, "(channels out, 1, 1)", (layer.weight.shape[0], 1, 1), x)
        # The check knows one layer; the user has to know which one.
        except SettingError as error:
            raise SettingError(f"layer {number} of the stack: {error}") from None
    return wires


def _call(x: Tensor, layer: ConvLayer, rng: StepRandom | None) -> ConvCall:
    """One layer as a call, without what it is wired to."""
    return ConvCall(
        x,
        layer.weight,
        layer.bias,
        layer.dilation,
        layer.activation,
        final_activation=layer.final_activation,
        dropout=layer.dropout,
        rng=rng,
    )


def _keys(layers: Sequence[ConvLayer], rng: StepRandom | None, training: bool) -> list[StepRandom | None]:
    """The dropout's key of every layer that draws."""
    keys: list[StepRandom | None] = []
    for layer in layers:
        # Counted over layers that drop alone, so that a 1×1 shortcut changes no other layer's draws.
        drawn = sum(key is not None for key in keys)
        keys.append(replace(rng, layer=rng.layer + drawn) if rng is not None and training and layer.dropout else None)
    return keys


def _plan(
    x: Tensor,
    layers: Sequence[ConvLayer],
    wires: Sequence[tuple[int, int | None]],
    keys: Sequence[StepRandom | None],
    backend: str,
) -> StackPlan | str:
    """How the stack runs as one, or why it can't."""
    if backend not in ("auto", "native"):
        return f"backend={backend!r} has single convolutions only"
    # The stack is no registered operator: a compiler or a transform has to meet its layers one by one.
    if transformed() or not eager(x, *(t for layer in layers for t in (layer.weight, layer.bias, layer.gain))):
        return "something looks at its operations one by one"
    from seqloom.ops import native_stack

    return native_stack.plan_stack(x, layers, wires, keys)
