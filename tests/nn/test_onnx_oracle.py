"""The recurrent modules against ONNX Runtime: peepholes, coupled gates, both GRU variants, lengths, both directions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from seqloom.nn import GRU, LSTM, RNN

onnx = pytest.importorskip("onnx", reason="ONNX is an oracle of these tests: pip install '.[dev]'")
runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is an oracle of these tests: pip install '.[dev]'")

HIDDEN, INPUTS, BATCH, TIME = 5, 3, 4, 7
ORDER = {"RNN": (0,), "LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2)}  # ONNX's i, o, f, c and z, r, h as blocks of our order
OURS: dict[str, Any] = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}


def rows(w: torch.Tensor, name: str) -> np.ndarray:
    """Columns by gate, as ours, to rows by gate in ONNX's order."""
    parts = w.detach().numpy().T.reshape(len(ORDER[name]), HIDDEN, *w.shape[:-1])
    return np.concatenate([parts[k] for k in ORDER[name]])


def session(name: str, arrays: dict[str, np.ndarray], attributes: dict[str, Any]) -> Any:
    states = ["Y_h", "Y_c"] if name == "LSTM" else ["Y_h"]
    names = ["X", "W", "R", "B", "lengths", "initial_h", *(["initial_c", "P"] if name == "LSTM" else [])]
    given = [n if n in ("X", "lengths") or n in arrays else "" for n in names]
    while given[-1] == "":
        given.pop()
    node = onnx.helper.make_node(name, given, ["Y", *states], hidden_size=HIDDEN, **attributes)
    kind = onnx.TensorProto.FLOAT
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [node],
        "g",
        [value("X", kind, [TIME, BATCH, INPUTS]), value("lengths", onnx.TensorProto.INT32, [BATCH])],
        [value(n, kind, None) for n in ("Y", *states)],
        [onnx.numpy_helper.from_array(a.astype(np.float32), n) for n, a in arrays.items()],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    return runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def compare(name: str, module: Any, attributes: dict[str, Any], negate_input_gate: bool = False) -> None:
    rng = np.random.default_rng(4)
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.from_numpy(rng.normal(0, 0.5, p.shape)))
    cells, directions = module.cells, module.directions
    arrays: dict[str, list[np.ndarray]] = {"W": [], "R": [], "B": [], "P": []}
    for cell in cells:
        w_x, w_h, bias = cell.w_x, cell.w_h, cell.bias
        second = torch.zeros_like(bias) if cell.bias_h is None else cell.bias_h
        peephole = cell.peephole
        if negate_input_gate:  # ONNX has f = 1 − i; ours i = 1 − f, which is its i gate with every sign turned
            widen = lambda v: torch.cat([-v[..., :HIDDEN], v], dim=-1)  # noqa: E731
            w_x, w_h, bias, second = (widen(v) for v in (w_x, w_h, bias, second))
            peephole = None if peephole is None else torch.stack([-peephole[0], *peephole])
        arrays["W"].append(rows(w_x, name))
        arrays["R"].append(rows(w_h, name))
        arrays["B"].append(np.concatenate([rows(bias, name), rows(second, name)]))
        if peephole is not None:
            p_i, p_f, p_o = peephole.detach().numpy()
            arrays["P"].append(np.concatenate([p_i, p_o, p_f]))
    x = rng.normal(size=(BATCH, TIME, INPUTS)).astype(np.float32)
    lengths = np.array([7, 1, 4, 6], dtype=np.int32)
    h = rng.normal(size=(directions, BATCH, HIDDEN)).astype(np.float32)
    c = rng.normal(size=(directions, BATCH, HIDDEN)).astype(np.float32)
    stacked = {n: np.stack(a) for n, a in arrays.items() if a} | {"initial_h": h}
    if name == "LSTM":
        stacked["initial_c"] = c
    if directions == 2:
        attributes = {**attributes, "direction": "bidirectional"}
    expected = session(name, stacked, attributes).run(None, {"X": x.transpose(1, 0, 2), "lengths": lengths})
    state = torch.from_numpy(h) if name != "LSTM" else (torch.from_numpy(h), torch.from_numpy(c))
    y, last = module(torch.from_numpy(x), state, lengths=torch.from_numpy(lengths))
    keep = np.arange(TIME) < lengths[:, None]
    theirs = expected[0].transpose(2, 0, 1, 3).reshape(BATCH, TIME, -1)
    np.testing.assert_allclose(y.detach().numpy()[keep], theirs[keep], rtol=0, atol=3e-6)
    for ours_last, their_last in zip(last if isinstance(last, tuple) else (last,), expected[1:], strict=True):
        np.testing.assert_allclose(ours_last.detach().numpy(), their_last, rtol=0, atol=3e-6)


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("options", [{}, {"peephole": True}, {"peephole": True, "recurrent_bias": True}], ids=str)
def test_lstm(both, options):
    compare("LSTM", LSTM(INPUTS, HIDDEN, bidirectional=both, **options), {})


@pytest.mark.parametrize("peephole", [False, True])
def test_coupled_lstm(peephole):
    module = LSTM(INPUTS, HIDDEN, coupled=True, peephole=peephole)
    compare("LSTM", module, {"input_forget": 1}, negate_input_gate=True)


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("reset_after", [False, True])
@pytest.mark.parametrize("recurrent_bias", [False, True])
def test_gru(both, reset_after, recurrent_bias):
    module = GRU(INPUTS, HIDDEN, bidirectional=both, reset_after=reset_after, recurrent_bias=recurrent_bias)
    compare("GRU", module, {"linear_before_reset": int(reset_after)})


@pytest.mark.parametrize("activation", ["tanh", "relu", "softsign"])
def test_elman(activation):
    module = RNN(INPUTS, HIDDEN, activation=activation)
    compare("RNN", module, {"activations": [{"tanh": "Tanh", "relu": "Relu", "softsign": "Softsign"}[activation]]})
