"""torch's kernels behind our layout: equal to the reference, taken only where they are the faster choice."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from seqloom.errors import BackendError
from seqloom.ops import torch_scan
from seqloom.ops.call import Call
from seqloom.ops.cell import Cell, Weights
from seqloom.ops.scan import explain, scan

PLAIN = {
    "elman": Cell("elman"),
    "elman relu": Cell("elman", activation="relu"),
    "lstm": Cell("lstm"),
    "gru": Cell("gru"),
}


def call(cell: Cell, dtype: torch.dtype, biases: int = 2) -> tuple[torch.Tensor, Any, Weights]:
    """Random unequal inputs, states and weights: B 3, T 5, I 4, H 6."""
    draw = torch.Generator().manual_seed(11)

    def tensor(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=draw, dtype=torch.float64).to(dtype).requires_grad_()

    width = cell.projection or 6
    weights = Weights(
        w_x=tensor(4, cell.gates * 6),
        w_h=tensor(width, cell.gates * 6),
        bias=tensor(cell.gates * 6) if biases else None,
        bias_h=tensor(cell.gates * 6) if biases == 2 else None,
        w_p=tensor(6, width) if cell.projection else None,
    )
    state: Any = tensor(3, width)
    if cell.kind == "lstm":
        state = (state, tensor(3, 6))
    return tensor(3, 5, 4), state, weights


@pytest.mark.parametrize("biases", [0, 1, 2])
@pytest.mark.parametrize("keywords", [{}, {"reverse": True}, {"last_only": True}, {"reverse": True, "last_only": True}])
@pytest.mark.parametrize("cell", PLAIN.values(), ids=PLAIN)
def test_equals_the_reference_with_gradients(cell: Cell, keywords: dict[str, Any], biases: int) -> None:
    dtype = torch.float64
    x, state, weights = call(cell, dtype, biases)
    input_mask = torch.tensor([[0.0, 1.25, 1.25, 0.0], [1.25] * 4, [1.25, 0.0, 1.25, 1.25]], dtype=dtype)
    leaves = [
        x,
        *(state if isinstance(state, tuple) else (state,)),
        *(w for w in vars(weights).values() if w is not None),
    ]
    results = {}
    for engine in ("torch", "reference"):
        y, last = scan(cell, x, state, weights, input_mask=input_mask, backend=engine, **keywords)
        outputs = [y, *(last if isinstance(last, tuple) else (last,))]
        total = sum((o * torch.arange(1, o.numel() + 1, dtype=dtype).reshape(o.shape)).sum() for o in outputs)
        assert isinstance(total, torch.Tensor)
        results[engine] = [*outputs, *torch.autograd.grad(total, leaves)]
    tolerance = 1e-11
    for ours, theirs in zip(results["torch"], results["reference"]):
        torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance * float(theirs.detach().abs().max()))


@pytest.mark.parametrize(
    ("cell", "word"),
    [
        (Cell("lstm", peephole=True), "peephole"),
        (Cell("gru", reset_after=False), "reset_after"),
        (Cell("gru", activation="relu"), "activation"),
        (Cell("gru", gate_activation="hard_sigmoid"), "gate activation"),
        (Cell("elman", layer_norm=True), "layer_norm"),
        (Cell("lstm", projection=1), "projection"),
    ],
)
def test_says_why_not(cell: Cell, word: str) -> None:
    x = torch.zeros(1, 1, 1)
    weights = Weights(w_x=torch.zeros(1, cell.gates), w_h=torch.zeros(1, cell.gates))
    assert word in str(torch_scan.refuses(Call(cell, x, x, weights)))


def test_masks_are_refused_by_name() -> None:
    x, state, weights = call(PLAIN["gru"], torch.float32)
    with pytest.raises(BackendError, match="take no mask"):
        scan(PLAIN["gru"], x, state, weights, mask=torch.ones(3, 5, dtype=torch.bool), backend="torch")
    with pytest.raises(BackendError, match="take no recurrent_mask"):
        scan(PLAIN["gru"], x, state, weights, recurrent_mask=torch.ones(3, 6), backend="torch")


def test_auto_takes_it_for_the_lstm_where_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQLOOM_NATIVE", "0")
    x, _, weights = call(PLAIN["lstm"], torch.float64)
    assert "runs on the torch engine" in explain(PLAIN["lstm"], x, weights)
    x, _, weights = call(PLAIN["gru"], torch.float64)
    assert "runs on the fused engine" in explain(PLAIN["gru"], x, weights)
    assert "slower than the fused one" in explain(PLAIN["gru"], x, weights)


def test_auto_takes_it_on_cuda() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    x = torch.zeros(3, 5, 4, device="cuda")
    weights = Weights(w_x=torch.zeros(4, 18, device="cuda"), w_h=torch.zeros(6, 18, device="cuda"))
    assert "runs on the torch engine" in explain(PLAIN["gru"], x, weights)
