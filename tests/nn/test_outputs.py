"""Recurrent layers among others: outputs alone in nn.Sequential, residual connections, arrays, sentences for pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn as tnn

from seqloom import nn
from seqloom.diagnostics import LagNorms, decay_rate, gradient_by_lag
from seqloom.errors import SettingError

X = torch.randn(2, 9, 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "make", [lambda: nn.GRU(3, 4, 2), lambda: nn.LSTM(3, 4), lambda: tnn.GRU(3, 4, batch_first=True)]
)
def test_outputs_stand_in_sequential(make: Any) -> None:
    layer = make()
    model = tnn.Sequential(nn.Outputs(layer), tnn.Linear(4, 2))
    assert torch.equal(model(X), model[1](layer(X)[0]))
    model(X).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    assert nn.receptive_field(model) == float("inf")
    whole, (first, context) = model.eval()(X), nn.carry(model, X[:, :5])
    second, _ = nn.carry(model, X[:, 5:], context)
    assert torch.allclose(torch.cat([first, second], dim=1), whole, atol=1e-6)


def test_the_last_output_alone_and_masks() -> None:
    layer = nn.GRU(3, 4)
    lengths = torch.tensor([9, 4])
    assert torch.equal(
        nn.Outputs(layer, last_only=True)(X, lengths=lengths), layer(X, lengths=lengths, last_only=True)[0]
    )
    assert nn.output_length(nn.Outputs(layer, last_only=True), 9) == 1
    with pytest.raises(SettingError, match="last_only: only the layers of"):
        nn.Outputs(tnn.GRU(3, 4), last_only=True)
    with pytest.raises(SettingError, match="takes a recurrent layer"):
        nn.Outputs(tnn.Linear(3, 4))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM])
def test_streams_run_through_them(kind: Any) -> None:
    model = tnn.Sequential(nn.Outputs(kind(3, 4)), nn.Residual(kind(4, 4)), tnn.Linear(4, 2)).eval()
    stream = nn.open_stream(model, 2)
    steps = np.stack([stream.step(X[:, t].numpy()).copy() for t in range(9)], axis=1)
    assert np.allclose(steps, model(X).detach().numpy(), atol=1e-5)
    kept = stream.state()
    y = stream.step(X[:, 0].numpy()).copy()
    stream.restore(kept)
    assert np.array_equal(stream.step(X[:, 0].numpy()), y)


def test_residual_of_a_recurrent_layer() -> None:
    layer = nn.GRU(3, 3)
    block = nn.Residual(layer)
    assert torch.equal(block(X), X + layer(X)[0])
    assert set(block.state_dict()) == {f"module.{name}" for name in layer.state_dict()}
    first, state = block.carry(X[:, :4])
    assert torch.allclose(torch.cat([first, block.carry(X[:, 4:], state)[0]], dim=1), block(X), atol=1e-6)
    with pytest.raises(SettingError, match="shapes must be equal"):
        nn.Residual(nn.GRU(3, 4))(X)


@pytest.mark.parametrize(
    "layer",
    [
        nn.GRU(3, 4),
        nn.TCN(3, [4]),
        nn.TemporalBlock(3, 4, 2),
        nn.CausalConv1d(3, 4, 2),
        nn.Conv1d(3, 4, 2),
        nn.MaxPool(2),
        nn.GlobalMax(),
        nn.Highway(3),
        nn.Inception1d(3, 4, [1, 3]),
        nn.Outputs(nn.LSTM(3, 4)),
        nn.Residual(nn.GRU(3, 3)),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_arrays_of_numpy_are_read(layer: Any) -> None:
    def run(x: Any) -> torch.Tensor:
        y = layer.eval()(x)
        return y[0] if isinstance(y, tuple) else y

    for array in (X.numpy(), X.double().numpy(), X.numpy()[:, ::-1][:, ::-1]):
        assert torch.equal(run(array), run(X))
    with pytest.raises(SettingError, match="must hold real numbers"):
        run(np.array([[["a"] * 3]]))


def test_a_pair_gets_a_sentence() -> None:
    for layer in (nn.GRU(4, 4), nn.TCN(4, [4]), nn.Highway(4)):
        with pytest.raises(SettingError, match=r"not tuple\. A recurrent layer returns \(output, state\)"):
            tnn.Sequential(nn.GRU(3, 4), layer)(X)


def test_decay_rate_reads_what_gradient_by_lag_returns() -> None:
    found = gradient_by_lag(nn.RNN(3, 4), X)
    assert decay_rate(found) == decay_rate(found.norms[0])
    two = LagNorms(np.array([[8.0, 4.0, 2.0], [1.0, 3.0, 9.0]]))
    assert decay_rate(two, layer=1) == pytest.approx(3.0)
    assert decay_rate(two, layer=-2) == pytest.approx(0.5)
    with pytest.raises(SettingError, match="layer: the norms are of 2 layers"):
        decay_rate(two)
    with pytest.raises(SettingError, match="layer: expected one of 0 to 1, got 2"):
        decay_rate(two, layer=2)
    with pytest.raises(SettingError, match="are of one layer"):
        decay_rate(two.norms[0], layer=0)
