"""Whole networks of pictures and films as ONNX files: their inputs, and ConvLSTM and ConvGRU as a Scan over frames."""

from __future__ import annotations

from typing import Any

from torch import nn

from seqloom.nn.conv_recurrent import ConvGRU, ConvLSTM, ConvRecurrent
from seqloom.nn.frame_encoder import FrameEncoder
from seqloom.nn.images import ImageNetwork
from seqloom.nn.onnx_images import convolved_2d
from seqloom.nn.onnx_rules import Export, Value

__all__ = ["pictures_written", "reads_pictures"]


def reads_pictures(module: nn.Module) -> bool:
    """Whether a module takes pictures or films, not sequences."""
    return isinstance(module, (ConvRecurrent, FrameEncoder, ImageNetwork))


def pictures_written(export: Export, module: nn.Module) -> None:
    """Declare input and output of such a module, and write it; raises SettingError for one without a form in ONNX."""
    graph = export.graph
    if isinstance(module, ConvRecurrent) and type(module) in (ConvGRU, ConvLSTM):
        axes: list[int | str] = ["batch", "time", "height", "width", module.input_size]
        y = _films(export, module, graph.input("x", axes, "the frames"))
        graph.output(y, "y", [*axes[:4], module.hidden_size], "the outputs")
        return
    if export.stateful:
        raise export.refuse("it reads each picture by itself, so it has no state to carry (stateful=True)")
    if isinstance(module, FrameEncoder):
        axes = ["batch", "time", "height", "width", module.input_size]
        y = export.apply(module, Value(graph.input("x", axes, "the frames"), module.input_size)).name
        maps: list[int | str] = [] if module.pooled else ["height_y", "width_y"]
        graph.output(y, "y", ["batch", "time", *maps, module.output_size], "the features of each frame")
        return
    assert isinstance(module, ImageNetwork)
    x = graph.input("x", ["batch", module.channels, *module.size], "the pictures, channels first")
    y = export.apply(module, Value(x, module.channels, None)).name
    last = [layer for layer in module.classifier if isinstance(layer, nn.Linear)]
    width = last[-1].out_features if last else module.width
    graph.output(y, "y", ["batch", width], "the outputs, without a softmax")


def _films(export: Export, module: ConvRecurrent, x: str) -> str:
    """x (B, T, Y, X, C) → (B, T, Y, X, F): within, frames are (T, B, C, Y, X)."""
    graph, size = export.graph, module.hidden_size
    states = _states(export, module, x)
    y, finals = graph.node("Transpose", x, perm=[1, 0, 4, 2, 3]), []
    for layer in range(module.num_layers):
        starts = [graph.node("Gather", state, graph.whole_number(layer), axis=0) for state in states]
        y, last = _layer(export.inside(str(layer)), module, layer, y, starts)
        finals.append(last)
    if export.stateful:
        for part, name in enumerate(("h", "c")[: len(states)]):
            each = [graph.node("Unsqueeze", last[part], graph.whole(0)) for last in finals]
            whole = graph.node("Transpose", graph.node("Concat", *each, axis=0), perm=[0, 1, 3, 4, 2])
            axes: list[int | str] = [module.num_layers, "batch", "height", "width", size]
            graph.output(whole, export.called(f"{name}_next"), axes, f"{name} after the last frame")
    return graph.node("Transpose", y, perm=[1, 0, 3, 4, 2])


def _states(export: Export, module: ConvRecurrent, x: str) -> list[str]:
    """h, and of the LSTM c: (layers, B, F, Y, X)."""
    graph, names = export.graph, ("h", "c") if module.pair else ("h",)
    axes: list[int | str] = [module.num_layers, "batch", "height", "width", module.hidden_size]
    if export.stateful:
        given = [export.state(name, axes, f"{name} before the first frame")[0] for name in names]
        return [graph.node("Transpose", value, perm=[0, 1, 4, 2, 3]) for value in given]
    shape = graph.node("Shape", x)
    batch, places = (
        graph.node("Slice", shape, graph.whole(a), graph.whole(b), graph.whole(0)) for a, b in ((0, 1), (2, 4))
    )
    sizes = graph.node("Concat", graph.whole(module.num_layers), batch, graph.whole(module.hidden_size), places, axis=0)
    return [graph.node("ConstantOfShape", sizes)] * len(names)


def _layer(export: Export, module: ConvRecurrent, layer: int, x: str, starts: list[str]) -> tuple[str, list[str]]:
    """One layer of frames (T, B, C, Y, X): its outputs, and the states after the last frame (B, F, Y, X)."""
    graph, size, gates = export.graph, module.hidden_size, module.gates
    padding = [module.kernel_size // 2] * 4
    shape = graph.node("Shape", x)
    frame = graph.node("Slice", shape, graph.whole(2), graph.whole(5), graph.whole(0))
    together = graph.node("Reshape", x, graph.node("Concat", graph.whole(-1), frame, axis=0))
    read = convolved_2d(export.inside("x"), together, module.w_x[layer], module.bias[layer], pads=padding)
    first = graph.node("Slice", shape, graph.whole(0), graph.whole(2), graph.whole(0))
    places = graph.node("Slice", shape, graph.whole(3), graph.whole(5), graph.whole(0))
    sizes = graph.node("Concat", first, graph.whole(gates * size), places, axis=0)
    read = graph.node("Reshape", read, sizes)
    map_of: list[int | str] = ["batch", size, "height", "width"]
    with graph.body([map_of] * len(starts) + [["batch", gates * size, "height", "width"]], []) as body:
        *old, a = body.given
        u = convolved_2d(export.inside("h"), old[0], module.w_h[layer], None, pads=padding)
        new = _lstm(graph, size, a, u, old[1]) if module.pair else _gru(graph, size, a, u, old[0])
        body.results = [*new, new[0]]
    *last, y = graph.node("Scan", *starts, read, outputs=len(starts) + 1, body=body.graph, num_scan_inputs=1)
    return y, last


def _gates(graph: Any, value: str, size: int, count: int) -> Any:
    return graph.node("Split", value, graph.whole(*[size] * count), outputs=count, axis=1)


def _lstm(graph: Any, size: int, a: str, u: str, c: str) -> list[str]:
    i, f, g, o = _gates(graph, graph.node("Add", a, u), size, 4)
    kept = graph.node("Mul", graph.node("Sigmoid", f), c)
    c = graph.node("Add", kept, graph.node("Mul", graph.node("Sigmoid", i), graph.node("Tanh", g)))
    return [graph.node("Mul", graph.node("Sigmoid", o), graph.node("Tanh", c)), c]


def _gru(graph: Any, size: int, a: str, u: str, h: str) -> list[str]:
    a_r, a_z, a_n = _gates(graph, a, size, 3)
    u_r, u_z, u_n = _gates(graph, u, size, 3)
    r, z = (graph.node("Sigmoid", graph.node("Add", one, two)) for one, two in ((a_r, u_r), (a_z, u_z)))
    n = graph.node("Tanh", graph.node("Add", a_n, graph.node("Mul", r, u_n)))
    rest = graph.node("Mul", graph.node("Sub", graph.number(1.0), z), n)
    return [graph.node("Add", rest, graph.node("Mul", z, h))]
