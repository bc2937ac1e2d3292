"""The bodies that texts alone have in ONNX's operators: rules of `networks.onnx_bodies`, beside `text.encoders`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...nn.onnx_layers import convolved
from ...nn.onnx_rules import Export, Value, tensor
from ..networks.onnx_bodies import counted, largest_of_steps, pooled, run_recurrent, writes_summary
from .encoders import BagBody, ConvLstmBody, ConvMaxBody, InceptionBody, MeanBody
from .hierarchical import HierarchicalBody

__all__ = ["first_alone"]

_WIDEST = 7  # taps, of the convolutions side by side


def first_alone(export: Export, ids: str) -> str:
    """The ids (B, T) of each row in order, each but once; 0 for the rest: see `encoders.first_occurrences`."""
    graph = export.graph
    time = graph.node("Gather", graph.node("Shape", ids), graph.whole(1))
    ordered, _ = graph.node("TopK", ids, time, outputs=2, axis=1, largest=0)
    axis, ends = graph.whole(1), graph.whole(2**62)
    later = graph.node("Slice", ordered, graph.whole(1), ends, axis)
    before = graph.node("Slice", ordered, graph.whole(0), graph.whole(-1), axis)
    again = graph.cast(graph.node("Equal", later, before), "INT64")
    none = graph.node("Concat", graph.node("Gather", graph.node("Shape", ids), graph.whole(0)), graph.whole(1), axis=0)
    first = graph.cast(graph.node("ConstantOfShape", none), "INT64")
    again = graph.cast(graph.node("Concat", first, again, axis=1), "BOOL")
    return graph.node("Where", again, graph.whole_number(0), ordered)


@writes_summary(BagBody)
def _bag(export: Export, body: BagBody, x: Value) -> str:
    graph = export.graph
    total = graph.node("ReduceSum", x.name, graph.whole(1), keepdims=0)
    return graph.node("Relu", graph.node("Add", total, tensor(export, "bias", body.bias)))


@writes_summary(MeanBody)
def _mean(export: Export, body: MeanBody, x: Value) -> str:
    graph = export.graph
    total = graph.node("ReduceSum", x.name, graph.whole(1), keepdims=0)
    assert export.lengths is not None
    count = graph.node("Unsqueeze", graph.node("Max", export.lengths, graph.whole_number(1)), graph.whole(1))
    return graph.node("Div", total, graph.cast(count, "FLOAT"))


@writes_summary(ConvMaxBody)
def _conv_max(export: Export, body: ConvMaxBody, x: Value) -> str:
    y, inner = _conv_relu(export.inside("first"), body.first, _lengthened(export, x, body.spec.kernel_size))
    y, inner = largest_of_steps(inner, y, 5)
    y, _ = _conv_relu(inner.inside("second"), body.second, _lengthened(inner, y, body.spec.kernel_size))
    return export.graph.reduced("ReduceMax", y.name, 1, keep=False)


@writes_summary(InceptionBody)
def _inception(export: Export, body: InceptionBody, x: Value) -> str:
    graph, long = export.graph, _lengthened(export, x, _WIDEST)
    parts = []
    for number, branch in enumerate(body.branches):
        y, _ = _conv_relu(export.inside(str(number)), branch, long)
        parts.append(graph.reduced("ReduceMax", y.name, 1, keep=False))
    return graph.node("Concat", *parts, axis=1)


@writes_summary(ConvLstmBody)
def _conv_lstm(export: Export, body: ConvLstmBody, x: Value) -> str:
    long = _lengthened(export, x, body.spec.kernel_size)
    y, inner = _conv_relu(export.inside("convolution"), body.convolution, long)
    y, inner = largest_of_steps(inner, y, 4)
    return run_recurrent(replace(inner, path=export.inside("recurrent").path), body.recurrent, y, last_only=True).name


@writes_summary(HierarchicalBody)
def _hierarchical(export: Export, body: HierarchicalBody, x: Value) -> str:
    """x (B, S, W, E) and lengths (B, S): every sentence is run, those behind a text's end for nothing."""
    graph, width = export.graph, body.output_size
    assert export.lengths is not None
    shape = graph.node("Shape", x.name)
    rows = graph.node("Slice", shape, graph.whole(0), graph.whole(2), graph.whole(0))
    inner = graph.node("Slice", shape, graph.whole(2), graph.whole(4), graph.whole(0))
    flat = graph.node("Reshape", x.name, graph.node("Concat", graph.whole(-1), inner, axis=0))
    words = replace(export.inside("words"), lengths=graph.node("Reshape", export.lengths, graph.whole(-1)))
    h = run_recurrent(words, body.words, replace(x, name=flat), last_only=False)
    said = pooled(replace(words, path=export.inside("word_attention").path), body.word_attention, h)
    said = graph.node("Reshape", said, graph.node("Concat", rows, graph.whole(width), axis=0))
    real = graph.cast(graph.node("Greater", export.lengths, graph.whole_number(0)), "INT64")
    count = graph.node("ReduceSum", real, graph.whole(1), keepdims=0)
    text = replace(export.inside("sentences"), lengths=count)
    kept = graph.node("Unsqueeze", counted(text, said), graph.whole(2))
    said = graph.node("Where", kept, said, graph.number(0.0))
    h = run_recurrent(text, body.sentences, Value(said, width), last_only=False)
    return pooled(replace(text, path=export.inside("sentence_attention").path), body.sentence_attention, h)


def _lengthened(export: Export, x: Value, least: int) -> Value:
    """x (B, T, C) with zeros behind it, so that it has at least so many steps; what the rows' ends leave is zero."""
    graph = export.graph
    time = graph.node("Gather", graph.node("Shape", x.name), graph.whole(1))
    behind = graph.node("Max", graph.node("Sub", graph.whole(least), time), graph.whole(0))
    pads = graph.node("Concat", graph.whole(0, 0, 0, 0), behind, graph.whole(0), axis=0)
    return replace(x, name=graph.node("Pad", x.name, pads, graph.number(0.0)))


def _conv_relu(export: Export, layer: Any, x: Value) -> tuple[Value, Export]:
    """Convolution and relu; outputs that begin behind the last whole window become 0: see `encoders._conv_relu`."""
    graph = export.graph
    y = convolved(export, layer, x, (0, 0))
    assert export.lengths is not None
    left = graph.node("Sub", export.lengths, graph.whole_number(layer.kernel_size - 1))
    inner = replace(export, lengths=graph.node("Max", left, graph.whole_number(1)))
    kept = graph.node("Unsqueeze", counted(inner, y), graph.whole(2))
    y = graph.node("Where", kept, y, graph.number(0.0))
    return Value(y, layer.out_channels, f"steps_{y}"), inner
