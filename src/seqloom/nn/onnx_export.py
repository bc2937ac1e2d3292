"""`to_onnx`: a network as an ONNX file, with any batch and any number of steps, as it computes in evaluation."""

from __future__ import annotations

import os

import torch
from torch import nn

from seqloom.nn.onnx_graph import Graph
from seqloom.nn.onnx_layers import width_of
from seqloom.nn.onnx_pictures import pictures_written, reads_pictures
from seqloom.nn.onnx_recurrent import layers, recurrent_of
from seqloom.nn.onnx_rules import Export, Value
from seqloom_runtime.errors import SettingError

__all__ = ["to_onnx", "write"]


def to_onnx(
    module: nn.Module,
    path: str | os.PathLike[str],
    *,
    opset: int = 17,
    stateful: bool = False,
    lengths: bool = False,
    last_only: bool = False,
) -> None:
    """Write a network as an ONNX file, in standard operators, as it computes in evaluation.

    module: recurrent layers (RNN, GRU, LSTM, Jordan), convolutions (CausalConv1d, Conv1d, TCN) and nn.Sequential of
        these, with `Outputs` around the recurrent ones, Linear and what stands between; ConvLSTM and ConvGRU over
        frames, FrameEncoder, the networks of pictures of `nn.images`. float32 weights.
    path: the file, whose folder must exist. opset: the version of the operators.
    stateful: more inputs and outputs, the state before and after, so that a program can run chunk by chunk: `h` and
        `h_next` (layers·directions, batch, S), for the LSTM `c` and `c_next` too, and `context`, `context_next`
        (batch, (K − 1)·d, C) of a causal convolution. Inside nn.Sequential their names end in the layer's place.
    lengths: an input `lengths` (batch), the steps that count in each row; for a recurrent layer.
    last_only: for a recurrent layer: `y` is the output of the step that ran last alone, (batch, S).

    The input is `x` (batch, time, inputs), frames and pictures as the module takes them, the output `y`; a record
    `seqloom` in the metadata (JSON) names them all. Raises SettingError, with the reason, for what can't be written;
    MissingDependencyError without the onnx package.
    """
    graph = Graph(opset)
    model = write(graph, module, stateful=stateful, lengths=lengths, last_only=last_only)
    graph.save(path, type(model).__name__)


def write(graph: Graph, module: nn.Module, *, stateful: bool, lengths: bool, last_only: bool) -> nn.Module:
    """Write a whole network with its inputs and outputs into an empty graph; returns what was written."""
    for name, value in [*module.named_parameters(), *module.named_buffers()]:
        if value.is_floating_point() and value.dtype != torch.float32:
            raise SettingError(
                f"{name} is {value.dtype}, and ONNX files are written in float32: export copy.deepcopy(module).float()."
            )
    export = Export(graph, stateful)
    recurrent = recurrent_of(export, module)
    for asked, option in ((lengths, "lengths"), (last_only, "last_only")):
        if asked and recurrent is None:
            raise SettingError(
                f"{option}=True is for a recurrent layer, not {type(module).__name__}: a causal convolution's outputs "
                "hang on no later step, so rows may be padded at their end, and nn.Sequential hands no lengths on."
            )
    graph.metadata |= {"network": type(module).__name__, "stateful": stateful}
    if reads_pictures(module):
        pictures_written(export, module)
        return module
    width = width_of(module)
    x = Value(graph.input("x", ["batch", "time", width], "the sequences"), width)
    if lengths:
        export.lengths = graph.input("lengths", ["batch"], "the steps that count in each row", "INT64")
    if recurrent is None:
        y = export.apply(module, x)
    else:
        y = layers(export, recurrent, x, last_only=last_only or bool(getattr(module, "last_only", False)))
    axes: list[int | str] = ["batch", *([] if y.steps is None else [y.steps]), y.width]
    graph.output(y.name, "y", axes, "the outputs")
    return module
