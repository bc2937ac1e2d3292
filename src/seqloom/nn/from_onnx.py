"""`from_onnx`: a network in an ONNX file, as layers of seqloom with the same outputs."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from torch import nn

from seqloom.nn import from_onnx_shapes as _shapes  # noqa: F401 - registers its rules
from seqloom.nn.chain import Chain
from seqloom.nn.from_onnx_layers import LinearLayer
from seqloom.nn.from_onnx_recurrent import RecurrentLayer
from seqloom.nn.from_onnx_values import RULES, Axis, Constant, Flow, Graph, Layer, Node, Other
from seqloom.nn.imported_layers import Activated
from seqloom_runtime import files
from seqloom_runtime.errors import FormatError, SettingError, printable, shown
from seqloom_runtime.extras import need
from seqloom_runtime.limits import reading

__all__ = ["from_onnx"]

_MOST = 100_000  # operators


def from_onnx(path: str | os.PathLike[str]) -> Chain:
    """Return the network of an ONNX file as a `Chain` that trains and streams.

    Taken over: graphs whose layers stand in one line, of RNN, GRU, LSTM (both directions, peepholes, coupled gates),
    one-dimensional Conv, Gemm, MatMul with Add, activations, pools, LayerNormalization, rows of an embedding, and what
    moves axes between them (Transpose, Squeeze, Reshape, …), as `to_onnx` and torch's own export write them. The module
    takes and gives (batch, time, numbers) whatever the graph's order of axes; its first input and output alone are
    taken, states begin at zero. The result's `notes` say so where it matters.

    Nothing in the file is executed, and no other file is opened. Raises SettingError, naming the operator, for what has
    no counterpart (branches, operators of one's own, weights in another file), FormatError for a damaged file,
    OSError where it can't be opened, MissingDependencyError without the onnx package.

    >>> import tempfile, torch
    >>> from seqloom.nn import GRU, Outputs, to_onnx
    >>> model, x = nn.Sequential(Outputs(GRU(3, 5)), nn.Linear(5, 1)), torch.ones(2, 7, 3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     to_onnx(model, f"{folder}/model.onnx")
    ...     same = from_onnx(f"{folder}/model.onnx")
    >>> torch.allclose(same(x), model(x), atol=1e-6)
    True
    """
    onnx = need("onnx", "reading an ONNX file")
    source = printable(os.fspath(path))
    data = files.read_whole(path, 3)  # the file, what is parsed of it, and the modules that are made
    with reading(source, "ONNX file", error=FormatError):
        model = onnx.ModelProto.FromString(data)
        if not model.graph.node or not model.graph.output or len(model.graph.node) > _MOST:
            raise FormatError(f"{source}: expected an ONNX file with 1 to {_MOST:,} operators and an output.")
        return _read(onnx, model.graph, source)


def _read(onnx: Any, proto: Any, source: str) -> Chain:
    graph = Graph(source)
    for tensor in proto.initializer:
        graph.values[tensor.name] = Constant(_array(onnx, tensor, source))
    given = [value for value in proto.input if value.name not in graph.values]
    if not given:
        raise FormatError(f"{source}: the graph has no input.")
    first = _input(graph, given[0])
    for value in given[1:]:
        graph.values[value.name] = Other(value.name, tuple(_sizes(value)))
    # A state that goes out, as `to_onnx` names it, may stand before the output.
    outputs = [value.name for value in proto.output]
    wanted = next((name for name in outputs if "_next" not in name), outputs[0])
    for one in _needed(proto, wanted, source):
        _run(onnx, graph, one)
    end = graph.values.get(wanted)
    if not isinstance(end, Flow) or not graph.layers:
        raise SettingError(f"{source}: the graph's output {shown(wanted)} is not made by layers from its input.")
    _finish(graph, end, first)
    modules = [layer.build() if isinstance(layer, Layer) else layer for layer in graph.layers]
    chain = Chain(*modules)
    if len({p.dtype for p in chain.parameters()}) > 1:
        chain.double()
    chain.notes = tuple(graph.notes)
    return chain.eval()


def _input(graph: Graph, value: Any) -> Flow:
    """The main input: its axes have no roles yet."""
    sizes = _sizes(value)
    if len(sizes) not in (2, 3):
        raise SettingError(
            f"{graph.source}: input {shown(value.name)} has {len(sizes)} axes; sequences (batch, time, numbers), rows "
            "or whole numbers (batch, time) are taken."
        )
    flow = Flow(tuple(Axis(size=size) for size in sizes))
    graph.values[value.name] = flow
    return flow


def _sizes(value: Any) -> list[int | None]:
    return [one.dim_value if one.HasField("dim_value") else None for one in value.type.tensor_type.shape.dim]


def _needed(proto: Any, wanted: str, source: str) -> list[Any]:
    """The operators that the first output hangs on, in the file's order."""
    by_output = {name: k for k, node in enumerate(proto.node) for name in node.output if name}
    found: set[int] = set()
    todo = [wanted]
    while todo:
        k = by_output.get(todo.pop())
        if k is not None and k not in found:
            found.add(k)
            todo += proto.node[k].input
    return [proto.node[k] for k in sorted(found)]


def _run(onnx: Any, graph: Graph, proto: Any) -> None:
    inputs = []
    for name in proto.input:
        if name and name not in graph.values:
            raise FormatError(
                f"{graph.source}: operator {shown(proto.op_type)} reads {shown(name)}, which isn't there."
            )
        inputs.append(graph.values[name] if name else None)
    kinds = onnx.AttributeProto
    attributes = {}
    for one in proto.attribute:
        if one.type in (kinds.GRAPH, kinds.GRAPHS):
            attributes[one.name] = "a graph"
        else:
            value = onnx.helper.get_attribute_value(one)
            attributes[one.name] = _plain(onnx, value, graph.source)
    node = Node(
        graph, proto.op_type, proto.name or next(iter(proto.output), ""), inputs, list(proto.output), attributes
    )
    found = RULES.get(proto.op_type) if proto.domain in ("", "ai.onnx") else None
    if found is None:
        own = f" of {shown(proto.domain)}" if proto.domain not in ("", "ai.onnx") else ""
        raise node.refuse(f"the operator{own} has no counterpart here; those that have are {', '.join(sorted(RULES))}")
    result = found(node)
    node.finish()
    results = result if isinstance(result, tuple) else (result,)
    for name, value in zip(proto.output, results):
        graph.values[name] = value


def _plain(onnx: Any, value: Any, source: str) -> Any:
    if isinstance(value, onnx.TensorProto):
        return _array(onnx, value, source)
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, (int, float)):
        return value
    return [v.decode("utf-8") if isinstance(v, bytes) else v for v in value]


def _array(onnx: Any, tensor: Any, source: str) -> Any:
    if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
        raise SettingError(
            f"{source}: weights {shown(tensor.name)} lie in another file, which is not opened: save the model with its "
            "weights inside (onnx.save without save_as_external_data)."
        )
    return onnx.numpy_helper.to_array(tensor)


def _finish(graph: Graph, end: Flow, first: Flow) -> None:
    """Tell the last layer which part of it the output is, and say how the axes stand."""
    here = Node(graph, "the output", "", [end], [], {})
    end, latest = here.flow(), graph.latest()
    # Directions that are not joined in the graph are joined by the module; an axis of one number says nothing.
    whole = [(latest, k) for k in range(latest.directions)] if isinstance(latest, RecurrentLayer) else None
    axes = [axis for axis in end.axes if axis.role != "1" and not (axis.role == "D" and axis.cells == whole)]
    if len(axes) < len(end.axes):
        graph.notes.append(
            "The graph's output has an axis of directions or of length 1, which the module doesn't have."
        )
    end = graph.used(replace(end, axes=tuple(axes)), here)
    if end.padded != (0, 0):
        raise here.refuse("it is padded")
    linear = all(isinstance(layer, (LinearLayer, Activated, nn.Dropout)) for layer in graph.layers)
    for flow in (first, end):
        if len(flow.axes) == 3:
            unknown = [axis for axis in flow.axes if axis.role is None]
            left = [role for role in "BTC" if role not in {axis.role for axis in flow.axes}]
            if unknown and not linear and len(unknown) > 1:
                raise here.refuse("no layer says which axis of the input is time")
            for axis, role in zip(unknown, left):
                axis.role = role
        elif len(flow.axes) == 2:
            for axis, role in zip(flow.axes, "BC" if flow is end else "BT" if _words(graph) else "BC"):
                axis.role = axis.role or role
    for name, flow, verb in (("input", first, "takes"), ("output", end, "gives")):
        order = [axis.role for axis in flow.axes]
        if order not in (["B", "T", "C"], ["B", "C"], ["B", "T"]):
            if sorted(str(role) for role in order) != ["B", "C", "T"]:
                raise here.refuse(f"its axes are {order}, and (batch, time, numbers) or (batch, numbers) are taken")
            words = {"B": "batch", "T": "time", "C": "numbers"}
            told = ", ".join(words[str(role)] for role in order)
            graph.notes.append(f"The graph's {name} is ({told}); the module {verb} (batch, time, numbers).")


def _words(graph: Graph) -> bool:
    return type(graph.layers[0]).__name__ == "Embedding"
