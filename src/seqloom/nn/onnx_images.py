"""The rules of `nn.onnx_rules` for pictures (B, C, H, W): torch's layers, the blocks of `nn.images`, `FrameEncoder`.

A `Value` of pictures has their channels as its width and no steps.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from seqloom.nn.frame_encoder import FrameEncoder
from seqloom.nn.images import GoogLeNet, HighwayConv2d, ImageNetwork, Inception2d, LeNet5, ResidualBlock, ResNet
from seqloom.nn.images.classic import VGG, AlexNet
from seqloom.nn.onnx_rules import Export, Value, rule, tensor

__all__ = ["convolved_2d"]


def convolved_2d(export: Export, x: str, weight: Any, bias: Any, **options: Any) -> str:
    """A convolution over places; options: pads (four), strides and group of ONNX's Conv."""
    given = [tensor(export, "weight", weight)] + ([] if bias is None else [tensor(export, "bias", bias)])
    return export.graph.node("Conv", x, *given, **options)


@rule(nn.Conv2d)
def _conv(export: Export, module: nn.Conv2d, x: Value) -> Value:
    if isinstance(module.padding, str) or module.padding_mode != "zeros":
        raise export.refuse("a Conv2d is exported with zeros around it, as many as a number says")
    high, wide = module.padding
    options = {"pads": [high, wide, high, wide], "strides": list(module.stride), "dilations": list(module.dilation)}
    y = convolved_2d(export, x.name, module.weight, module.bias, group=module.groups, **options)
    return Value(y, module.out_channels, None)


@rule(nn.BatchNorm2d)
def _batch_norm(export: Export, module: nn.BatchNorm2d, x: Value) -> Value:
    if module.running_mean is None or module.running_var is None or not module.affine:
        raise export.refuse("a BatchNorm2d is exported with its running statistics, gain and shift")
    arrays = {"gain": module.weight, "shift": module.bias, "mean": module.running_mean, "variance": module.running_var}
    given = [tensor(export, name, value) for name, value in arrays.items()]
    y = export.graph.node("BatchNormalization", x.name, *given, epsilon=float(module.eps))
    return Value(y, x.width, None)


@rule(nn.MaxPool2d, nn.AvgPool2d)
def _pool(export: Export, module: Any, x: Value) -> Value:
    size, stride, padding = (_pair(v) for v in (module.kernel_size, module.stride, module.padding))
    options: dict[str, Any] = {"kernel_shape": size, "strides": stride, "pads": padding * 2}
    options["ceil_mode"] = int(module.ceil_mode)
    if isinstance(module, nn.AvgPool2d):
        options["count_include_pad"] = int(module.count_include_pad)
        return Value(export.graph.node("AveragePool", x.name, **options), x.width, None)
    return Value(export.graph.node("MaxPool", x.name, **options), x.width, None)


@rule(nn.AdaptiveAvgPool2d)
def _mean(export: Export, module: nn.AdaptiveAvgPool2d, x: Value) -> Value:
    if _pair(module.output_size) != [1, 1]:
        raise export.refuse("an AdaptiveAvgPool2d is exported as the mean over all places; give it output_size=1")
    return Value(export.graph.node("GlobalAveragePool", x.name), x.width, None)


@rule(nn.Flatten)
def _flatten(export: Export, module: nn.Flatten, x: Value) -> Value:
    if (module.start_dim, module.end_dim) != (1, -1):
        raise export.refuse("a Flatten is exported over all axes behind the batch")
    return Value(export.graph.node("Flatten", x.name, axis=1), x.width, None)


@rule(nn.LocalResponseNorm)
def _response_norm(export: Export, module: nn.LocalResponseNorm, x: Value) -> Value:
    if module.size % 2 == 0:
        raise export.refuse("a LocalResponseNorm is exported over an odd number of channels")
    options = {"alpha": float(module.alpha), "beta": float(module.beta), "bias": float(module.k), "size": module.size}
    return Value(export.graph.node("LRN", x.name, **options), x.width, None)


@rule(ResidualBlock)
def _residual(export: Export, module: ResidualBlock, x: Value) -> Value:
    body = export.inside("body").apply(module.body, x)
    shortcut = export.inside("shortcut").apply(module.shortcut, x)
    y = export.graph.node("Relu", export.graph.node("Add", body.name, shortcut.name))
    return Value(y, module.out_channels, None)


@rule(Inception2d)
def _inception(export: Export, module: Inception2d, x: Value) -> Value:
    parts = [export.inside(str(n)).apply(branch, x).name for n, branch in enumerate(module.branches)]
    return Value(export.graph.node("Concat", *parts, axis=1), module.out_channels, None)


@rule(HighwayConv2d)
def _highway(export: Export, module: HighwayConv2d, x: Value) -> Value:
    graph = export.graph
    gate = graph.node("Sigmoid", export.inside("gate").apply(module.gate, x).name)
    made = graph.node("Relu", export.inside("transform").apply(module.transform, x).name)
    kept = graph.node("Mul", x.name, graph.node("Sub", graph.number(1.0), gate))
    return Value(graph.node("Add", graph.node("Mul", made, gate), kept), x.width, None)


@rule(LeNet5, AlexNet, VGG, GoogLeNet, ResNet)
def _network(export: Export, module: ImageNetwork, x: Value) -> Value:
    features = export.inside("features").apply(module.features, x)
    y = export.inside("classifier").apply(module.classifier, features)
    return Value(y.name, module.width, None)


@rule(FrameEncoder)
def _frames(export: Export, module: FrameEncoder, x: Value) -> Value:
    """x: (B, T, Y, X, C) → (B, T, F), or (B, T, Y', X', F) where not pooled."""
    graph = export.graph
    shape = graph.node("Shape", x.name)
    part = [graph.node("Slice", shape, graph.whole(a), graph.whole(b), graph.whole(0)) for a, b in ((0, 2), (2, 5))]
    all_frames = graph.node("Reshape", x.name, graph.node("Concat", graph.whole(-1), part[1], axis=0))
    y = graph.node("Transpose", all_frames, perm=[0, 3, 1, 2])
    for number, layer in enumerate(module.convolutions):
        y = graph.node("Relu", export.inside(str(number)).apply(layer, Value(y, 0, None)).name)
    if module.pooled:
        y = graph.node("Flatten", graph.node("GlobalAveragePool", y), axis=1)
        end = graph.whole(module.output_size)
    else:
        y = graph.node("Transpose", y, perm=[0, 2, 3, 1])
        end = graph.node("Slice", graph.node("Shape", y), graph.whole(1), graph.whole(4), graph.whole(0))
    y = graph.node("Reshape", y, graph.node("Concat", part[0], end, axis=0))
    return Value(y, module.output_size, x.steps)


def _pair(value: Any) -> list[int]:
    return list(value) if isinstance(value, (tuple, list)) else [value, value]
