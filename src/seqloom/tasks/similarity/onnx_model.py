"""What stands for a sequence as an ONNX file: sequences in, embeddings of length 1 out; the nearer, the more alike."""

from __future__ import annotations

import os
from typing import Any

from seqloom_runtime.errors import SettingError

from ...nn.onnx_graph import Graph
from ...nn.onnx_layers import linear
from ...nn.onnx_rules import Export, Value
from ..exporting import save_graph, standardised
from ..networks.onnx_bodies import counted, summary_of
from .model import SequenceSimilarity

__all__ = ["save_onnx"]

_LEAST = 1e-12  # of a length that is divided by


def save_onnx(model: SequenceSimilarity, path: str | os.PathLike[str], graph: Graph, stateful: bool) -> dict[str, Any]:
    """Write the file; returns its record. Raises SettingError, with the reason, for what has no form there."""
    own: Any = model.model_
    why = None
    if not hasattr(own, "network"):
        why = "the baseline has no network; it compares the sequences themselves"
    elif stateful and not own.network.body.causal:
        why = "it looks ahead, so it has no state to carry (stateful)"
    if why is not None:
        raise SettingError(f"The model {model.model!r} can't be exported to ONNX: {why}.")
    network = own.network
    export, channels = Export(graph, stateful), list(model.channels_)
    raw = graph.input("x", ["batch", "time", len(channels)], "the sequences, channels as named")
    x = standardised(graph, raw, model.model_.scale)
    about = [
        f"Input x: sequences (batch, time, {len(channels)}), float32, in the units of training: {', '.join(channels)}."
    ]
    if not stateful:
        export.lengths = graph.input("lengths", ["batch"], "the steps that count in each row", "INT64")
        about.append("Input lengths: the steps that count in each row, whole numbers; what stands behind is not read.")
        mask = graph.node("Unsqueeze", counted(export, x), graph.whole(2))
        x = graph.node("Where", mask, x, graph.number(0.0))
    v = linear(
        export.inside("output"),
        network.output,
        summary_of(export.inside("body"), network.body, Value(x, len(channels))),
    )
    squared = graph.node("ReduceSum", graph.node("Mul", v, v), graph.whole(1), keepdims=1)
    length = graph.node("Max", graph.node("Sqrt", squared), graph.number(_LEAST))
    size = network.spec.embedding_size
    graph.output(graph.node("Div", v, length), "embedding", ["batch", size], "what stands for each row, of length 1")
    graph.metadata |= {"channels": channels}
    about.append(f"Output embedding: (batch, {size}), of length 1; the nearer two of them, the more alike.")
    return save_graph(graph, path, model, "similarity", about)
