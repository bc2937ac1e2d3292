"""Cells for which ONNX has no operator, as its Scan: one step in plain operators, beside `ops.equations` line by line.

Layer norm, projection, cell clip, zoneout at its mean, Jordan, prelu, coupled gates of any activation. Symbols as
there; a is made for all steps before the loop.
"""

from __future__ import annotations

from typing import Any

from seqloom.nn.onnx_graph import Graph
from seqloom.nn.onnx_rules import Export, activated, tensor
from seqloom.nn.recurrent_cell import RecurrentCell
from seqloom.ops.activations import Activation
from seqloom.ops.cell import Cell

__all__ = ["scanned"]


class _Step:
    """One cell in one direction: its weights as names, and the operators of its step."""

    def __init__(self, export: Export, module: RecurrentCell):
        self.export, self.graph, self.cell = export, export.graph, module.cell
        self.hidden = module.hidden_size
        self.weights = {name: tensor(export, name, value) for name, value in module.weights().items()}
        if module.weights().peephole is not None:
            names = ("p_f", "p_o") if module.cell.coupled else ("p_i", "p_f", "p_o")
            rows = zip(names, module.weights().peephole, strict=True)  # pyright: ignore[reportArgumentType]
            self.weights |= {name: tensor(export, name, row) for name, row in rows}
        if module.cell.kind == "gru" and not module.cell.reset_after:
            for whole in ("w_h", "bias_h"):  # a product for each gate
                value = getattr(module, whole)
                blocks = [] if value is None else value.chunk(3, dim=-1)
                self.weights |= {f"{whole}_{k}": tensor(export, f"{whole}_{k}", b) for k, b in enumerate(blocks)}

    def inputs(self, x: str) -> str:
        """LN_x(x W_x) + b: (T, B, I) → (T, B, G·H)."""
        return self.plus(self.normed(self.graph.node("MatMul", x, self.weights["w_x"]), "gain_x"), "bias")

    def plus(self, value: str, name: str) -> str:
        """A value plus a bias, where there is one."""
        return self.graph.node("Add", value, self.weights[name]) if name in self.weights else value

    def normed(self, value: str, gain: str) -> str:
        """Layer norm with a gain, where the cell has it."""
        if gain not in self.weights:
            return value
        return self.graph.node(
            "LayerNormalization", value, self.weights[gain], axis=-1, epsilon=float(self.cell.epsilon)
        )

    def act(self, value: str, activation: Activation) -> str:
        """A value behind an activation; prelu with its slopes."""
        if activation == "prelu":
            return self.graph.node("PRelu", value, self.weights["slope"])
        return activated(self.export, value, activation)

    def product(self, h: str) -> str:
        """u = LN_h(h W_h) [+ b_h]."""
        return self.plus(self.normed(self.graph.node("MatMul", h, self.weights["w_h"]), "gain_h"), "bias_h")

    def split(self, value: str, parts: int) -> Any:
        """The blocks of the last axis."""
        return self.graph.node("Split", value, self.graph.whole(*[self.hidden] * parts), outputs=parts, axis=-1)

    def sum(self, one: str, other: str) -> str:
        """The sum of two values."""
        return self.graph.node("Add", one, other)

    def times(self, one: str, other: str) -> str:
        """The product of two values, number by number."""
        return self.graph.node("Mul", one, other)

    def rest(self, value: str) -> str:
        """1 − value."""
        return self.graph.node("Sub", self.graph.number(1.0), value)

    def seen(self, a: str, name: str, c: str) -> str:
        """a + p⊙c where the cell has peepholes."""
        return self.sum(a, self.times(self.weights[name], c)) if name in self.weights else a


def _elman(step: _Step, a: str, h: str, c: str) -> tuple[str, ...]:
    return (step.act(step.sum(a, step.product(h)), step.cell.activation),)


def _jordan(step: _Step, a: str, h: str, c: str) -> tuple[str, ...]:
    hidden = step.act(step.sum(a, step.product(h)), step.cell.activation)
    out = step.plus(step.graph.node("MatMul", hidden, step.weights["w_out"]), "bias_out")
    return (step.act(out, step.cell.output_activation),)


def _gru(step: _Step, a: str, h: str, c: str) -> tuple[str, ...]:
    cell = step.cell
    a_r, a_z, a_n = step.split(a, 3)
    if not cell.reset_after:
        return (_gru_reset_before(step, a_r, a_z, a_n, h),)
    u_r, u_z, u_n = step.split(step.product(h), 3)
    r = step.act(step.sum(a_r, u_r), cell.gate_activation)
    z = step.act(step.sum(a_z, u_z), cell.gate_activation)
    n = step.act(step.sum(a_n, step.times(r, u_n)), cell.activation)
    return (step.sum(step.times(step.rest(z), n), step.times(z, h)),)


def _gru_reset_before(step: _Step, a_r: str, a_z: str, a_n: str, h: str) -> str:
    cell = step.cell

    def product(value: str, k: int) -> str:
        return step.plus(step.graph.node("MatMul", value, step.weights[f"w_h_{k}"]), f"bias_h_{k}")

    r = step.act(step.sum(a_r, product(h, 0)), cell.gate_activation)
    z = step.act(step.sum(a_z, product(h, 1)), cell.gate_activation)
    n = step.act(step.sum(a_n, product(step.times(r, h), 2)), cell.activation)
    return step.sum(step.times(step.rest(z), n), step.times(z, h))


def _lstm(step: _Step, a: str, h: str, c: str) -> tuple[str, ...]:
    cell, graph = step.cell, step.graph
    *a_i, a_f, a_g, a_o = step.split(step.sum(a, step.product(h)), cell.gates)
    f = step.act(step.seen(a_f, "p_f", c), cell.gate_activation)
    i = step.act(step.seen(a_i[0], "p_i", c), cell.gate_activation) if a_i else step.rest(f)
    c_new = step.sum(step.times(f, c), step.times(i, step.act(a_g, cell.activation)))
    if cell.cell_clip is not None:
        c_new = graph.node("Clip", c_new, graph.number(-cell.cell_clip), graph.number(cell.cell_clip))
    o = step.act(step.seen(a_o, "p_o", c_new), cell.gate_activation)
    h_new = step.times(o, step.act(step.normed(c_new, "gain_c"), cell.activation))
    return (graph.node("MatMul", h_new, step.weights["w_p"]) if "w_p" in step.weights else h_new), c_new


_STEPS = {"elman": _elman, "jordan": _jordan, "gru": _gru, "lstm": _lstm}


def scanned(
    export: Export, module: RecurrentCell, x: str, states: list[str], kept: str | None, *, reverse: bool
) -> tuple[str, list[str]]:
    """A layer in one direction: x (T, B, I), states (B, ·) and kept (T, B, 1), or None → y (T, B, S), final states."""
    graph, cell = export.graph, module.cell
    if cell.kind not in _STEPS:
        raise export.refuse(f"a {cell.kind} cell has no form in ONNX here")
    step = _Step(export, module)
    each = [step.inputs(x), *([] if kept is None else [kept])]
    widths = [module.state_size, *([module.hidden_size] if cell.pair else [])]
    numbers: list[list[int | str]] = [["batch", width] for width in (*widths, cell.gates * module.hidden_size)]
    with graph.body(numbers, [] if kept is None else [["batch", 1]]) as body:
        old, (a, *keep) = body.given[: len(widths)], body.given[len(widths) :]
        new = _STEPS[cell.kind](step, a, old[0], old[-1])
        held = [_stay(graph, *pair, keep) for pair in zip(old, new, _zoneouts(cell), strict=False)]
        body.results = [*held, held[0]]
    direction = [int(reverse)]
    *last, y = graph.node(
        "Scan",
        *states,
        *each,
        outputs=len(states) + 1,
        body=body.graph,
        num_scan_inputs=len(each),
        scan_input_directions=direction * len(each),
        scan_output_directions=direction,
    )
    return y, last


def _zoneouts(cell: Cell) -> tuple[float, float]:
    return cell.zoneout, cell.zoneout_cell


def _stay(graph: Graph, old: str, new: str, zoneout: float, keep: list[str]) -> str:
    """The state after a step: zoneout's mean, then the mask."""
    if zoneout:
        kept = graph.node("Mul", old, graph.number(zoneout))
        new = graph.node("Add", kept, graph.node("Mul", new, graph.number(1 - zoneout)))
    return graph.node("Where", keep[0], new, old) if keep else graph.node("Identity", new)
