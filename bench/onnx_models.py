"""Recurrent layers as ONNX models with random weights, for ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bench.cases import Case

__all__ = ["recurrent_model"]


def recurrent_model(case: Case) -> bytes:
    """One layer, time first, states in and out."""
    gates = {"elman": 1, "lstm": 4, "gru": 3}[case.kind]
    operator = {"elman": "RNN", "lstm": "LSTM", "gru": "GRU"}[case.kind]
    rng = np.random.default_rng(3)
    bound = case.units**-0.5

    def weight(name: str, *shape: int) -> TensorProto:
        return numpy_helper.from_array(rng.uniform(-bound, bound, shape).astype(np.float32), name)

    states = ["h", "c"] if case.kind == "lstm" else ["h"]
    options: dict[str, Any] = {"linear_before_reset": 1} if case.kind == "gru" else {}
    node = helper.make_node(
        operator,
        ["x", "w", "r", "b", "", *states],
        ["y", *(f"{name}_out" for name in states)],
        hidden_size=case.units,
        **options,
    )
    shape = [1, case.batch, case.units]
    graph = helper.make_graph(
        [node],
        "layer",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [case.time, case.batch, case.inputs]),
            *(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in states),
        ],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, [case.time, 1, case.batch, case.units]),
            *(helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, shape) for name in states),
        ],
        [
            weight("w", 1, gates * case.units, case.inputs),
            weight("r", 1, gates * case.units, case.units),
            weight("b", 1, 2 * gates * case.units),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()
