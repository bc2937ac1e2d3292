"""ONNX's RNN, GRU and LSTM operators as layers of seqloom."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from seqloom.nn.from_onnx_values import Axis, Constant, Flow, Layer, Node, Opaque, Other, Zeros, rule
from seqloom.nn.outputs import Outputs
from seqloom.nn.recurrent import GRU, LSTM, RNN, Recurrent
from seqloom.nn.recurrent_cell import RecurrentCell
from seqloom_runtime.errors import shown

__all__ = ["RecurrentLayer", "function_named"]

_KINDS: dict[str, type[Recurrent]] = {"RNN": RNN, "GRU": GRU, "LSTM": LSTM}
_GATES = {"RNN": (0,), "GRU": (1, 0, 2), "LSTM": (0, 2, 3, 1)}  # ours as blocks of ONNX's z, r, h and i, o, f, c
_USUAL = {"RNN": ("Tanh",), "GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh")}
_PLAIN = {
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "relu": "relu",
    "softsign": "softsign",
    "softplus": "softplus",
}
_ALPHA = {"leakyrelu": 0.01, "elu": 1.0, "hardsigmoid": 0.2, "affine": 1.0}  # ONNX's, where none is given
_BETA = {"hardsigmoid": 0.5, "affine": 0.0}
_ODD = ("sigmoid", "hard_sigmoid", "hard_sigmoid_02")


def function_named(node: Node, name: str, alpha: float, beta: float) -> str:
    """An activation function in seqloom's words."""
    low = name.lower()
    found = _PLAIN.get(low)
    if low == "affine" and (alpha, beta) == (1.0, 0.0):
        found = "identity"
    if low == "leakyrelu" and abs(alpha - 0.01) < 1e-8:
        found = "leaky_relu"
    if low == "elu" and alpha == 1.0:
        found = "elu"
    if low == "hardsigmoid" and abs(beta - 0.5) < 1e-8:
        found = next((n for n, s in (("hard_sigmoid_02", 0.2), ("hard_sigmoid", 1 / 6)) if abs(alpha - s) < 1e-7), None)
    if found is None:
        raise node.refuse(f"its activation {shown(name)} with alpha={alpha:g}, beta={beta:g} has no counterpart here")
    return found


@dataclass
class RecurrentLayer(Layer):
    """A recurrent layer: its arrays, for each direction, and what the operators behind it say of its outputs."""

    kind: str
    options: dict[str, Any]
    cells: list[dict[str, np.ndarray]] = field(default_factory=list)
    last: bool = False
    merge: str = "concat"

    @property
    def directions(self) -> int:
        """One or two."""
        return len(self.cells)

    def build(self) -> nn.Module:
        """The module with its weights."""
        first = self.cells[0]
        given = dict(self.options)
        if self.directions == 2:
            given |= {"bidirectional": True, "merge": self.merge}
        made = _KINDS[self.kind](first["w_x"].shape[0], first["w_h"].shape[0], **given)
        made.to(torch.float64 if first["w_x"].dtype == np.float64 else torch.float32)
        with torch.no_grad():
            for cell, arrays in zip(made.cells, self.cells, strict=True):
                assert isinstance(cell, RecurrentCell)
                for name, array in arrays.items():
                    getattr(cell, name).copy_(torch.from_numpy(np.ascontiguousarray(array)))
        return Outputs(made, last_only=self.last)


def _functions(node: Node, directions: int) -> list[str]:
    """The activation functions of one direction; both have the same, or it is refused."""
    usual = _USUAL[node.kind]
    names = node.attribute("activations") or list(usual) * directions
    if len(names) != len(usual) * directions or not all(isinstance(name, str) for name in names):
        raise node.damaged(f"should name {len(usual) * directions} activations")
    given = {
        "alpha": list(node.attribute("activation_alpha") or []),
        "beta": list(node.attribute("activation_beta") or []),
    }
    found = []
    for name in names:
        numbers = []
        for key, known in (("alpha", _ALPHA), ("beta", _BETA)):
            # Only functions that have such a number take one from the list.
            taken = given[key].pop(0) if name.lower() in known and given[key] else known.get(name.lower(), 0.0)
            numbers.append(float(taken))
        found.append(function_named(node, name, *numbers))
    if found[: len(usual)] != found[-len(usual) :]:
        raise node.refuse("its two directions have different activations")
    if node.kind == "LSTM" and found[1] != found[2]:
        raise node.refuse("the candidate and the output have different activations")
    return found[: len(usual)]


def _options(node: Node, directions: int, coupled: bool) -> dict[str, Any]:
    functions = _functions(node, directions)
    options: dict[str, Any] = {"activation": functions[-1]}
    if node.kind != "RNN":
        options["recurrent_activation"] = functions[0]
    if node.kind == "GRU":
        options["reset_after"] = bool(node.attribute("linear_before_reset", 0))
    if coupled:
        if functions[0] not in _ODD:
            raise node.refuse("its gates are coupled (input_forget), which here takes a sigmoid")
        options["coupled"] = True
    if node.attribute("clip") is not None:
        raise node.refuse("clip bounds what goes into the activations, which has no counterpart here")
    return options


def _check_states(node: Node, steps: int | None) -> None:
    """Lengths and first states that say nothing, or come from outside."""
    lengths = node.given(4)
    full = isinstance(lengths, Constant) and steps is not None and (lengths.array >= steps).all()
    if lengths is not None and not full:
        raise node.refuse("it reads row lengths: take the graph without them, and give the module a mask")
    for k, name in ((5, "initial_h"), (6, "initial_c")):
        state = node.given(k) if k == 5 or node.kind == "LSTM" else None
        if isinstance(state, Other):
            node.graph.notes.append(
                f"{node}: input {shown(state.name)} is a state; the module starts from zeros, stream() and carry go on."
            )
        elif isinstance(state, Constant) and state.array.any():
            raise node.refuse(f"{name} is not zero, and layers here start from zeros")
        elif not isinstance(state, (Constant, Zeros, Opaque, type(None))):
            raise node.refuse(f"{name} is computed by other layers, and layers here start from zeros")


@rule("RNN", "GRU", "LSTM")
def _recurrent(node: Node) -> Any:
    flow = node.graph.used(node.flow(), node)
    layout = node.attribute("layout", 0)
    node.roles(flow, "BTC" if layout else "TBC")
    direction = node.attribute("direction", "forward")
    if direction not in ("forward", "reverse", "bidirectional"):
        raise node.damaged(f"has the direction {shown(direction)}")
    count = 2 if direction == "bidirectional" else 1
    coupled = bool(node.attribute("input_forget", 0))
    options = _options(node, count, coupled)
    batch, time = (flow.axes[0], flow.axes[1]) if layout else (flow.axes[1], flow.axes[0])
    _check_states(node, time.size)
    cells, biased, second = _cells(node, count, coupled)
    options |= {"bias": biased, "recurrent_bias": second}
    if coupled or node.kind == "LSTM":
        options["peephole"] = "peephole" in cells[0]
    if direction == "reverse":
        options["reverse"] = True
    layer = RecurrentLayer(node.kind, options, cells)
    way, width = Axis("D", [(layer, k) for k in range(count)]), Axis("C")
    out = [batch, time, way, width] if layout else [time, way, batch, width]
    y = node.put(layer, out)
    state = [batch, way, width] if layout else [way, batch, width]
    return y, Flow(tuple(state), y.at, last=True), Opaque()


def _cells(node: Node, count: int, coupled: bool) -> tuple[list[dict[str, np.ndarray]], bool, bool]:
    """The arrays of each direction in our order; whether there is a bias, and a second one."""
    gates = len(_GATES[node.kind])
    r = node.weights(2, count, None, None)
    units = r.shape[2]
    told = node.attribute("hidden_size")
    if told is not None and told != units:
        raise node.damaged(f"says hidden_size={shown(told)}, its weights are for {units}")
    node.weights(2, count, gates * units, units)
    w = node.weights(1, count, gates * units, None)
    b = None if node.given(3) is None else node.weights(3, count, 2 * gates * units)
    p = node.weights(7, count, 3 * units) if node.kind == "LSTM" and node.given(7) is not None else None
    second = b is not None and bool(b[:, gates * units :].any())
    cells = []
    for k in range(count):
        arrays = {"w_x": _ours(node, w[k].T, coupled), "w_h": _ours(node, r[k].T, coupled)}
        if b is not None:
            arrays["bias"] = _ours(node, b[k, : gates * units], coupled)
            if second:
                arrays["bias_h"] = _ours(node, b[k, gates * units :], coupled)
        if p is not None:
            i, o, f = np.split(p[k], 3)
            arrays["peephole"] = np.stack([-i, o] if coupled else [i, f, o])
        cells.append(arrays)
    return cells, b is not None, second


def _ours(node: Node, array: np.ndarray, coupled: bool) -> np.ndarray:
    """(…, blocks of ONNX) → (…, blocks of ours). Coupled, ONNX's f is 1 − i and ours is i = 1 − f: signs turn."""
    parts = np.split(array, len(_GATES[node.kind]), axis=-1)
    if coupled:
        return np.concatenate([-parts[0], parts[3], parts[1]], axis=-1)
    return np.concatenate([parts[k] for k in _GATES[node.kind]], axis=-1)
