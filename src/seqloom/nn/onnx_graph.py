"""`Graph`: an ONNX graph while it grows: nodes, weights, inputs, outputs, and what is said of them in the metadata.

Values go by name. Axes that differ from call to call are names too, "batch" and "time".
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from seqloom_runtime import files
from seqloom_runtime.errors import SettingError
from seqloom_runtime.extras import need

__all__ = ["OPSETS", "Body", "Graph"]

OPSETS = range(17, 27)
"""The versions of ONNX's operators that are written; ONNX Runtime runs them all."""
_LARGEST = 2_000_000_000  # bytes: a file of protocol buffers holds 2 GiB at most

# The oldest format of files that knows the operators: what a program for it reads, an older one may too.
_FORMAT_OF_OPSET = {17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10, 23: 11, 24: 12, 25: 13, 26: 13}


@dataclass
class Body:
    """The inside of a loop while it is written: what it is given, what it results in, and then the finished graph."""

    given: list[str]
    results: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)  # of the results, where they aren't all float32
    graph: Any = None


class Graph:
    """Grows by `node`, `weight`, `input` and `output`; `save` checks it and writes the file."""

    def __init__(self, opset: int = 17):
        """Start an empty graph; raises SettingError for a version that isn't written, MissingDependencyError without
        the onnx package.
        """
        if isinstance(opset, bool) or opset not in OPSETS:
            raise SettingError(f"opset must be a whole number from {OPSETS[0]} to {OPSETS[-1]}, not {opset!r}.")
        self.onnx = need("onnx", "the export to ONNX")
        newest = int(self.onnx.defs.onnx_opset_version())
        if opset > newest:
            raise SettingError(
                f"opset: the installed onnx package knows operators up to version {newest}, not {opset}."
            )
        self.opset = opset
        self.metadata: dict[str, Any] = {"inputs": {}, "outputs": {}}
        self._nodes: list[Any] = []
        self._weights: list[Any] = []
        self._constants: dict[Any, str] = {}
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._size = self._count = 0

    def node(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Add a node and return the name of its output, or a tuple of names where there are more than one."""
        self._count += 1
        names = [f"{operator.lower()}_{self._count}" + (f"_{k}" if outputs > 1 else "") for k in range(outputs)]
        given = list(inputs)
        while given and not given[-1]:
            given.pop()  # an optional input at the end that isn't given is left out
        self._nodes.append(self.onnx.helper.make_node(operator, given, names, **attributes))
        return names[0] if outputs == 1 else tuple(names)

    def weight(self, name: str, values: Tensor | np.ndarray) -> str:
        """Add an array under a name of its own; returns it. Raises SettingError for too large a file."""
        array = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
        self._size += array.nbytes
        if self._size > _LARGEST:
            raise SettingError("the weights take more than the 2 GB that an ONNX file holds; export a smaller model.")
        self._weights.append(self.onnx.numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def whole(self, *values: int) -> str:
        """A constant of whole numbers, (n)."""
        return self._constant(np.array(values, dtype=np.int64))

    def whole_number(self, value: int) -> str:
        """A constant whole number without axes."""
        return self._constant(np.array(value, dtype=np.int64))

    def number(self, value: float) -> str:
        """A constant float32 without axes."""
        return self._constant(np.array(value, dtype=np.float32))

    def wide_number(self, value: float) -> str:
        """A constant float64 without axes."""
        return self._constant(np.array(value, dtype=np.float64))

    def array(self, values: np.ndarray) -> str:
        """A constant array, once for all that are equal."""
        return self._constant(np.ascontiguousarray(values))

    def cast(self, value: str, kind: str) -> str:
        """A value as numbers of another kind: "FLOAT", "DOUBLE", "INT64", …"""
        return self.node("Cast", value, to=getattr(self.onnx.TensorProto, kind))

    def _constant(self, array: np.ndarray) -> str:
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = self.weight(f"constant_{len(self._constants)}", array)
        return self._constants[key]

    def reduced(self, operator: str, value: str, axis: int, keep: bool = True) -> str:
        """ReduceMean or ReduceMax over one axis, which stays with length 1 or goes."""
        if self.opset < 18:  # from then on the axes are an input
            return self.node(operator, value, axes=[axis], keepdims=int(keep))
        return self.node(operator, value, self.whole(axis), keepdims=int(keep))

    @contextmanager
    def body(
        self,
        numbers: list[list[int | str]],
        masks: list[list[int | str]],
        whole: list[list[int | str]] | None = None,
        wide: list[list[int | str]] | None = None,
    ) -> Iterator[Body]:
        """Have the nodes of the block go into a loop's inside, given whole numbers, float64, float32 and then bool
        values of these axes.

        Weights and constants stay outside, where the inside sees them.
        """
        self._count += 1
        kinds = [(axes, "INT64") for axes in whole or []] + [(axes, "DOUBLE") for axes in wide or []]
        kinds += [(axes, "FLOAT") for axes in numbers] + [(axes, "BOOL") for axes in masks]
        body = Body([f"given_{self._count}_{k}" for k in range(len(kinds))])
        outer, self._nodes = self._nodes, []
        try:
            yield body
            results = [self.node("Identity", result) for result in body.results]  # each a name of its own
        finally:
            nodes, self._nodes = self._nodes, outer
        body.graph = self.onnx.helper.make_graph(
            nodes,
            f"body_{self._count}",
            [self._value(name, axes, kind) for name, (axes, kind) in zip(body.given, kinds)],
            [self._value(n, None, kind) for n, kind in zip(results, body.kinds or ["FLOAT"] * len(results))],
        )

    def input(self, name: str, axes: list[int | str], about: str, kind: str = "FLOAT") -> str:
        """Declare an input and what it is; returns its name."""
        self._inputs.append(self._value(name, axes, kind))
        self.metadata["inputs"][name] = {"axes": axes, "type": kind.lower(), "about": about}
        return name

    def output(self, value: str, name: str, axes: list[int | str], about: str, kind: str = "FLOAT") -> None:
        """Declare that a value is an output, under a name."""
        self._nodes.append(self.onnx.helper.make_node("Identity", [value], [name]))
        self._outputs.append(self._value(name, axes, kind))
        self.metadata["outputs"][name] = {"axes": axes, "type": kind.lower(), "about": about}

    def _value(self, name: str, axes: list[int | str] | None, kind: str) -> Any:
        return self.onnx.helper.make_tensor_value_info(name, getattr(self.onnx.TensorProto, kind), axes)

    def model(self, name: str) -> Any:
        """The whole model, checked by the onnx package."""
        helper = self.onnx.helper
        nodes, read = _needed(self._nodes, {value.name for value in self._outputs})
        # What nothing reads would be removed by each program that loads the file, with a warning.
        weights = [weight for weight in self._weights if weight.name in read]
        graph = helper.make_graph(nodes, name, self._inputs, self._outputs, weights)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", self.opset)],
            ir_version=_FORMAT_OF_OPSET[self.opset],
            producer_name="seqloom",
        )
        record = {"format": 1, **self.metadata}
        helper.set_model_props(model, {"seqloom": json.dumps(record, ensure_ascii=False, allow_nan=False)})
        self.onnx.checker.check_model(model, full_check=True)
        return model

    def save(self, path: str | os.PathLike[str], name: str) -> None:
        """Check the model and write it; the folder must exist."""
        files.write_bytes(path, self.model(name).SerializeToString())


def _needed(nodes: list[Any], results: set[str]) -> tuple[list[Any], set[str]]:
    """The nodes that the results hang on, in order, and the names that they and the insides of their loops read."""
    kept, read = [], set(results)
    for node in reversed(nodes):
        if read.isdisjoint(node.output):
            continue
        kept.append(node)
        _add_read(node, read)
    return kept[::-1], read


def _add_read(node: Any, read: set[str]) -> None:
    read.update(node.input)
    for attribute in node.attribute:
        if attribute.HasField("g"):
            read.update(value.name for value in attribute.g.output)
            for inner in attribute.g.node:
                _add_read(inner, read)
