"""Models of other libraries as fuzzers write them: ONNX graphs whose fields lie, and files of Keras."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from oracles.keras_files import as_archive, as_hdf5, named
from seqloom_runtime.extras import installed

from .binary_files import zipped
from .text_files import json_text, json_value
from .wild import COUNTS, TEXTS, Wild

__all__ = ["BUILDERS"]

_OPERATORS = ("LSTM", "GRU", "RNN", "Conv", "Gemm", "Scan", "Loop", "If", "Reshape", "Gather", "Mine", "")


def onnx_model(wild: Wild) -> bytes:
    """A graph as `to_onnx` writes it, with other operators, names, attributes, sizes and numbers."""
    import onnx

    model = onnx.ModelProto.FromString(wild.choice(_graphs()))
    for node in model.graph.node:
        _node(wild, node)
    for tensor in model.graph.initializer:
        _tensor(wild, tensor, onnx.TensorProto.EXTERNAL)
    for value in (*model.graph.input, *model.graph.output):
        for axis in value.type.tensor_type.shape.dim:
            if wild.strays:
                axis.dim_value = wild.count(int(axis.dim_value), 63)
    if wild.strays:
        del model.graph.node[wild.randrange(len(model.graph.node)) :]
    return model.SerializeToString()


def _node(wild: Wild, node: Any) -> None:
    node.op_type = wild.of(node.op_type, _OPERATORS)
    for names in (node.input, node.output):
        for at, name in enumerate(names):
            names[at] = wild.of(name, (*names, *TEXTS[:8]))
    for attribute in node.attribute:
        if wild.strays:
            attribute.i = wild.count(attribute.i, 64, signed=True)
            attribute.f = wild.of(attribute.f, (float("nan"), float("inf"), -1.0, 1e38))
            if attribute.ints:
                attribute.ints[0] = wild.of(attribute.ints[0], [n for n in COUNTS if n < 2**63])
            attribute.strings.extend([b"Mine"] * wild.of(0, (1, 40)))
            attribute.name = wild.of(attribute.name, TEXTS)


def _tensor(wild: Wild, tensor: Any, elsewhere: int) -> None:
    for at, size in enumerate(tensor.dims):
        tensor.dims[at] = wild.count(size, 64, signed=True)
    tensor.data_type = wild.of(tensor.data_type, (0, 1, 7, 8, 10, 11, 16, 99))
    if wild.strays:
        tensor.raw_data = tensor.raw_data[: wild.randint(0, len(tensor.raw_data))]
    if wild.strays:
        tensor.data_location = elsewhere
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", wild.choice(("/etc/passwd", "../x", "input.onnx"))


@functools.cache
def _graphs() -> list[bytes]:
    from torch import nn

    from seqloom.nn import GRU, LSTM, RNN, CausalConv1d, Conv1d, GlobalMax, Outputs, to_onnx

    with tempfile.TemporaryDirectory() as folder:
        path, found = Path(folder) / "m.onnx", []
        for module in (
            nn.Sequential(Outputs(LSTM(2, 3, peephole=True)), nn.Linear(3, 1)),
            nn.Sequential(Outputs(GRU(2, 3, bidirectional=True)), Outputs(RNN(6, 2), last_only=True), nn.Tanh()),
            nn.Sequential(CausalConv1d(2, 3, 2, activation="relu"), Conv1d(3, 2, 2), GlobalMax(), nn.Softmax(-1)),
        ):
            to_onnx(module, path)
            found.append(path.read_bytes())
    return found


def _keras_layers(wild: Wild) -> list[Any]:
    draw = np.random.default_rng(wild.getrandbits(32))
    kind = wild.choice(("SimpleRNN", "GRU", "LSTM"))
    gates = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}[kind]
    size, bias = wild.count(3, 5), (2, gates * 3) if kind == "GRU" else (gates * 3,)
    shapes = [(2, gates * size), (3, gates * 3), bias]
    arrays = [draw.normal(0, 0.5, shape).astype(wild.of("<f4", ("<f8", "<f2", "<i4", "|S3"))) for shape in shapes]
    own = {"units": 3, "return_sequences": True, "activation": "tanh"} | (
        {"reset_after": True} if kind == "GRU" else {}
    )
    width = [draw.normal(0, 1, shape).astype("<f4") for shape in ((3, 2), (2,))]
    return [(kind, own, arrays), ("Dense", {"units": 2, "activation": "softmax"}, width)]


def _keras_model(wild: Wild, layers: list[Any]) -> Any:
    return json_value(wild, {"class_name": "Sequential", "config": {"name": "s", "layers": named(layers)}})


def keras_archive(wild: Wild) -> bytes:
    """A `.keras` file whose JSON and arrays lie; now and then with another archive's members."""
    layers = _keras_layers(wild)
    with tempfile.TemporaryDirectory() as folder:
        made = as_archive(Path(folder) / "m.keras", layers, wild.of("3.8.0", TEXTS), _keras_model(wild, layers))
        data = made.read_bytes()
    if wild.strays:
        text = json_text(wild, {"class_name": "Sequential"}).encode("utf-8", "replace")
        return zipped(wild, {"config.json": text, "metadata.json": b"{}", "model.weights.h5": data})
    return data


def keras_hdf5(wild: Wild) -> bytes:
    """An HDF5 model of Keras 1, 2 or 3 whose JSON and arrays lie."""
    layers, version = _keras_layers(wild), wild.of(wild.choice(("2.15.0", "2.1.6")), ("1.2.2", "9", ""))
    with tempfile.TemporaryDirectory() as folder:
        path = as_hdf5(Path(folder) / "m.h5", layers, version, model=_keras_model(wild, layers))
        return path.read_bytes()


BUILDERS: dict[str, Callable[[Wild], bytes]] = {
    **({"onnx_model": onnx_model} if installed("onnx") else {}),
    **({"keras_archive": keras_archive, "keras_hdf5": keras_hdf5} if installed("h5py") else {}),
}
