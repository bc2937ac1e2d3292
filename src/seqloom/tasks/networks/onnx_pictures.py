"""Bodies of pictures, films and records with gaps in ONNX's operators: the rules of `onnx_bodies` for them."""

from __future__ import annotations

from dataclasses import replace

from ...nn import onnx_images as _rules  # registers the rules of its layers
from ...nn.onnx_layers import linear
from ...nn.onnx_rules import Export, Value, tensor
from .decay import DecayBody
from .films import FilmBody
from .onnx_bodies import counted, steps_of, summary_of, writes_steps, writes_summary
from .pictures import PictureBody

__all__ = ["frames_read"]

assert _rules


@writes_summary(PictureBody)
def _picture(export: Export, body: PictureBody, x: Value) -> str:
    """x (B, H·W, C) → (B, F)."""
    graph, (high, wide) = export.graph, body.spec.picture
    maps = graph.node("Transpose", x.name, perm=[0, 2, 1])
    maps = graph.node("Reshape", maps, graph.whole(0, 0, high, wide))
    return export.apply(body.network, Value(maps, body.spec.inputs, None)).name


@writes_steps(FilmBody)
def _film_steps(export: Export, body: FilmBody, x: Value) -> tuple[Value, Export]:
    return steps_of(export, body.frames, frames_read(export, body, x))


@writes_summary(FilmBody)
def _film(export: Export, body: FilmBody, x: Value) -> str:
    return summary_of(export, body.frames, frames_read(export, body, x))


def frames_read(export: Export, body: FilmBody, x: Value) -> Value:
    """x (B, T, H·W·C) → (B, T, F)."""
    frames = export.graph.node("Reshape", x.name, export.graph.whole(0, 0, *body.size))
    return export.inside("encoder").apply(body.encoder, replace(x, name=frames, width=body.size[2]))


@writes_steps(DecayBody)
def _decay(export: Export, body: DecayBody, x: Value) -> tuple[Value, Export]:
    """`DecayBody` line by line; its loop over the steps is a Scan."""
    graph, units, columns = export.graph, body.spec.units, body.spec.inputs // 3
    value, measured, since = graph.node("Split", x.name, graph.whole(*[columns] * 3), outputs=3, axis=2)
    rate = graph.node("Mul", tensor(export, "input_rate", body.input_rate), since)
    rate = graph.node("Add", rate, tensor(export, "input_bias", body.input_bias))
    decay = graph.node("Exp", graph.node("Neg", graph.node("Relu", rate)))
    gone = graph.node("Mul", graph.node("Sub", graph.number(1.0), measured), decay)
    seen = graph.node("Mul", value, graph.node("Add", measured, gone))
    stays = graph.node("Relu", linear(export.inside("state_rate"), body.state_rate, since))
    stays = graph.node("Exp", graph.node("Neg", stays))
    read = linear(export.inside("read"), body.read, graph.node("Concat", seen, measured, axis=2))
    each = [graph.node("Transpose", v, perm=[1, 0, 2]) for v in (read, stays)]
    if export.lengths is not None:
        kept = graph.node("Unsqueeze", graph.node("Transpose", counted(export, x.name), perm=[1, 0]), graph.whole(2))
        each.append(kept)
    gates = tensor(export, "gates", body.gates.t())
    candidate = tensor(export, "candidate", body.candidate.t())
    masks: list[list[int | str]] = [["batch", 1]] if export.lengths is not None else []
    with graph.body([["batch", units], ["batch", 3 * units], ["batch", units]], masks) as inner:
        h, a, stay, *keep = inner.given
        before = graph.node("Mul", stay, h)
        a_rz, a_n = graph.node("Split", a, graph.whole(2 * units, units), outputs=2, axis=1)
        rz = graph.node("Sigmoid", graph.node("Add", a_rz, graph.node("MatMul", before, gates)))
        r, z = graph.node("Split", rz, graph.whole(units, units), outputs=2, axis=1)
        n = graph.node("MatMul", graph.node("Mul", r, before), candidate)
        n = graph.node("Tanh", graph.node("Add", a_n, n))
        after = graph.node("Add", before, graph.node("Mul", z, graph.node("Sub", n, before)))
        after = graph.node("Where", keep[0], after, h) if keep else after
        inner.results = [after, after]
    start = _state(export, x.name, units)
    last, y = graph.node("Scan", start, *each, outputs=2, body=inner.graph, num_scan_inputs=len(each),
                         scan_output_directions=[0])  # fmt: skip
    if export.stateful:
        graph.output(last, export.called("h_next"), ["batch", units], "h after the last step")
    return Value(graph.node("Transpose", y, perm=[1, 0, 2]), units, x.steps), export


def _state(export: Export, x: str, units: int) -> str:
    """The first state (B, units): an input where the export is stateful, else zeros."""
    graph = export.graph
    if export.stateful:
        return export.state("h", ["batch", units], "h before the first step")[0]
    batch = graph.node("Gather", graph.node("Shape", x), graph.whole(0))
    return graph.node("ConstantOfShape", graph.node("Concat", batch, graph.whole(units), axis=0))
