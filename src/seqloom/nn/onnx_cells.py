"""Recurrent cells as ONNX's RNN, GRU and LSTM operators: which of them have one, and their weights in its order.

ONNX keeps gates as rows, (directions, G·H, I), in the orders z, r, h (GRU) and i, o, f, c (LSTM).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from seqloom.ops.activations import LEAK, Activation, activation_name
from seqloom.ops.cell import Cell, Weights

__all__ = ["ONNX_ACTIVATIONS", "Operator", "arranged", "operator_of"]

# The operator's name, its alpha and its beta; the same names serve as operators of their own, Affine aside.
ONNX_ACTIVATIONS: dict[str, tuple[str, float | None, float | None]] = {
    "tanh": ("Tanh", None, None),
    "sigmoid": ("Sigmoid", None, None),
    "relu": ("Relu", None, None),
    "leaky_relu": ("LeakyRelu", LEAK, None),
    "elu": ("Elu", 1.0, None),
    "softsign": ("Softsign", None, None),
    "softplus": ("Softplus", None, None),
    "identity": ("Affine", 1.0, 0.0),
    "hard_sigmoid": ("HardSigmoid", 1 / 6, 0.5),
    "hard_sigmoid_02": ("HardSigmoid", 0.2, 0.5),
}
_NAMES = {"elman": "RNN", "gru": "GRU", "lstm": "LSTM"}
_ODD = ("sigmoid", "hard_sigmoid", "hard_sigmoid_02")  # 1 − σ(a) = σ(−a)
# Which of our blocks stands where in ONNX's order. Coupled cells get an input gate first (`_with_input_gate`).
_ORDERS = {"elman": (0,), "gru": (1, 0, 2), "lstm": (0, 3, 1, 2)}


@dataclass(frozen=True)
class Operator:
    """One of ONNX's recurrent operators, with the attributes that say the cell's options."""

    name: str
    attributes: dict[str, Any]


def operator_of(cell: Cell, directions: int) -> Operator | None:
    """The operator that computes the cell, in evaluation; None where ONNX has none for it."""
    plain = cell.kind in _NAMES and not (
        cell.layer_norm or cell.projection or cell.cell_clip or cell.zoneout or cell.zoneout_cell
    )
    functions = [cell.activation] if cell.kind == "elman" else [cell.gate_activation, cell.activation]
    if cell.kind == "lstm":
        functions.append(cell.activation)
    names = [activation_name(function) for function in functions]
    # Coupled, ONNX's f is 1 − i, where our i is 1 − f.
    if not plain or None in names or (cell.coupled and names[0] not in _ODD):
        return None
    attributes: dict[str, Any] = {}
    if cell.kind == "gru":
        attributes["linear_before_reset"] = int(cell.reset_after)
    if cell.coupled:
        attributes["input_forget"] = 1
    return Operator(_NAMES[cell.kind], {**attributes, **_activations(functions * directions)})


def _activations(functions: list[Activation]) -> dict[str, Any]:
    told = [ONNX_ACTIVATIONS[str(function)] for function in functions]
    attributes: dict[str, Any] = {"activations": [name for name, _, _ in told]}
    alphas = [alpha for _, alpha, _ in told if alpha is not None]
    betas = [beta for _, _, beta in told if beta is not None]
    return attributes | ({"activation_alpha": alphas} if alphas else {}) | ({"activation_beta": betas} if betas else {})


def arranged(cell: Cell, directions: list[Weights]) -> dict[str, Tensor]:
    """The weights of one layer as the operator takes them: W, R, B (where there is a bias) and P (peepholes)."""
    arrays: dict[str, list[Tensor]] = {"W": [], "R": [], "B": [], "P": []}
    for weights in directions:
        w_x, w_h, bias, peephole = weights.w_x, weights.w_h, weights.bias, weights.peephole
        second = None if bias is None else torch.zeros_like(bias) if weights.bias_h is None else weights.bias_h
        if cell.coupled:
            hidden = w_x.shape[1] // cell.gates
            w_x, w_h = (_with_input_gate(w, hidden) for w in (w_x, w_h))
            bias, second = (None if b is None else _with_input_gate(b, hidden) for b in (bias, second))
            peephole = None if peephole is None else torch.stack([-peephole[0], *peephole])
        arrays["W"].append(_rows(w_x, cell.kind))
        arrays["R"].append(_rows(w_h, cell.kind))
        if bias is not None and second is not None:
            arrays["B"].append(torch.cat([_rows(bias, cell.kind), _rows(second, cell.kind)]))
        if peephole is not None:
            p_i, p_f, p_o = peephole
            arrays["P"].append(torch.cat([p_i, p_o, p_f]))
    return {name: torch.stack(found).detach() for name, found in arrays.items() if found}


def _with_input_gate(blocks: Tensor, hidden: int) -> Tensor:
    """Blocks f, g, o with the input gate before them that ONNX's f = 1 − i asks for: f with its sign turned."""
    return torch.cat([-blocks[..., :hidden], blocks], dim=-1)


def _rows(w: Tensor, kind: str) -> Tensor:
    """(…, G·H) with our blocks → (G·H, …) with ONNX's."""
    order = _ORDERS[kind]
    blocks = w.chunk(len(order), dim=-1)
    return torch.cat([blocks[k] for k in order], dim=-1).movedim(-1, 0)
