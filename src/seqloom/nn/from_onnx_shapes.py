"""ONNX's operators that move axes and make shapes: nothing of them is left but which axis is which."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from seqloom.nn.from_onnx_layers import ConvLayer, embedded, pooled, step_at
from seqloom.nn.from_onnx_recurrent import RecurrentLayer
from seqloom.nn.from_onnx_values import Axis, Constant, Flow, Node, Opaque, Other, Zeros, rule
from seqloom.nn.imported_layers import FlatSteps
from seqloom_runtime.errors import shown

__all__ = ["NUMBERS"]

NUMBERS = (Opaque, Constant)
"""Values that are known when the file is read."""


@rule("Identity")
def _same(node: Node) -> Any:
    return node.given(0)


@rule("Cast")
def _cast(node: Node) -> Any:
    value, kind = node.given(0), node.attribute("to")
    node.attribute("saturate")
    if isinstance(value, Flow) and kind not in (1, 6, 7, 11):  # float, int32, int64, double
        raise node.refuse("it changes the type of the numbers")
    return value


@rule("Constant")
def _constant(node: Node) -> Any:
    for name in ("value", "value_float", "value_floats", "value_int", "value_ints"):
        if (value := node.attribute(name)) is not None:
            return Constant(value if isinstance(value, np.ndarray) else np.asarray(value))
    raise node.refuse("it holds no numbers")


@rule("ConstantOfShape")
def _filled(node: Node) -> Any:
    value = node.attribute("value")
    return Opaque() if value is not None and value.any() else Zeros()


@rule("Shape", "Size", "Range", "Equal", "Less", "Greater", "Where", "Div", "Sub", "Mod")
def _shape(node: Node) -> Any:
    for name in ("start", "end"):
        node.attribute(name)
    whole = node.kind in ("Shape", "Size")
    if not whole and not all(isinstance(value, NUMBERS) for value in node.inputs):
        raise node.refuse("row lengths and sums of layers have no counterpart here: take the graph without them")
    return Opaque()


@rule("Expand", "Tile")
def _expand(node: Node) -> Any:
    value = node.given(0)
    if isinstance(value, Flow):
        raise node.refuse("it repeats the main value")
    if isinstance(value, Constant) and not value.array.any():
        return Zeros()
    return value if isinstance(value, (Zeros, Other)) else Opaque()


@rule("Transpose")
def _transpose(node: Node) -> Any:
    value, order = node.given(0), node.numbers("perm")
    if isinstance(value, Constant):
        if order is not None and sorted(order) != list(range(value.array.ndim)):
            raise node.damaged(f"should name every axis once, not {order}")
        return Constant(value.array.transpose(order))
    if not isinstance(value, Flow):
        return value
    order = order if order is not None else list(range(len(value.axes)))[::-1]
    if sorted(order) != list(range(len(value.axes))):
        raise node.damaged(f"should name every axis once, not {order}")
    return replace(value, axes=tuple(value.axes[k] for k in order))


@rule("Squeeze")
def _squeeze(node: Node) -> Any:
    value, axes = node.given(0), node.numbers("axes", 1)
    if isinstance(value, Constant):
        return Constant(value.array.squeeze(None if axes is None else tuple(axes)))
    if not isinstance(value, Flow):
        return value
    if axes is None:
        raise node.refuse("it does not say which axes it leaves out")
    gone = {node.axis(value, axis) for axis in axes}
    for k in gone:
        one = value.axes[k]
        if one.role == "D" and len(one.cells) == 1:
            value = replace(value, cell=one.cells[0])
        elif one.role != "1":
            raise node.refuse(f"axis {k} is not known to be of length 1")
    return replace(value, axes=tuple(one for k, one in enumerate(value.axes) if k not in gone))


@rule("Unsqueeze")
def _unsqueeze(node: Node) -> Any:
    value, axes = node.given(0), node.numbers("axes", 1)
    if axes is None:
        raise node.damaged("should say which axes it puts in")
    if isinstance(value, Constant):
        return Constant(np.expand_dims(value.array, tuple(axes)))
    if not isinstance(value, Flow):
        return value
    count = len(value.axes) + len(axes)
    places = {axis % count for axis in axes if -count <= axis < count}
    if len(places) != len(axes) or count > 8:
        raise node.damaged(f"should put in axes of {count}, not {axes}")
    rest = iter(value.axes)
    return replace(value, axes=tuple(Axis("1") if k in places else next(rest) for k in range(count)))


@rule("Reshape")
def _reshape(node: Node) -> Any:
    value = node.given(0)
    if isinstance(value, Constant) and isinstance(node.given(1), Constant):
        return Constant(value.array.reshape([int(n) for n in node.array(1).ravel()]))
    if not isinstance(value, Flow):
        return value
    shape = node.numbers("shape", 1) or []
    node.attribute("allowzero")
    if len(value.axes) == 4 and len(shape) == 3 and value.axes[2].role == "D":
        return _joined(node, value)
    if len(shape) == 2 and len(value.axes) == 3:
        return _flat(node, value)
    raise node.refuse(f"it gives the shape {shape}, and joining two directions or flattening sequences is read")


def _joined(node: Node, value: Flow) -> Flow:
    """(…, D, C) → (…, D·C)."""
    way, width = value.axes[2:]
    latest = node.graph.latest()
    if not isinstance(latest, RecurrentLayer) or way.cells != [(latest, k) for k in range(latest.directions)]:
        raise node.refuse("it joins directions that are not those of the layer before it")
    node.role(width, "C")
    return replace(value, axes=(*value.axes[:2], width))


@rule("Flatten")
def _flatten(node: Node) -> Any:
    flow = node.flow()
    if node.axis(flow, node.attribute("axis", 1)) != 1:
        raise node.refuse("it does not flatten each sequence on its own")
    return flow if len(flow.axes) == 2 else _flat(node, flow)


def _flat(node: Node, flow: Flow) -> Flow:
    if any(one.role == "1" for one in flow.axes[1:]):
        return replace(flow, axes=tuple(one for one in flow.axes if one.role != "1"))
    flow = node.graph.used(flow, node)
    if flow.padded != (0, 0):
        raise node.refuse("it reads padded sequences")
    node.role(flow.axes[0], "B")
    first, second = flow.axes[1].role, flow.axes[2].role
    channels_first = first == "C" or second == "T"
    for axis, role in zip(flow.axes[1:], "CT" if channels_first else "TC"):
        node.role(axis, role)
    return node.put(FlatSteps(channels_first), [flow.axes[0], Axis("C")])


@rule("Gather")
def _gather(node: Node) -> Any:
    value, index = node.given(0), node.given(1)
    axis = node.attribute("axis", 0)
    if isinstance(index, Flow) and isinstance(value, Constant):
        if axis != 0:
            raise node.refuse("it looks up columns of a table, not rows")
        return embedded(node, node.flow(1))
    if isinstance(value, Constant) and isinstance(index, Constant):
        return Constant(np.take(value.array, index.array, axis=axis))
    if not isinstance(value, Flow):
        return value
    place = node.axis(value, axis)
    numbers = node.array(1)
    if numbers.size != 1 or numbers.dtype.kind != "i":
        raise node.refuse("it takes more than one place of an axis")
    return _taken(node, value, place, int(numbers.ravel()[0]), numbers.ndim)


def _taken(node: Node, value: Flow, place: int, number: int, rank: int) -> Flow:
    one = value.axes[place]
    if one.role == "D":
        if not -len(one.cells) <= number < len(one.cells):
            raise node.damaged(f"takes direction {number} of {len(one.cells)}")
        found = replace(value, cell=one.cells[number], axes=tuple(a for a in value.axes if a is not one))
    elif one.role in (None, "T") and len(value.axes) in (3, 4):
        node.role(one, "T")
        found = step_at(node, value, place, number)
    else:
        raise node.refuse("it takes a part of the numbers or of the batch")
    if rank:
        found = replace(found, axes=(*found.axes[:place], Axis("1"), *found.axes[place:]))
    return found


@rule("Slice")
def _slice(node: Node) -> Any:
    value = node.given(0)
    starts, ends = node.numbers("starts", 1), node.numbers("ends", 2)
    axes, steps = node.numbers("axes", 3), node.numbers("steps", 4)
    if not isinstance(value, Flow):
        return value
    if not starts or not ends or len(starts) != 1 or steps not in (None, [1]):
        raise node.refuse("it takes every other step, or from more than one axis")
    place = node.axis(value, (axes or [0])[0])
    node.role(value.axes[place], "T")
    latest = node.graph.latest()
    # A convolution with zeros on both sides whose last outputs are cut off is a causal one.
    full = isinstance(latest, ConvLayer) and latest.stride == 1 and latest.pads == (latest.reach,) * 2
    if full and (starts, ends) == ([0], [-latest.reach]):
        latest.pads = (latest.reach, 0)
        return value
    if starts == [-1] and ends[0] >= 1 << 30:
        found = step_at(node, value, place, -1)
        return replace(found, axes=(*found.axes[:place], Axis("1"), *found.axes[place:]))
    raise node.refuse(f"it takes steps {starts[0]} to {ends[0]}; the last step is read, and what makes padding causal")


@rule("Split")
def _split(node: Node) -> Any:
    node.numbers("split", 1)
    for name in ("axis", "num_outputs"):
        node.attribute(name)
    if not isinstance(node.given(0), (Other, Zeros, Opaque)):
        raise node.refuse("it splits the main value")
    return (node.given(0),) * len(node.outputs)


@rule("Concat")
def _concat(node: Node) -> Any:
    axis = node.attribute("axis", 0)
    kinds = {type(value) for value in node.inputs}
    if kinds == {Constant}:
        return Constant(np.concatenate([node.array(k) for k in range(len(node.inputs))], axis=axis))
    if Flow not in kinds:
        return Zeros() if kinds <= {Zeros} else Opaque()
    if len(node.inputs) == 2 and isinstance(node.given(0), Other):
        return _after_context(node, axis)
    flows = [value for value in node.inputs if isinstance(value, Flow)]
    first, place = flows[0], node.axis(flows[0], axis)
    if len(flows) == len(node.inputs) and all(
        flow.last and flow.axes[place:][:1] and flow.axes[place].role == "D" for flow in flows
    ):
        # The last states of layers one above the other, of which a later operator takes some.
        cells = [cell for flow in flows for cell in flow.axes[place].cells]
        axes = (*flows[-1].axes[:place], Axis("D", cells), *flows[-1].axes[place + 1 :])
        return replace(flows[-1], axes=axes)
    flows = [node.flow(k) for k in range(len(node.inputs)) if isinstance(node.given(k), Flow)]
    if len(flows) == len(node.inputs) and all(len(flow.axes) == len(first.axes) for flow in flows):
        # The last states of both directions, side by side.
        latest = node.graph.latest()
        both = isinstance(latest, RecurrentLayer) and [flow.cell for flow in flows] == [(latest, 0), (latest, 1)]
        if both and place == len(first.axes) - 1 and all(flow.last for flow in flows):
            return replace(first, cell=None)
    raise node.refuse("it joins values of layers that stand side by side")


def _after_context(node: Node, axis: int) -> Flow:
    """The steps before x, which a program with a state hands in: zeros at first."""
    flow, other = node.flow(1), node.given(0)
    place = node.axis(flow, axis)
    node.role(flow.axes[place], "T")
    steps = other.sizes[place] if place < len(other.sizes) else None
    if steps is None:
        raise node.refuse(f"input {shown(other.name)} doesn't say how many steps it has")
    node.graph.notes.append(
        f"{node}: input {shown(other.name)} is a state; the module starts from zeros, stream() and carry go on."
    )
    return replace(flow, padded=(flow.padded[0] + steps, flow.padded[1]))


@rule("Pad")
def _pad(node: Node) -> Any:
    flow = node.flow()
    mode, value = node.attribute("mode", "constant"), node.attribute("value", 0.0)
    pads = node.numbers("pads", 1) or []
    if node.given(2) is not None:
        value = node.array(2).ravel().tolist()
    count = len(flow.axes)
    if mode != "constant" or value not in (0.0, [0.0], []) or len(pads) != 2 * count or node.given(3) is not None:
        raise node.refuse("it puts something other than zeros around the steps")
    for k in range(count):
        if pads[k] or pads[count + k]:
            node.role(flow.axes[k], "T")
            flow = replace(flow, padded=(flow.padded[0] + pads[k], flow.padded[1] + pads[count + k]))
    return flow


@rule("ReduceMean", "ReduceMax", "ReduceSum")
def _reduced(node: Node) -> Flow:
    flow, axes = node.flow(), node.numbers("axes", 1)
    keep = bool(node.attribute("keepdims", 1))
    node.attribute("noop_with_empty_axes")
    if axes is None or len(axes) != 1:
        raise node.refuse("it is over more than one axis")
    place = node.axis(flow, axes[0])
    one, latest = flow.axes[place], node.graph.latest()
    if node.kind == "ReduceSum":
        if not isinstance(latest, RecurrentLayer) or one.cells != [(latest, 0), (latest, 1)] or keep:
            raise node.refuse("it adds up something other than the two directions of a layer")
        latest.merge = "sum"
        return replace(flow, axes=tuple(a for a in flow.axes if a is not one))
    return pooled(node, flow, place, keep)
