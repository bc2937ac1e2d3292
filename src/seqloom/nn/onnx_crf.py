"""Viterbi's recursion in ONNX's operators: `CRF.decode` as two Scans, one forward over the steps and one back."""

from __future__ import annotations

from seqloom.nn.crf import CRF
from seqloom.nn.onnx_rules import Export, tensor

__all__ = ["decoded"]


def decoded(export: Export, crf: CRF, emissions: str, kept: str) -> str:
    """emissions (B, T, K) and kept (B, T) bool, true from the first step on → the most likely tags (B, T) int64.

    0 where kept is false.
    """
    graph = export.graph
    steps = graph.node("Transpose", emissions, perm=[1, 0, 2])
    keeps = graph.node("Unsqueeze", graph.node("Transpose", kept, perm=[1, 0]), graph.whole(2))
    time = graph.node("Squeeze", graph.node("Gather", graph.node("Shape", emissions), graph.whole(1)), graph.whole(0))
    numbers = graph.node("Range", graph.whole_number(0), time, graph.whole_number(1))
    firsts = graph.node("Unsqueeze", graph.node("Equal", numbers, graph.whole_number(0)), graph.whole(1, 2))
    start, end = tensor(export, "start", crf.start), tensor(export, "end", crf.end)
    transitions = tensor(export, "transitions", crf.transitions)
    itself = graph.whole(*range(crf.tags))
    with graph.body([["batch", crf.tags]] * 2, [["batch", 1], [1, 1]]) as body:
        best, emission, keep, first = body.given
        scores = graph.node("Add", graph.node("Unsqueeze", best, graph.whole(2)), transitions)
        highest = graph.node("Where", first, start, graph.reduced("ReduceMax", scores, 1, keep=False))
        before = graph.node("ArgMax", scores, axis=1, keepdims=0)
        # Behind the end each tag points to itself, so that the way back reaches the last real step unchanged.
        before = graph.node("Where", keep, before, itself)
        new = graph.node("Where", keep, graph.node("Add", highest, emission), best)
        body.results, body.kinds = [new, before], ["FLOAT", "INT64"]
    none = graph.node("Mul", graph.node("Gather", steps, graph.whole_number(0), axis=0), graph.number(0.0))
    best, back = graph.node("Scan", none, steps, keeps, firsts, outputs=2, body=body.graph, num_scan_inputs=3)
    tag = graph.node("ArgMax", graph.node("Add", best, end), axis=1, keepdims=1)
    with graph.body([], [], [["batch", 1], ["batch", crf.tags]]) as body:
        now, before = body.given
        body.results, body.kinds = [graph.node("GatherElements", before, now, axis=1), now], ["INT64", "INT64"]
    _, path = graph.node(
        "Scan", tag, back, outputs=2, body=body.graph, num_scan_inputs=1, scan_input_directions=[1],
        scan_output_directions=[1],
    )  # fmt: skip
    tags = graph.node("Transpose", graph.node("Squeeze", path, graph.whole(2)), perm=[1, 0])
    return graph.node("Where", kept, tags, graph.whole_number(0))
