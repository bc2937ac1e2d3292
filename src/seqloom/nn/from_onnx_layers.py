"""ONNX's convolutions, products, pools and activations as layers of seqloom."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from seqloom.nn.convolution import CausalConv1d, Conv1d
from seqloom.nn.embedding import Embedding
from seqloom.nn.from_onnx_recurrent import RecurrentLayer, function_named
from seqloom.nn.from_onnx_values import Axis, Constant, Flow, Layer, Node, rule
from seqloom.nn.imported_layers import Activated, StepAt
from seqloom.nn.initialisers import undrawn
from seqloom.nn.pooling import AveragePool, GlobalAverage, GlobalMax, MaxPool

__all__ = ["ConvLayer", "LinearLayer", "embedded", "pooled"]

_MOST = 1 << 20  # of dilations, strides and windows, which no array of the file bounds


@dataclass
class LinearLayer(Layer):
    """y = x W + b, W (I, O)."""

    weight: np.ndarray
    bias: np.ndarray | None = None

    def build(self) -> nn.Module:
        """The module with its weights."""
        inputs, outputs = self.weight.shape
        # On meta nothing is drawn: torch's global generator stays where the program left it.
        made = undrawn(nn.Linear(inputs, outputs, bias=self.bias is not None, device="meta"), "cpu")
        return _filled(made, self.weight.T, self.bias)


@dataclass
class ConvLayer(Layer):
    """A convolution over time, weight (C_out, C_in, K); pads: zeros before and behind."""

    weight: np.ndarray
    bias: np.ndarray | None
    dilation: int
    stride: int
    pads: tuple[int, int]
    activation: str = "identity"

    @property
    def reach(self) -> int:
        """(K − 1)·d."""
        return (self.weight.shape[2] - 1) * self.dilation

    def padding(self) -> str | None:
        """The name of the padding; None where it has none."""
        reach = self.reach
        named = {(0, 0): "valid", (reach, 0): "causal", (reach, reach): "full"}
        if self.stride == 1:
            named[reach // 2, reach - reach // 2] = "same"
        named[reach, 0] = "causal"
        named[0, 0] = "valid" if reach else "causal"
        return named.get(self.pads)

    def build(self) -> nn.Module:
        """The module with its weights."""
        outputs, inputs, taps = self.weight.shape
        given: dict[str, Any] = {"dilation": self.dilation, "activation": self.activation}
        given["bias"] = self.bias is not None
        padding = self.padding()
        if padding == "causal" and self.stride == 1:
            return _filled(CausalConv1d(inputs, outputs, taps, **given), self.weight, self.bias)
        made = Conv1d(inputs, outputs, taps, padding=padding or "valid", stride=self.stride, **given)
        return _filled(made, self.weight, self.bias)


def _filled(made: Any, weight: np.ndarray, bias: np.ndarray | None) -> nn.Module:
    made.to(torch.float64 if weight.dtype == np.float64 else torch.float32)
    with torch.no_grad():
        made.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight)))
        if bias is not None:
            made.bias.copy_(torch.from_numpy(np.ascontiguousarray(bias)))
    return made


@rule("Conv")
def _conv(node: Node) -> Flow:
    flow = node.graph.used(node.flow(), node)
    node.roles(flow, "BCT")
    weight = node.weights(1, None, None, None)
    bias = None if node.given(2) is None else node.weights(2, weight.shape[0])
    if node.attribute("group", 1) != 1:
        raise node.refuse("it has groups, and every output channel reads every input channel here")
    dilation, stride = _one(node, "dilations", 1), _one(node, "strides", 1)
    taps = node.numbers("kernel_shape")
    if taps not in (None, [weight.shape[2]]):
        raise node.damaged(f"says kernel_shape={taps}, its weights are for {weight.shape[2]}")
    reach = (weight.shape[2] - 1) * dilation
    pads = tuple(node.numbers("pads") or (0, 0))
    auto = node.attribute("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER") and stride == 1:
        pads = (reach // 2, reach - reach // 2) if auto == "SAME_UPPER" else (reach - reach // 2, reach // 2)
    elif auto not in ("NOTSET", "VALID"):
        raise node.refuse(f"auto_pad={auto} with a stride pads by the sequence's length")
    if len(pads) != 2:
        raise node.damaged("should have two pads")
    before, after = pads[0] + flow.padded[0], pads[1] + flow.padded[1]
    layer = ConvLayer(weight, bias, dilation, stride, (before, after))
    if layer.padding() is None:
        raise node.refuse(
            f"it puts {before} zeros before and {after} behind; 'valid', 'same', 'causal' and 'full' exist"
        )
    return node.put(layer, [flow.axes[0], Axis("C"), Axis("T")])


def _one(node: Node, name: str, default: int) -> int:
    values = node.numbers(name) or [default]
    if len(values) != 1 or not 1 <= values[0] <= _MOST:
        raise node.refuse(f"{name}={values}, and one number from 1 to {_MOST} is taken")
    return values[0]


@rule("MatMul")
def _product(node: Node) -> Flow:
    flow = node.graph.used(node.flow(), node)
    weight = node.weights(1, None, None)
    node.role(flow.axes[-1], "C")
    return node.put(LinearLayer(weight), [*flow.axes[:-1], Axis("C")])


@rule("Gemm")
def _gemm(node: Node) -> Flow:
    flow = node.graph.used(node.flow(), node)
    if len(flow.axes) != 2 or node.attribute("transA", 0):
        raise node.refuse("it does not multiply rows by a matrix")
    node.role(flow.axes[-1], "C")
    weight = node.weights(1, None, None)
    weight = weight.T if node.attribute("transB", 0) else weight
    alpha, beta = node.attribute("alpha", 1.0), node.attribute("beta", 1.0)
    bias = None
    if node.given(2) is not None:
        bias = np.broadcast_to(node.weights(2).ravel(), (weight.shape[1],)) * weight.dtype.type(beta)
    return node.put(LinearLayer(weight * weight.dtype.type(alpha), bias), [flow.axes[0], Axis("C")])


@rule("Add")
def _add(node: Node) -> Flow:
    # The constant may stand on either side.
    if isinstance(node.given(0), Constant):
        node.inputs = node.inputs[::-1]
    flow, latest = node.flow(), node.graph.latest()
    bias = node.weights(1)
    if not isinstance(latest, LinearLayer) or latest.bias is not None or flow.axes[-1].role != "C":
        raise node.refuse("it adds something that is not the bias of a product before it")
    if bias.size not in (1, latest.weight.shape[1]) or bias.size != bias.shape[-1]:
        raise node.damaged(f"adds an array of shape {bias.shape} to {latest.weight.shape[1]} numbers")
    latest.bias = np.broadcast_to(bias.ravel(), (latest.weight.shape[1],)).astype(latest.weight.dtype)
    return flow


@rule("Mul")
def _half(node: Node) -> Flow:
    """The mean of two directions, once they have been added up."""
    flow, latest = node.flow(), node.graph.latest()
    if not (isinstance(latest, RecurrentLayer) and latest.merge == "sum" and node.weights(1).tolist() in (0.5, [0.5])):
        raise node.refuse("it multiplies by something that is not the weights of a layer")
    latest.merge = "mean"
    return flow


@rule("Tanh", "Sigmoid", "Relu", "Softsign", "Softplus", "Elu", "LeakyRelu", "HardSigmoid")
def _activation(node: Node) -> Flow:
    flow = node.graph.used(node.flow(), node)
    latest, alpha = node.graph.latest(), node.attribute("alpha")
    if node.kind in ("Elu", "LeakyRelu") and alpha is not None:
        if not math.isfinite(alpha):
            raise node.damaged("should have a finite alpha")
        if abs(alpha - (1.0 if node.kind == "Elu" else 0.01)) > 1e-8:
            return node.put(Activated("elu" if node.kind == "Elu" else "leaky_relu", float(alpha)), flow.axes)
    usual = {"Elu": 1.0, "LeakyRelu": 0.01, "HardSigmoid": 0.2}.get(node.kind, 0.0)
    name = function_named(node, node.kind, usual if alpha is None else alpha, node.attribute("beta", 0.5))
    if isinstance(latest, ConvLayer) and latest.activation == "identity":
        latest.activation = name
        return flow
    return node.put(Activated(name), flow.axes)


@rule("Softmax", "LogSoftmax")
def _softmax(node: Node) -> Flow:
    flow = node.graph.used(node.flow(), node)
    axis = node.axis(flow, node.attribute("axis", -1))
    if axis != len(flow.axes) - 1:
        raise node.refuse("it is not over the last axis")
    node.role(flow.axes[axis], "C")
    return node.put(Activated("softmax" if node.kind == "Softmax" else "log_softmax"), flow.axes)


@rule("Selu", "Gelu", "Mish")
def _other(node: Node) -> Flow:
    flow = node.graph.used(node.flow(), node)
    name = node.kind.lower()
    if name == "gelu" and node.attribute("approximate", "none") == "tanh":
        name = "gelu_tanh"
    for key, usual in (("alpha", 1.67326), ("gamma", 1.0507)):
        if name == "selu" and abs(node.attribute(key, usual) - usual) > 1e-4:
            raise node.refuse(f"its {key} is not that of the published function")
    return node.put(Activated(name), flow.axes)


@rule("Dropout")
def _dropout(node: Node) -> Flow:
    flow = node.graph.used(node.flow(), node)
    ratio = node.attribute("ratio", 0.5)
    if node.given(1) is not None:
        ratio = float(node.weights(1))
    for name in ("seed", "is_test"):
        node.attribute(name)
    if not 0.0 <= ratio < 1.0:
        raise node.damaged(f"should drop less than all, not {ratio}")
    return node.put(nn.Dropout(ratio), flow.axes)


@rule("LayerNormalization")
def _layer_norm(node: Node) -> Flow:
    flow = node.graph.used(node.flow(), node)
    if node.axis(flow, node.attribute("axis", -1)) != len(flow.axes) - 1:
        raise node.refuse("it is not over the last axis alone")
    node.role(flow.axes[-1], "C")
    gain = node.weights(1, None)
    bias = None if node.given(2) is None else node.weights(2, len(gain))
    node.attribute("stash_type")
    norm = nn.LayerNorm(len(gain), eps=float(node.attribute("epsilon", 1e-5)), bias=bias is not None)
    return node.put(_filled(norm, gain, bias), flow.axes)


@rule("MaxPool", "AveragePool")
def _pool(node: Node) -> Flow:
    flow = node.graph.used(node.flow(), node)
    node.roles(flow, "BCT")
    size, stride = _one(node, "kernel_shape", 1), _one(node, "strides", 1)
    plain = {"pads": (None, [0, 0]), "ceil_mode": (0,), "dilations": (None, [1]), "storage_order": (0,)}
    for name, allowed in plain.items():
        if (value := node.attribute(name, allowed[0])) not in allowed:
            raise node.refuse(f"{name}={value}, and windows within the sequence are taken")
    node.attribute("count_include_pad")
    if node.attribute("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise node.refuse("its windows hang over the ends (auto_pad)")
    pool = (MaxPool if node.kind == "MaxPool" else AveragePool)(size, stride)
    return node.put(pool, [*flow.axes[:2], Axis("T")])


@rule("GlobalMaxPool", "GlobalAveragePool")
def _whole(node: Node) -> Flow:
    flow = node.graph.used(node.flow(), node)
    node.roles(flow, "BCT")
    return node.put(GlobalMax() if node.kind == "GlobalMaxPool" else GlobalAverage(), [*flow.axes[:2], Axis("1")])


def pooled(node: Node, flow: Flow, axis: int, keep: bool) -> Flow:
    """The mean or largest of all steps."""
    flow = node.graph.used(flow, node)
    if len(flow.axes) != 3 or flow.padded != (0, 0):
        raise node.refuse("it is not over the steps of sequences")
    node.role(flow.axes[axis], "T")
    axes = list(flow.axes)
    axes[axis : axis + 1] = [Axis("1")] if keep else []
    return node.put(GlobalMax() if node.kind == "ReduceMax" else GlobalAverage(), axes)


def embedded(node: Node, flow: Flow) -> Flow:
    """Rows of a table by the main value's whole numbers."""
    rows = node.weights(0, None, None)
    if node.graph.layers or len(flow.axes) != 2:
        raise node.refuse("a table of rows is read by the whole numbers (batch, time) of the input alone")
    made = Embedding(*rows.shape, padding=None, weights=torch.from_numpy(rows))
    return node.put(made.to(torch.float64 if rows.dtype == np.float64 else torch.float32), [*flow.axes, Axis("C")])


def step_at(node: Node, flow: Flow, axis: int, number: int) -> Flow:
    """One step of the sequences; of a layer that reads forward, the last one is its last output."""
    axes = [one for k, one in enumerate(flow.axes) if k != axis]
    latest = node.graph.latest()
    forward = isinstance(latest, RecurrentLayer) and latest.directions == 1 and not latest.options.get("reverse")
    if number == -1 and forward and not flow.last:
        latest.last = True
        return Flow(tuple(axes), flow.at)
    if any(one.role == "D" for one in axes):
        raise node.refuse("it takes a step before the two directions are joined")
    flow = node.graph.used(flow, node)
    return node.put(StepAt(number), axes)
