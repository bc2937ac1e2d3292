"""The dispatcher: which engine runs, what is refused, and what the messages say."""

from __future__ import annotations

import importlib.util
import logging
from typing import Any

import pytest
import torch

import seqloom.ops
from oracles.recurrent_cases import random_case
from seqloom.errors import BackendError, SettingError
from seqloom.ops.cell import Cell, StepRandom, Weights
from seqloom.ops.kinds import KINDS
from seqloom.ops.scan import explain, scan

GENERATOR = torch.Generator().manual_seed(0)


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=GENERATOR)


X, H = normal(2, 3, 4), normal(2, 5)
GRU = Weights(normal(4, 15), normal(5, 15), normal(15))


def test_auto_equals_every_engine_that_can():
    for seed in range(30):
        case = random_case(seed)
        auto, _ = case.call(scan, torch.float32)
        expected, _ = case.call(scan, torch.float32, backend="reference")
        for a, b in zip(auto, expected, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_explain():
    said = explain(Cell("gru"), X, GRU, backend="fused")
    assert said == "gru runs on the fused engine."
    said = explain(Cell("gru", activation=torch.sin), X, GRU)
    assert said.startswith("gru runs on the reference engine; not native: ")
    assert "not fused: it knows the named activations only" in said
    assert explain(Cell("gru"), X, GRU, backend="reference") == "gru runs on the reference engine."
    with pytest.raises(SettingError, match="needs the weights"):
        explain(Cell("gru"), X)
    with pytest.raises(SettingError, match="not Linear"):
        explain(torch.nn.Linear(1, 1), X)


def test_falling_back_is_logged_once(caplog):
    cell = Cell("gru", activation=torch.cos)
    seqloom.ops.scan._say_once.cache_clear()  # pyright: ignore[reportAttributeAccessIssue]
    with caplog.at_level(logging.INFO, logger="seqloom"):
        for _ in range(3):
            scan(cell, X, H, GRU)
    assert len(caplog.messages) == 1
    assert "gru runs on the reference engine" in caplog.messages[0]


def test_named_backend_that_cannot():
    cell = Cell("gru", activation=torch.sin)
    with pytest.raises(BackendError, match="backend='fused' can't run this gru: it knows the named activations only"):
        scan(cell, X, H, GRU, backend="fused")
    if importlib.util.find_spec("seqloom.ops.native_scan") is None:
        with pytest.raises(BackendError, match="no compiled recurrent engine"):
            scan(Cell("gru"), X, H, GRU, backend="native")
    with pytest.raises(SettingError, match="Did you mean 'native'"):
        scan(Cell("gru"), X, H, GRU, backend="nativ")


def lstm_weights(**more: torch.Tensor) -> Weights:
    return Weights(normal(4, 20), normal(5, 20), **more)


BAD: list[tuple[Cell, dict[str, Any], str]] = [
    (Cell("gru"), {"x": X[0]}, "x must be a tensor of shape (batch, time, inputs), not (3, 4)."),
    (Cell("gru"), {"x": X.numpy()}, "x must be a tensor of shape (batch, time, inputs), not ndarray."),
    (Cell("gru"), {"x": X.half()}, "x must be float32 or float64, not torch.float16."),
    (Cell("gru"), {"x": X.to(torch.int64)}, "x must be float32 or float64, not torch.int64."),
    (Cell("gru"), {"x": X[..., :3]}, "weights.w_x must have shape (3, 15), not (4, 15)."),
    (Cell("gru"), {"x": X.double()}, "weights.w_x must be torch.float64 like x, not torch.float32."),
    (Cell("gru"), {"state": H[:1]}, "state of the gru cell must have shape (batch, state) = (2, 5), not (1, 5)."),
    (Cell("gru"), {"state": H.double()}, "state of the gru cell must be torch.float32 like x, not torch.float64."),
    (Cell("gru"), {"state": (H, H)}, "state of the gru cell must be a torch tensor, not tuple."),
    (Cell("gru"), {"state": H.to("meta")}, "state of the gru cell must be on cpu like x, not on meta."),
    (
        Cell("gru"),
        {"mask": torch.ones(2, 4, dtype=torch.bool)},
        "mask must have shape (batch, time) = (2, 3), not (2, 4).",
    ),
    (Cell("gru"), {"mask": torch.ones(2, 3)}, "mask must be torch.bool, not torch.float32."),
    (
        Cell("gru"),
        {"input_mask": torch.ones(2, 5)},
        "input_mask must have shape (batch, units) = (2, 4) or (batch, gates, units) = (2, 3, 4), not (2, 5).",
    ),
    (Cell("gru"), {"recurrent_mask": torch.ones(2, 4, 5)}, "recurrent_mask must have shape (batch, units) = (2, 5) or"),
    (Cell("gru"), {"weights": Weights(GRU.w_x, GRU.w_h[:4])}, "weights.w_h must have shape"),
    (
        Cell("gru"),
        {"weights": Weights(GRU.w_x[:, :14], GRU.w_h)},
        "must have 3 equal blocks of columns (r, z, n), not 14",
    ),
    (Cell("gru"), {"weights": Weights(GRU.w_x[0], GRU.w_h)}, "weights.w_x must be a dense matrix"),
    (Cell("gru"), {"weights": Weights(GRU.w_x, GRU.w_h, normal(14))}, "weights.bias must have shape"),
    (
        Cell("gru"),
        {"weights": Weights(GRU.w_x, GRU.w_h, w_p=normal(5, 2))},
        "weights.w_p is given, but the options of this",
    ),
    (Cell("gru", zoneout=0.1), {"training": True}, "need rng=StepRandom(seed, call, layer); it is None."),
    (Cell("gru", activation="prelu"), {}, "this gru cell needs weights.slope of shape (5,); it is None."),
    (Cell("lstm"), {"weights": lstm_weights()}, "state of an lstm must be the pair (h, c), not Tensor."),
    (Cell("lstm"), {"weights": lstm_weights(), "state": (H, H, H)}, "must be the pair (h, c), not 3 of them."),
    (
        Cell("lstm"),
        {"weights": lstm_weights(), "state": (H, H[:, :4])},
        "state c must have shape (batch, hidden) = (2, 5)",
    ),
    (
        Cell("lstm", peephole=True),
        {"weights": lstm_weights(), "state": (H, H)},
        "needs weights.peephole of shape (3, 5)",
    ),
    (
        Cell("jordan"),
        {"weights": Weights(normal(4, 5), normal(5, 5))},
        "needs weights.w_out of shape (hidden, outputs)",
    ),
]


@pytest.mark.parametrize(("cell", "changes", "message"), BAD)
def test_one_clear_sentence(cell, changes, message):
    arguments: dict[str, Any] = {"x": X, "state": H, "weights": GRU, **changes}
    with pytest.raises(SettingError) as caught:
        scan(cell, arguments.pop("x"), arguments.pop("state"), arguments.pop("weights"), **arguments)
    assert message in str(caught.value)
    assert str(caught.value).endswith(".")


def test_good_calls_pass():
    scan(Cell("gru", zoneout=0.1), X, H, GRU, training=True, rng=StepRandom(1))
    scan(Cell("gru"), X, H, GRU, mask=torch.ones(2, 3, dtype=torch.bool), input_mask=torch.ones(2, 3, 4))


@pytest.mark.parametrize("kind", KINDS)
def test_non_contiguous(kind):
    case = random_case(11, kind).but(input_mask=None, recurrent_mask=None)
    wide = case.x.repeat(2, axis=0)[::2]
    assert not wide.flags.c_contiguous or wide.size <= wide.shape[-1] * wide.shape[1]
    a, _ = case.call(scan)
    x = torch.from_numpy(case.x).transpose(0, 1).contiguous().transpose(0, 1)
    h = torch.from_numpy(case.h).t().contiguous().t()
    state = h if case.c is None else (h, torch.from_numpy(case.c))
    weights = Weights(
        **{
            name: torch.from_numpy(w.T.copy()).t() if w.ndim == 2 else torch.from_numpy(w)
            for name, w in case.weights.items()
        }
    )
    mask = case.keywords["mask"]
    keywords = {**case.keywords, "mask": None if mask is None else torch.from_numpy(mask)}
    y, _ = scan(case.cell, x, state, weights, **keywords)
    torch.testing.assert_close(y, a[0].detach(), rtol=1e-12, atol=1e-12)


def test_package_loads_lazily():
    assert seqloom.ops.Cell is Cell
    assert "Weights" in dir(seqloom.ops)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        seqloom.ops.nothing  # noqa: B018
