"""A model of irregular records as an ONNX file: what was measured, with gaps, and when, in; the risk out.

What is carried over a gap, and how old it is, is worked out in the graph, in float64, as `records.inputs` has it.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from seqloom_runtime.errors import SettingError

from ...nn.onnx_graph import Graph
from ...nn.onnx_rules import Export, Value
from ..exporting import save_graph, yes
from ..networks import onnx_pictures as _rules  # registers the rule of GRU-D
from ..networks.onnx_bodies import counted, steps_of, summary_of
from .model import RecordModel
from .network import gaps_of

__all__ = ["save_onnx"]

assert _rules


def save_onnx(model: RecordModel, path: str | os.PathLike[str], graph: Graph, stateful: bool) -> dict[str, Any]:
    """Write the file; returns its record. Raises SettingError, with the reason, for what has no form there."""
    own: Any = model.model_
    why = None
    if not hasattr(own, "network"):
        why = "the baseline reads nothing; its risk is the same for every record"
    elif stateful:
        why = "the age of a value, which its state would hold, begins with a record's own first time"
    if why is not None:
        raise SettingError(f"The model {model.model!r} can't be exported to ONNX: {why}.")
    network = own.network
    columns, export = list(model.columns_), Export(graph)
    axes: list[int | str] = ["batch", "time"]
    values = graph.input(
        "values", [*axes, len(columns)], "what was measured, columns as named, NaN for a gap", "DOUBLE"
    )
    unit = f"in {model.unit_}" if model.unit_ else "as in training"
    times = graph.input("times", axes, f"when, rising within a record, {unit}", "DOUBLE")
    export.lengths = graph.input("lengths", ["batch"], "the rows that count of each record", "INT64")
    x = _inputs(export, model, values, times)
    inside, body = export.inside("body"), network.body
    if model.every_step_:
        features, _ = steps_of(inside, body, Value(x, body.spec.inputs))
    else:
        features = Value(summary_of(inside, body, Value(x, body.spec.inputs)), body.output_size, None)
    y = export.inside("output").apply(network.output, features).name
    risk = graph.node("Squeeze", yes(graph, y), graph.whole(2 if model.every_step_ else 1))
    what = "that the event comes within the horizon, at each row" if model.every_step_ else f"of {model.labels_[1]!r}"
    graph.output(risk, "risk", axes if model.every_step_ else ["batch"], what, "DOUBLE")
    graph.metadata |= {
        "columns": columns,
        "unit": model.unit_,
        "threshold": model.threshold_,
        "horizon": model.horizon_,
    }
    about = [
        f"Input values: what was measured (batch, time, {len(columns)}), NaN for a gap: {', '.join(columns)}.",
        f"Input times: when, (batch, time), rising within a record, {unit}.",
        "Input lengths: the rows that count of each record, whole numbers; what stands behind is not read.",
        f"Output risk: {what}.",
    ]
    return save_graph(graph, path, model, "records", about)


def _inputs(export: Export, model: RecordModel, values: str, times: str) -> str:
    """The steps that the network reads, (B, T, inputs) float32: see `records.inputs.record_inputs`."""
    graph, scale, gaps = export.graph, model.scale_, gaps_of(model.model, model.gaps)
    kept = graph.node("Unsqueeze", counted(export, values), graph.whole(2))
    held, age = _carried(export, values, times)
    mean, std = (graph.array(np.asarray(each, np.float64)) for each in (scale.mean, scale.std))
    value = graph.node("Div", graph.node("Sub", held, mean), std)
    value = graph.node("Where", graph.node("IsNaN", value), graph.wide_number(0.0), value)
    parts = [value]
    if gaps != "forward":
        age = graph.node("Div", age, graph.wide_number(scale.age))
        if gaps == "features":
            age = graph.node("Log", graph.node("Add", graph.wide_number(1.0), age))
        parts += [graph.cast(graph.node("Not", graph.node("IsNaN", values)), "DOUBLE"), age]
    x = parts[0] if len(parts) == 1 else graph.node("Concat", *parts, axis=2)
    return graph.node("Where", kept, graph.cast(x, "FLOAT"), graph.number(0.0))


def _carried(export: Export, values: str, times: str) -> tuple[str, str]:
    """The last value until each row, and the time since the one before it, or since the first row: (B, T, D) each."""
    graph = export.graph
    steps = graph.node("Transpose", values, perm=[1, 0, 2])
    clock = graph.node("Unsqueeze", graph.node("Transpose", times, perm=[1, 0]), graph.whole(2))
    first = graph.node("Gather", clock, graph.whole_number(0), axis=0)
    none = graph.node("Gather", steps, graph.whole_number(0), axis=0)
    start = graph.node("Expand", first, graph.node("Shape", none))
    columns: int | str = "columns"
    with graph.body([], [], wide=[["batch", columns], ["batch", columns], ["batch", columns], ["batch", 1]]) as body:
        held, when, value, now = body.given
        gap = graph.node("IsNaN", value)
        age = graph.node("Sub", now, when)
        held = graph.node("Where", gap, held, value)
        body.results, body.kinds = [held, graph.node("Where", gap, when, now), held, age], ["DOUBLE"] * 4
    *_, held, age = graph.node("Scan", none, start, steps, clock, outputs=4, body=body.graph, num_scan_inputs=2)
    return graph.node("Transpose", held, perm=[1, 0, 2]), graph.node("Transpose", age, perm=[1, 0, 2])
