"""The rules of `nn.onnx_rules` for convolutions over time, pools, read-outs and what stands between."""

from __future__ import annotations

from typing import Any

from torch import nn

from seqloom.nn.chain import Chain
from seqloom.nn.convolution import CausalConv1d, Conv1d, Convolution
from seqloom.nn.highway import Highway, Residual
from seqloom.nn.imported_layers import Activated, ChannelDropout
from seqloom.nn.onnx_rules import Export, Value, activated, rule, tensor
from seqloom.nn.outputs import outputs_of
from seqloom.nn.pooling import GlobalAverage, GlobalMax
from seqloom.nn.tcn import TCN, TemporalBlock
from seqloom_runtime.errors import SettingError

__all__ = ["width_of"]

_WIDTHS = ("input_size", "in_channels", "in_features", "size")  # what layers call the width that they read


def width_of(module: nn.Module) -> int:
    """How many numbers a model reads at each step; raises SettingError where no layer says."""
    for inner in module.modules():
        for name in _WIDTHS:
            if isinstance(width := getattr(inner, name, None), int):
                return width
    raise SettingError("the module can't be exported to ONNX: no layer in it says how many inputs it reads.")


@rule(nn.Sequential, Chain)
def _sequential(export: Export, module: nn.Sequential, x: Value) -> Value:
    for name, inner in module.named_children():
        x = export.inside(name).apply(inner, x)
    return x


@rule(nn.Identity, nn.Dropout, ChannelDropout)
def _nothing(export: Export, module: nn.Module, x: Value) -> Value:
    return x


@rule(nn.Linear)
def _linear(export: Export, module: nn.Linear, x: Value) -> Value:
    return Value(linear(export, module, x.name), module.out_features, x.steps)


def linear(export: Export, module: nn.Linear, x: str) -> str:
    """x Wᵀ + b over the last axis."""
    y = export.graph.node("MatMul", x, tensor(export, "weight", module.weight.t()))
    return y if module.bias is None else export.graph.node("Add", y, tensor(export, "bias", module.bias))


@rule(nn.LayerNorm)
def _layer_norm(export: Export, module: nn.LayerNorm, x: Value) -> Value:
    if len(module.normalized_shape) != 1 or not module.elementwise_affine:
        raise export.refuse("a LayerNorm is exported over one axis, with its gain")
    given = [tensor(export, "weight", module.weight)]
    if module.bias is not None:
        given.append(tensor(export, "bias", module.bias))
    y = export.graph.node("LayerNormalization", x.name, *given, axis=-1, epsilon=float(module.eps))
    return Value(y, x.width, x.steps)


@rule(nn.Tanh, nn.Sigmoid, nn.ReLU, nn.Softsign, nn.ELU, nn.LeakyReLU)
def _activation(export: Export, module: Any, x: Value) -> Value:
    name = {"ELU": "Elu", "ReLU": "Relu", "LeakyReLU": "LeakyRelu"}.get(type(module).__name__, type(module).__name__)
    slope = {"ELU": "alpha", "LeakyReLU": "negative_slope"}.get(type(module).__name__)
    given: dict[str, Any] = {} if slope is None else {"alpha": float(getattr(module, slope))}
    return Value(export.graph.node(name, x.name, **given), x.width, x.steps)


_NAMED = {"softmax": "Softmax", "log_softmax": "LogSoftmax", "selu": "Selu"}


@rule(Activated)
def _named(export: Export, module: Activated, x: Value) -> Value:
    if module.slope is not None:
        operator = "Elu" if module.name == "elu" else "LeakyRelu"
        return Value(export.graph.node(operator, x.name, alpha=float(module.slope)), x.width, x.steps)
    if module.name in _NAMED:
        given = {} if module.name == "selu" else {"axis": -1}
        return Value(export.graph.node(_NAMED[module.name], x.name, **given), x.width, x.steps)
    return Value(activated(export, x.name, module.name), x.width, x.steps)


@rule(nn.Softmax, nn.LogSoftmax)
def _softmax(export: Export, module: Any, x: Value) -> Value:
    last = 1 if x.steps is None else 2
    if module.dim not in (-1, last):
        raise export.refuse(f"a {type(module).__name__} is exported over the last axis; give it dim=-1")
    return Value(export.graph.node(type(module).__name__, x.name, axis=-1), x.width, x.steps)


@rule(CausalConv1d)
def _causal(export: Export, module: CausalConv1d, x: Value) -> Value:
    return Value(causal(export, module, x), module.out_channels, x.steps)


def causal(export: Export, module: CausalConv1d, x: Value) -> str:
    """A causal convolution behind what it saw before; where the export is stateful, with a context in and out."""
    graph, before = export.graph, (module.kernel_size - 1) * module.dilation
    if not (export.stateful and before):
        return convolved(export, module, x, (before, 0))
    axes: list[int | str] = ["batch", before, module.in_channels]
    context, after = export.state("context", axes, "the steps before x")
    whole = graph.node("Concat", context, x.name, axis=1)
    end = 2**62  # past the end of any sequence, as ONNX has it
    last = graph.node("Slice", whole, graph.whole(-before), graph.whole(end), graph.whole(1))
    graph.output(last, after, axes, "the last steps that the next chunk sees")
    return convolved(export, module, Value(whole, x.width, x.steps), (0, 0))


def convolved(export: Export, module: Convolution, x: Value, pads: tuple[int, int], stride: int = 1) -> str:
    """φ(b + W∗x): (B, T, C_in) → (B, T', C_out)."""
    if x.steps is None:
        raise export.refuse("a layer before it has left one step of each sequence, and it reads sequences")
    graph = export.graph
    given = [graph.node("Transpose", x.name, perm=[0, 2, 1]), tensor(export, "weight", module.kernel())]
    if module.bias is not None:
        given.append(tensor(export, "bias", module.bias))
    y = graph.node("Conv", *given, pads=list(pads), dilations=[module.dilation], strides=[stride])
    return activated(export, graph.node("Transpose", y, perm=[0, 2, 1]), module.activation)


@rule(Conv1d)
def _conv(export: Export, module: Conv1d, x: Value) -> Value:
    reach = module.span - 1
    if module.padding == "causal" and module.stride == 1 and export.stateful:
        raise export.refuse("stateful=True carries the context of a CausalConv1d; build the layer as one")
    if module.padding == "same" and module.stride > 1:
        raise export.refuse("padding='same' with a stride pads by the sequence's length, which ONNX fixes beforehand")
    if export.stateful and module.padding != "causal":
        raise export.refuse("it looks ahead or leaves steps out, so it has no state to carry (stateful=True)")
    pads = {"valid": (0, 0), "same": (reach // 2, reach - reach // 2), "full": (reach, reach), "causal": (reach, 0)}
    y = convolved(export, module, x, pads[module.padding], module.stride)
    steps = x.steps if (module.padding in ("same", "causal") and module.stride == 1) else f"steps_{export.called('y')}"
    return Value(y, module.out_channels, steps)


@rule(TCN)
def _tcn(export: Export, module: TCN, x: Value) -> Value:
    for level, block in enumerate(module.blocks):
        x = export.inside(str(level)).apply(block, x)
    return x


@rule(TemporalBlock)
def _block(export: Export, module: TemporalBlock, x: Value) -> Value:
    graph = export.graph
    h = Value(causal(export.inside("conv1"), module.conv1, x), module.out_channels, x.steps)
    h = causal(export.inside("conv2"), module.conv2, h)
    shortcut = x.name
    if module.downsample is not None:
        shortcut = convolved(export.inside("downsample"), module.downsample, x, (0, 0))
    y = activated(export, graph.node("Add", h, shortcut), module.activation)
    return Value(y, module.out_channels, x.steps)


@rule(Highway)
def _highway(export: Export, module: Highway, x: Value) -> Value:
    graph = export.graph
    transformed = activated(export, linear(export.inside("transform"), module.transform, x.name), module.activation)
    gate = graph.node("Sigmoid", linear(export.inside("gate"), module.gate, x.name))
    kept = graph.node("Mul", x.name, graph.node("Sub", graph.number(1.0), gate))
    return Value(graph.node("Add", graph.node("Mul", transformed, gate), kept), x.width, x.steps)


@rule(Residual)
def _residual(export: Export, module: Residual, x: Value) -> Value:
    y = export.inside("module").apply(outputs_of(module.module), x)
    return Value(export.graph.node("Add", x.name, y.name), x.width, x.steps)


@rule(GlobalMax, GlobalAverage)
def _global(export: Export, module: nn.Module, x: Value) -> Value:
    if export.stateful:
        raise export.refuse("it reads whole sequences, so it has no state to carry (stateful=True)")
    if x.steps is None:
        raise export.refuse("a layer before it has left one step of each sequence, and it reads sequences")
    graph, name = export.graph, "ReduceMax" if type(module) is GlobalMax else "ReduceMean"
    y = graph.reduced(name, x.name, 1, keep=False)
    return Value(y, x.width, None)
