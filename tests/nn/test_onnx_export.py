"""Networks written as ONNX files: ONNX Runtime against our own forward pass, no further off than float32 rounds.

A float64 twin of the module says what is right; ONNX Runtime may be off by twice what our float32 is, and by a few
units in the last place.
"""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from seqloom.errors import MissingDependencyError, SettingError
from seqloom.nn import (
    GRU,
    LSTM,
    RNN,
    TCN,
    CausalConv1d,
    Conv1d,
    GlobalAverage,
    GlobalMax,
    Highway,
    Jordan,
    Outputs,
    Recurrent,
    Residual,
    accelerate,
    to_onnx,
)
from seqloom.ops.activations import ACTIVATIONS

onnx = pytest.importorskip("onnx", reason="files are written by the onnx package: pip install '.[onnx]'")
runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime runs the files: pip install '.[dev]'")

INPUTS = 3


def opened(path: Path) -> Any:
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return runtime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])


def drawn(module: nn.Module, seed: int) -> None:
    """Random weights, so that nothing is hidden by zeros."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.empty_like(p).normal_(0, 0.5, generator=generator))


def near(got: np.ndarray, ours: Tensor, twin: Tensor, nudged: Tensor | None = None) -> None:
    """nudged: ours on inputs that are off by one rounding, as one draw of the rounding alone may be a lucky one."""
    assert got.shape == tuple(ours.shape)
    runs = [ours, *([] if nudged is None else [nudged])]
    noise = max(float((run.double() - twin).abs().max()) for run in runs) if ours.numel() else 0.0
    scale = max(1.0, float(twin.abs().max())) if twin.numel() else 1.0
    allowed = 2 * noise + 4 * np.finfo(np.float32).eps * scale
    assert float(np.abs(got.astype(np.float64) - twin.detach().numpy()).max(initial=0.0)) <= allowed


def flat(value: Any) -> list[Tensor]:
    """Every tensor of nested pairs, in order."""
    return [value] if isinstance(value, Tensor) else [v for part in value for v in flat(part)]


def a_cell(rng: random.Random) -> tuple[type[Recurrent], dict[str, Any]]:
    """A kind of cell and random options of its own; every other time some that only a loop in the graph computes."""
    kind, loop = rng.choice([RNN, GRU, LSTM, Jordan]), rng.random() < 0.5
    options: dict[str, Any] = {"bias": rng.random() < 0.8, "activation": rng.choice(["tanh", "tanh", *ACTIVATIONS])}
    options["recurrent_bias"] = options["bias"] and rng.random() < 0.5
    if kind in (GRU, LSTM):
        options["recurrent_activation"] = rng.choice(["sigmoid", "hard_sigmoid", "hard_sigmoid_02", "softsign"])
    if kind is GRU:
        options["reset_after"] = rng.random() < 0.5
    if kind is LSTM:
        options |= {"peephole": rng.random() < 0.5, "coupled": rng.random() < 0.4}
    if loop:
        options["activation"] = rng.choice(["prelu", options["activation"]])
        if kind is not Jordan:
            options |= {"zoneout": rng.choice([0.0, 0.2]), "layer_norm": options.get("reset_after", True)}
        if kind is LSTM:
            options |= {"projection_size": rng.choice([None, 2]), "cell_clip": rng.choice([None, 0.3])}
            options["zoneout"] = rng.choice([0.0, (0.1, 0.3)])
    return kind, options


def a_recurrent(seed: int) -> tuple[Recurrent, dict[str, Any]]:
    """A random module, and how it is exported."""
    rng = random.Random(seed)
    kind, options = a_cell(rng)
    turn = rng.choice(["forward", "both", "both", "reverse"])
    if turn == "both":
        options |= {"bidirectional": True, "merge": rng.choice(["concat", "sum", "mean"])}
    options |= {"reverse": turn == "reverse", "between_dropout": 0.3, "seed": seed}
    sizes = [rng.randint(1, 6), *([rng.randint(1, 4)] if kind is Jordan else [])]
    make: Any = kind
    module = make(INPUTS, *sizes, rng.randint(1, 3), **options)
    asked = {name: rng.random() < 0.5 for name in ("stateful", "lengths", "last_only")}
    return module, asked


@pytest.mark.parametrize("seed", [*range(20), *(pytest.param(n, marks=pytest.mark.deep) for n in range(20, 320))])
def test_recurrent_layers(seed: int, tmp_path: Path) -> None:
    module, asked = a_recurrent(seed)
    drawn(module, seed)
    path = tmp_path / "m.onnx"
    module.to_onnx(path, opset=17 + seed % 10, **asked)
    session, rng = opened(path), np.random.default_rng(seed)
    twin, module = copy.deepcopy(module).double().eval(), module.eval()
    for batch, time in ((3, 7), (1, 1), (2, 4)):
        x = torch.from_numpy(rng.normal(size=(batch, time, INPUTS)).astype(np.float32))
        feed = {"x": x.numpy()}
        keywords: dict[str, Any] = {"last_only": asked["last_only"]}
        if asked["lengths"]:
            keywords["lengths"] = torch.from_numpy(rng.integers(0, time + 1, batch))
            feed["lengths"] = keywords["lengths"].numpy()
        state: Any = None
        if asked["stateful"]:
            zeros = module.initial_state(batch)
            parts = [torch.from_numpy(rng.normal(size=v.shape).astype(np.float32)) for v in flat(zeros)]
            feed |= {name: part.numpy() for name, part in zip("hc", parts)}
            state = tuple(parts) if isinstance(zeros, tuple) else parts[0]
        double = None if state is None else tuple(v.double() for v in flat(state))
        double = double if double is None or isinstance(state, tuple) else double[0]
        with torch.no_grad():
            ours = flat(module(x, state, **keywords))
            nudged = flat(module(torch.nextafter(x, 2 * x), state, **keywords))
            right = flat(twin(x.double(), double, **keywords))
        got = session.run(None, feed)
        names = [output.name for output in session.get_outputs()]
        assert names == (["h_next", "c_next"][: len(ours) - 1] if asked["stateful"] else []) + ["y"]
        order = [*ours[1:], ours[0]] if asked["stateful"] else [ours[0]]
        exact = [*right[1:], right[0]] if asked["stateful"] else [right[0]]
        off = [*nudged[1:], nudged[0]] if asked["stateful"] else [nudged[0]]
        for values in zip(got, order, exact, off, strict=True):
            near(*values)


def compare(
    module: nn.Module, tmp_path: Path, shapes: tuple[tuple[int, int], ...] = ((2, 9), (1, 4)), **options: Any
) -> Any:
    drawn(module, 3)
    path = tmp_path / "m.onnx"
    to_onnx(module, path, **options)
    session, rng = opened(path), np.random.default_rng(1)
    twin, module = copy.deepcopy(module).double().eval(), module.eval()
    for shape in shapes:
        x = torch.from_numpy(rng.normal(size=(*shape, INPUTS)).astype(np.float32))
        with torch.no_grad():
            near(session.run(["y"], {"x": x.numpy()})[0], module(x), twin(x.double()))
    return session


@pytest.mark.parametrize(
    "make",
    [
        lambda: CausalConv1d(INPUTS, 4, 3, dilation=2, activation="relu", weight_norm=True, dropout=0.2),
        lambda: CausalConv1d(INPUTS, 2, 1, bias=False, activation="hard_sigmoid"),
        lambda: Conv1d(INPUTS, 4, 3, padding="same", dilation=2, activation="elu"),
        lambda: Conv1d(INPUTS, 4, 2, padding="full", stride=2),
        lambda: Conv1d(INPUTS, 4, 3, padding="causal", stride=2),
        lambda: Conv1d(INPUTS, 4, 4, activation="softplus"),
        lambda: TCN(INPUTS, [4, 4, 5], 3, dropout=0.1, activation="leaky_relu"),
        lambda: nn.Sequential(TCN(INPUTS, [INPUTS]), Residual(GRU(INPUTS, INPUTS)), GlobalMax(), nn.Linear(INPUTS, 2)),
        lambda: nn.Sequential(
            nn.Linear(INPUTS, 4), nn.Tanh(), Highway(4), Outputs(nn.LSTM(4, 5, batch_first=True)), nn.LayerNorm(5),
            nn.Dropout(0.5), Outputs(RNN(5, 6, activation="softsign"), last_only=True), nn.Linear(6, 3, bias=False),
            nn.Softmax(-1),
        ),
        lambda: nn.Sequential(Conv1d(INPUTS, 4, 3), nn.ELU(0.7), GlobalAverage(), nn.LeakyReLU(0.3), nn.LogSoftmax(1)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("opset", [17, 23, 26])
def test_convolutions_and_whole_networks(make: Any, opset: int, tmp_path: Path) -> None:
    compare(make(), tmp_path, opset=opset)


def test_chunks_of_a_stateful_network_are_the_whole(tmp_path: Path) -> None:
    module = nn.Sequential(
        CausalConv1d(INPUTS, 4, 3, dilation=2),
        Residual(TCN(4, [4, 4])),
        Outputs(LSTM(4, 5, 2)),
        Outputs(GRU(5, 2)),
        nn.Linear(2, 1),
    ).eval()
    drawn(module, 5)
    path = tmp_path / "m.onnx"
    to_onnx(module, path, stateful=True)
    session = opened(path)
    x = np.random.default_rng(0).normal(size=(2, 12, INPUTS)).astype(np.float32)
    state = {
        i.name: np.zeros([2 if axis == "batch" else axis for axis in i.shape], np.float32)
        for i in session.get_inputs()
        if i.name != "x"
    }
    assert {"context_0", "context_1_module_0_conv1", "h_2", "c_2", "h_3"} <= set(state)
    names, parts = [output.name for output in session.get_outputs()], []
    for start, stop in ((0, 5), (5, 6), (6, 12)):
        got = dict(zip(names, session.run(None, {"x": x[:, start:stop], **state}), strict=True))
        parts.append(got["y"])
        state = {name: got[name.replace(name.split("_")[0], f"{name.split('_')[0]}_next", 1)] for name in state}
    whole = module(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, rtol=0, atol=2e-6)


def test_torchs_layers_and_the_record(tmp_path: Path) -> None:
    layer = nn.GRU(INPUTS, 4, 2, batch_first=True, bidirectional=True).eval()
    accelerate(layer)
    path = tmp_path / "m.onnx"
    to_onnx(layer, path, stateful=True)
    session = opened(path)
    x, h = torch.randn(2, 5, INPUTS), torch.randn(4, 2, 4)
    got = session.run(["y", "h_next"], {"x": x.numpy(), "h": h.numpy()})
    for value, expected in zip(got, layer(x, h), strict=True):
        np.testing.assert_allclose(value, expected.detach().numpy(), rtol=0, atol=2e-6)
    record = json.loads(session.get_modelmeta().custom_metadata_map["seqloom"])
    assert record["inputs"]["x"] == {"axes": ["batch", "time", INPUTS], "type": "float", "about": "the sequences"}
    assert record["outputs"]["h_next"]["axes"] == [4, "batch", 4]
    assert (record["format"], record["network"]) == (1, "GRU")


class Other(GRU):
    """A class of someone else's."""


@pytest.mark.parametrize(
    ("make", "options", "told"),
    [
        (lambda: GRU(3, 4), {"opset": 16}, "opset must be a whole number from 17 to 26, not 16"),
        (lambda: GRU(3, 4).double(), {}, r"cells.0.w_x is torch.float64, and ONNX files are written in float32"),
        (lambda: Other(3, 4), {}, "the module is a Other, which has no ONNX form here"),
        (lambda: nn.Sequential(GRU(3, 4)), {}, r"layer 0 can't be exported .* put seqloom.nn.Outputs around it"),
        (lambda: nn.Sequential(nn.Linear(3, 3), nn.Bilinear(3, 3, 2)), {}, "layer 1 is a Bilinear"),
        (lambda: nn.GRU(3, 4), {}, "build it with batch_first=True"),
        (lambda: TCN(3, [4]), {"lengths": True}, "lengths=True is for a recurrent layer, not TCN"),
        (lambda: CausalConv1d(3, 4, 2, activation=torch.sin), {}, "its activation is a Python function"),
        (lambda: nn.Sequential(nn.Linear(3, 4), GlobalMax()), {"stateful": True}, "layer 1 .* reads whole sequences"),
        (lambda: nn.Sequential(GlobalMax(), Outputs(GRU(3, 4))), {}, "left one step of each sequence"),
    ],
)  # fmt: skip
def test_what_cannot_be_exported_says_why(make: Any, options: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=told):
        to_onnx(make(), tmp_path / "m.onnx", **options)
    assert not list(tmp_path.iterdir())


def test_without_the_onnx_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(MissingDependencyError, match=r"the export to ONNX needs onnx.*pip install '.\[onnx\]'"):
        GRU(3, 4).to_onnx(tmp_path / "m.onnx")
