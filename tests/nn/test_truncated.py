"""Truncated backpropagation: the whole gradient where the window covers the sequence, else the sum over the windows."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqloom.errors import SettingError
from seqloom.nn import GRU, LSTM, RNN, Jordan, detach, truncated_bptt

MAKES = {
    "RNN": lambda: RNN(3, 5, 2),
    "Jordan": lambda: Jordan(3, 5, 2),
    "LSTM": lambda: LSTM(3, 5, 2, projection_size=2),
    "GRU": lambda: GRU(3, 5, 2),
}


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def gradients(module: nn.Module) -> list[Tensor]:
    found = [p.grad.clone() for p in module.parameters() if p.grad is not None]
    module.zero_grad()
    return found


def truncated(module: Any, x: Tensor, y: Tensor, window: int, **keywords: Any) -> list[Tensor]:
    for chunk in truncated_bptt(module, x, window, **keywords):
        (chunk.output - chunk.of(y)).square().sum().backward()
    return gradients(module)


@pytest.mark.parametrize("kind", MAKES)
def test_a_window_over_everything_is_full_bptt(kind):
    module = MAKES[kind]().double()
    x, y = normal(4, 6, 3), normal(4, 6, module.output_size, seed=2)
    (module(x)[0] - y).square().sum().backward()
    full = gradients(module)
    for window in (6, 7, 100):
        for a, b in zip(truncated(module, x, y, window), full, strict=True):
            assert torch.equal(a, b)
    short = truncated(module, x, y, 2)
    assert any(not torch.allclose(a, b) for a, b in zip(short, full, strict=True))


@pytest.mark.parametrize("kind", MAKES)
def test_outputs_do_not_depend_on_the_window(kind):
    module = MAKES[kind]().double()
    x, mask = normal(4, 7, 3), normal(4, 7, seed=5) > -0.5
    expected, last = module(x, mask=mask)
    chunks = list(truncated_bptt(module, x, 3, mask=mask))
    assert [(c.start, c.stop) for c in chunks] == [(0, 3), (3, 6), (6, 7)]
    torch.testing.assert_close(torch.cat([c.output for c in chunks], dim=1), expected)
    end = chunks[-1].state
    for a, b in zip(end if isinstance(end, tuple) else (end,), last if isinstance(last, tuple) else (last,)):
        torch.testing.assert_close(a, b)


def test_the_gradient_stops_at_the_window():
    """By hand for h_t = h_{t−1} w + x_t: dh_T/dw of the last window alone, the state before it a constant."""
    module = RNN(1, 1, activation="identity", bias=False).double()
    cell: Any = module.cells[0]
    w = 0.7
    with torch.no_grad():
        cell.w_x.fill_(1.0)
        cell.w_h.fill_(w)
    x = normal(1, 5, 1)
    h = [0.0]
    for value in x.flatten().tolist():
        h.append(w * h[-1] + value)
    for window, first in ((1, 4), (2, 4), (3, 3), (5, 0)):
        *_, last = truncated_bptt(module, x, window)
        last.output[:, -1].sum().backward()
        slope = 0.0
        for t in range(first, 5):
            slope = h[t] + w * slope
        assert cell.w_h.grad.item() == pytest.approx(slope, rel=1e-12)
        module.zero_grad()


def test_any_model_with_a_nested_state():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = LSTM(3, 4).double(), GRU(4, 2).double()

        def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, dict[str, Any]]:
            state = state or {"a": None, "b": None}
            y, a = self.a(x, state["a"])
            y, b = self.b(y, state["b"])
            return y, {"a": a, "b": b}

    model = Two()
    x, y = normal(2, 6, 3), normal(2, 6, 2, seed=3)
    cut: Any = None
    for chunk in truncated_bptt(model, x, 4):
        (chunk.output - chunk.of(y)).square().sum().backward()
        assert chunk.state["a"][0].requires_grad
        cut = detach({"a": [chunk.state["a"]], "b": None})
    assert not cut["a"][0][1].requires_grad
    assert cut["b"] is None


def test_bad_arguments():
    x = normal(2, 6, 3)
    for window in (0, -1, 2.0, True):
        with pytest.raises(SettingError, match="window must be a whole number of steps"):
            truncated_bptt(GRU(3, 4).double(), x, window)  # pyright: ignore[reportArgumentType]
    with pytest.raises(SettingError, match="bidirectional=True reads the sequence from its end"):
        truncated_bptt(GRU(3, 4, bidirectional=True), x, 2)
    with pytest.raises(SettingError, match="reverse=True"):
        truncated_bptt(GRU(3, 4, reverse=True), x, 2)
    with pytest.raises(SettingError, match=r"\(batch, time, …\), not \(6,\)"):
        truncated_bptt(GRU(3, 4), x[0, :, 0], 2)
    with pytest.raises(SettingError, match="not int"):
        detach((x, 3))
