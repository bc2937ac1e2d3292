"""`Stateful`: batches in a row equal the whole, gradients end at the batch, checkpoints hold the state."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from seqloom.errors import SettingError
from seqloom.nn import GRU, LSTM, RNN, Jordan, Stateful

MAKE = {
    "rnn": lambda: RNN(3, 4, 2, seed=1),
    "jordan": lambda: Jordan(3, 4, 2, seed=1),
    "lstm": lambda: LSTM(3, 4, 2, seed=1),
    "gru": lambda: GRU(3, 4, seed=1),
}


@pytest.mark.parametrize("name", list(MAKE))
def test_batches_in_a_row_equal_the_whole(name: str) -> None:
    layer, x = MAKE[name](), torch.randn(5, 9, 3, generator=torch.Generator().manual_seed(2))
    stateful = Stateful(layer, 5)
    parts = [stateful(x[:, :4], fresh=True), stateful(x[:, 4:5]), stateful(x[:, 5:])]
    torch.testing.assert_close(torch.cat(parts, 1), layer(x)[0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(stateful(x, fresh=True), layer(x)[0])


def test_gradient_ends_at_the_batch() -> None:
    layer, x = GRU(3, 4, seed=1), torch.randn(2, 6, 3, requires_grad=True)
    stateful = Stateful(layer, 2)
    stateful(x[:, :3], fresh=True)
    stateful(x[:, 3:]).sum().backward()
    assert x.grad is not None
    assert x.grad[:, :3].abs().sum() == 0
    assert x.grad[:, 3:].abs().sum() > 0


def test_state_is_saved_with_the_weights() -> None:
    layer, x = LSTM(3, 4, seed=1), torch.randn(2, 6, 3)
    first, second = Stateful(layer, 2), Stateful(LSTM(3, 4, seed=9), 2)
    first(x[:, :3], fresh=True)
    second.load_state_dict(first.state_dict())
    torch.testing.assert_close(second(x[:, 3:]), first(x[:, 3:]))


def test_modules_without_a_state_are_refused() -> None:
    with pytest.raises(SettingError, match="initial_state"):
        Stateful(nn.Linear(3, 4), 2)
