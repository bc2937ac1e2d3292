"""Bodies in ONNX's operators: for each class of them a rule for its steps, and one for the summary of a sequence.

`Export.lengths` names the steps (batch) that count in each row; None where all of them do.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from torch import nn

from ...nn import Recurrent
from ...nn.onnx_layers import causal, convolved, linear
from ...nn.onnx_recurrent import layers
from ...nn.onnx_rules import Export, Value, activated, rule, tensor
from .body import Body, DenseBody, FlatBody, RecurrentBody
from .convolutional import ConvBody, ConvRecurrentBody, PooledConvBody, PooledConvGruBody, TcnBody
from .heads import HiddenHead
from .pooling import AttentionPooling, Pooling

__all__ = [
    "WRITTEN",
    "counted",
    "largest_of_steps",
    "pooled",
    "steps_of",
    "summary_of",
    "writes_steps",
    "writes_summary",
]

_Steps = Callable[[Export, Any, Value], tuple[Value, Export]]
_Summary = Callable[[Export, Any, Value], str]
_STEPS: dict[type[Body], _Steps] = {}
_SUMMARIES: dict[type[Body], _Summary] = {}
WRITTEN: Mapping[type[Body], Any] = ChainMap[type[Body], Any](_STEPS, _SUMMARIES)
"""The classes of bodies that have a form in ONNX."""


def writes_steps(*kinds: type[Body]) -> Callable[[_Steps], _Steps]:
    """Register a function: x (B, T, I) → the features of the steps (B, T', F), and the export with their lengths."""

    def register(function: _Steps) -> _Steps:
        _STEPS.update(dict.fromkeys(kinds, function))
        return function

    return register


def writes_summary(*kinds: type[Body]) -> Callable[[_Summary], _Summary]:
    """Register a function: x (B, T, I) → the features of the sequence (B, F), where they aren't pooled steps."""

    def register(function: _Summary) -> _Summary:
        _SUMMARIES.update(dict.fromkeys(kinds, function))
        return function

    return register


def steps_of(export: Export, body: Body, x: Value) -> tuple[Value, Export]:
    """The features of every step, and the export with how many of them count in each row.

    Raises SettingError for a body that has none, or none in ONNX.
    """
    found = _STEPS.get(type(body))
    if found is None:
        raise export.refuse(f"the body {body.spec.kind!r} has no form in ONNX here")
    return found(export, body, x)


def summary_of(export: Export, body: Body, x: Value) -> str:
    """The features of the sequence (B, F); raises SettingError for a body without a form in ONNX."""
    found = _SUMMARIES.get(type(body))
    if found is not None:
        return found(export, body, x)
    features, inner = steps_of(export, body, x)
    return pooled(inner.inside("pooling"), body.pooling, features)


def counted(export: Export, x: str) -> str:
    """Which steps of x (B, T, …) count: (B, T) bool."""
    graph = export.graph
    assert export.lengths is not None
    time = graph.node("Gather", graph.node("Shape", x), graph.whole_number(1))
    steps = graph.node("Range", graph.whole_number(0), time, graph.whole_number(1))
    return graph.node("Less", steps, graph.node("Unsqueeze", export.lengths, graph.whole(1)))


def pooled(export: Export, module: nn.Module, h: Value) -> str:
    """The features of all steps (B, T, F) as one summary (B, F): see `pooling`."""
    graph = export.graph
    kind = module.kind if isinstance(module, Pooling) else "attention"
    if export.stateful and kind != "last":
        raise export.refuse(f"the pooling {kind!r} reads whole sequences, so it has no state to carry (stateful=True)")
    if isinstance(module, AttentionPooling):
        return _attended(export, module, h.name)
    if kind == "last":
        return _last(export, h.name)
    if export.lengths is None:
        return graph.reduced("ReduceMean" if kind == "mean" else "ReduceMax", h.name, 1, keep=False)
    mask = graph.node("Unsqueeze", counted(export, h.name), graph.whole(2))
    some = graph.node("Greater", graph.node("Unsqueeze", export.lengths, graph.whole(1)), graph.whole_number(0))
    if kind == "mean":
        total = graph.node(
            "ReduceSum", graph.node("Where", mask, h.name, graph.number(0.0)), graph.whole(1), keepdims=0
        )
        count = graph.cast(graph.node("Unsqueeze", export.lengths, graph.whole(1)), "FLOAT")
        return graph.node("Div", total, graph.node("Max", count, graph.number(1.0)))
    highest = graph.node("Where", mask, h.name, graph.number(float("-inf")))
    return graph.node("Where", some, graph.reduced("ReduceMax", highest, 1, keep=False), graph.number(0.0))


def _last(export: Export, h: str) -> str:
    graph = export.graph
    if export.lengths is None:
        return graph.node("Gather", h, graph.whole_number(-1), axis=1)
    at = graph.node("Max", graph.node("Sub", export.lengths, graph.whole_number(1)), graph.whole_number(0))
    picked = graph.node("GatherND", h, graph.node("Unsqueeze", at, graph.whole(1)), batch_dims=1)
    some = graph.node("Greater", graph.node("Unsqueeze", export.lengths, graph.whole(1)), graph.whole_number(0))
    return graph.node("Where", some, picked, graph.number(0.0))


def _attended(export: Export, module: AttentionPooling, h: str) -> str:
    graph = export.graph
    mask = None if export.lengths is None else counted(export, h)
    if mask is not None:
        h = graph.node("Where", graph.node("Unsqueeze", mask, graph.whole(2)), h, graph.number(0.0))
    u = graph.node("Tanh", linear(export.inside("projection"), module.projection, h))
    scores = graph.node("MatMul", u, tensor(export, "context", module.context))
    if mask is None:
        weights = graph.node("Softmax", scores, axis=1)
    else:
        # Not −∞: the softmax of a row without a counted step would be NaN. Times the mask it is 0.
        lowest = graph.number(-3.4028234663852886e38)
        weights = graph.node("Softmax", graph.node("Where", mask, scores, lowest), axis=1)
        weights = graph.node("Mul", weights, graph.cast(mask, "FLOAT"))
    mixed = graph.node("MatMul", graph.node("Unsqueeze", weights, graph.whole(1)), h)
    return graph.node("Squeeze", mixed, graph.whole(1))


def largest_of_steps(export: Export, x: Value, size: int) -> tuple[Value, Export]:
    """The largest of every `size` steps, the last few as they are, and how many groups count: see `max_of_steps`."""
    if size == 1:
        return x, export
    graph, low = export.graph, export.graph.number(float("-inf"))
    name = x.name
    if export.lengths is not None:
        name = graph.node("Where", graph.node("Unsqueeze", counted(export, name), graph.whole(2)), name, low)
    time = graph.node("Gather", graph.node("Shape", name), graph.whole(1))
    behind = graph.node("Mod", graph.node("Neg", time), graph.whole(size))
    pads = graph.node("Concat", graph.whole(0, 0, 0, 0), behind, graph.whole(0), axis=0)
    groups = graph.node("Reshape", graph.node("Pad", name, pads, low), graph.whole(0, -1, size, x.width))
    y = graph.reduced("ReduceMax", groups, 2, keep=False)
    inner = export
    if export.lengths is not None:
        more = graph.node("Add", export.lengths, graph.whole_number(size - 1))
        inner = replace(export, lengths=graph.node("Div", more, graph.whole_number(size)))
        y = graph.node("Where", graph.node("Unsqueeze", counted(inner, y), graph.whole(2)), y, graph.number(0.0))
    return Value(y, x.width, f"steps_{y}"), inner


@rule(HiddenHead)
def _hidden(export: Export, module: HiddenHead, x: Value) -> Value:
    hidden = export.graph.node("Relu", linear(export.inside("hidden"), module.hidden, x.name))
    y = linear(export.inside("output"), module.output, hidden)
    return Value(y, module.output.out_features, x.steps)


def run_recurrent(export: Export, module: Any, x: Value, *, last_only: bool) -> Value:
    """A recurrent module, or a stack of layers that are not alike."""
    stack = [module] if isinstance(module, Recurrent) else list(module.parts())
    for number, layer in enumerate(stack):
        own = export if len(stack) == 1 else export.inside(str(number))
        x = layers(own, layer, x, last_only=last_only and number == len(stack) - 1)
    return x


@writes_steps(RecurrentBody)
def _recurrent_steps(export: Export, body: RecurrentBody, x: Value) -> tuple[Value, Export]:
    return run_recurrent(export, body.recurrent, x, last_only=False), export


@writes_summary(RecurrentBody)
def _recurrent(export: Export, body: RecurrentBody, x: Value) -> str:
    if body.spec.pooling == "last":
        return run_recurrent(export, body.recurrent, x, last_only=True).name
    return pooled(export.inside("pooling"), body.pooling, run_recurrent(export, body.recurrent, x, last_only=False))


@writes_steps(TcnBody)
def _tcn(export: Export, body: TcnBody, x: Value) -> tuple[Value, Export]:
    return export.apply(body.tcn, x), export


@writes_steps(DenseBody)
def _dense(export: Export, body: DenseBody, x: Value) -> tuple[Value, Export]:
    name = x.name
    for number, (layer, activation) in enumerate(zip(body.hidden, body.spec.each_activation)):
        assert isinstance(layer, nn.Linear)
        name = activated(export, linear(export.inside(str(number)), layer, name), activation or "relu")
    return Value(name, body.spec.units, x.steps), export


@writes_steps(ConvBody)
def _convolutions(export: Export, body: ConvBody, x: Value) -> tuple[Value, Export]:
    if export.stateful and body.spec.pool_size > 1:
        raise export.refuse("it takes the largest of several steps, so it has no state to carry (stateful=True)")
    for level, layer in enumerate(body.convolutions):
        assert isinstance(layer, nn.Module)
        if level:
            x, export = largest_of_steps(export, x, body.spec.pool_size)
        own: Any = layer
        x = Value(causal(export.inside(str(level)), own, x), own.out_channels, x.steps)
    return x, export


@writes_steps(ConvRecurrentBody)
def _conv_recurrent_steps(export: Export, body: ConvRecurrentBody, x: Value) -> tuple[Value, Export]:
    y, export = _convolutions(export, body, x)
    return run_recurrent(export.inside("recurrent"), body.recurrent, y, last_only=False), export


@writes_summary(ConvRecurrentBody)
def _conv_recurrent(export: Export, body: ConvRecurrentBody, x: Value) -> str:
    y, inner = _convolutions(export, body, x)
    last = body.spec.pooling == "last"
    features = run_recurrent(inner.inside("recurrent"), body.recurrent, y, last_only=last)
    return features.name if last else pooled(inner.inside("pooling"), body.pooling, features)


@writes_steps(PooledConvBody)
def _pooled_convolutions(export: Export, body: PooledConvBody, x: Value) -> tuple[Value, Export]:
    graph, module = export.graph, body.pooled
    if module.unread:
        ends = graph.whole(module.unread), graph.whole(2**62)
        x = Value(graph.node("Slice", x.name, *ends, graph.whole(1)), x.width, x.steps)
    for number, layer in enumerate(module.convolutions):
        own: Any = layer
        name = x.name
        if number:
            name = graph.node("Transpose", name, perm=[0, 2, 1])
            size = body.spec.pool_size
            name = graph.node("MaxPool", name, kernel_shape=[size], strides=[size])
            name = graph.node("Transpose", name, perm=[0, 2, 1])
        y = convolved(export.inside(str(number)), own, Value(name, x.width, "steps"), (0, 0))
        x = Value(y, own.out_channels, "steps")
    return x, export


@writes_steps(PooledConvGruBody)
def _pooled_conv_gru_steps(export: Export, body: PooledConvGruBody, x: Value) -> tuple[Value, Export]:
    y, export = _pooled_convolutions(export, body, x)
    return run_recurrent(export.inside("recurrent"), body.recurrent, y, last_only=False), export


@writes_summary(PooledConvGruBody)
def _pooled_conv_gru(export: Export, body: PooledConvGruBody, x: Value) -> str:
    y, inner = _pooled_convolutions(export, body, x)
    return run_recurrent(inner.inside("recurrent"), body.recurrent, y, last_only=True).name


@writes_summary(FlatBody)
def _flat(export: Export, body: FlatBody, x: Value) -> str:
    graph = export.graph
    time = graph.node("Gather", graph.node("Shape", x.name), graph.whole(1))
    behind = graph.node("Max", graph.node("Sub", graph.whole(body.spec.length), time), graph.whole(0))
    pads = graph.node("Concat", graph.whole(0, 0, 0, 0), behind, graph.whole(0), axis=0)
    return graph.node("Reshape", graph.node("Pad", x.name, pads, graph.number(0.0)), graph.whole(0, -1))
