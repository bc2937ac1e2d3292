"""Keras's recurrent layers: SimpleRNN, GRU, LSTM and Bidirectional around them, in every layout of their arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from seqloom.nn.from_keras_config import Layer
from seqloom.nn.from_keras_layers import Reading, fitting, like, put, rule
from seqloom.nn.from_keras_options import Options
from seqloom.nn.imported_layers import Turned
from seqloom.nn.outputs import Outputs
from seqloom.nn.recurrent import GRU, LSTM, RNN, Recurrent
from seqloom.nn.recurrent_cell import RecurrentCell
from seqloom.ops.activations import ACTIVATIONS
from seqloom_runtime.errors import shown

__all__ = ["KINDS"]

KINDS: dict[str, type[Recurrent]] = {"SimpleRNN": RNN, "GRU": GRU, "LSTM": LSTM}
"""Our layer for each of Keras'."""
_GATES = {
    "SimpleRNN": (0,),
    "GRU": (1, 0, 2),
    "LSTM": (0, 1, 2, 3),
}  # our gates as blocks of Keras's: z, r, h; i, f, c, o
# Keras 1 kept an array for each gate: W, U and b of i, c, f, o, or of z, r, h. Ours as places in those.
_GATES_1 = {"SimpleRNN": (0,), "GRU": (1, 0, 2), "LSTM": (0, 2, 1, 3)}
_MERGES = {"concat": "concat", "sum": "sum", "ave": "mean"}


@dataclass
class _Plan:
    """What a recurrent layer's options say, and how many arrays it has."""

    kind: str
    units: int
    sequences: bool
    backwards: bool
    biased: bool
    reset_after: bool
    per_gate: bool
    options: dict[str, Any]

    @property
    def arrays(self) -> int:
        return 3 * len(_GATES[self.kind]) if self.per_gate else 2 + self.biased


def _planned(layer: Layer, options: Options, inside: bool = False) -> _Plan:
    """Read the options; inside: of a Bidirectional, where Keras sets `zero_output_for_mask` itself."""
    kind = layer.kind
    gated = kind != "SimpleRNN"
    given: dict[str, Any] = {"activation": _function(options, "activation", "tanh")}
    if gated:
        # Before Keras 2.3 the gates' own default was hard_sigmoid; every file says it.
        given["recurrent_activation"] = _function(options, "recurrent_activation", "sigmoid")
    given["input_dropout"] = options.probability("dropout")
    given["recurrent_dropout"] = options.probability("recurrent_dropout")
    biased, sequences = options.flag("use_bias", True), options.flag("return_sequences", False)
    options.only("return_state", False, why="one output is taken; call the layer itself for its state")
    options.only("time_major", False, why="the batch comes first")
    if options.flag("stateful", False):
        options.notes.append(
            f"{layer} kept its state from batch to batch (stateful=True); here a call starts from zeros, and stream() "
            "or seqloom.nn.carry go on."
        )
    if not inside:
        options.only("zero_output_for_mask", False, why="a step that is left out repeats the output before it")
    else:
        options.raw("zero_output_for_mask")
    # The older GRU had no such option, and was the one with the gate before the product.
    reset_after = kind == "GRU" and options.flag("reset_after", False)
    per_gate = layer.version == 1 and gated and options.layer.options.get("consume_less") != "gpu"
    for name in ("input_dim", "consume_less"):
        options.raw(name)
    units, backwards = options.size("units"), options.flag("go_backwards", False)
    return _Plan(kind, units, sequences, backwards, biased, reset_after, per_gate, given)


def _function(options: Options, name: str, default: str) -> str:
    value = options.activation(name, default)
    if value not in ACTIVATIONS or value == "leaky_relu":
        raise options.refuse(name, options.layer.options.get(name), "recurrent layers have " + ", ".join(ACTIVATIONS))
    return value


def _filled(reading: Reading, layer: Layer, plan: _Plan, cell: RecurrentCell, arrays: list[np.ndarray]) -> None:
    """Copy the arrays of one direction into a cell."""
    order, units = _GATES[plan.kind], plan.units
    if plan.per_gate:
        at = _GATES_1[plan.kind]
        arrays = [np.concatenate([arrays[3 * gate + k] for gate in at], axis=-1) for k in range(3)]
        order = tuple(range(len(order)))
    columns = len(order) * units
    kernel = fitting(reading, layer, arrays[0], cell.input_size, columns)
    put(cell.w_x, _blocks(kernel, order))
    put(cell.w_h, _blocks(fitting(reading, layer, arrays[1], units, columns), order))
    if plan.biased and plan.reset_after:
        both = fitting(reading, layer, arrays[2], 2, columns)
        put(cell.bias, _blocks(both[0], order))
        put(cell.bias_h, _blocks(both[1], order))
    elif plan.biased:
        put(cell.bias, _blocks(fitting(reading, layer, arrays[2], columns), order))


def _blocks(array: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
    parts = np.split(array, len(order), axis=-1)
    return np.concatenate([parts[k] for k in order], axis=-1)


def _made(reading: Reading, layer: Layer, plan: _Plan, arrays: list[np.ndarray], merge: str | None) -> list[nn.Module]:
    """The module with its weights; merge: how two directions are joined, None for one."""
    first = arrays[0]
    # Per gate, an array is one block wide. Both are held against the options before a module of that size is made.
    columns = plan.units * (1 if plan.per_gate else len(_GATES[plan.kind]))
    fitting(reading, layer, first, None, columns)
    fitting(reading, layer, arrays[1], plan.units, columns)
    reading.check_width(layer, first.shape[0])
    given = {**plan.options, "bias": plan.biased}
    if plan.kind == "GRU":
        given |= {"reset_after": plan.reset_after, "recurrent_bias": plan.biased and plan.reset_after}
    given |= {"reverse": plan.backwards} if merge is None else {"bidirectional": True, "merge": merge}
    made = like(KINDS[plan.kind](first.shape[0], plan.units, **given), first)
    for k, cell in enumerate(made.cells):
        assert isinstance(cell, RecurrentCell)
        _filled(reading, layer, plan, cell, arrays[k * plan.arrays : (k + 1) * plan.arrays])
    reading.steps, reading.width = plan.sequences, made.output_size
    # Reading backwards, Keras leaves the outputs in the order in which they came.
    turned = [Turned()] if plan.sequences and merge is None and plan.backwards else []
    return [Outputs(made, last_only=not plan.sequences), *turned]


@rule("SimpleRNN", "GRU", "LSTM")
def _recurrent(reading: Reading, layer: Layer, options: Options) -> list[nn.Module]:
    reading.check_steps(layer)
    plan = _planned(layer, options)
    return _made(reading, layer, plan, reading.take(layer, [("cell/vars", plan.arrays)]), None)


@rule("Bidirectional")
def _both(reading: Reading, layer: Layer, options: Options) -> list[nn.Module]:
    reading.check_steps(layer)
    merge = options.only("merge_mode", *_MERGES, why="concat, sum and ave have a counterpart here")
    sides = [layer.inner("layer")]
    if options.left.get("backward_layer") is not None:
        sides.append(layer.inner("backward_layer"))
    for name in ("layer", "backward_layer", "input_dim"):
        options.raw(name)
    plans = []
    for side in sides:
        if side.kind not in KINDS:
            raise layer.refuse(f"it is around a {shown(side.kind)[1:-1]}; {', '.join(KINDS)} can run both ways")
        given = Options(side)
        plans.append(_planned(side, given, inside=True))
        reading.notes += given.finish()
    plan = plans[0]
    if plan.backwards:
        raise layer.refuse("its forward layer has go_backwards=True")
    if len(plans) == 2 and plans[1] != _Plan(**{**vars(plan), "backwards": True}):
        raise layer.refuse("its two directions have different options")
    parts = [(f"{side}/cell/vars", plan.arrays) for side in ("forward_layer", "backward_layer")]
    return _made(reading, layer, plan, reading.take(layer, parts), _MERGES[merge])
