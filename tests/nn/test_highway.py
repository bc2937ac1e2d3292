"""Highway and residual layers: the formula, identities and their Jacobians, the GRU that keeps its state."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.autograd.functional import jacobian

from seqloom.errors import SettingError
from seqloom.nn import GRU, TCN, CausalConv1d, Highway, Residual, receptive_field


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_formula():
    layer = Highway(3, activation="tanh").double()
    with torch.no_grad():
        for number, p in enumerate(layer.parameters()):
            p.copy_(normal(*p.shape, seed=number))
    x = normal(2, 5, 3)
    w = {name: t.numpy() for name, t in layer.state_dict().items()}
    a = x.numpy()
    h = np.tanh(a @ w["transform.weight"].T + w["transform.bias"])
    t = 1 / (1 + np.exp(-(a @ w["gate.weight"].T + w["gate.bias"])))
    np.testing.assert_allclose(layer(x).detach().numpy(), h * t + a * (1 - t), rtol=1e-12)


def test_a_closed_gate_is_the_identity():
    """B8: T = 0, the layer and its Jacobian."""
    layer, x = Highway(3, gate_bias=-1e4).double(), normal(3)
    assert torch.equal(layer(x), x)
    assert torch.equal(jacobian(layer, x), torch.eye(3, dtype=torch.float64))
    opened = Highway(3, gate_bias=1e4).double()
    assert torch.equal(opened(x), torch.relu(opened.transform(x)))


def test_how_it_starts():
    layer = Highway(4, seed=3)
    assert layer.gate.bias.tolist() == [-1.0] * 4
    assert not layer.transform.bias.any()
    assert Highway(4, gate_bias=-3.0).gate.bias[0] == -3.0
    state = torch.get_rng_state()
    same, other = Highway(4, seed=3), Highway(4, seed=4)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(layer.transform.weight, same.transform.weight)
    assert not torch.equal(layer.transform.weight, other.transform.weight)
    assert not torch.equal(layer.transform.weight, layer.gate.weight)


def test_residual():
    inner = nn.Linear(3, 3).double()
    layer, x = Residual(inner), normal(2, 5, 3)
    torch.testing.assert_close(layer(x), x + inner(x))
    with torch.no_grad():
        inner.weight.zero_()
        inner.bias.zero_()
    assert torch.equal(layer(x), x)
    assert torch.equal(jacobian(layer, x[0, 0]), torch.eye(3, dtype=torch.float64))
    mask = torch.tensor([[True, True, False]])
    conv = CausalConv1d(2, 2, 2)
    given = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [torch.nan, 1.0]]])
    torch.testing.assert_close(Residual(conv)(given, mask)[:, :2], given[:, :2] + conv(given[:, :2]))


def test_a_gru_with_an_open_update_gate_keeps_its_state():
    """B8: z = 1, whatever comes in; the Jacobian of the state is the identity."""
    layer = GRU(2, 3).double()
    with torch.no_grad():
        layer.get_parameter("cells.0.bias")[3:6] = 1e4
    h = normal(1, 1, 3)
    y, last = layer(normal(1, 6, 2), h)
    torch.testing.assert_close(last, h)
    torch.testing.assert_close(y[0], h[0].expand(6, 3))
    found = jacobian(lambda s: layer(normal(1, 6, 2), s)[1].flatten(), h).reshape(3, 3)
    torch.testing.assert_close(found, torch.eye(3, dtype=torch.float64))


def test_refused():
    with pytest.raises(SettingError, match="size must be a whole number"):
        Highway(0)
    with pytest.raises(SettingError, match="activation must be"):
        Highway(3, activation="rleu")
    with pytest.raises(SettingError, match=r"x of Highway must have 3 channels on its last axis, not \(2, 4\)"):
        Highway(3)(torch.zeros(2, 4))
    with pytest.raises(SettingError, match=r"Residual adds what TCN returns .* it made \(1, 5, 4\) of \(1, 5, 3\)"):
        Residual(TCN(3, [4]))(torch.zeros(1, 5, 3))
    assert receptive_field(Residual(TCN(3, [3, 3], 2))) == 7
