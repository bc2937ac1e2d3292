"""Gradient norms by lag against powers of W_h and finite differences; spectra against NumPy."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from seqloom.diagnostics import (
    SpectrumTrace,
    decay_rate,
    gradient_by_lag,
    jacobian_by_lag,
    recurrent_spectrum,
)
from seqloom.errors import DataError, SettingError
from seqloom.nn import GRU, LSTM, RNN, Jordan
from seqloom.ops.reference import reference_scan


def normal(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def shuffled(module: Any, scale: float = 0.5) -> Any:
    source = np.random.default_rng(4)
    with torch.no_grad():
        for p in module.double().parameters():
            p.copy_(torch.from_numpy(scale * source.standard_normal(p.shape)))
    return module


def linear(w_h: np.ndarray) -> RNN:
    module: Any = RNN(2, len(w_h), activation="identity").double()
    module.cells[0].w_h.data = torch.from_numpy(w_h)
    return module


@pytest.mark.parametrize("scale", [0.3, 1.0, 1.7])
def test_a_linear_network_has_powers_of_w_h(scale):
    w_h, v = scale * normal(4, 4), normal(4, seed=2)
    module, x = linear(w_h), normal(3, 7, 2, seed=3)
    found = gradient_by_lag(module, x, lambda h: (h @ torch.from_numpy(v)).sum())
    expected = [np.linalg.norm(np.linalg.matrix_power(w_h, k) @ v) for k in range(7)]
    np.testing.assert_allclose(found.norms[0], expected, rtol=1e-10)
    np.testing.assert_array_equal(found.lags, range(7))
    np.testing.assert_allclose(found.relative()[0], np.array(expected) / expected[0], rtol=1e-10)
    powers = [np.linalg.norm(np.linalg.matrix_power(w_h, k), 2) for k in range(7)]
    np.testing.assert_allclose(jacobian_by_lag(module, x), powers, rtol=1e-10)
    np.testing.assert_allclose(jacobian_by_lag(module, x, 3), powers[:3], rtol=1e-10)


MAKES: dict[str, Any] = {
    "RNN": lambda: RNN(2, 3, 2),
    "Jordan": lambda: Jordan(2, 3, 2),
    "LSTM": lambda: LSTM(2, 3, 2, peephole=True),
    "GRU": lambda: GRU(2, 3, 2, reset_after=False, recurrent_dropout=0.5),
}


def states_after(module: Any, x: torch.Tensor, steps: int) -> list[torch.Tensor]:
    state = module(x[:, :steps])[1] if steps else module.initial_state(x.shape[0])
    return list(state) if isinstance(state, tuple) else [state]


@pytest.mark.parametrize("name", MAKES)
def test_against_finite_differences(name):
    """∂loss/∂(state after step T − k), all parts of the top layer's state moved one by one."""
    module = shuffled(MAKES[name]()).eval()
    x, v = torch.from_numpy(normal(1, 5, 2)), torch.from_numpy(normal(module.output_size, seed=6))
    found = gradient_by_lag(module, x, lambda y: (y * v).square().sum())
    top, bump = module.num_layers - 1, 1e-6

    def loss(state: list[torch.Tensor], since: int) -> float:
        packed = tuple(state) if len(state) > 1 else state[0]
        y = module(x[:, since:], packed)[0][:, -1] if since < 5 else state[0][top]
        return float((y * v).square().sum().detach())

    for lag in range(5):
        kept = states_after(module, x, 5 - lag)
        squares = 0.0
        for part in range(len(kept)):
            for unit in range(kept[part].shape[2]):
                values = []
                for sign in (1, -1):
                    moved = [s.detach().clone() for s in kept]
                    moved[part][top, 0, unit] += sign * bump
                    values.append(loss(moved, 5 - lag))
                squares += ((values[0] - values[1]) / (2 * bump)) ** 2
        assert found.norms[top, lag] == pytest.approx(np.sqrt(squares), rel=1e-5, abs=1e-9)


def test_the_layer_below_gets_its_gradient_through_the_one_above():
    """Two linear layers of one unit: y_T = Σ over paths, by hand."""
    a, b, u = 0.8, 0.6, 1.3  # recurrent weight below and above, weight between
    module = RNN(1, 1, 2, activation="identity", bias=False).double()
    cells: Any = module.cells
    for part, w_x, w_h in ((cells[0], 1.0, a), (cells[1], u, b)):
        part.w_x.data.fill_(w_x)
        part.w_h.data.fill_(w_h)
    found = gradient_by_lag(module, normal(2, 6, 1))
    np.testing.assert_allclose(found.norms[1], b ** np.arange(6), rtol=1e-12)
    np.testing.assert_allclose(found.norms[0], [u * sum(a ** (k - j) * b**j for j in range(k + 1)) for k in range(6)])


def test_torch_modules_and_side_effects():
    torch.manual_seed(3)
    theirs = nn.LSTM(2, 3, batch_first=True)
    x = torch.from_numpy(normal(2, 5, 2)).float().requires_grad_()
    ours = gradient_by_lag(theirs, x)
    assert ours.norms.shape == (1, 5)
    assert (ours.norms > 0).all()
    assert x.grad is None
    assert all(p.grad is None for p in theirs.parameters())
    y, (h, c) = theirs(x[:, :4])
    h, c = h.detach().requires_grad_(), c.detach().requires_grad_()
    grads = torch.autograd.grad(theirs(x[:, 4:], (h, c))[0].sum(), (h, c))
    expected = torch.cat(grads, -1)[0].norm(dim=-1).mean()
    assert ours.norms[0, 1] == pytest.approx(float(expected), rel=1e-5)
    assert y is not None


@pytest.mark.parametrize("name", MAKES)
def test_jacobians_by_autograd(name):
    module = shuffled(MAKES[name]()).eval()
    x = torch.from_numpy(normal(2, 4, 2))
    layer = module.num_layers - 1
    found = jacobian_by_lag(module, x, layer=layer)
    assert found[0] == 1.0
    inside = x
    if layer:
        below = MAKES[name]().double()
        below.load_state_dict(module.state_dict())
        first: Any = below.cells[0]
        start: Any = [s[0] for s in states_after(module, x, 0)]
        inside = reference_scan(first.cell, x, tuple(start) if len(start) > 1 else start[0], first.weights())[0]
    total = 0.0
    for row in range(2):
        cell = module.cells[layer]
        state = [s[layer, row : row + 1] for s in states_after(module, x, 2)]
        sizes = [s.shape[1] for s in state]

        def run(v: torch.Tensor, row: int = row, sizes: list[int] = sizes, cell: Any = cell) -> torch.Tensor:
            parts: Any = v.split(sizes)
            begin: Any = tuple(p[None] for p in parts) if len(parts) > 1 else parts[0][None]
            _, last = reference_scan(cell.cell, inside[row : row + 1, 2:], begin, cell.weights())
            return torch.cat([p[0] for p in (last if isinstance(last, tuple) else (last,))])

        jacobian: Any = torch.autograd.functional.jacobian(run, torch.cat([s[0] for s in state]).detach())
        total += float(torch.linalg.matrix_norm(jacobian, 2))
    assert found[2] == pytest.approx(total / 2, rel=1e-9)


def test_spectrum():
    module = shuffled(GRU(2, 4, 2, bidirectional=True))
    found = recurrent_spectrum(module)
    assert list(found) == ["layer 0", "layer 0 reverse", "layer 1", "layer 1 reverse"]
    block = module.cells[1].w_h.detach().numpy()[:, 4:8]
    np.testing.assert_allclose(found["layer 0 reverse"]["singular z"], np.linalg.svd(block)[1])
    np.testing.assert_allclose(found["layer 0 reverse"]["eigen z"], sorted(np.abs(np.linalg.eigvals(block)))[::-1])
    assert "eigen i" not in recurrent_spectrum(LSTM(2, 4, projection_size=3))["layer 0"]
    theirs: Any = nn.RNN(2, 3)
    singular = np.linalg.svd(theirs.weight_hh_l0.detach().double().numpy())[1]
    np.testing.assert_allclose(recurrent_spectrum(theirs)["layer 0"]["singular h"], singular)


def test_trace():
    module: Any = RNN(2, 3)
    trace = SpectrumTrace()
    for step, factor in ((0, 1.0), (10, 2.0), (15, 0.25)):
        with torch.no_grad():
            module.cells[0].w_h.mul_(factor)
        trace.record(step, module)
    steps, largest = trace.largest("layer 0", "singular h")
    np.testing.assert_array_equal(steps, [0, 10, 15])
    np.testing.assert_allclose(largest, [1, 2, 0.5], rtol=1e-5)
    assert trace.values("layer 0", "eigen h").shape == (3, 3)
    with pytest.raises(SettingError, match="15 follows 15"):
        trace.record(15, module)
    with pytest.raises(SettingError, match="it has layer 0"):
        trace.values("layer 1", "singular h")
    with pytest.raises(SettingError, match="it has singular h, eigen h"):
        trace.values("layer 0", "singular z")
    with pytest.raises(DataError, match="Nothing has been recorded"):
        SpectrumTrace().largest("layer 0", "singular h")


def test_decay_rate():
    assert decay_rate(3.0 * 1.2 ** np.arange(9)) == pytest.approx(1.2)
    assert decay_rate(np.array([4.0, 0.0, 1.0, np.inf])) == pytest.approx(0.5)
    assert np.isnan(decay_rate(np.array([1.0, 0.0])))
    with pytest.raises(SettingError, match=r"\(lags,\), or what gradient_by_lag returns, got \(1, 2\)"):
        decay_rate(np.ones((1, 2)))


def test_bad_arguments():
    x: Any = normal(2, 4, 2)
    with pytest.raises(SettingError, match="forward in time alone"):
        gradient_by_lag(GRU(2, 3, bidirectional=True), x)
    with pytest.raises(SettingError, match=r"2 inputs\), got \(2, 4, 3\)"):
        gradient_by_lag(GRU(2, 3), normal(2, 4, 3))
    with pytest.raises(SettingError, match="not Linear"):
        gradient_by_lag(nn.Linear(2, 3), x)
    with pytest.raises(SettingError, match="loss must return one number"):
        gradient_by_lag(GRU(2, 3), x, lambda y: y)
    with pytest.raises(DataError, match="doesn't depend on the output"):
        gradient_by_lag(GRU(2, 3), x, lambda y: torch.zeros(()))
    with pytest.raises(SettingError, match="lags must lie between 1 and the 4 steps"):
        jacobian_by_lag(GRU(2, 3), x, 5)
    with pytest.raises(SettingError, match="layer must lie between 0 and 0, not 1"):
        jacobian_by_lag(GRU(2, 3), x, layer=1)
    with pytest.raises(SettingError, match=r"state: expected the shapes \[\(1, 2, 3\)\]"):
        gradient_by_lag(GRU(2, 3), x, state=torch.zeros(1, 1, 3))


def test_importing_does_not_load_torch():
    code = "import sys, seqloom.diagnostics.gradients; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
