"""A cell of one's own: registered in one place, found by every part that takes cells, run by no engine as another.

The cell is the minimal gated unit (Zhou et al., arXiv 1603.09420): f = σ(a_f + u_f), n = φ(a_n + (f⊙h) W_n),
h' = (1 − f)⊙h + f⊙n.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from seqloom import SequenceClassifier, load, nn
from seqloom.errors import BackendError, SettingError
from seqloom.nn.recurrent_cell import RecurrentCell
from seqloom.ops.cell import Cell, Weights
from seqloom.ops.kinds import KINDS, PLAIN_REFUSALS, Kind, register_kind
from seqloom.ops.scan import ENGINES, explain, scan
from seqloom.tasks.networks import registry
from seqloom.tasks.networks.body import RecurrentBody
from seqloom.tasks.networks.registry import BodyKind, names_for, register_body
from seqloom_runtime import native

ROOT = Path(__file__).resolve().parents[2]


def minimal(step: Any, a: Tensor, h: Tensor, c: Tensor | None, d_g: Tensor | None) -> tuple[Tensor, None]:
    w_f, w_n = step.weights.w_h.chunk(2, dim=1)
    a_f, a_n = a.chunk(2, dim=1)
    f = step.sigma(a_f + h @ w_f)
    n = step.phi(a_n + (f * h) @ w_n)
    return (1 - f) * h + f * (n if d_g is None else n * d_g), None


MINIMAL = Kind(
    "minimal",
    "minimal gated unit: one gate that forgets and lets in",
    "Zhou et al., arXiv 1603.09420",
    ("f", "n"),
    minimal,
    refuses={**PLAIN_REFUSALS, "layer_norm": "the candidate's product comes after the gate"},
)


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    register_kind(MINIMAL)
    yield
    del KINDS["minimal"]


def twin(x: np.ndarray, w: dict[str, np.ndarray]) -> np.ndarray:
    """The outputs in float64 NumPy."""
    h, out = np.zeros((x.shape[0], w["w_h"].shape[0])), []
    sigma = lambda a: 1 / (1 + np.exp(-a))  # noqa: E731
    for t in range(x.shape[1]):
        a_f, a_n = np.split(x[:, t] @ w["w_x"] + w["bias"], 2, axis=1)
        w_f, w_n = np.split(w["w_h"], 2, axis=1)
        f = sigma(a_f + h @ w_f)
        h = (1 - f) * h + f * np.tanh(a_n + (f * h) @ w_n)
        out.append(h)
    return np.stack(out, axis=1)


def test_the_layer_owns_its_parameters_and_equals_a_twin() -> None:
    layer = nn.Recurrent("minimal", 3, 5, 2, {"seed": 4}).double()
    x = torch.randn(2, 7, 3, dtype=torch.float64)
    y, state = layer(x)
    assert (tuple(y.shape), tuple(state.shape)) == ((2, 7, 5), (2, 2, 5))
    first, second = (
        {name: w.detach().numpy() for name, w in cell.weights().items()}
        for cell in layer.cells
        if isinstance(cell, RecurrentCell)
    )
    np.testing.assert_allclose(y.detach().numpy(), twin(twin(x.numpy(), first), second), atol=1e-12)
    assert sum(p.numel() for p in layer.parameters()) == 2 * (5 * (3 + 5) + 5) + 2 * (5 * (5 + 5) + 5)
    assert first["bias"].tolist() == [1.0] * 5 + [0.0] * 5  # the forget gate's starts at 1
    torch.testing.assert_close(layer.double().train()(x)[0], y)


def test_masks_directions_dropouts_and_gradients_come_with_it() -> None:
    layer = nn.Recurrent("minimal", 3, 4, 1, {"bidirectional": True, "zoneout": 0.2, "recurrent_dropout": 0.3})
    x = torch.randn(2, 6, 3)
    layer.eval()
    torch.testing.assert_close(layer(x, lengths=[6, 4])[0][1, :4], layer(x[1:, :4])[0][0])
    layer.train()(x)[0].square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in layer.parameters())
    one = nn.Recurrent("minimal", 2, 3, 1, {}).double()
    x = torch.randn(1, 4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda given: one(given)[0], (x,))


def test_it_streams_and_saves(tmp_path: Path) -> None:
    layer = nn.Recurrent("minimal", 3, 5, 2, {"seed": 4}).eval()
    x = torch.randn(1, 6, 3)
    stream = layer.stream()
    assert stream.backend == "numpy"
    steps = np.stack([stream.step(row).copy() for row in x[0].numpy()])
    np.testing.assert_allclose(steps, layer(x)[0][0].detach().numpy(), atol=1e-6)
    with pytest.raises(BackendError, match="it has no minimal cell" if native.module() else "pure Python"):
        layer.stream(backend="native")
    torch.save(layer.state_dict(), tmp_path / "weights.pt")
    other = nn.Recurrent("minimal", 3, 5, 2, {"seed": 5}).eval()
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(x)[0], layer(x)[0])


def test_a_task_takes_it_by_name(tmp_path: Path) -> None:
    """Found in the list that help and error sentences are made of, trained, saved and loaded."""
    library = registry._bodies, registry._models["sequences"]
    options = ("units", "layers", "bidirectional", "pooling")
    register_body(BodyKind("minimal", "minimal gated unit", "few weights", RecurrentBody, options), tasks=["sequences"])
    try:
        assert "minimal" in names_for("sequences")
        rng = np.random.default_rng(0)
        data = [rng.normal(size=(6, 2)).astype(np.float32) for _ in range(24)]
        labels = ["up" if one.sum() > 0 else "down" for one in data]
        model = SequenceClassifier(model="minimal", units=4, epochs=1).fit(data, labels)
        model.save(tmp_path / "model")
        assert list(load(tmp_path / "model").predict(data)) == list(model.predict(data))
    finally:
        for table in library:
            del table["minimal"]


def test_every_engine_refuses_it_by_name() -> None:
    x, h = torch.zeros(2, 3, 4), torch.zeros(2, 5)
    weights = Weights(torch.zeros(4, 10), torch.zeros(5, 10))
    cell = Cell("minimal")
    for name, engine in ENGINES.items():
        if engine.kinds is None:
            assert scan(cell, x, h, weights, backend=name)[0].shape == (2, 3, 5)
            continue
        with pytest.raises(BackendError, match="it has no minimal cell"):
            scan(cell, x, h, weights, backend=name)
    with pytest.raises(BackendError, match="backend='fused' can't run this jordan: it has no jordan cell"):
        scan(
            Cell("jordan"),
            x,
            h,
            Weights(torch.zeros(4, 5), torch.zeros(5, 5), w_out=torch.zeros(5, 5)),
            backend="fused",
        )
    assert explain(cell, x, weights).startswith("minimal runs on the reference engine; not native: it has no minimal")


@pytest.mark.skipif(native.module() is None, reason="no compiled module")
@pytest.mark.parametrize("kind", [-1, 4, 99])
def test_the_compiled_engine_refuses_a_number_that_it_has_no_kernels_for(kind: int) -> None:
    module: Any = native.module()
    whole = [kind, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    real = [1e-5, 0.0, 0.0, 0.0, 0.0]
    for call in (
        lambda: module.scan_saved_row(whole, real),
        lambda: module.scan_forward(whole, real, [0] * 20, 1),
        lambda: module.scan_backward(whole, real, [0] * 20, [0] * 16, 1),
    ):
        with pytest.raises(ValueError, match=f"a recurrent cell of kind {kind} has no kernels"):
            call()


def test_what_it_refuses_and_what_is_taken() -> None:
    with pytest.raises(SettingError, match="layer_norm=True is not possible for a minimal cell: the cand"):
        Cell("minimal", layer_norm=True)
    with pytest.raises(SettingError, match="peephole=True is not possible for a minimal cell"):
        nn.Recurrent("minimal", 3, 5, 1, {"peephole": True})
    with pytest.raises(SettingError, match="expected a new kind of cell, got 'minimal'"):
        register_kind(MINIMAL)
    with pytest.raises(SettingError, match=r"one of elman, jordan, lstm, gru, minimal, not 'minmal'.*'minimal'"):
        Cell("minmal")


def test_the_list_of_files_that_a_cell_touches_is_true() -> None:
    """CONTRIBUTING names them; those that name cells in a table today are on it, and they are at most 22."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.split("## Adding a recurrent cell", 1)[1].split("\n## ", 1)[0]
    listed = set(re.findall(r"`((?:src|runtime|tests)/[\w./]+)`", section))
    assert all((ROOT / name).is_file() for name in listed)
    assert len(listed) <= 22
    folders = [
        ROOT / "src/seqloom/ops",
        ROOT / "src/seqloom/nn",
        ROOT / "src/seqloom/diagnostics",
        ROOT / "runtime/native/src",
    ]
    names = re.compile(r"""["'](?:elman|jordan|lstm|gru)["']|CellKind::""")
    naming = {
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in folder.rglob("*.*")
        if path.suffix in {".py", ".h", ".cpp"} and names.search(_code(path))
    }
    free = {  # what one cell alone has: torch's own layers, the GRU's split product, the LSTM's second state
        "src/seqloom/nn/compat.py",
        "src/seqloom/ops/torch_scan.py",
        "src/seqloom/ops/scan.py",
        "src/seqloom/ops/cell.py",
        "runtime/native/src/scan_weights.h",
        "runtime/native/src/scan_weights.cpp",
        "runtime/native/src/stream.cpp",
        "runtime/native/src/kernels/norms.h",
    }
    assert naming - free <= listed, sorted(naming - free - listed)


def _code(path: Path) -> str:
    """A file without what is said about it."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        text = re.sub(r'""".*?"""', "", text, flags=re.DOTALL)
        return re.sub(r"#.*", "", text)
    return re.sub(r"//.*", "", text)
