"""An ONNX graph while it is read: what each value is, and the layers that have been found so far.

A graph says which numbers go where, not which axis is time: every axis of the main value is an `Axis`, whose role comes
out when an operator needs it. `rule` registers how an operator is read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from torch import nn

from seqloom_runtime.errors import FormatError, SettingError, shown

__all__ = ["RULES", "Axis", "Constant", "Flow", "Graph", "Layer", "Node", "Opaque", "Other", "Zeros", "rule"]

_ROLES = {"B": "batch", "T": "time", "C": "numbers"}


class Layer:
    """A layer that later operators may still say something of; the others are modules already."""

    def build(self) -> nn.Module:
        """The module."""
        raise NotImplementedError


@dataclass
class Axis:
    """An axis of the main value: B, T or C; D for directions, with the cells on it; 1 for one of length 1."""

    role: str | None = None
    cells: list[tuple[Any, int]] = field(default_factory=list)
    size: int | None = None  # where the file fixes it


@dataclass(frozen=True)
class Flow:
    """The main value: its axes, and how many layers stood before it. last: of a recurrent layer's last step alone."""

    axes: tuple[Axis, ...]
    at: int = 0
    last: bool = False
    cell: tuple[Any, int] | None = None  # the one direction of a layer that it is
    padded: tuple[int, int] = (0, 0)  # zeros put before and behind it in time


@dataclass(frozen=True)
class Constant:
    """Numbers that the file holds."""

    array: np.ndarray


@dataclass(frozen=True)
class Zeros:
    """Zeros of a shape that the input decides."""


@dataclass(frozen=True)
class Opaque:
    """Numbers made of the input's shape."""


@dataclass(frozen=True)
class Other:
    """An input beside the main one, or a part of it: a state."""

    name: str
    sizes: tuple[int | None, ...] = ()


Value = Any


@dataclass
class Node:
    """One operator: its attributes by name, the values that it reads (None for one left out), and its place."""

    graph: Graph
    kind: str
    name: str
    inputs: list[Value]
    outputs: list[str]
    attributes: dict[str, Any]

    def refuse(self, why: str) -> SettingError:
        """The exception that says why it can't be taken over."""
        return SettingError(f"{self.graph.source}: {self} can't be taken over: {why}.")

    def damaged(self, why: str) -> FormatError:
        """The exception about numbers that don't fit."""
        return FormatError(f"{self.graph.source}: {self} {why}.")

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute, each asked for once."""
        return self.attributes.pop(name, default)

    def given(self, k: int) -> Value:
        """Input k, None where it is left out."""
        return self.inputs[k] if k < len(self.inputs) else None

    def flow(self, k: int = 0) -> Flow:
        """Input k as the main value, which no layer has been put behind meanwhile."""
        value = self.given(k)
        if not isinstance(value, Flow):
            raise self.refuse("it does not read what the layers before it give")
        if value.at != len(self.graph.layers):
            raise self.refuse("the graph has branches, and layers one after the other can be taken over")
        return value

    def array(self, k: int, *shape: int | None) -> np.ndarray:
        """Input k as a constant of that shape, None for any number; without a shape, of any."""
        value = self.given(k)
        if not isinstance(value, Constant):
            raise self.refuse(f"its input {k + 1} is computed, and weights that the file holds can be taken over")
        if shape and (
            value.array.ndim != len(shape) or not all(n in (None, m) for n, m in zip(shape, value.array.shape))
        ):
            raise self.damaged(f"has an array of shape {value.array.shape} in input {k + 1}, expected {shape}")
        return value.array

    def weights(self, k: int, *shape: int | None) -> np.ndarray:
        """`array` of finite floating-point numbers."""
        array = self.array(k, *shape)
        if array.dtype.kind != "f" or 0 in array.shape or not np.isfinite(array).all():
            raise self.damaged(f"should hold finite floating-point numbers in input {k + 1}")
        return array.astype(np.float64 if array.dtype.itemsize == 8 else np.float32)

    def numbers(self, name: str, k: int | None = None) -> list[int] | None:
        """Whole numbers that are an attribute in older operators and an input in newer ones."""
        if k is not None and self.given(k) is not None:
            found = self.array(k).ravel().tolist()
        else:
            found = self.attribute(name)
        if found is None:
            return None
        values = found if isinstance(found, list) else [found]
        if len(values) > 16 or not all(isinstance(value, int) for value in values):
            raise self.damaged(f"should have whole numbers as {name}")
        return values

    def role(self, axis: Axis, wanted: str) -> Axis:
        """An axis that has to be the batch, time, or numbers of a step."""
        if axis.role is None:
            axis.role = wanted
        if axis.role != wanted:
            there = _ROLES.get(axis.role, "directions" if axis.role == "D" else "one number")
            raise self.refuse(f"it reads {_ROLES[wanted]} on an axis that holds {there}")
        return axis

    def roles(self, flow: Flow, wanted: str) -> None:
        """All axes at once, such as "BCT"."""
        if len(flow.axes) != len(wanted):
            raise self.refuse(f"it reads {len(wanted)} axes, the value before it has {len(flow.axes)}")
        for axis, role in zip(flow.axes, wanted):
            self.role(axis, role)

    def axis(self, flow: Flow, number: int) -> int:
        """The place of an axis, counted from the end where it is negative."""
        if not -len(flow.axes) <= number < len(flow.axes):
            raise self.damaged(f"names axis {number} of {len(flow.axes)}")
        return number % len(flow.axes)

    def put(self, layer: Layer | nn.Module, axes: Sequence[Axis], **changed: Any) -> Flow:
        """Add a layer behind the others; returns what comes out of it."""
        self.graph.layers.append(layer)
        return Flow(tuple(axes), len(self.graph.layers), **changed)

    def finish(self) -> None:
        """Refuse attributes that were never asked for."""
        for name, value in self.attributes.items():
            raise self.refuse(f"its attribute {shown(name)[1:-1]}={shown(value)} has no counterpart here")

    def __str__(self) -> str:
        return f"operator {shown(self.kind)[1:-1]} {shown(self.name)}"


@dataclass
class Graph:
    """One graph under way."""

    source: str
    layers: list[Any] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    values: dict[str, Value] = field(default_factory=dict)

    def latest(self) -> Any:
        """The layer that was put last, None before the first."""
        return self.layers[-1] if self.layers else None

    def used(self, flow: Flow, node: Node) -> Flow:
        """The value as the next layer reads it, once it is told which part of a recurrent layer's results it is."""
        latest = self.latest()
        if flow.cell is not None:
            layer, direction = flow.cell
            if layer is not latest or layer.directions != 1 or direction:
                raise node.refuse("it reads one direction of a layer that has two, or a layer further back")
        if flow.last:
            latest.last = True
        return replace(flow, last=False, cell=None)


_Rule = Callable[[Node], Value]
RULES: dict[str, _Rule] = {}


def rule(*kinds: str) -> Callable[[_Rule], _Rule]:
    """Register a function as how operators are read: it gets the node, and returns its first output, or a tuple."""

    def register(function: _Rule) -> _Rule:
        RULES.update(dict.fromkeys(kinds, function))
        return function

    return register
