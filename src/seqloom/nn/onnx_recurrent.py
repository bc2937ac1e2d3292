"""Recurrent layers as ONNX's operators: layers, directions, lengths and states around `nn.onnx_cells`.

Within a stack the values are (T, D, B, H), as the operators give them.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from seqloom.nn.bridge import from_torch
from seqloom.nn.onnx_cells import arranged, operator_of
from seqloom.nn.onnx_rules import Export, Value, rule, tensor
from seqloom.nn.onnx_scan import scanned
from seqloom.nn.outputs import Outputs
from seqloom.nn.recurrent import GRU, LSTM, RNN, Jordan, Recurrent
from seqloom.nn.recurrent_cell import RecurrentCell

__all__ = ["layers", "recurrent_of", "run"]

_OURS = (RNN, GRU, LSTM, Jordan)


def recurrent_of(export: Export, module: nn.Module) -> Recurrent | None:
    """The recurrent layer that a module is, or is around; torch.nn's as ours; None for any other module."""
    if type(module) is Outputs:
        return recurrent_of(export, module.module)
    if type(module) in _OURS:
        assert isinstance(module, Recurrent)
        return module
    if isinstance(module, nn.RNNBase):
        if not module.batch_first:
            raise export.refuse("it takes the time axis first; build it with batch_first=True")
        return from_torch(module)
    return None


@rule(RNN, GRU, LSTM, Jordan)
def _bare(export: Export, module: Recurrent, x: Value) -> Value:
    raise export.refuse("it returns a pair (output, state) inside a model: put seqloom.nn.Outputs around it")


@rule(Outputs)
def _outputs(export: Export, module: Outputs, x: Value) -> Value:
    recurrent = recurrent_of(export, module)
    if recurrent is None:
        raise export.refuse(f"{type(module.module).__name__} is derived from a recurrent layer and may differ from it")
    return layers(export, recurrent, x, last_only=module.last_only)


def layers(export: Export, module: Recurrent, x: Value, *, last_only: bool) -> Value:
    """The whole stack: its outputs, and its states as inputs and outputs where the export is stateful."""
    graph, widths = export.graph, _state_widths(module)
    axes: dict[str, list[int | str]] = {name: [len(module.cells), "batch", width] for name, width in widths.items()}
    given = None
    if export.stateful:
        given = [export.state(name, own, f"{name} before the first step")[0] for name, own in axes.items()]
    y, finals = run(export, module, x, given, last_only=last_only)
    if export.stateful:
        for (name, own), whole in zip(axes.items(), finals, strict=True):
            graph.output(whole, export.called(f"{name}_next"), own, f"{name} after the last step")
    return y


def run(
    export: Export, module: Recurrent, x: Value, given: list[str] | None, *, last_only: bool
) -> tuple[Value, list[str]]:
    """The whole stack from the states `given`, h and for the LSTM c, (layers·directions, batch, ·), zeros where None.

    Returns the outputs and the states after the last step, shaped as those.
    """
    if x.steps is None:
        raise export.refuse("a layer before it has left one step of each sequence, and it reads sequences")
    graph = export.graph
    states = _states(export, module, given)
    lengths = _lengths(export, x.name)
    y, finals = graph.node("Transpose", x.name, perm=[1, 0, 2]), []
    for layer in range(module.num_layers):
        here = [None if state is None else state[layer] for state in states]
        outputs, last = _layer(export, module, layer, y, here, lengths)
        finals.append(last)
        if last_only and layer == module.num_layers - 1:
            y = _merged(export, module, graph.node("Unsqueeze", last[0], graph.whole(0)))
            y = graph.node("Squeeze", y, graph.whole(0))
        else:
            y = _merged(export, module, outputs)
    after = [graph.node("Concat", *(last[k] for last in finals), axis=0) for k in range(len(states))]
    if last_only:
        return Value(y, module.output_size, None), after
    return Value(graph.node("Transpose", y, perm=[1, 0, 2]), module.output_size, x.steps), after


def _state_widths(module: Recurrent) -> dict[str, int]:
    """The states by name, with their widths."""
    return {"h": module.state_size, **({"c": module.hidden_size} if module.cell.pair else {})}


def _states(export: Export, module: Recurrent, given: list[str] | None) -> list[Any]:
    """For h, and c where there is one: the names of each layer's first states (D, B, ·), or None for zeros."""
    graph = export.graph
    if given is None:
        return [None] * len(_state_widths(module))
    found: list[Any] = []
    for whole in given:
        sizes = graph.whole(*[module.directions] * module.num_layers)
        parts = graph.node("Split", whole, sizes, outputs=module.num_layers, axis=0)
        found.append((parts,) if module.num_layers == 1 else parts)
    return found


def _lengths(export: Export, x: str) -> dict[str, str]:
    """Where rows have lengths: them as int32, which steps count (T, 1, B, 1), and which rows have any (1, B, 1)."""
    if export.lengths is None:
        return {}
    graph = export.graph
    time = graph.node("Gather", graph.node("Shape", x), graph.whole(1))
    steps = graph.node("Range", graph.whole_number(0), graph.node("Squeeze", time), graph.whole_number(1))
    columns = graph.node("Unsqueeze", steps, graph.whole(1))
    kept = graph.node("Less", columns, graph.node("Unsqueeze", export.lengths, graph.whole(0)))
    some = graph.node("Greater", export.lengths, graph.whole(0))
    return {
        "lengths": graph.node("Cast", export.lengths, to=graph.onnx.TensorProto.INT32),
        "kept": graph.node("Unsqueeze", kept, graph.whole(1, 3)),
        "some": graph.node("Unsqueeze", some, graph.whole(0, 2)),
    }


def _layer(
    export: Export, module: Recurrent, layer: int, x: str, states: list[Any], lengths: dict[str, str]
) -> tuple[str, list[str]]:
    """One layer of (T, B, I): its outputs (T, D, B, S) and final states (D, B, ·)."""
    cell, directions, here = module.cell, module.directions, export.inside(str(layer))
    cells = [c for c in module.cells[layer * directions : (layer + 1) * directions] if isinstance(c, RecurrentCell)]
    operator = operator_of(cell, directions)
    if operator is None:
        return _loop(here, module, cells, x, states, lengths)
    weights = {n: tensor(here, n, w) for n, w in arranged(cell, [c.weights() for c in cells]).items()}
    given = [x, weights["W"], weights["R"], weights.get("B", ""), lengths.get("lengths", "")]
    given += [state or "" for state in states] + ([weights.get("P", "")] if cell.pair else [])
    direction = "bidirectional" if directions == 2 else "reverse" if module.options.reverse else "forward"
    attributes = {"hidden_size": module.hidden_size, "direction": direction, **operator.attributes}
    y, *last = export.graph.node(operator.name, *given, outputs=1 + len(states), **attributes)
    return _filled(export, y, last, states, lengths, direction)


def _loop(
    export: Export, module: Recurrent, cells: list[RecurrentCell], x: str, states: list[Any], lengths: dict[str, str]
) -> tuple[str, list[str]]:
    """The same for a cell that ONNX has no operator for."""
    graph, outputs, finals = export.graph, [], []
    kept = graph.node("Squeeze", lengths["kept"], graph.whole(1)) if lengths else None
    batch = graph.node("Gather", graph.node("Shape", x), graph.whole(1))
    for direction, cell in enumerate(cells):
        starts = []
        for state, width in zip(states, (module.state_size, module.hidden_size)):
            if state is None:
                shape = graph.node("Concat", batch, graph.whole(width), axis=0)
                starts.append(graph.node("ConstantOfShape", shape))
            else:
                starts.append(graph.node("Gather", state, graph.whole_number(direction), axis=0))
        reverse = module.options.reverse or direction == 1
        y, last = scanned(export.inside(str(direction)), cell, x, starts, kept, reverse=reverse)
        outputs.append(graph.node("Unsqueeze", y, graph.whole(1)))
        finals.append([graph.node("Unsqueeze", final, graph.whole(0)) for final in last])
    return graph.node("Concat", *outputs, axis=1), [graph.node("Concat", *each, axis=0) for each in zip(*finals)]


def _filled(
    export: Export, y: str, last: list[str], states: list[Any], lengths: dict[str, str], direction: str
) -> tuple[str, list[str]]:
    """What our layers give behind a row's end, where ONNX gives zeros: the state as it stands there."""
    if not lengths:
        return y, last
    graph = export.graph
    last = [
        graph.node("Where", lengths["some"], after, before or graph.number(0.0)) for after, before in zip(last, states)
    ]
    # Read from the end, the steps behind a row's end come first: there the state is still the one before.
    if direction == "forward":
        fill = last[0]
    else:
        before = states[0] or graph.node("ConstantOfShape", graph.node("Shape", last[0]))
        if direction == "reverse":
            fill = before
        else:
            fill = graph.node(
                "Concat",
                graph.node("Gather", last[0], graph.whole(0), axis=0),
                graph.node("Gather", before, graph.whole(1), axis=0),
                axis=0,
            )
    return graph.node("Where", lengths["kept"], y, graph.node("Unsqueeze", fill, graph.whole(0))), last


def _merged(export: Export, module: Recurrent, y: str) -> str:
    """(T, D, B, S) → (T, B, F): the directions joined as the module joins them."""
    graph = export.graph
    if module.directions == 1:
        return graph.node("Squeeze", y, graph.whole(1))
    if module.options.merge == "concat":
        return graph.node("Reshape", graph.node("Transpose", y, perm=[0, 2, 1, 3]), graph.whole(0, 0, -1))
    total = graph.node("ReduceSum", y, graph.whole(1), keepdims=0)
    return total if module.options.merge == "sum" else graph.node("Mul", total, graph.number(0.5))
