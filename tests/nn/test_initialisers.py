"""Initialisers: singular values, bounds, and that every draw comes from the generator given."""

from __future__ import annotations

import pytest
import torch

from seqloom.errors import SettingError
from seqloom.nn import GRU, LSTM, RNN, initialise_blocks


def generator(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("rows", "hidden"), [(7, 7), (3, 7), (9, 4)])
def test_orthogonal_blocks(rows, hidden):
    w = torch.empty(rows, 3 * hidden)
    initialise_blocks(w, "orthogonal", gates=3, generator=generator())
    for block in w.chunk(3, dim=1):
        torch.testing.assert_close(torch.linalg.svdvals(block), torch.ones(min(rows, hidden)))
    assert not torch.equal(w[:, :hidden], w[:, hidden : 2 * hidden])


@pytest.mark.parametrize("hidden", [6, 33, 128, 200])
def test_one_seed_is_one_start_at_any_number_of_threads(hidden):
    before = torch.get_num_threads()
    try:
        starts = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            starts.append(GRU(4, hidden, seed=1).state_dict())
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for other in starts[1:]:
        assert all(torch.equal(starts[0][name], other[name]) for name in other)


def test_recurrent_start_of_every_kind():
    for module in (RNN(3, 6), LSTM(3, 6), GRU(3, 6)):
        for block in module.get_parameter("cells.0.w_h").chunk(module.cell.gates, dim=1):
            torch.testing.assert_close(torch.linalg.svdvals(block), torch.ones(6))


def test_glorot_bounds_and_spread():
    w = torch.empty(200, 4 * 100)
    initialise_blocks(w, "glorot", gates=4, generator=generator())
    bound = (6 / 300) ** 0.5
    assert w.abs().max() <= bound
    assert w.abs().max() > 0.99 * bound
    assert abs(float(w.std()) - bound / 3**0.5) < 0.002


def test_identity_normal_zeros_and_scale():
    w = torch.empty(3, 6)
    initialise_blocks(w, "identity", gates=2, generator=generator(), scale=0.5)
    assert torch.equal(w, 0.5 * torch.eye(3).repeat(1, 2))
    initialise_blocks(w, "zeros", gates=2, generator=generator())
    assert torch.equal(w, torch.zeros(3, 6))
    wide = torch.empty(400, 400)
    initialise_blocks(wide, "normal", gates=1, generator=generator())
    assert abs(float(wide.std()) - 0.05) < 0.001


def test_irnn():
    module = RNN(2, 5, activation="relu", recurrent_init="identity")
    assert torch.equal(module.get_parameter("cells.0.w_h").detach(), torch.eye(5))


@pytest.mark.parametrize("coupled", [False, True])
def test_forget_bias(coupled):
    module = LSTM(2, 3, coupled=coupled, forget_bias=2.5)
    bias = module.get_parameter("cells.0.bias").detach()
    start = 0 if coupled else 3
    assert bias[start : start + 3].tolist() == [2.5] * 3
    assert float(bias.sum()) == 7.5
    assert float(LSTM(2, 3).get_parameter("cells.0.bias").detach().sum()) == 3.0


def test_generator_alone_decides():
    torch.manual_seed(1)
    a = GRU(3, 4, 2, seed=5)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    b = GRU(3, 4, 2, seed=5)
    assert torch.equal(torch.get_rng_state(), before)
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        assert torch.equal(p, q)
    c = GRU(3, 4, 2, seed=6)
    assert not torch.equal(a.get_parameter("cells.0.w_x"), c.get_parameter("cells.0.w_x"))
    assert not torch.equal(a.get_parameter("cells.0.w_h"), a.get_parameter("cells.1.w_h"))


def test_unknown():
    with pytest.raises(SettingError, match="Did you mean 'orthogonal'"):
        initialise_blocks(torch.empty(2, 2), "ortogonal", gates=1, generator=generator())
    with pytest.raises(SettingError, match="recurrent_init must be one of"):
        RNN(1, 1, recurrent_init="xavier")
