"""from_onnx: what to_onnx, torch's export and the onnx package's cases hold, as layers; what is refused, and damage."""

from __future__ import annotations

import importlib
import random
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from seqloom.errors import FormatError, MissingDependencyError, SettingError
from seqloom.nn import (
    GRU,
    LSTM,
    RNN,
    TCN,
    CausalConv1d,
    Chain,
    Conv1d,
    GlobalAverage,
    GlobalMax,
    Outputs,
    from_onnx,
    to_onnx,
)

onnx = pytest.importorskip("onnx", reason="files are read by the onnx package: pip install '.[onnx]'")
runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime runs the files: pip install '.[dev]'")


def sequences(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=shape or (2, 9, 3)).astype(np.float32)


def drawn(module: nn.Module, seed: int = 1) -> nn.Module:
    """Random unequal weights."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.empty_like(p).normal_(0, 0.4, generator=generator))
    return module.eval()


def expected(path: Path, x: np.ndarray) -> np.ndarray:
    options = runtime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    session = runtime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    given = {session.get_inputs()[0].name: x}
    for value in session.get_inputs()[1:]:
        given[value.name] = np.zeros([n if isinstance(n, int) else len(x) for n in value.shape], np.float32)
    outputs = [value.name for value in session.get_outputs()]
    return session.run([next(name for name in outputs if "_next" not in name)], given)[0]


def close(path: Path, x: np.ndarray) -> Chain:
    model = from_onnx(path)
    found = model(x).detach().numpy()
    right = expected(path, x)
    assert found.shape == right.shape
    np.testing.assert_allclose(found, right, rtol=0, atol=2e-6 * max(np.abs(right).max(), 1))
    return model


OURS: list[nn.Module] = [
    *(kind(3, 5, 2) for kind in (RNN, GRU, LSTM)),
    *(Outputs(kind(3, 5, reverse=True), last_only=True) for kind in (RNN, GRU, LSTM)),
    *(LSTM(3, 5, 2, bidirectional=True, merge=merge) for merge in ("concat", "sum", "mean")),
    *(Outputs(GRU(3, 5, bidirectional=True, merge=merge), last_only=True) for merge in ("concat", "sum", "mean")),
    GRU(3, 5, reset_after=False, recurrent_bias=True, recurrent_activation="hard_sigmoid_02"),
    GRU(3, 5, bias=False),
    LSTM(3, 5, peephole=True, recurrent_bias=True),
    LSTM(3, 5, peephole=True, coupled=True, recurrent_activation="hard_sigmoid"),
    RNN(3, 5, activation="elu"),
    nn.Sequential(CausalConv1d(3, 4, 3, dilation=2, activation="relu"), Outputs(GRU(4, 5)), nn.Linear(5, 2)),
    nn.Sequential(Conv1d(3, 4, 4, padding="same"), Conv1d(4, 4, 3, padding="full"), nn.Tanh(), GlobalMax()),
    nn.Sequential(Conv1d(3, 2, 2, stride=2), nn.LayerNorm(2), GlobalAverage(), nn.Linear(2, 3), nn.Softmax(-1)),
    nn.Sequential(nn.Linear(3, 4), nn.LeakyReLU(0.3), nn.Dropout(0.2), nn.Linear(4, 2, bias=False), nn.ELU()),
]


@pytest.mark.parametrize("module", OURS, ids=lambda module: str(module).splitlines()[0][:40])
def test_what_to_onnx_writes(module, tmp_path):
    for opset in (17, 23, 26):
        to_onnx(drawn(module), tmp_path / "m.onnx", opset=opset)
        model = close(tmp_path / "m.onnx", sequences())
    assert model.notes == ()
    assert not model.training
    names = sorted(tuple(p.shape) for p in module.parameters())
    assert sorted(tuple(p.shape) for p in model.parameters()) == names
    model.train()(torch.from_numpy(sequences())).square().mean().backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("module", [LSTM(3, 4, 2), nn.Sequential(CausalConv1d(3, 4, 3), Outputs(GRU(4, 5)))], ids=str)
def test_a_graph_with_states_streams(module, tmp_path):
    if isinstance(module, LSTM):
        to_onnx(drawn(module), tmp_path / "m.onnx", stateful=True)
        assert "starts from zeros" in from_onnx(tmp_path / "m.onnx").notes[0]
    else:
        to_onnx(drawn(module), tmp_path / "m.onnx")
    model, x = close(tmp_path / "m.onnx", sequences()), sequences()
    stream = model.stream(2)
    found = np.stack([stream.step(x[:, t]).copy() for t in range(9)], 1)
    np.testing.assert_allclose(found, model(x).detach().numpy(), atol=2e-6)


def cases() -> list[Any]:
    """The onnx package's own cases of the three operators: its modules of them alone, for all make every operator's."""
    from onnx.backend.test.case import node

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for kind in ("rnn", "gru", "lstm"):
            importlib.import_module(f"{node.__name__}.{kind}")
    found = {case.name: case for case in node._NodeTestCases}
    kinds = ("_rnn_", "_gru_", "_lstm_")
    chosen = [case for name, case in sorted(found.items()) if any(kind in name for kind in kinds)]
    assert {kind for kind in kinds for case in chosen if kind in case.name} == set(kinds)
    return chosen


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_the_official_cases(case, tmp_path):
    inputs, outputs = case.data_sets[0]
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    names = [value.name for value in model.graph.input]
    for name, array in list(zip(names, inputs, strict=True))[1:]:
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    onnx.save(model, tmp_path / "m.onnx")
    layer = from_onnx(tmp_path / "m.onnx")
    batch_first = any(a.name == "layout" and a.i for a in model.graph.node[0].attribute)
    x = inputs[0] if batch_first else inputs[0].transpose(1, 0, 2)
    found = layer(x).detach().numpy()
    right = outputs[0]
    if model.graph.output[0].name == "Y":
        right = right if batch_first else right.transpose(2, 0, 1, 3)
    elif not batch_first:
        right = right.transpose(1, 0, 2)
    np.testing.assert_allclose(found, right.reshape(found.shape), atol=1e-6)


class Theirs(nn.Module):
    """A model of torch as people write it."""

    def __init__(self, kind: str, how: str, **options: Any):
        super().__init__()
        torch.manual_seed(3)
        self.rnn = getattr(nn, kind)(3, 5, batch_first=True, **options)
        self.linear, self.how = nn.Linear(10 if options.get("bidirectional") else 5, 2), how

    def forward(self, x):
        y, state = self.rnn(x)
        h = state[0] if isinstance(state, tuple) else state
        if self.how == "step":
            y = y[:, -1]
        elif self.how == "state":
            y = h[-1]
        elif self.how == "both":
            y = torch.cat([h[-2], h[-1]], dim=1)
        return self.linear(torch.relu(y))


def exported(module: nn.Module, path: Path, x: np.ndarray, **options: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                module.eval(), (torch.from_numpy(x),), str(path), dynamo=False, input_names=["x"], **options
            )
        except (ImportError, RuntimeError, TypeError) as error:
            pytest.skip(f"torch's export by tracing is not there: {error}")


@pytest.mark.parametrize(
    ("kind", "how", "options"),
    [
        ("LSTM", "all", {"num_layers": 2}),
        ("GRU", "all", {"bidirectional": True}),
        ("RNN", "step", {}),
        ("LSTM", "step", {"bidirectional": True}),
        ("GRU", "state", {"num_layers": 2}),
        ("LSTM", "both", {"bidirectional": True, "num_layers": 2}),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_what_torch_exports(kind, how, options, tmp_path):
    for given in ({}, {"dynamic_axes": {"x": {0: "batch", 1: "time"}}}):
        exported(Theirs(kind, how, **options), tmp_path / "m.onnx", sequences(), **given)
        close(tmp_path / "m.onnx", sequences())


@pytest.mark.filterwarnings("ignore")
def test_channels_first(tmp_path):
    torch.manual_seed(2)
    theirs = nn.Sequential(nn.Conv1d(3, 4, 3, padding=2), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(20, 2))
    x = sequences().transpose(0, 2, 1).copy()
    exported(theirs, tmp_path / "m.onnx", x)
    model = from_onnx(tmp_path / "m.onnx")
    np.testing.assert_allclose(model(sequences()).detach().numpy(), expected(tmp_path / "m.onnx", x), atol=1e-6)
    assert model.notes == ("The graph's input is (batch, numbers, time); the module takes (batch, time, numbers).",)


def graph(*nodes: Any, sizes: Any = ("batch", "time", 3), **arrays: np.ndarray) -> Any:
    """A model of nodes from x to y."""
    value = onnx.helper.make_tensor_value_info
    made = onnx.helper.make_graph(
        list(nodes),
        "g",
        [value("x", onnx.TensorProto.FLOAT, sizes)],
        [value("y", onnx.TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    return onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", 17)])


def node(kind: str, *inputs: str, to: str = "y", **attributes: Any) -> Any:
    return onnx.helper.make_node(kind, list(inputs), [to], **attributes)


def test_words(tmp_path):
    rows, matrix = sequences(6, 3), sequences(3, 2)
    model = graph(node("Gather", "e", "x", to="a"), node("MatMul", "a", "m"), sizes=("b", "t"), e=rows, m=matrix)
    onnx.save(model, tmp_path / "m.onnx")
    ids = np.array([[1, 5, 0], [2, 2, 3]])
    np.testing.assert_allclose(from_onnx(tmp_path / "m.onnx")(ids).detach().numpy(), rows[ids] @ matrix, atol=1e-6)


W, R, K, M = sequences(1, 20, 3), sequences(1, 20, 5), sequences(4, 3, 3), sequences(3, 3)


def lstm(**attributes: Any) -> Any:
    return node("LSTM", "x", "w", "r", hidden_size=5, **attributes)


REFUSED: list[tuple[Any, str]] = [
    ((node("Mine", "x", domain="org.mine"), {}), r"operator Mine 'y'.*of 'org.mine' has no counterpart"),
    ((node("Einsum", "x", equation="ij->ji"), {}), "operator Einsum"),
    ((lstm(clip=3.0), {"w": W, "r": R}), "clip bounds"),
    ((lstm(brand_new=3), {"w": W, "r": R}), "brand_new=3"),
    ((lstm(activations=["Sigmoid", "Tanh", "Relu"]), {"w": W, "r": R}), "different activations"),
    ((lstm(activations=["Tanh", "ScaledTanh", "ScaledTanh"]), {"w": W, "r": R}), "activation 'ScaledTanh'"),
    ((node("Conv", "x", "k", group=3), {"k": K[:3, :1]}), "groups"),
    ((node("Conv", "x", "k", pads=[1, 5]), {"k": K}), "1 zeros before and 5 behind"),
    ((node("Conv", "x", "k", dilations=[1 << 40]), {"k": K}), "dilations"),
    ((node("Add", "x", "m"), {"m": M}), "bias of a product"),
    ((node("MatMul", "x", "x"), {}), "is computed"),
    ((node("If", "x", then_branch=graph(node("Relu", "x")).graph), {}), "operator If"),
    ((node("MaxPool", "x", kernel_shape=[2], ceil_mode=1), {}), "ceil_mode=1"),
    ((node("ReduceSum", "x", "m"), {"m": M}), "whole"),
]


@pytest.mark.parametrize(("made", "said"), REFUSED, ids=[said[:24] for _, said in REFUSED])
def test_what_has_no_counterpart(made, said, tmp_path):
    onnx.save(graph(made[0], **made[1]), tmp_path / "m.onnx")
    with pytest.raises((SettingError, FormatError), match=said) as caught:
        from_onnx(tmp_path / "m.onnx")
    assert "\n" not in str(caught.value)


def test_graphs_that_are_no_line(tmp_path):
    for module, options, said in (
        (TCN(3, [4]), {}, "branches"),
        (LSTM(3, 4, layer_norm=True), {}, "can't be taken over"),
        (LSTM(3, 4), {"lengths": True}, "row lengths"),
    ):
        to_onnx(drawn(module), tmp_path / "m.onnx", **options)
        with pytest.raises(SettingError, match=said):
            from_onnx(tmp_path / "m.onnx")


def test_weights_in_another_file(tmp_path):
    model = graph(node("MatMul", "x", "m"), m=M)
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, size_threshold=0, location="weights.bin")
    with pytest.raises(SettingError, match=r"weights 'm' lie in another file, which is not opened"):
        from_onnx(tmp_path / "m.onnx")


def fault(path: Path, said: str) -> None:
    with pytest.raises(FormatError, match=said) as caught:
        from_onnx(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_damaged_files(tmp_path):
    path = tmp_path / "m.onnx"
    for data in (b"", b"garbage", bytes(1000)):
        path.write_bytes(data)
        fault(path, "ONNX file")
    for made, said in (
        (graph(node("MatMul", "x", "m"), m=M[None]), "expected \\(None, None\\)"),
        (graph(node("MatMul", "x", "absent"), m=M), "reads 'absent', which isn't there"),
        (graph(lstm(), w=W, r=R[:, :, :4]), "says hidden_size=5"),
        (graph(lstm(), w=W[:, :7], r=R), "array of shape"),
        (graph(node("MatMul", "x", "m"), m=M * np.float32(np.nan)), "finite"),
        (graph(node("Transpose", "x", perm=[0, 0, 1])), "every axis once"),
    ):
        onnx.save(made, path)
        fault(path, said)
    huge = graph(node("MatMul", "x", "m"), m=M)
    huge.graph.initializer[0].dims[:] = [1 << 40, 3]
    onnx.save(huge, path)
    fault(path, "ONNX file")
    with pytest.raises(FileNotFoundError):
        from_onnx(tmp_path / "absent.onnx")


def test_damage_anywhere_is_one_sentence(tmp_path):
    path = tmp_path / "m.onnx"
    to_onnx(drawn(nn.Sequential(CausalConv1d(3, 4, 3), Outputs(LSTM(4, 5)), nn.Linear(5, 2))), path)
    good, wild, said = path.read_bytes(), random.Random(3), []
    for _ in range(60):
        data = bytearray(good)
        if wild.random() < 0.2:
            data = data[: wild.randrange(len(data))]
        else:
            for _ in range(wild.randrange(1, 8)):
                data[wild.randrange(len(data))] = wild.randrange(256)
        path.write_bytes(data)
        try:
            from_onnx(path)
        except (FormatError, SettingError) as error:
            said.append(str(error))
    assert len(said) > 5
    assert not any("\n" in sentence for sentence in said)


def test_without_onnx(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    (tmp_path / "m.onnx").write_bytes(b"x")
    with pytest.raises(MissingDependencyError, match=r"onnx.*'\.\[onnx\]'"):
        from_onnx(tmp_path / "m.onnx")
